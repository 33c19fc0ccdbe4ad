//! OpenSSH public keys, checked before they go onto a medium.
//!
//! Sources: sshd(8) "AUTHORIZED_KEYS FILE FORMAT" for the line, RFC 4253 6.6, RFC 5656 3.1,
//! RFC 8709 4 and OpenSSH's PROTOCOL.u2f for the fields inside the base64.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A public key as one line: type, base64, and the comment if there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    line: String,
    comment_at: usize,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// A key file that cannot be used: where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct KeyError {
    /// The name the caller gave the file.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub problem: KeyProblem,
}

/// What can be wrong with a public key. No message quotes the line: it may be a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyProblem {
    /// A private key, in any of its formats.
    Private,
    /// A public key in another format than OpenSSH's.
    ForeignFormat,
    /// A line that starts with no key type.
    NoType,
    /// A certificate, which stands for no key of its own.
    Certificate,
    /// A DSA key.
    Dsa,
    /// The second field is missing or not base64.
    NotBase64,
    /// The base64 says another type than the line.
    OtherTypeInside,
    /// The base64 does not hold the fields of its type.
    Damaged,
    /// A comment with control characters.
    Comment,
    /// No key in the file.
    NoKey,
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "this is a private key, which must not leave its machine; give the public half, usually the same name with .pub",
            Self::ForeignFormat => "a public key, but not in OpenSSH's format; convert it with `ssh-keygen -i -f FILE`",
            Self::NoType => "no OpenSSH public key; the line must start with a type such as ssh-ed25519, options before it are not supported",
            Self::Certificate => "an OpenSSH certificate; give the public key it was made for",
            Self::Dsa => "an ssh-dss key, which OpenSSH has refused since 7.0; make one with `ssh-keygen -t ed25519`",
            Self::NotBase64 => "the key after the type is not base64; copy the line again, in one piece",
            Self::OtherTypeInside => "the type on the line and the one inside the key differ; copy the line again",
            Self::Damaged => "the key is cut short or damaged; copy the line again, in one piece",
            Self::Comment => "the comment holds a control character; remove it",
            Self::NoKey => "no key in the file; give one OpenSSH public key a line",
        })
    }
}

/// The key types a seed may carry, with the number of fields after the type.
const TYPES: [(&str, usize); 7] = [
    ("ssh-ed25519", 1),
    ("ssh-rsa", 2),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

impl PublicKey {
    /// The keys in `text`, the content of a file that errors call `file`: one a line, blank lines
    /// and `#` comments between them allowed.
    ///
    /// # Errors
    ///
    /// The first line that is no usable public key, or a file without any.
    pub fn parse_file(file: &str, text: &str) -> Result<Vec<Self>, KeyError> {
        let error = |line, problem| KeyError { file: file.to_owned(), line, problem };
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(Self::parse(line).map_err(|problem| error(index + 1, problem))?);
            }
        }
        if keys.is_empty() {
            return Err(error(1, KeyProblem::NoKey));
        }
        Ok(keys)
    }

    fn parse(line: &str) -> Result<Self, KeyProblem> {
        let (kind, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let Some(&(_, fields)) = TYPES.iter().find(|(name, _)| *name == kind) else {
            return Err(not_a_type(line, kind));
        };
        let (data, comment) = match rest.trim_start().split_once([' ', '\t']) {
            Some((data, comment)) => (data, comment.trim()),
            None => (rest.trim_start(), ""),
        };
        if comment.chars().any(char::is_control) {
            return Err(KeyProblem::Comment);
        }
        check_blob(data, kind, fields)?;
        let key = format!("{kind} {data}");
        let comment_at = key.len();
        let line = if comment.is_empty() { key } else { format!("{key} {comment}") };
        Ok(Self { line, comment_at })
    }

    /// The line for an `authorized_keys` file, without a line end.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Whether both are the same key, whatever their comments.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.line[..self.comment_at] == other.line[..other.comment_at]
    }
}

