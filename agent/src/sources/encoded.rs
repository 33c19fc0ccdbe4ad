//! User-data as transports carry it: base64, and gzip in base64.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bootwright_seed::userdata::MAX_SIZE;
use miniz_oxide::inflate;

/// Padding may be missing: hosts build these strings by hand.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// First bytes of a gzip stream (RFC 1952): magic, deflate.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// Bits of its flags, each of which announces a field before the data.
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;

/// What base64 text stands for; blanks and line ends in it do not count.
pub fn base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let dense: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    BASE64.decode(dense).map_err(|error| format!("not base64: {error}"))
}

/// Unpacks a gzip stream, up to the size a seed may have.
pub fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let data = deflated(bytes).ok_or("not a gzip stream, or one cut short")?;
    let limit = usize::try_from(MAX_SIZE).unwrap_or(usize::MAX);
    let (packed, trailer) = data.split_at_checked(data.len().saturating_sub(8)).unwrap_or_default();
    let unpacked = inflate::decompress_to_vec_with_limit(packed, limit).map_err(|error| {
        format!("the gzip stream is damaged or unpacks to more than {MAX_SIZE} bytes ({error})")
    })?;
    // The trailer ends in the length; its checksum guards against what a hypervisor does not do.
    let length = trailer.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    if length.map(u32::from_le_bytes) != u32::try_from(unpacked.len()).ok() {
        return Err("the gzip stream is cut short or has something behind it".to_owned());
    }
    Ok(unpacked)
}

/// What follows the header.
fn deflated(bytes: &[u8]) -> Option<&[u8]> {
    let flags = *bytes.strip_prefix(&GZIP)?.first()?;
    let mut rest = bytes.get(10..)?;
    if flags & EXTRA != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::{any, prop, proptest};

    use super::*;

    #[test]
    fn base64_with_and_without_padding_and_lines() {
        assert_eq!(base64(b"I2Nsb3Vk\nLWNvbmZpZw==\n").unwrap(), b"#cloud-config");
        assert_eq!(base64(b"I2Nsb3VkLWNvbmZpZw").unwrap(), b"#cloud-config");
        assert!(base64(b"#cloud").unwrap_err().starts_with("not base64: "));
    }

    #[test]
    fn what_gzip_writes_is_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a name in the header");
        std::fs::write(&path, "#cloud-config\na: 1\n").unwrap();
        for option in ["-n", "-N"] {
            let mut gzip = Command::new("gzip");
            let output = gzip.args([option, "-c"]).arg(&path).stderr(Stdio::inherit());
            let packed = output.output().unwrap().stdout;
            assert_eq!(gunzip(&packed).unwrap(), b"#cloud-config\na: 1\n");
            assert!(gunzip(&packed[..packed.len() - 1]).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), flags: u8) {
            let mut stream = vec![0x1f, 0x8b, 8, flags];
            stream.extend(&bytes);
            let _ = gunzip(&stream);
            let _ = gunzip(&bytes);
            let _ = base64(&bytes);
        }
    }
}
