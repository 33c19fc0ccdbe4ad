//! What each program that reads seed media would do with one.
//!
//! Sources: cloud-init's `DataSourceNoCloud.py`, `DataSourceConfigDrive.py` and `ds-identify`;
//! Ignition's `proxmoxve`, `kubevirt`, `ibmcloud` and `openstack` providers; afterburn's
//! `proxmoxve` and `kubevirt` providers; our own agent, which is asked itself. cloud-init judges
//! our judgement in the tests.

use std::io::{Read, Seek};

use serde::Serialize;

use crate::inspect::{Medium, type_of};
use crate::medium::{Kind, read};
use crate::userdata;
use crate::yaml::tree::Value;

/// What a program does with a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It takes the seed.
    Accept,
    /// It does not look at it, or looks and goes on without.
    Ignore,
    /// It looks for such a seed, and this one is not good enough for it.
    Refuse,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ignore => "ignore",
            Self::Refuse => "refuse",
        }
    }
}

/// What one program does, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The program.
    pub consumer: &'static str,
    /// What it does.
    pub outcome: Outcome,
    /// Why, and what to do about it.
    pub reason: String,
}

/// The programs, in the order of their verdicts.
pub const CONSUMERS: [&str; 7] = [
    "bootwright-agent",
    "cloud-init-nocloud",
    "cloud-init-configdrive",
    "ignition-cidata",
    "ignition-openstack",
    "afterburn-proxmoxve",
    "afterburn-kubevirt",
];

type Judged = (Outcome, String);

/// The verdicts on a medium, which is on `device`.
pub fn verify<R: Read + Seek>(medium: &Medium, mut device: R) -> Vec<Verdict> {
    CONSUMERS
        .into_iter()
        .map(|consumer| {
            let (outcome, reason) = match consumer {
                "bootwright-agent" => agent(medium, &mut device),
                "cloud-init-nocloud" => nocloud(medium),
                "cloud-init-configdrive" => config_drive(medium),
                "ignition-cidata" => ignition(medium, Kind::Cidata),
                "ignition-openstack" => ignition(medium, Kind::Config2),
                "afterburn-proxmoxve" => afterburn_proxmoxve(medium),
                _ => afterburn_kubevirt(medium),
            };
            Verdict { consumer, outcome, reason }
        })
        .collect()
}

/// The programs that a seed of this kind is made for.
#[must_use]
pub fn meant_for(kind: Option<Kind>) -> [&'static str; 2] {
    match kind {
        Some(Kind::Config2) => ["bootwright-agent", "cloud-init-configdrive"],
        Some(Kind::Cidata) | None => ["bootwright-agent", "cloud-init-nocloud"],
    }
}

fn accept(reason: impl Into<String>) -> Judged {
    (Outcome::Accept, reason.into())
}

fn ignore(reason: impl Into<String>) -> Judged {
    (Outcome::Ignore, reason.into())
}

fn refuse(reason: impl Into<String>) -> Judged {
    (Outcome::Refuse, reason.into())
}

fn labels(medium: &Medium) -> String {
    match medium.labels.is_empty() {
        true => "it has no label".to_owned(),
        false => format!("its label is {}", medium.labels.join(" and ")),
    }
}

/// The agent's own code decides.
fn agent<R: Read + Seek>(medium: &Medium, device: R) -> Judged {
    let Some(kind) = medium.kind else {
        return ignore(format!("{}; it looks for cidata and config-2", labels(medium)));
    };
    let contents = match read::read(device, kind) {
        Ok(contents) => contents,
        Err(error) => return refuse(with_causes(&error)),
    };
    if crate::sealed::is_sealed(&contents.user_data) {
        return accept("if the machine has the key; the user-data is encrypted");
    }
    match userdata::check(&contents.user_data_file, &contents.user_data) {
        Ok(_) => accept("writes the user-data to the active env"),
        Err(error) => refuse(error.to_string()),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A file under the name that the kernel's mount gives it.
fn mounted<'a>(medium: &'a Medium, path: &str) -> Option<&'a [u8]> {
    let found = medium.files.iter().find(|file| {
        // FAT is not case sensitive.
        file.path == path || (medium.filesystem == "vfat" && file.path.eq_ignore_ascii_case(path))
    });
    found.map(|file| &file.content[..])
}

