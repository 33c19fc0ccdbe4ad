//! SHA-256 (FIPS 180-4), the digest in every manifest.

use std::fmt;
use std::io::{self, Read};

use sha2::Digest;

use crate::Result;
use crate::view::{ExtentKind, View};

/// A SHA-256 digest; shown in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of all that a reader gives, with its length in bytes.
    ///
    /// # Errors
    /// What the reader says.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = sha2::Sha256::new();
        let mut buf = vec![0; 1 << 20];
        let mut len = 0;
        loop {
            match reader.read(&mut buf)? {
                0 => return Ok((Self(hasher.finalize().into()), len)),
                read => {
                    hasher.update(&buf[..read]);
                    len += read as u64;
                }
            }
        }
    }

    /// The digest of a whole view.
    ///
    /// # Errors
    /// What reading the view says.
    pub fn of_view(view: &(impl View + ?Sized)) -> Result<Self> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut hasher = sha2::Sha256::new();
        let mut buf = vec![0; 1 << 20];
        let mut at = 0;
        while at < view.size() {
            let extent = view.extent_at(at)?;
            let is_data = extent.kind == ExtentKind::Data;
            let most = if is_data { buf.len() } else { ZEROS.len() };
            let len = (extent.end - at).min(most as u64) as usize;
            if is_data {
                view.read_at(at, &mut buf[..len])?;
                hasher.update(&buf[..len]);
            } else {
                hasher.update(&ZEROS[..len]);
            }
            at += len as u64;
        }
        Ok(hasher.into())
    }

    /// The digest written in hexadecimal; nothing if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16);
            *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
        }
        Some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<sha2::Sha256> for Sha256 {
    fn from(hasher: sha2::Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_round_trips() {
        let digest = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Sha256::parse(&text.to_uppercase()), Some(digest));
        assert_eq!(Sha256::of_reader(&b"abc"[..]).unwrap(), (digest, 3));
        assert_eq!(Sha256::parse("ba78"), None);
        assert_eq!(Sha256::parse(&"zz".repeat(32)), None);
        assert_eq!(Sha256::parse(&"é".repeat(32)), None);
    }
}
