//! A machine's key: the identity it keeps and the recipient it is known by.
//!
//! Both are Bech32 (BIP 173) over 32 bytes, `age1…` and `AGE-SECRET-KEY-1…`, one a line in
//! files where `#` starts a comment line: what `age-keygen` writes.

use std::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::header::Stanza;
use super::{FileKey, SealedError, derive};

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
/// What the wrapping key is derived for.
pub(super) const WRAP: &[u8] = b"age-encryption.org/v1/X25519";

/// The secret half of a machine's key. Its `Debug` form shows nothing of it.
#[derive(Clone)]
pub struct Identity(StaticSecret);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(secret)")
    }
}

/// The public half of a machine's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Recipient(pub(super) PublicKey);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hrp = Hrp::parse(RECIPIENT).map_err(|_| fmt::Error)?;
        let text =
            bech32::encode_lower::<Bech32>(hrp, self.0.as_bytes()).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Identity {
    /// The identities in `text`, the content of a file that errors call `file`.
    ///
    /// # Errors
    ///
    /// The first line that is none, or a file without any.
    pub fn parse_file(file: &str, text: &str) -> Result<Vec<Self>, SealedError> {
        let what = "not an identity; a line has to be AGE-SECRET-KEY-1…, as `bootwright seed keygen` writes it";
        parse_lines(file, text, what, |line| {
            // Upper case, as age has it: the lower-case form does not stand out as a secret.
            let bytes = line.starts_with("AGE-").then(|| decode(IDENTITY, line)).flatten()?;
            Some(Self(StaticSecret::from(*bytes)))
        })
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    /// The file key in `stanza`; `None` if it is for somebody else.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, SealedError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(stanza.share));
        if !shared.was_contributory() {
            return Err(SealedError::Header("a share that is no point of use on the curve"));
        }
        let salt = [stanza.share, self.recipient().0.to_bytes()].concat();
        let cipher = ChaCha20Poly1305::new(&(*derive(shared.as_bytes(), &salt, WRAP)).into());
        let Ok(opened) = cipher.decrypt(&Nonce::default(), &stanza.body[..]) else {
            return Ok(None);
        };
        let opened = Zeroizing::new(opened);
        Ok(<[u8; 16]>::try_from(&opened[..]).ok().map(Zeroizing::new))
    }
}

#[cfg(feature = "write")]
impl Identity {
    /// A new key out of the system's random numbers.
    ///
    /// # Errors
    ///
    /// [`SealedError::Random`].
    pub fn generate() -> Result<Self, SealedError> {
        super::seal::random().map(|bytes: Zeroizing<[u8; 32]>| Self(StaticSecret::from(*bytes)))
    }

    /// The identity as its one line of a file, without a line end. Secret.
    #[must_use]
    pub fn line(&self) -> Zeroizing<String> {
        let text = Hrp::parse(IDENTITY)
            .ok()
            .and_then(|hrp| bech32::encode_upper::<Bech32>(hrp, self.0.as_bytes()).ok());
        // Both steps fail for texts beyond Bech32's 90 characters only; this one has 74.
        Zeroizing::new(text.unwrap_or_default())
    }
}

impl Recipient {
    /// One recipient, `age1…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode(RECIPIENT, text).map(|bytes| Self(PublicKey::from(*bytes)))
    }

    /// The recipients in `text`, the content of a file that errors call `file`.
    ///
    /// # Errors
    ///
    /// The first line that is none, or a file without any.
    pub fn parse_file(file: &str, text: &str) -> Result<Vec<Self>, SealedError> {
        if let Some(line) = text.lines().position(|line| line.trim().starts_with("AGE-SECRET-KEY"))
        {
            let what =
                "this is the machine's secret, which must not leave it; give the recipient, age1…";
            return Err(SealedError::Key { file: file.to_owned(), line: line + 1, what });
        }
        let what = "not a recipient; a line has to be age1…, as `bootwright seed keygen` prints it";
        parse_lines(file, text, what, Self::parse)
    }
}

fn parse_lines<T>(
    file: &str,
    text: &str,
    what: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, SealedError> {
    let fail = |line, what| SealedError::Key { file: file.to_owned(), line, what };
    let mut keys = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            keys.push(parse(line).ok_or_else(|| fail(number, what))?);
        }
    }
    if keys.is_empty() { Err(fail(1, "no key in the file")) } else { Ok(keys) }
}

fn decode(hrp: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    if !checked.hrp().as_str().eq_ignore_ascii_case(hrp) {
        return None;
    }
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
    bytes[..].try_into().ok().map(Zeroizing::new)
}