/// What a line is that starts with no known key type.
fn not_a_type(line: &str, kind: &str) -> KeyProblem {
    if (line.starts_with("-----BEGIN") && line.contains("PRIVATE KEY"))
        || line.starts_with("PuTTY-User-Key-File")
    {
        KeyProblem::Private
    } else if line.starts_with("-----BEGIN") || line.starts_with("---- BEGIN SSH2") {
        KeyProblem::ForeignFormat
    } else if kind.ends_with("-cert-v01@openssh.com") {
        KeyProblem::Certificate
    } else if kind == "ssh-dss" {
        KeyProblem::Dsa
    } else {
        KeyProblem::NoType
    }
}

/// Checks that `data` is base64 of the type `kind` and then exactly `fields` fields, none empty.
fn check_blob(data: &str, kind: &str, fields: usize) -> Result<(), KeyProblem> {
    let blob = STANDARD.decode(data).map_err(|_| KeyProblem::NotBase64)?;
    let (inner, mut rest) = field(&blob).ok_or(KeyProblem::Damaged)?;
    if inner != kind.as_bytes() {
        return Err(KeyProblem::OtherTypeInside);
    }
    for index in 0..fields {
        let (value, after) = field(rest).ok_or(KeyProblem::Damaged)?;
        // The Ed25519 kinds start with the key itself, 32 bytes (RFC 8709 4).
        if value.is_empty() || (index == 0 && kind.contains("ed25519") && value.len() != 32) {
            return Err(KeyProblem::Damaged);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(KeyProblem::Damaged) }
}

/// Splits off one length-prefixed string (RFC 4251 5).
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn problem(text: &str) -> KeyProblem {
        PublicKey::parse_file("k", text).unwrap_err().problem
    }

    #[test]
    fn keys_comments_and_blank_lines() {
        let text =
            format!("# team\n\nssh-ed25519 {ED25519} a comment \r\n  ssh-ed25519\t{ED25519}\n");
        let keys = PublicKey::parse_file("k", &text).unwrap();
        assert_eq!(keys[0].line(), format!("ssh-ed25519 {ED25519} a comment"));
        assert_eq!(keys[1].line(), format!("ssh-ed25519 {ED25519}"));
        assert!(keys[0].is_same_key(&keys[1]));
    }

    #[test]
    fn private_keys_are_refused_without_being_shown() {
        for text in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n",
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n",
            "PuTTY-User-Key-File-3: ssh-ed25519\nhunter2\n",
        ] {
            let error = PublicKey::parse_file("id", text).unwrap_err();
            assert_eq!(error.problem, KeyProblem::Private);
            assert!(error.to_string().starts_with("id:1: this is a private key"));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_not_a_key() {
        assert_eq!(problem(""), KeyProblem::NoKey);
        assert_eq!(problem("# nothing\n"), KeyProblem::NoKey);
        assert_eq!(problem("hello"), KeyProblem::NoType);
        assert_eq!(problem(&format!("no-pty ssh-ed25519 {ED25519}")), KeyProblem::NoType);
        assert_eq!(problem("---- BEGIN SSH2 PUBLIC KEY ----"), KeyProblem::ForeignFormat);
        assert_eq!(problem("ssh-ed25519-cert-v01@openssh.com AAAA"), KeyProblem::Certificate);
        assert_eq!(problem("ssh-dss AAAA"), KeyProblem::Dsa);
        assert_eq!(problem("ssh-ed25519"), KeyProblem::Damaged);
        assert_eq!(problem("ssh-ed25519 ???"), KeyProblem::NotBase64);
        assert_eq!(problem(&format!("ssh-rsa {ED25519}")), KeyProblem::OtherTypeInside);
        assert_eq!(problem(&format!("ssh-ed25519 {}", &ED25519[..64])), KeyProblem::Damaged);
        assert_eq!(problem(&format!("ssh-ed25519 {ED25519} a\u{1b}[2J")), KeyProblem::Comment);
        let error = PublicKey::parse_file("k", &format!("ssh-ed25519 {ED25519}\nx\n")).unwrap_err();
        assert_eq!(error.line, 2);
    }
}
