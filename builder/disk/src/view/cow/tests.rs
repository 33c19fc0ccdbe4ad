//! The layer against a plain byte vector, with and without spilling.

use proptest::prelude::*;

use super::*;
use crate::view::{Memory, read_vec};

fn options(memory_limit: u64) -> CowOptions {
    CowOptions { memory_limit, ..CowOptions::default() }
}

#[derive(Debug, Clone)]
enum Op {
    Write { at: u64, len: u64, byte: u8 },
    Discard { at: u64, len: u64 },
}

const SIZE: u64 = 5 * CHUNK + 1234;

fn op() -> impl Strategy<Value = Op> {
    (0..SIZE, 1..2 * CHUNK, any::<u8>(), any::<bool>()).prop_map(|(at, len, byte, write)| {
        let len = len.min(SIZE - at);
        if write { Op::Write { at, len, byte } } else { Op::Discard { at, len } }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn behaves_like_a_byte_vector(ops in prop::collection::vec(op(), 1..40), limit in 0..4u64) {
        let mut model: Vec<u8> = (0..SIZE).map(|i| (i % 251) as u8).collect();
        let base = model.clone();
        let cow = Cow::new(Memory::new(model.clone()), options(limit * CHUNK));
        for op in ops {
            match op {
                Op::Write { at, len, byte } => {
                    cow.write_at(at, &vec![byte; len as usize]).unwrap();
                    model[at as usize..(at + len) as usize].fill(byte);
                }
                Op::Discard { at, len } => {
                    cow.discard(at, len).unwrap();
                    model[at as usize..(at + len) as usize].fill(0);
                }
            }
        }
        prop_assert!(read_vec(&cow, 0, SIZE).unwrap() == model);
        let mut at = 0;
        while at < SIZE {
            let extent = cow.extent_at(at).unwrap();
            prop_assert!(extent.end > at && extent.end <= SIZE);
            if extent.kind != ExtentKind::Data {
                prop_assert!(model[at as usize..extent.end as usize].iter().all(|&b| b == 0));
            }
            at = extent.end;
        }
        prop_assert!(read_vec(&cow.base, 0, SIZE).unwrap() == base);
    }
}

#[test]
fn a_discard_of_a_hole_stores_nothing() {
    let cow = Cow::new(crate::view::Grown::new(Memory::new(vec![1; 10]), 1 << 40), options(0));
    cow.discard(CHUNK, (1 << 40) - CHUNK).unwrap();
    assert!(cow.layer().chunks.is_empty());
}

#[test]
fn refuses_what_lies_outside() {
    let cow = Cow::new(Memory::new(vec![1; 10]), options(0));
    assert!(cow.write_at(9, &[0, 0]).is_err());
    assert!(cow.discard(0, 11).is_err());
    assert!(cow.read_at(u64::MAX, &mut [0]).is_err());
}
