//! Secrets: random texts, keys, certificates, password hashes.
//!
//! All randomness comes from the operating system. What is made here is judged in tests by the
//! programs that use it: openssl, gpg, ssh-keygen, crypt(3).

mod openpgp;
mod random;
mod rsa;
mod ssh;
mod tls;

use std::collections::BTreeMap;
use std::fmt;

pub use random::ALPHANUMERIC;
pub use rsa::public_base64;

/// A secret to make, with everything that decides what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the arguments of the functions, which docs/env.md explains"
)]
pub enum Call {
    /// Random bytes in standard base64.
    Base64 { bytes: usize },
    /// Random bytes in hexadecimal.
    Hex { bytes: usize },
    /// A random UUID (version 4).
    Uuid,
    /// Random characters of an alphabet.
    Password { length: usize, alphabet: String },
    /// An RSA key in PEM (PKCS#8), without a passphrase.
    RsaPem { bits: usize },
    /// An RSA key for DKIM with its public half.
    Dkim { bits: usize },
    /// An OpenPGP key: the primary one signs, a subkey encrypts; no passphrase, no expiry.
    Openpgp { uid: String, kind: String },
    /// An OpenSSH key pair.
    Ssh { kind: String, comment: String },
    /// A self-signed certificate with its key.
    Tls { subject: String, sans: Vec<String>, days: u32, kind: String },
    /// A password's hash for crypt(3): SHA-512.
    Crypt { password: Secret },
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What was made: a text, or several that belong together, by name.
#[derive(Clone, PartialEq, Eq)]
pub enum Made {
    /// One text.
    Text(String),
    /// Texts by name, such as `private` and `public`.
    Parts(BTreeMap<&'static str, String>),
}

/// Shows no content.
impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made(…)")
    }
}

/// Why a secret cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// An argument that makes no sense.
    #[error("{call}: {problem}")]
    Argument {
        /// The function.
        call: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The library that makes it failed.
    #[error("{call} failed: {problem}")]
    Failed {
        /// The function.
        call: &'static str,
        /// What it said.
        problem: String,
    },
}

impl Call {
    /// The function's name in templates.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Base64 { .. } => "base64",
            Self::Hex { .. } => "hex",
            Self::Uuid => "uuid",
            Self::Password { .. } => "password",
            Self::RsaPem { .. } => "rsa_pem",
            Self::Dkim { .. } => "dkim",
            Self::Openpgp { .. } => "openpgp",
            Self::Ssh { .. } => "ssh_keypair",
            Self::Tls { .. } => "tls_selfsigned",
            Self::Crypt { .. } => "crypt",
        }
    }

    /// The names of the parts, if it makes several.
    #[must_use]
    pub fn parts(&self) -> &'static [&'static str] {
        match self {
            Self::Dkim { .. } => &["key", "public", "record"],
            Self::Ssh { .. } => &["private", "public"],
            Self::Tls { .. } => &["key", "cert"],
            _ => &[],
        }
    }

    /// The other parts of what it makes, as far as they follow from the one at hand.
    pub(super) fn derive(&self, known: &mut BTreeMap<&'static str, String>) {
        match (self, known.get("key"), known.get("private")) {
            (Self::Dkim { .. }, Some(key), _) => {
                if let Ok(public) = public_base64(key) {
                    known.insert("record", rsa::record(&public));
                    known.insert("public", public);
                }
            }
            (Self::Ssh { .. }, _, Some(private)) => {
                if let Some(public) = ssh::public_of(private) {
                    known.insert("public", public);
                }
            }
            _ => {}
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn make(&self) -> Result<Made, GenerateError> {
        let argument = |problem: String| GenerateError::Argument { call: self.name(), problem };
        let failed = |problem: String| GenerateError::Failed { call: self.name(), problem };
        match self {
            Self::Base64 { bytes } => random::base64(*bytes).map(Made::Text).map_err(argument),
            Self::Hex { bytes } => random::hex(*bytes).map(Made::Text).map_err(argument),
            Self::Uuid => Ok(Made::Text(random::uuid())),
            Self::Password { length, alphabet } => {
                random::password(*length, alphabet).map(Made::Text).map_err(argument)
            }
            Self::RsaPem { bits } => {
                rsa::check_bits(*bits).map_err(argument)?;
                rsa::pem(*bits).map(Made::Text).map_err(failed)
            }
            Self::Dkim { bits } => {
                rsa::check_bits(*bits).map_err(argument)?;
                rsa::dkim(*bits).map(Made::Parts).map_err(failed)
            }
            Self::Openpgp { uid, kind } => {
                let parameters = openpgp::parameters(uid, kind).map_err(argument)?;
                openpgp::key(parameters).map(Made::Text).map_err(failed)
            }
            Self::Ssh { kind, comment } => {
                let kind = ssh::kind(kind).map_err(argument)?;
                ssh::keypair(kind, comment).map(Made::Parts).map_err(failed)
            }
            Self::Tls { subject, sans, days, kind } => {
                tls::check(subject, kind).map_err(argument)?;
                tls::self_signed(subject, sans, *days, kind).map(Made::Parts).map_err(failed)
            }
            Self::Crypt { password } => random::crypt(&password.0).map(Made::Text).map_err(failed),
        }
    }
}
