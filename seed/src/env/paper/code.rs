//! The text of the codes.
//!
//! A code reads `NN/TT/SET/CHECK DATA`: its index from 00, how many there are, the first eight
//! hexadecimal digits of the SHA-256 of the compressed env, the CRC-32 of everything else in
//! the code, a blank, and a piece of the base32 text (RFC 4648, without padding) of the gzip
//! data. All of it lies in QR's alphanumeric set. Sorted by their numbers and cut at the blank,
//! the codes can be put together with standard tools, and by what read the older form: `NN
//! DATA`, or the base32 text alone if it fitted one code. Both are read here too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use flate2::Compression;
use flate2::GzBuilder;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Most characters of base32 in a code, the smallest that makes no more than [`MOST`] codes: 73
/// modules wide, which is still read from a page that lies askew, 113, and what the older form
/// used.
const PIECES: [usize; 3] = [450, 1200, LARGEST_PIECE];
const LARGEST_PIECE: usize = 2100;
/// Most codes of one env.
pub const MOST: usize = 100;
/// Largest env that is unpacked.
const MAX_ENV: u64 = crate::userdata::MAX_SIZE;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An env that is too large for paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the env has {0} bytes once compressed, and paper takes {max}; leave the PDF out", max = MOST * LARGEST_PIECE * 5 / 8)]
pub struct TooLarge(pub usize);

/// The codes of one env.
#[derive(Debug, Clone)]
pub struct Codes {
    /// What the codes of one print have in common: eight hexadecimal digits.
    pub set: String,
    /// Their texts, in order.
    pub texts: Vec<String>,
}

impl Codes {
    /// The codes of `data`.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn of(data: &[u8]) -> Result<Self, TooLarge> {
        let packed = compress(data);
        let base32 = encode(&packed);
        let fitting = PIECES.into_iter().find(|piece| base32.len() <= MOST * piece);
        let count = base32.len().div_ceil(fitting.ok_or(TooLarge(packed.len()))?);
        // All codes get about the same size.
        let piece = base32.len().div_ceil(count);
        let pieces: Vec<&str> = base32
            .as_bytes()
            .chunks(piece)
            .filter_map(|piece| std::str::from_utf8(piece).ok())
            .collect();
        let set = set_of(&packed);
        let code = |(index, piece): (usize, &&str)| {
            let start = format!("{index:02}/{:02}/{set}", pieces.len());
            format!("{start}/{:08X} {piece}", crc(&start, piece))
        };
        let texts = pieces.iter().enumerate().map(code).collect();
        Ok(Self { set, texts })
    }
}

fn crc(start: &str, piece: &str) -> u32 {
    crc32fast::hash(format!("{start} {piece}").as_bytes())
}

fn set_of(packed: &[u8]) -> String {
    Sha256::digest(packed).iter().take(4).map(|byte| format!("{byte:02X}")).collect()
}

