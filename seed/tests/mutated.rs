//! Damaged and crafted media end in an error or a seed, never in a panic or a long wait.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Cursor;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bootwright_seed::inspect::Medium;
use bootwright_seed::medium::read::{MAX_READ, identify, read};
use bootwright_seed::medium::write::iso;
use bootwright_seed::medium::{Kind, ReadError, probe};
use bootwright_seed::verify::verify;
use common::{fat, files, tree_of};
use hadris_fat::FatKind;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::test_runner::Config;

/// Far above what any of these small media takes, far below a hang.
const LONGEST: Duration = Duration::from_secs(5);

/// Sound media of every shape.
static MEDIA: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let tree = tree_of(&files(Kind::Cidata));
    vec![
        iso(&files(Kind::Cidata), 0).unwrap(),
        iso(&files(Kind::Config2), 0).unwrap(),
        fat(&tree, FatKind::Fat12, 1440 * 1024),
        fat(&tree, FatKind::Fat16, 8 << 20),
        fat(&tree, FatKind::Fat32, 40 << 20),
    ]
});

/// A change to a medium: bytes overwritten near a structure, or the end cut off.
#[derive(Debug, Clone)]
enum Change {
    Put { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    // The boot sector and the FAT lie below 64 KiB, an ISO's descriptors, path tables and
    // directories between 32 and 128 KiB.
    let place = prop_oneof![0..1024usize, 32 * 1024..40 * 1024usize, 0..160 * 1024usize];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..16),
        Just(vec![0xff; 4]),
        Just(vec![0; 8]),
        Just(vec![0xff; 512]),
    ];
    prop_oneof![
        8 => (place, bytes).prop_map(|(at, bytes)| Change::Put { at, bytes }),
        1 => (0..160 * 1024usize).prop_map(Change::Cut),
    ]
}

fn apply(medium: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Put { at, bytes } => {
            let end = (at + bytes.len()).min(medium.len());
            if *at < end {
                medium[*at..end].copy_from_slice(&bytes[..end - at]);
            }
        }
        Change::Cut(at) => medium.truncate(*at),
    }
}

proptest! {
    #![proptest_config(Config::with_cases(400))]

    #[test]
    fn damaged_media(which in 0..5usize, changes in prop::collection::vec(change(), 1..8)) {
        let mut medium = MEDIA[which].clone();
        for change in &changes {
            apply(&mut medium, change);
        }
        let start = Instant::now();
        let _ = identify(Cursor::new(&medium));
        if let Ok(Some(whole)) = Medium::read(Cursor::new(&medium)) {
            let _ = whole.inspect();
            let _ = verify(&whole, Cursor::new(&medium));
        }
        for kind in Kind::ALL {
            // Whatever comes back, the label on the medium may have changed.
            if let Ok(contents) = read(Cursor::new(&medium), kind) {
                assert!(contents.user_data.len() <= medium.len());
            }
        }
        assert!(start.elapsed() < LONGEST, "took {:?}", start.elapsed());
    }

    #[test]
    fn random_heads(head in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = probe::sniff(&head);
        let _ = identify(Cursor::new(head));
    }
}

#[test]
fn the_media_are_sound_before_they_are_damaged() {
    for medium in MEDIA.iter() {
        let identity = identify(Cursor::new(medium)).unwrap().unwrap();
        let contents = read(Cursor::new(medium), identity.kind.unwrap()).unwrap();
        assert_eq!(contents.user_data, common::ENV);
    }
}

#[test]
fn an_endless_directory_ends_at_the_budget() {
    // The root directory, moved to the end of the image, claims 4 GiB; what follows it are
    // zeros, which a reader skips sector by sector.
    let mut medium = MEDIA[0].clone();
    let record = 16 * 2048 + 156;
    let old =
        u32::from_le_bytes(medium[record + 2..record + 6].try_into().unwrap()) as usize * 2048;
    let new = medium.len();
    medium.extend_from_within(old..old + 2048);
    for at in [record, new] {
        medium[at + 2..at + 10].copy_from_slice(&both_endian(new as u32 / 2048));
        medium[at + 10..at + 18].copy_from_slice(&both_endian(0xffff_f800));
    }
    medium.resize(256 << 20, 0);
    let start = Instant::now();
    let error = read(Cursor::new(medium), Kind::Cidata).unwrap_err();
    assert!(matches!(error, ReadError::TooMuch { limit: MAX_READ }), "{error}");
    assert!(start.elapsed() < LONGEST, "took {:?}", start.elapsed());
}

/// A number as ISO 9660 stores it (ECMA-119 7.3.3).
fn both_endian(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&value.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}
