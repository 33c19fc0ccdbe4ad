//! Named formats of texts: domains, addresses, keys.
//!
//! They are told by their shape. Whether a key opens anything is for its owner's program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A host or domain name: labels of letters, digits and inner hyphens (RFC 1123).
    Domain,
    /// `scheme://…`.
    Url,
    /// `somebody@domain`.
    Email,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A network such as `192.168.50.0/24`; not all of the Internet.
    Cidr,
    /// A UUID, with or without hyphens.
    Uuid,
    /// Permission bits, in octal: `0600`.
    Mode,
    /// An absolute path.
    Path,
    /// Standard base64.
    Base64,
    /// Hexadecimal digits, two a byte.
    Hex,
    /// An OpenSSH public key line.
    SshKey,
    /// A private key in PEM (PKCS#1, PKCS#8, SEC1, OpenSSH), without a passphrase.
    PrivateKey,
    /// A certificate in PEM, or several.
    Certificate,
    /// An armored OpenPGP secret key.
    OpenpgpSecret,
    /// An armored OpenPGP public key.
    OpenpgpPublic,
}

impl Format {
    /// What is expected, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Domain => {
                "a domain name: labels of letters, digits and inner hyphens, joined by dots"
            }
            Self::Url => "a URL such as https://host/path",
            Self::Email => "a mail address such as somebody@domain",
            Self::Ip => "an IPv4 or IPv6 address",
            Self::Cidr => {
                "a network such as 192.168.50.0/24, with a prefix length that is not 0: /0 is the whole Internet"
            }
            Self::Uuid => "a UUID: 32 hexadecimal digits, with or without hyphens",
            Self::Mode => "permissions in octal such as \"0600\"",
            Self::Path => "an absolute path without `.` and `..`",
            Self::Base64 => "standard base64",
            Self::Hex => "hexadecimal digits, two a byte",
            Self::SshKey => "an OpenSSH public key line: type, base64, comment",
            Self::PrivateKey => {
                "a private key in PEM without a passphrase, from -----BEGIN to its -----END line"
            }
            Self::Certificate => "a certificate in PEM, from -----BEGIN to its -----END line",
            Self::OpenpgpSecret => {
                "an armored OpenPGP secret key, from -----BEGIN to its -----END line"
            }
            Self::OpenpgpPublic => {
                "an armored OpenPGP public key, from -----BEGIN to its -----END line"
            }
        }
    }

    /// Whether a text of this format is a secret.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Self::PrivateKey | Self::OpenpgpSecret)
    }

    /// Whether a text has the format.
    #[must_use]
    pub fn matches(self, text: &str) -> bool {
        match self {
            Self::Domain => is_domain(text),
            Self::Url => url(text),
            Self::Email => text.rsplit_once('@').is_some_and(|(user, domain)| {
                !user.is_empty() && !user.contains(char::is_whitespace) && is_domain(domain)
            }),
            Self::Ip => text.parse::<IpAddr>().is_ok(),
            Self::Cidr => cidr(text),
            Self::Uuid => uuid(text),
            Self::Mode => {
                (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b))
            }
            Self::Path => {
                text.starts_with('/')
                    && !text.contains('\0')
                    && !text.split('/').any(|part| part == "." || part == "..")
            }
            Self::Base64 => base64(text),
            Self::Hex => {
                text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
            }
            Self::SshKey => ssh_key(text),
            Self::PrivateKey => {
                ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"]
                    .iter()
                    .any(|label| armor(text, label))
                    && !text.contains("ENCRYPTED")
            }
            Self::Certificate => armor(text, "CERTIFICATE"),
            Self::OpenpgpSecret => armor(text, "PGP PRIVATE KEY BLOCK"),
            Self::OpenpgpPublic => armor(text, "PGP PUBLIC KEY BLOCK"),
        }
    }
}

/// Whether a text is a host or domain name (RFC 1123; at most 253 characters).
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label) && text.parse::<Ipv4Addr>().is_err()
}

fn url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(in_scheme)
        && rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let longest = match (address.parse::<Ipv4Addr>(), address.parse::<Ipv6Addr>()) {
        (Ok(_), _) => 32,
        (_, Ok(_)) => 128,
        _ => return false,
    };
    length.parse::<u8>().is_ok_and(|length| (1..=longest).contains(&length))
}

