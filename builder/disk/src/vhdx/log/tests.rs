//! Logs made by hand; tests/formats/vhdx_log.rs has QEMU judge whole files.

use super::*;

const ID: Uuid = Uuid::from_u128(0x77);

/// A log of eight sectors.
struct Log(Vec<u8>);

impl Log {
    fn new() -> Self {
        Self(vec![0; 8 * SECTOR])
    }

    /// Adds an entry of one sector: a zero descriptor whose offset tells its number.
    fn entry(&mut self, sequence: u64, at: usize, tail: usize) -> &mut Self {
        let sector = &mut self.0[at * SECTOR..][..SECTOR];
        put(sector, 0, b"loge");
        put(sector, 8, &(SECTOR as u32).to_le_bytes());
        put(sector, 12, &((tail * SECTOR) as u32).to_le_bytes());
        put(sector, 16, &sequence.to_le_bytes());
        put(sector, 24, &1u32.to_le_bytes());
        put(sector, 32, &ID.to_bytes_le());
        put(sector, 48, &(sequence << 20).to_le_bytes());
        put(sector, 56, &(sequence << 21).to_le_bytes());
        put(sector, 64, b"zero");
        put(sector, 72, &4096u64.to_le_bytes());
        put(sector, 80, &(sequence << 12).to_le_bytes());
        put(sector, 88, &sequence.to_le_bytes());
        self.seal(at)
    }

    fn put(&mut self, at: usize, field: usize, bytes: &[u8]) -> &mut Self {
        put(&mut self.0, at * SECTOR + field, bytes);
        self.seal(at)
    }

    fn seal(&mut self, at: usize) -> &mut Self {
        let sector = &mut self.0[at * SECTOR..][..SECTOR];
        put(sector, 4, &[0; 4]);
        let crc = crc32c::crc32c(sector);
        put(sector, 4, &crc.to_le_bytes());
        self
    }

    /// Numbers of the entries that are to be replayed.
    fn replayed(&self) -> Option<Vec<u64>> {
        let replay = parse(&self.0, ID, 1 << 20).ok()?;
        let numbers: Vec<u64> = replay
            .changes
            .iter()
            .map(|change| match change {
                Change::Zero { offset, len: 4096 } => offset >> 12,
                other => panic!("{other:?}"),
            })
            .collect();
        let head = *numbers.last()?;
        assert_eq!((replay.flushed_size, replay.last_size), (head << 20, head << 21));
        Some(numbers)
    }
}

#[test]
fn replays_from_the_tail_to_the_head() {
    let mut log = Log::new();
    assert_eq!(log.replayed(), None);
    log.entry(5, 1, 1).entry(6, 2, 1).entry(7, 3, 2);
    assert_eq!(log.replayed(), Some(vec![6, 7]), "5 was done before 7 was written");
    log.entry(8, 4, 1);
    assert_eq!(log.replayed(), Some(vec![5, 6, 7, 8]));
}

#[test]
fn the_newest_sequence_counts() {
    let mut log = Log::new();
    log.entry(50, 0, 0).entry(7, 3, 3).entry(8, 4, 3);
    assert_eq!(log.replayed(), Some(vec![50]));
    log.entry(60, 7, 7).entry(61, 0, 7);
    assert_eq!(log.replayed(), Some(vec![60, 61]), "a sequence may wrap");
    log.entry(1 << 40, 5, 5);
    assert_eq!(log.replayed(), Some(vec![1 << 40]));
}

#[test]
fn a_sequence_without_its_tail_does_not_count() {
    let mut log = Log::new();
    log.entry(6, 2, 1).entry(7, 3, 1);
    assert_eq!(log.replayed(), None);
    log.entry(5, 1, 1);
    log.0[SECTOR + 3000] ^= 1;
    assert_eq!(log.replayed(), None, "the tail is torn");
    let mut all_around = Log::new();
    for at in 0..8 {
        all_around.entry(10 + at as u64, at, 0);
    }
    assert_eq!(all_around.replayed(), Some((10..18).collect()));
    all_around.entry(18, 0, 1);
    assert_eq!(all_around.replayed(), Some((11..19).collect()));
}

#[test]
fn entries_that_are_not_whole_do_not_count() {
    let spoilt = |at: usize, bytes: &[u8]| {
        let mut log = Log::new();
        log.entry(5, 1, 1);
        assert!(log.replayed().is_some());
        log.put(1, at, bytes).replayed()
    };
    assert_eq!(spoilt(0, b"lodge"), None);
    assert_eq!(spoilt(8, &u32::MAX.to_le_bytes()), None);
    assert_eq!(spoilt(8, &(2 * SECTOR as u32).to_le_bytes()), None);
    assert_eq!(spoilt(8, &0u32.to_le_bytes()), None);
    assert_eq!(spoilt(12, &u32::MAX.to_le_bytes()), None);
    assert_eq!(spoilt(16, &6u64.to_le_bytes()), None);
    assert_eq!(spoilt(24, &u32::MAX.to_le_bytes()), None);
    assert_eq!(spoilt(24, &127u32.to_le_bytes()), None);
    assert_eq!(spoilt(32, &[1; 16]), None);
    assert_eq!(spoilt(64, b"desc"), None, "there is no data sector");
    assert_eq!(spoilt(64, b"what"), None);
    let error = parse(&[], ID, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("log at offset 0x100000") && error.contains("fetch it again"));
}
