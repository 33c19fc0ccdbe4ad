//! The digests that manifests of an OVA may have.

use sha2::Digest;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What products of hardware version 12 and older know.
    Sha1,
    /// The usual one.
    Sha256,
    /// What open-vmdk takes for hardware version 15 and newer.
    Sha512,
}

impl Algorithm {
    /// Its name in a manifest.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// As many digits as a digest has.
    pub(super) fn zeros(self) -> String {
        let digits = match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        };
        "0".repeat(digits)
    }
}

/// A digest being taken.
#[derive(Debug)]
pub(super) enum Hasher {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(data),
            Self::Sha256(hasher) => hasher.update(data),
            Self::Sha512(hasher) => hasher.update(data),
        }
    }

    /// Takes so many zeros.
    pub(super) fn zeros(&mut self, len: u64) {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut left = len;
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            self.update(&ZEROS[..now as usize]);
            left -= now;
        }
    }

    /// The digest in hexadecimal; starts anew.
    pub(super) fn finish(&mut self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha1(hasher) => hex(&hasher.finalize_reset()),
            Self::Sha256(hasher) => hex(&hasher.finalize_reset()),
            Self::Sha512(hasher) => hex(&hasher.finalize_reset()),
        }
    }

    /// The digest of bytes.
    pub(super) fn digest(algorithm: Algorithm, data: &[u8]) -> String {
        let mut hasher = Self::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }
}