fn missing(medium: &Medium, path: &str) -> Option<String> {
    let advice = match medium.file(path) {
        Some(mangled) => format!(
            "{path} is there as {} alone; write the medium with Rock Ridge or Joliet",
            mangled.path
        ),
        None => format!("{path} is missing"),
    };
    mounted(medium, path).is_none().then_some(advice)
}

fn nocloud(medium: &Medium) -> Judged {
    if medium.kind != Some(Kind::Cidata) {
        return ignore(format!("{}; it looks for cidata and CIDATA", labels(medium)));
    }
    for path in ["user-data", "meta-data"] {
        if let Some(problem) = missing(medium, path) {
            return refuse(format!("{problem}; it warns and looks at the next drive"));
        }
    }
    // What is no mapping it passes over with a warning.
    let id = medium.meta_data().filter(|node| matches!(node.value, Value::Map(_)));
    let note = match id.map(|node| node.get("instance-id").is_some()) {
        Some(true) => "",
        Some(false) => {
            "; without an instance-id it takes `nocloud`, so that a changed seed is not taken"
        }
        None => {
            "; meta-data is no YAML mapping, so it goes without: no host name, no keys, and a changed seed is not taken"
        }
    };
    accept(user_data_in_cloud_init(mounted(medium, "user-data")) + note)
}

/// What cloud-init makes of the user-data.
fn user_data_in_cloud_init(user_data: Option<&[u8]>) -> String {
    let user_data = user_data.unwrap_or_default();
    match type_of(user_data) {
        "cloud-config" => match userdata::check("user-data", user_data) {
            Ok(_) => "reads the user-data as cloud-config".to_owned(),
            Err(error) => format!("takes the meta-data, but the user-data is flawed: {error}"),
        },
        "encrypted (age)" => {
            "takes the meta-data; it cannot read the encrypted user-data and warns about it"
                .to_owned()
        }
        "unknown" => "takes the meta-data; the user-data is of no kind that it handles".to_owned(),
        "empty" => "takes the meta-data; the user-data is empty".to_owned(),
        other => format!("reads the user-data as {other}"),
    }
}

fn config_drive(medium: &Medium) -> Judged {
    let meta_data = Kind::Config2.meta_data();
    if medium.kind != Some(Kind::Config2) {
        return ignore(format!("{}; it looks for config-2 and CONFIG-2", labels(medium)));
    }
    if let Some(problem) = missing(medium, meta_data) {
        return ignore(format!("{problem}; it looks at the next drive"));
    }
    let bytes = mounted(medium, meta_data).unwrap_or_default();
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(json) if json.get("uuid").is_some_and(|uuid| !uuid.is_null()) => {
            accept(user_data_in_cloud_init(mounted(medium, Kind::Config2.user_data())))
        }
        Ok(_) => refuse(format!("{meta_data} has no uuid")),
        Err(_) => refuse(format!("{meta_data} is not JSON")),
    }
}

/// Whether udev's by-label link of this name leads to the medium.
fn is_linked(medium: &Medium, label: &str) -> bool {
    medium.labels.first().is_some_and(|own| own == label)
}

fn ignition(medium: &Medium, kind: Kind) -> Judged {
    let upper = kind.name().to_ascii_uppercase();
    let is_found = match kind {
        Kind::Cidata => is_linked(medium, kind.name()),
        Kind::Config2 => is_linked(medium, kind.name()) || is_linked(medium, &upper),
    };
    if !is_found {
        let wanted = match kind {
            Kind::Cidata => "cidata in lower case, for 30 s".to_owned(),
            Kind::Config2 => format!("config-2 and {upper}"),
        };
        return ignore(format!("{}; it looks for {wanted}", labels(medium)));
    }
    if let Some(problem) = missing(medium, kind.user_data()) {
        return ignore(format!("{problem}; it goes on without a config"));
    }
    let user_data = mounted(medium, kind.user_data()).unwrap_or_default();
    match type_of(user_data) {
        "ignition" => accept("reads the user-data as its config"),
        "empty" => ignore("the user-data is empty"),
        "cloud-config" | "script" => ignore("the user-data is cloud-init's, which it leaves alone"),
        other => refuse(format!("the user-data ({other}) is no Ignition config; the boot fails")),
    }
}

