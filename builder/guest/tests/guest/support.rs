//! Guests of one sector, and questions about the processes that run them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bootwright_guest::{Accelerator, Host};

/// What a tiny guest does once it has spoken.
#[derive(Clone, Copy)]
pub enum Then {
    Sleep,
    Restart,
}

/// A BIOS disk whose boot sector writes a text to the serial port.
pub fn disk(text: &str, then: Then) -> Vec<u8> {
    let speak = [
        0xfa, // cli
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0x40, 0x7c, // mov si, 0x7c40: the text
        0xba, 0xf8, 0x03, // mov dx, 0x3f8: the serial port
        0xac, // lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x03, // jz past the loop
        0xee, // out dx, al
        0xeb, 0xf8, // jmp to lodsb
    ];
    let restart = [0xb0, 0xfe, 0xe6, 0x64]; // mov al, 0xfe; out 0x64, al: pulse the reset line
    let sleep = [0xf4, 0xeb, 0xfd]; // hlt, again and again
    let mut code = speak.to_vec();
    if let Then::Restart = then {
        code.extend(restart);
    }
    code.extend(sleep);

    let mut disk = vec![0; 1 << 20];
    disk[..code.len()].copy_from_slice(&code);
    disk[0x40..][..text.len()].copy_from_slice(text.as_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Writes a disk to a file with a name that QEMU's option syntax would misread.
pub fn write_disk(folder: &Path, text: &str, then: Then) -> PathBuf {
    let path = folder.join("tiny, with:comma.img");
    fs::write(&path, disk(text, then)).unwrap();
    path
}

/// This machine, with the accelerator that works everywhere.
pub fn host() -> Host {
    Host::from_environment().unwrap().with_accelerator(Accelerator::Tcg)
}

/// Processes whose command line holds this path (with its commas doubled, as for QEMU).
pub fn processes_with(path: &Path) -> Vec<String> {
    let needle = path.to_str().unwrap().replace(',', ",,");
    let needle = needle.as_bytes();
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| {
            // A process may end while it is looked at.
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let found = line.windows(needle.len()).any(|part| part == needle);
            found.then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}
