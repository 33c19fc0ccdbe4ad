//! The header: who can open the file, and a code that proves nobody changed that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{FileKey, SealedError, derive};

/// The header's first line.
pub(super) const VERSION: &str = "age-encryption.org/v1\n";
/// Characters of base64 in a full line of a stanza's body.
const COLUMNS: usize = 64;
/// Longest header that is read: some 400 recipients.
const MAX_LEN: usize = 64 << 10;

/// What the file key is wrapped in for one X25519 recipient.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stanza {
    /// The sender's share of the key exchange.
    pub(super) share: [u8; 32],
    /// The file key, encrypted and authenticated.
    pub(super) body: [u8; 32],
}

/// A header that was read.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// The stanzas for X25519 recipients; those of other kinds are passed over.
    pub(super) x25519: Vec<Stanza>,
    /// The bytes that the code covers.
    covered: &'a [u8],
    code: [u8; 32],
}

impl Header<'_> {
    /// Checks the code.
    pub(super) fn authenticate(&self, file_key: &FileKey) -> Result<(), SealedError> {
        mac(file_key, self.covered).verify_slice(&self.code).map_err(|_| SealedError::Forged)
    }
}

fn mac(file_key: &FileKey, covered: &[u8]) -> Hmac<Sha256> {
    let key = derive(file_key.as_ref(), &[], b"header");
    // HMAC fills a key up to the hash's block with zeros (RFC 2104 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.as_ref());
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    mac.update(covered);
    mac
}

/// Splits a file into its header and the payload after it.
pub(super) fn parse(file: &[u8]) -> Result<(Header<'_>, &[u8]), SealedError> {
    let fail = SealedError::Header;
    let mut rest = file
        .strip_prefix(VERSION.as_bytes())
        .ok_or(fail("it is not of age's version 1; encrypt with `bootwright seed create`"))?;
    let mut x25519 = Vec::new();
    loop {
        if file.len() - rest.len() > MAX_LEN {
            return Err(fail("it is longer than 64 KiB"));
        }
        let start = file.len() - rest.len();
        let line = take_line(&mut rest)?;
        if let Some(code) = line.strip_prefix("--- ") {
            let covered = &file[..start + "---".len()];
            let code = fixed(code).ok_or(fail("its code is damaged"))?;
            return Ok((Header { x25519, covered, code }, rest));
        }
        let mut words = line.strip_prefix("-> ").ok_or(fail("a line of no kind"))?.split(' ');
        let kind = words.next().unwrap_or_default();
        let body = take_body(&mut rest)?;
        if kind == "X25519" {
            let share = words.next().and_then(fixed).ok_or(fail("a damaged X25519 share"))?;
            let body = fixed(&body).ok_or(fail("a damaged X25519 body"))?;
            if words.next().is_some() {
                return Err(fail("an X25519 line with more than one argument"));
            }
            x25519.push(Stanza { share, body });
        }
    }
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a str, SealedError> {
    let fail = || SealedError::Header("it ends in the middle of a line");
    let end = rest.iter().take(MAX_LEN).position(|byte| *byte == b'\n').ok_or_else(fail)?;
    let line = std::str::from_utf8(&rest[..end]).map_err(|_| fail())?;
    *rest = &rest[end + 1..];
    Ok(line)
}

/// The base64 of a stanza's body: full lines and a shorter one, which may be empty.
fn take_body(rest: &mut &[u8]) -> Result<String, SealedError> {
    let mut body = String::new();
    loop {
        let line = take_line(rest)?;
        if line.len() > COLUMNS || body.len() > MAX_LEN {
            return Err(SealedError::Header("a body with too long a line"));
        }
        body.push_str(line);
        if line.len() < COLUMNS {
            return Ok(body);
        }
    }
}

/// 32 bytes in canonical base64 without padding.
fn fixed(base64: &str) -> Option<[u8; 32]> {
    STANDARD_NO_PAD.decode(base64).ok()?.try_into().ok()
}

/// The header of a file for these stanzas.
#[cfg(feature = "write")]
pub(super) fn encode(file_key: &FileKey, stanzas: &[Stanza]) -> String {
    let mut header = VERSION.to_owned();
    for stanza in stanzas {
        let (share, body) =
            (STANDARD_NO_PAD.encode(stanza.share), STANDARD_NO_PAD.encode(stanza.body));
        header += &format!("-> X25519 {share}\n{body}\n");
    }
    header += "---";
    let code = mac(file_key, header.as_bytes()).finalize().into_bytes();
    header + " " + &STANDARD_NO_PAD.encode(code) + "\n"
}
