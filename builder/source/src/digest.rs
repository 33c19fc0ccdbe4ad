//! Digests as checksum files publish them: SHA-256 and SHA-512.

use std::fmt;
use std::io::{self, Read};

use sha2::Digest as _;

use bootwright_disk::Sha256;

/// A published digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// As Ubuntu publishes.
    Sha256(Sha256),
    /// As Debian and Alpine publish.
    Sha512([u8; 64]),
}

/// What is measured of a file in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    sha512: Option<[u8; 64]>,
}

impl Digest {
    /// Parses bare hexadecimal digits, told apart by their number, or `sha256:DIGITS` and
    /// `sha512:DIGITS`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = text.split_once(':').unwrap_or(("", text));
        match (kind, digits.len()) {
            ("" | "sha256", 64) => Sha256::parse(digits).map(Self::Sha256),
            ("" | "sha512", 128) => {
                // Two halves, each of which reads like a shorter digest.
                let (low, high) = digits.split_at_checked(64)?;
                let mut bytes = [0; 64];
                bytes[..32].copy_from_slice(Sha256::parse(low)?.bytes());
                bytes[32..].copy_from_slice(Sha256::parse(high)?.bytes());
                Some(Self::Sha512(bytes))
            }
            _ => None,
        }
    }

    /// A name for files that belong to what has this digest.
    pub(crate) fn file_stem(&self) -> String {
        self.to_string().replace(':', "-")
    }

    /// Measures all that a reader gives, so that it can be compared with this digest.
    pub(crate) fn measure(&self, reader: impl Read) -> io::Result<Measured> {
        measure(reader, matches!(self, Self::Sha512(_)))
    }

    /// What this digest is of the measured file; the same as `self` if it is the right one.
    pub(crate) fn found(&self, measured: &Measured) -> Self {
        match (self, measured.sha512) {
            (Self::Sha512(_), Some(bytes)) => Self::Sha512(bytes),
            _ => Self::Sha256(measured.sha256),
        }
    }
}

fn measure(mut reader: impl Read, both: bool) -> io::Result<Measured> {
    let mut sha512 = both.then(sha2::Sha512::new);
    let (sha256, size) = match &mut sha512 {
        None => Sha256::of_reader(reader)?,
        Some(hasher) => Sha256::of_reader(Tee { reader: &mut reader, hasher })?,
    };
    Ok(Measured { size, sha256, sha512: sha512.map(|hasher| hasher.finalize().into()) })
}

/// Feeds a hasher with what is read.
struct Tee<'a, R> {
    reader: R,
    hasher: &'a mut sha2::Sha512,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        self.hasher.update(&buf[..read]);
        Ok(read)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256:{digest}"),
            Self::Sha512(bytes) => {
                f.write_str("sha512:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let problem = || format!("`{text}` is no digest; expected sha256: or sha512: and digits");
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(problem()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_measures() {
        let short = Digest::Sha256(Sha256::of(b"abc"));
        let long = Digest::parse(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        )
        .unwrap();
        for digest in [short, long] {
            assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
            let measured = digest.measure(&b"abc"[..]).unwrap();
            assert_eq!((measured.size, digest.found(&measured)), (3, digest));
            assert_ne!(digest.found(&digest.measure(&b"abd"[..]).unwrap()), digest);
        }
        for bad in ["", "sha256:", "md5:00", "sha512:ab", &"é".repeat(64), &"g".repeat(64)] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