fn afterburn_proxmoxve(medium: &Medium) -> Judged {
    if !is_linked(medium, "cidata") || medium.filesystem != "iso9660" {
        let own = format!("{} on {}", labels(medium), medium.filesystem);
        return ignore(format!("{own}; it looks for cidata in lower case on iso9660"));
    }
    let needed = ["user-data", "meta-data", "vendor-data", "network-config"];
    match needed.into_iter().find_map(|path| missing(medium, path)) {
        Some(problem) => refuse(format!(
            "{problem}; it needs all of {} and falls back to doing nothing",
            needed.join(", ")
        )),
        None => accept("reads keys, host name and network"),
    }
}

fn afterburn_kubevirt(medium: &Medium) -> Judged {
    let Some(kind) = medium.kind.filter(|kind| is_linked(medium, kind.name())) else {
        return ignore(format!("{}; it looks for config-2, then cidata", labels(medium)));
    };
    match missing(medium, kind.meta_data()) {
        Some(problem) => refuse(problem),
        None => accept("reads keys and host name from the meta-data"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::create::{Seed, SeedFiles};
    use crate::medium::write::{iso, vfat};
    use crate::sealed::Identity;

    const ENV: &[u8] = b"#cloud-config\na: 1\n";

    fn verdicts(image: &[u8]) -> Vec<(Outcome, String)> {
        let medium = Medium::read(Cursor::new(image)).unwrap().unwrap();
        verify(&medium, Cursor::new(image)).into_iter().map(|v| (v.outcome, v.reason)).collect()
    }

    fn outcomes(image: &[u8]) -> String {
        let initial = |(outcome, _): &(Outcome, String)| outcome.name()[..1].to_owned();
        verdicts(image).iter().map(initial).collect()
    }

    fn seed() -> Seed {
        Seed::new("env.yml", ENV.to_vec()).unwrap()
    }

    fn without(mut files: SeedFiles, path: &str) -> Vec<u8> {
        files.files.retain(|file| file.path != path);
        iso(&files, 0).unwrap()
    }

    /// One letter a consumer, in the order of [`CONSUMERS`].
    #[test]
    fn who_does_what() {
        let cidata = seed().files(Kind::Cidata);
        let config_2 = seed().files(Kind::Config2);
        assert_eq!(outcomes(&iso(&cidata, 0).unwrap()), "aaiiira");
        assert_eq!(outcomes(&vfat(&cidata, 0).unwrap()), "aaiiiii");
        assert_eq!(outcomes(&iso(&config_2, 0).unwrap()), "aiaiiia");
        assert_eq!(outcomes(&without(cidata.clone(), "meta-data")), "rriiirr");
        assert_eq!(outcomes(&without(cidata, "user-data")), "rriiira");
        assert_eq!(outcomes(&without(config_2, "openstack/latest/meta_data.json")), "riiiiir");
        let network = crate::create::Network::parse("n", "version: 2\n").unwrap();
        let all = seed().with_network(&network, Kind::Cidata).unwrap();
        let all = all.with_vendor_data("v", ENV.to_vec()).unwrap().files(Kind::Cidata);
        assert_eq!(outcomes(&iso(&all, 0).unwrap()), "aaiiiaa");
    }

    #[test]
    fn encrypted_user_data() {
        let recipient = Identity::generate().unwrap().recipient();
        let image = iso(&seed().sealed_to(&[recipient]).unwrap().files(Kind::Cidata), 0).unwrap();
        let verdicts = verdicts(&image);
        assert!(verdicts[0].1.contains("if the machine has the key"), "{verdicts:?}");
        assert!(verdicts[1].1.contains("warns"), "{verdicts:?}");
        assert_eq!(verdicts[3].0, Outcome::Refuse);
    }

    #[test]
    fn reasons_hold_no_value() {
        let env = b"#cloud-config\npassword: hunter2\npassword: hunter2\n";
        let mut files = seed().files(Kind::Cidata);
        files.files[1].content = env.to_vec();
        let medium = iso(&files, 0).unwrap();
        let shown = format!("{:?}", verdicts(&medium));
        assert!(shown.contains("stands twice") && !shown.contains("hunter2"), "{shown}");
    }
}
