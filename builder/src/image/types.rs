//! Names of partition types.

use bootwright_disk::partition::types;
use uuid::{Uuid, uuid};

/// The name of a GPT type that is common in images.
pub fn of_guid(guid: &Uuid) -> Option<&'static str> {
    const KNOWN: [(Uuid, &str); 12] = [
        (types::ESP, "EFI system"),
        (types::XBOOTLDR, "extended boot"),
        (types::ROOT_X86_64, "root (x86-64)"),
        (types::ROOT_ARM64, "root (arm64)"),
        (uuid!("21686148-6449-6e6f-744e-656564454649"), "BIOS boot"),
        (uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4"), "Linux"),
        (uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"), "Linux swap"),
        (uuid!("e6d6d379-f507-44c2-a23c-238f2a3df928"), "Linux LVM"),
        (uuid!("933ac7e1-2eb4-4f13-b844-0e14e2aef915"), "Linux home"),
        (uuid!("a19d880f-05fc-4d3b-a006-743f0f84911e"), "Linux RAID"),
        (uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"), "basic data"),
        (uuid!("e3c9e316-0b5c-4db8-817d-f92df00215ae"), "Microsoft reserved"),
    ];
    KNOWN.iter().find(|(known, _)| known == guid).map(|(_, name)| *name)
}

/// The name of an MBR type that is common in images.
pub fn of_byte(id: u8) -> Option<&'static str> {
    Some(match id {
        0x07 => "NTFS or exFAT",
        0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => "FAT",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xef => "EFI system",
        0xfd => "Linux RAID",
        _ => return None,
    })
}
