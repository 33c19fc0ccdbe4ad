#![no_main]
//! The qcow2 reader.

use bootwright_disk::Format;
use bootwright_fuzz::{mutate, read_everything};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| read_everything(input, Format::Qcow2, |_| {}));