fn uuid(text: &str) -> bool {
    let hyphens: Vec<usize> = text.match_indices('-').map(|(index, _)| index).collect();
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 32 && digits + hyphens.len() == text.len() && matches!(*hyphens, [] | [8, 13, 18, 23])
}

fn base64(text: &str) -> bool {
    let text: String = text.split_ascii_whitespace().collect();
    let body = text.trim_end_matches('=');
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    !body.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(alphabet)
}

fn ssh_key(text: &str) -> bool {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let known = words.next().is_some_and(|kind| {
        kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-") || kind.starts_with("sk-")
    });
    known && words.next().is_some_and(base64) && !text.contains(['\n', '\r'])
}

/// Whether a text is an armor of this label with a body, and nothing around it.
fn armor(text: &str, label: &str) -> bool {
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|text| text.strip_suffix(&format!("-----END {label}-----")));
    body.is_some_and(|body| body.trim().len() > 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_format_or_not() {
        let cases: [(Format, &[&str], &[&str]); 10] = [
            (
                Format::Domain,
                &["x.test", "localhost", "a-b.c1"],
                &["", "a b", "-a", "a.", "a_b", "1.2.3.4", "ä.test", "x.test; rm"],
            ),
            (
                Format::Url,
                &["https://x/y", "file:///v/b/", "ssh+scp://u@h//p"],
                &["x", "https:", "://x", "http://a b"],
            ),
            (Format::Email, &["a@b.test"], &["a", "@b", "a b@c", "a@b c"]),
            (Format::Ip, &["10.0.0.1", "fe80::1"], &["10.0.0", "x", "10.0.0.1/8"]),
            (
                Format::Uuid,
                &["c7d4a2de5b4c4f0b9d5e0e7d6a1b2c3d", "c7d4a2de-5b4c-4f0b-9d5e-0e7d6a1b2c3d"],
                &["c7d4", "c7d4a2de5b-4c4f0b9d5e0e7d6a1b2c3d"],
            ),
            (Format::Mode, &["0600", "755", "2750"], &["384", "0o600", "rw", "00600"]),
            (Format::Path, &["/a/b"], &["a", "/a/../b", ""]),
            (Format::Base64, &["YWJj", "YQ=="], &["", "YW", "YQ=", "====", "Y-=="]),
            (Format::Hex, &["", "00ff"], &["0", "0g"]),
            (
                Format::SshKey,
                &["ssh-ed25519 AAAA me@here", "ecdsa-sha2-nistp256 AAAA"],
                &["AAAA", "ssh-rsa", "ssh-rsa x"],
            ),
        ];
        for (format, good, bad) in cases {
            for text in good {
                assert!(format.matches(text), "{format:?} {text}");
            }
            for text in bad {
                assert!(!format.matches(text), "{format:?} {text}");
            }
        }
    }

    #[test]
    fn b57_the_whole_internet_is_no_network() {
        assert!(Format::Cidr.matches("192.168.50.2/24") && Format::Cidr.matches("fd00::/8"));
        for text in ["192.168.50.2/0", "::/0", "10.0.0.0/33", "10.0.0.0", "x/8", "10.0.0.0/"] {
            assert!(!Format::Cidr.matches(text), "{text}");
        }
    }

    #[test]
    fn armors_are_complete() {
        let body = "A".repeat(64);
        let pem = |label: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        assert!(Format::PrivateKey.matches(&pem("RSA PRIVATE KEY")));
        assert!(Format::PrivateKey.matches(&pem("PRIVATE KEY")));
        assert!(!Format::PrivateKey.matches(&pem("ENCRYPTED PRIVATE KEY")));
        assert!(!Format::PrivateKey.matches(&pem("PUBLIC KEY")));
        assert!(!Format::PrivateKey.matches("server.key.pem"));
        let broken = pem("PRIVATE KEY").replace("-----END", "----END");
        assert!(!Format::PrivateKey.matches(&broken));
        assert!(Format::OpenpgpSecret.matches(&pem("PGP PRIVATE KEY BLOCK")));
    }
}
