//! Sizes as people write them: `20GiB`, `20G`, `512M`, or a number of bytes.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Parses a size. Units count in powers of 1024, as in qemu-img.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let shift = match text[digits..].trim_start() {
            "" | "B" => 0,
            "K" | "KiB" => 10,
            "M" | "MiB" => 20,
            "G" | "GiB" => 30,
            "T" | "TiB" => 40,
            _ => return None,
        };
        let number: u64 = text[..digits].parse().ok()?;
        number.checked_mul(1 << shift).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = |&(shift, _): &(u32, &str)| self.0 != 0 && self.0.trailing_zeros() >= shift;
        match units.into_iter().find(whole) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "`{text}` is no size; write it as 20GiB, 512MiB or a number of bytes"
            ))
        })
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_trip() {
        for (text, bytes, shown) in [
            ("20GiB", 20 << 30, "20GiB"),
            ("20G", 20 << 30, "20GiB"),
            ("1024M", 1 << 30, "1GiB"),
            ("512 MiB", 512 << 20, "512MiB"),
            ("1000", 1000, "1000"),
            ("0", 0, "0"),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown));
            assert_eq!(Size::parse(shown), Some(size));
        }
        for bad in ["", "GiB", "20GB", "20gib", "-1", "1.5G", "99999999999T", "1 0"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }
}
