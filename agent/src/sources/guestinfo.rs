//! VMware's guestinfo variables.
//!
//! Source: cloud-init's DataSourceVMware (`guestinfo.userdata`, its `.encoding`). The host is
//! reached through open-vm-tools: the backdoor port itself needs instructions that safe Rust
//! does not have.

use std::process::Command;
use std::time::Duration;

use super::{Dmi, Looked, Offer, encoded};
use crate::config::SourceKind;
use crate::program;
use crate::root::Root;

/// The programs that ask the host, and the option each wants before the request.
const TOOLS: [(&str, Option<&str>); 2] =
    [("/usr/bin/vmware-rpctool", None), ("/usr/bin/vmtoolsd", Some("--cmd"))];
/// How long the host may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The variable with the env.
const USERDATA: &str = "guestinfo.userdata";

/// Asks the host.
pub fn look(root: &Root) -> Looked {
    let dmi = Dmi::read(root);
    if !dmi.vendor.starts_with("VMware") {
        return Looked::Nothing(format!("this is {}, not VMware", dmi.describe()));
    }
    if tool(root).is_none() {
        return Looked::Nothing(
            "the image has neither vmware-rpctool nor vmtoolsd; install open-vm-tools".to_owned(),
        );
    }
    offer(|variable| get(root, variable))
}

/// Sets a variable of the machine that its host can read. `false` if there is no VMware.
pub fn set(root: &Root, variable: &str, value: &str) -> Option<Result<(), String>> {
    if !Dmi::read(root).vendor.starts_with("VMware") {
        return None;
    }
    let command = command(root, &format!("info-set {variable} {value}"))?;
    Some(match program::finish(command, b"", LIMIT) {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(format!("the VMware tools ended with {}", ended.status)),
        Err(error) => Err(error.to_string()),
    })
}

fn tool(root: &Root) -> Option<(&'static str, Option<&'static str>)> {
    TOOLS.into_iter().find(|(path, _)| root.at(path).is_file())
}

fn command(root: &Root, request: &str) -> Option<Command> {
    let (path, option) = tool(root)?;
    let mut command = Command::new(root.at(path));
    command.args(option).arg(request).env("PATH", program::PATH);
    Some(command)
}

/// A variable's value; `None` if it is not set.
fn get(root: &Root, variable: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(command) = command(root, &format!("info-get {variable}")) else {
        return Ok(None);
    };
    match program::finish(command, b"", LIMIT) {
        // The tools end with 1 where there is no such variable.
        Ok(ended) if !ended.status.success() => Ok(None),
        Ok(ended) => Ok(Some(ended.out.trim_ascii_end().to_vec()).filter(|out| !out.is_empty())),
        Err(error) => Err(format!("the VMware tools cannot be asked: {error}")),
    }
}

fn offer(get: impl Fn(&str) -> Result<Option<Vec<u8>>, String>) -> Looked {
    let value = match get(USERDATA) {
        Ok(Some(value)) => value,
        Ok(None) => return Looked::Nothing(format!("{USERDATA} is not set")),
        Err(reason) => return Looked::Broken(reason),
    };
    let encoding = match get(&format!("{USERDATA}.encoding")) {
        Ok(encoding) => encoding.unwrap_or_default(),
        Err(reason) => return Looked::Broken(reason),
    };
    let encoding = String::from_utf8_lossy(&encoding).trim().to_ascii_lowercase();
    let decoded = match encoding.as_str() {
        "" => Ok(with_line_end(value)),
        "base64" | "b64" => encoded::base64(&value),
        "gzip+base64" | "gz+b64" => {
            encoded::base64(&value).and_then(|packed| encoded::gunzip(&packed))
        }
        _ => Err("unknown encoding; known are base64 and gzip+base64".to_owned()),
    };
    match decoded {
        Ok(user_data) => {
            let mut offer = Offer::plain(SourceKind::Vmware, "guestinfo", user_data);
            offer.file = USERDATA.to_owned();
            Looked::offers(offer)
        }
        Err(reason) => Looked::Broken(format!(
            "{USERDATA} cannot be used: {reason}; correct it in the machine's settings"
        )),
    }
}

/// The tools end what they print with one line end more, so the text's own were taken with it.
fn with_line_end(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(userdata: &str, encoding: Option<&str>) -> Looked {
        offer(|variable| {
            Ok(match variable {
                "guestinfo.userdata" => Some(userdata.as_bytes().to_vec()),
                _ => encoding.map(|text| text.as_bytes().to_vec()),
            })
        })
    }

    #[test]
    fn every_encoding() {
        // printf '#cloud-config\na: 1\n' | gzip -n | base64
        let packed = "H4sIAAAAAAAAA1NOzskvTdFNzs9Ly0znSrRSMOQCAHTWkbMTAAAA";
        for (text, encoding) in [
            ("#cloud-config\na: 1", None),
            ("I2Nsb3VkLWNvbmZpZwphOiAxCg==", Some("base64")),
            (packed, Some("gzip+base64")),
        ] {
            let Looked::Offers(offer) = asked(text, encoding) else {
                panic!("{encoding:?} is not understood");
            };
            assert_eq!(offer.user_data, b"#cloud-config\na: 1\n", "{encoding:?}");
        }
        assert!(matches!(asked("x", Some("rot13")), Looked::Broken(_)));
        assert!(matches!(asked("?", Some("base64")), Looked::Broken(_)));
    }
}
