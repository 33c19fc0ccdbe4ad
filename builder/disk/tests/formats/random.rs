//! Random sparse disks through every writer, every reader, and qemu-img.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use crate::feed::noise;
use crate::tools::path;
use crate::writers::{CASES, write_and_read};

/// An island of data.
#[derive(Debug, Clone)]
struct Island {
    at: u64,
    len: u64,
    content: Content,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    Noise,
    Text,
    /// Stored in the source, but nothing.
    Zeros,
}

/// A disk: its size and what is on it.
#[derive(Debug, Clone)]
struct Disk {
    size: u64,
    islands: Vec<Island>,
    seed: u64,
}

fn island(size: u64) -> impl Strategy<Value = Island> {
    // Places and lengths near borders of sectors, grains and blocks as well as any others.
    let border =
        prop_oneof![Just(512u64), Just(4096), Just(64 << 10), Just(1 << 20), Just(2 << 20)];
    let near = (border, 0u64..64, -1i64..=1)
        .prop_map(move |(border, n, shift)| (border * n).saturating_add_signed(shift) % size);
    let at = prop_oneof![near, 0..size, Just(0), Just(size - 1)];
    let len = prop_oneof![1u64..200, 1u64..200_000, Just(64 << 10), 1u64..3_000_000];
    let content = prop_oneof![Just(Content::Noise), Just(Content::Text), Just(Content::Zeros)];
    (at, len, content).prop_map(|(at, len, content)| Island { at, len, content })
}

fn disk() -> impl Strategy<Value = Disk> {
    let size = prop_oneof![1u64..100_000, 1u64..40 << 20, (1u64..80).prop_map(|n| n << 19)];
    size.prop_flat_map(|size| {
        (prop::collection::vec(island(size), 0..8), any::<u64>())
            .prop_map(move |(islands, seed)| Disk { size, islands, seed })
    })
}

impl Disk {
    fn write(&self, raw: &str) {
        let file = File::create(raw).unwrap();
        file.set_len(self.size).unwrap();
        let mut random = noise(self.seed);
        for Island { at, len, content } in &self.islands {
            let len = (*len).min(self.size - at) as usize;
            let bytes: Vec<u8> = match content {
                Content::Noise => (0..len).map(|_| random() as u8).collect(),
                Content::Text => (0..len).map(|i| b' ' + (i / 11 % 64) as u8).collect(),
                Content::Zeros => vec![0; len],
            };
            file.write_all_at(&bytes, *at).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_disks_round_trip(disk in disk()) {
        let dir = tempfile::tempdir().unwrap();
        let raw = path(dir.path(), "disk.raw");
        disk.write(&raw);
        for case in CASES {
            write_and_read(case, &raw, &path(dir.path(), "image"));
        }
    }
}