/// gzip, of a length that base32 needs no padding for: a comment fills up.
fn compress(data: &[u8]) -> Vec<u8> {
    let packed = |builder: GzBuilder| {
        let mut encoder: GzEncoder<Vec<u8>> = builder.write(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = encoder.write_all(data);
        encoder.finish().unwrap_or_default()
    };
    let plain = packed(GzBuilder::new());
    match plain.len() % 5 {
        0 => plain,
        over => packed(GzBuilder::new().comment(vec![b'.'; 4 - over])),
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() / 5 * 8 + 8);
    for group in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(block);
        for index in 0..(group.len() * 8).div_ceil(5) {
            let digit = (bits >> (35 - 5 * index)) & 31;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

/// The bytes of a base32 text without padding; `None` if it is none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes() {
        let value = ALPHABET.iter().position(|&known| known == digit)?;
        bits = (bits << 5 | u32::try_from(value).ok()?) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// What the text of a code is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Code {
    /// Of this form: index, total, set, piece.
    Ours(usize, usize, String, String),
    /// Of the older form; the index if there are several.
    Older(Option<usize>, String),
    /// Of this form, but not as it was printed.
    Damaged,
    /// Some other code that was on the page.
    Foreign,
}

impl Code {
    fn parse(text: &str) -> Self {
        let base32 = |text: &str| {
            let bare = text.trim_end_matches('=');
            let all = bare.bytes().all(|b| ALPHABET.contains(&b));
            (!bare.is_empty() && all).then(|| bare.to_owned())
        };
        let Some((head, piece)) = text.split_once(' ') else {
            return base32(text).map_or(Self::Foreign, |piece| Self::Older(None, piece));
        };
        let fields: Vec<&str> = head.split('/').collect();
        let number = |text: &str| {
            let digits = (2..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<usize>().ok()).flatten()
        };
        match fields[..] {
            [index] => match (number(index), base32(piece)) {
                (Some(index), Some(piece)) => Self::Older(Some(index), piece),
                _ => Self::Foreign,
            },
            [index, total, set, check] => {
                let start = format!("{index}/{total}/{set}");
                let good = u32::from_str_radix(check, 16) == Ok(crc(&start, piece));
                match (number(index), number(total)) {
                    (Some(index), Some(total)) if good && index < total && total <= MOST => {
                        Self::Ours(index, total, set.to_owned(), piece.to_owned())
                    }
                    _ => Self::Damaged,
                }
            }
            _ => Self::Foreign,
        }
    }
}

/// Why the codes do not give an env.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// There are none.
    #[error("no code of an env was found")]
    None,
    /// Some are missing. Numbers count from 1, as they are printed.
    #[error("{}", missing(.numbers, .total))]
    Missing {
        /// Which.
        numbers: Vec<usize>,
        /// Of how many, if the codes say so.
        total: Option<usize>,
    },
    /// The codes are of several prints.
    #[error("the codes are of {} different prints ({}); give the pages of one", .0.len(), .0.join(", "))]
    Mixed(Vec<String>),
    /// Codes of the older form contradict each other.
    #[error("code {0} is there twice, with different content; give the pages of one print")]
    Contradiction(usize),
    /// All are there, but what they hold is damaged.
    #[error("all codes were read, but their data is damaged or its end is missing")]
    Damaged,
}

/// The sentence that names what is missing.
fn missing(numbers: &[usize], total: &Option<usize>) -> String {
    let listed: Vec<String> = numbers.iter().map(usize::to_string).collect();
    let (noun, verb) = if numbers.len() == 1 { ("code", "is") } else { ("codes", "are") };
    let of = total.map_or(String::new(), |total| format!(" of {total}"));
    format!("{noun} {}{of} {verb} missing", listed.join(", "))
}

/// Puts the texts of codes together: any order, any number of times each.
///
/// # Errors
/// See [`AssembleError`].
pub fn assemble<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, AssembleError> {
    let mut ours: BTreeMap<String, (usize, BTreeMap<usize, String>)> = BTreeMap::new();
    let mut older: BTreeSet<(Option<usize>, String)> = BTreeSet::new();
    for text in texts {
        match Code::parse(text) {
            Code::Ours(index, total, set, piece) => {
                ours.entry(set).or_insert((total, BTreeMap::new())).1.insert(index, piece);
            }
            Code::Older(index, piece) => {
                older.insert((index, piece));
            }
            Code::Damaged | Code::Foreign => {}
        }
    }
    let sets: Vec<String> = ours
        .iter()
        .map(|(set, (total, pieces))| format!("{set} with {} of {total} codes", pieces.len()))
        .collect();
    if sets.len() > 1 {
        return Err(AssembleError::Mixed(sets));
    }
    let Some((set, (total, pieces))) = ours.into_iter().next() else {
        return unpack(&older_form(older)?);
    };
    let numbers: Vec<usize> =
        (0..total).filter(|index| !pieces.contains_key(index)).map(|index| index + 1).collect();
    if !numbers.is_empty() {
        return Err(AssembleError::Missing { numbers, total: Some(total) });
    }
    let base32: String = pieces.into_values().collect();
    let packed = decode(&base32).ok_or(AssembleError::Damaged)?;
    if set_of(&packed) != set {
        return Err(AssembleError::Damaged);
    }
    unpack(&packed)
}

/// The compressed data of codes that say nothing about their number.
fn older_form(codes: BTreeSet<(Option<usize>, String)>) -> Result<Vec<u8>, AssembleError> {
    let numbered: Vec<_> =
        codes.iter().filter_map(|(index, piece)| Some(((*index)?, piece))).collect();
    if numbered.is_empty() {
        let mut alone = codes.into_iter();
        let (_, piece) = alone.next().ok_or(AssembleError::None)?;
        return match alone.next() {
            None => decode(&piece).ok_or(AssembleError::Damaged),
            Some(_) => Err(AssembleError::Contradiction(1)),
        };
    }
    let mut pieces = BTreeMap::new();
    for (index, piece) in numbered {
        if pieces.insert(index, piece.as_str()).is_some() {
            return Err(AssembleError::Contradiction(index + 1));
        }
    }
    let last = pieces.keys().next_back().copied().unwrap_or(0);
    let numbers: Vec<usize> =
        (0..last).filter(|index| !pieces.contains_key(index)).map(|index| index + 1).collect();
    if !numbers.is_empty() {
        return Err(AssembleError::Missing { numbers, total: None });
    }
    let base32: String = pieces.into_values().collect();
    decode(&base32).ok_or(AssembleError::Damaged)
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, AssembleError> {
    let mut data = Vec::new();
    let read = GzDecoder::new(packed).take(MAX_ENV + 1).read_to_end(&mut data);
    match read {
        Ok(len) if len as u64 <= MAX_ENV => Ok(data),
        _ => Err(AssembleError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn back(texts: &[String]) -> Result<Vec<u8>, AssembleError> {
        assemble(texts.iter().map(String::as_str))
    }

    #[test]
    fn any_size_comes_back_in_any_order() {
        for len in [0, 1, 5, 739, 740, 2110, 2112, 4200, 19_900, 50_000, 131_000] {
            let data = noise(len);
            let codes = Codes::of(&data).unwrap();
            let alphanumeric =
                |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase() || b" $%*+-./:".contains(&b);
            assert!(codes.texts.iter().all(|text| text.bytes().all(alphanumeric)), "{len}");
            let mut shuffled = codes.texts.clone();
            shuffled.reverse();
            shuffled.extend(codes.texts.first().cloned());
            assert_eq!(back(&shuffled).unwrap(), data, "{len}");
        }
        assert!(matches!(Codes::of(&noise(140_000)), Err(TooLarge(_))));
    }

    #[test]
    fn b53_missing_damaged_and_mixed_codes_are_named() {
        let codes = Codes::of(&noise(5000)).unwrap().texts;
        let total = codes.len();
        assert!((10..30).contains(&total));
        let without: Vec<String> = codes
            .iter()
            .enumerate()
            .filter(|(i, _)| ![2, 5].contains(i))
            .map(|(_, t)| t.clone())
            .collect();
        assert_eq!(
            back(&without).unwrap_err().to_string(),
            format!("codes 3, 6 of {total} are missing")
        );
        let mut damaged = codes.clone();
        damaged[4].replace_range(40..41, if &codes[4][40..41] == "A" { "B" } else { "A" });
        assert_eq!(
            back(&damaged).unwrap_err().to_string(),
            format!("code 5 of {total} is missing")
        );
        let mut mixed = codes.clone();
        mixed.extend(Codes::of(&noise(10)).unwrap().texts);
        assert!(back(&mixed).unwrap_err().to_string().contains("2 different prints"));
        assert_eq!(back(&["https://x.test".to_owned()]), Err(AssembleError::None));
        assert_eq!(back(&[]), Err(AssembleError::None));
    }

    #[test]
    fn the_older_form_is_read() {
        let data = noise(4000);
        let packed = compress(&data);
        let base32 = encode(&packed);
        let numbered: Vec<String> = base32
            .as_bytes()
            .chunks(2100)
            .enumerate()
            .map(|(i, piece)| format!("{i:02} {}", String::from_utf8_lossy(piece)))
            .collect();
        assert_eq!(back(&numbered).unwrap(), data);
        assert_eq!(back(&numbered[..3]), Err(AssembleError::Damaged));
        let gap = [numbered[0].clone(), numbered[2].clone()];
        assert_eq!(back(&gap).unwrap_err().to_string(), "code 2 is missing");
        let alone = encode(&compress(b"small")) + "====";
        assert_eq!(back(&[alone]).unwrap(), b"small");
    }

    #[test]
    fn base32_is_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode("MZ1"), None);
    }
}
