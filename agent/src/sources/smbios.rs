//! The env as an OEM string of the firmware, written the way systemd writes credentials there.
//!
//! Sources: DMTF DSP0134 (structure header, strings, type 11), systemd.system-credentials(7),
//! the kernel's /sys/firmware/dmi/tables/DMI.

use std::fs;

use super::{Looked, Offer, encoded, read_bounded};
use crate::config::SourceKind;
use crate::root::Root;

/// The whole table, as the kernel found it.
const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
/// The same, one structure a folder, where the module dmi-sysfs is loaded.
const ENTRIES: &str = "/sys/firmware/dmi/entries";
/// Structure type of OEM strings.
const OEM_STRINGS: u8 = 11;
/// Structure type that ends the table.
const END: u8 = 127;
/// What precedes the env in a string, as it is and as base64.
const PLAIN: &[u8] = b"io.systemd.credential:bootwright.env=";
const BINARY: &[u8] = b"io.systemd.credential.binary:bootwright.env=";

/// Looks for the string.
pub fn look(root: &Root) -> Looked {
    let table = match read_bounded(&root.at(TABLE)) {
        Ok(table) => table,
        Err(_) => entries(root),
    };
    if table.is_empty() {
        return Looked::Nothing("the firmware has no SMBIOS table".to_owned());
    }
    match env(&table) {
        None => Looked::Nothing("no OEM string holds the credential bootwright.env".to_owned()),
        Some(Err(reason)) => Looked::Broken(format!(
            "the SMBIOS credential bootwright.env cannot be used: {reason}; correct the host's configuration"
        )),
        Some(Ok(user_data)) => {
            let mut offer = Offer::plain(SourceKind::Smbios, "SMBIOS", user_data);
            offer.file = "bootwright.env".to_owned();
            Looked::offers(offer)
        }
    }
}

/// The structures with OEM strings, one after the other, from the folders.
fn entries(root: &Root) -> Vec<u8> {
    let folders = fs::read_dir(root.at(ENTRIES)).into_iter().flatten().flatten();
    let ours = folders.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"11-"));
    let mut raw: Vec<_> = ours.map(|entry| entry.path().join("raw")).collect();
    raw.sort();
    raw.iter().filter_map(|path| read_bounded(path).ok()).flatten().collect()
}

/// The env in a table, if one of its OEM strings holds one.
fn env(table: &[u8]) -> Option<Result<Vec<u8>, String>> {
    oem_strings(table).into_iter().find_map(|string| {
        let plain = string.strip_prefix(PLAIN).map(|env| Ok(env.to_vec()));
        plain.or_else(|| string.strip_prefix(BINARY).map(encoded::base64))
    })
}

/// Every OEM string of a table, up to where it is cut short.
fn oem_strings(table: &[u8]) -> Vec<&[u8]> {
    let mut strings = Vec::new();
    let mut rest = table;
    // Header: type, length of the formatted part, handle.
    while let [kind, length, ..] = *rest
        && kind != END
    {
        let Some(mut tail) = rest.get(usize::from(length).max(4)..) else {
            break;
        };
        // The strings end in a zero each, their list in one more. An empty list is two zeros.
        if let Some(empty) = tail.strip_prefix(&[0, 0]) {
            rest = empty;
            continue;
        }
        while let Some(end) = tail.iter().position(|byte| *byte == 0).filter(|end| *end > 0) {
            if kind == OEM_STRINGS {
                strings.extend(tail.get(..end));
            }
            tail = tail.get(end + 1..).unwrap_or_default();
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    strings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn structure(kind: u8, strings: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![kind, 5, 0, 0, u8::try_from(strings.len()).unwrap()];
        for string in strings {
            bytes.extend(*string);
            bytes.push(0);
        }
        bytes.extend(if strings.is_empty() { &[0, 0][..] } else { &[0] });
        bytes
    }

    #[test]
    fn the_credential_is_found_among_others() {
        let mut table = structure(1, &[b"io.systemd.credential:bootwright.env=no"]);
        table.extend(structure(32, &[]));
        table.extend(structure(11, &[b"other", b"io.systemd.credential:x=y"]));
        assert_eq!(env(&table), None);
        let mut binary = table.clone();
        binary.extend(structure(11, &[b"io.systemd.credential.binary:bootwright.env=YTogMQo="]));
        assert_eq!(env(&binary), Some(Ok(b"a: 1\n".to_vec())));
        table.extend(structure(11, &[b"a", b"io.systemd.credential:bootwright.env=a: 1\nb: 2\n"]));
        table.extend(structure(127, &[]));
        assert_eq!(env(&table), Some(Ok(b"a: 1\nb: 2\n".to_vec())));
        table.truncate(table.len() - 8);
        assert_eq!(env(&table), Some(Ok(b"a: 1\nb: 2\n".to_vec())));
    }

    #[test]
    fn base64_that_is_none_is_an_error() {
        let table = structure(11, &[b"io.systemd.credential.binary:bootwright.env=?"]);
        assert!(env(&table).unwrap().unwrap_err().starts_with("not base64"));
    }

    proptest! {
        #[test]
        fn any_table_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = env(&bytes);
        }

        #[test]
        fn any_damage_is_survived(at in 0usize..80, byte: u8) {
            let mut table = structure(11, &[b"a", b"io.systemd.credential:bootwright.env=a: 1"]);
            table.extend(structure(1, &[b"x"]));
            let length = table.len();
            table[at % length] = byte;
            let _ = env(&table);
        }
    }
}
