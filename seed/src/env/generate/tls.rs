//! Self-signed certificates, so that services can start before somebody signs a real one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256,
};

use super::rsa;

/// How far back a certificate starts, for guests whose clock is late.
const BACK: Duration = Duration::from_secs(24 * 3600);
/// Longest common name (X.520).
const LONGEST_NAME: usize = 64;

/// Checks what is known before a key is made.
pub(super) fn check(subject: &str, kind: &str) -> Result<(), String> {
    bits(kind)?;
    parse_subject(subject).map(drop)
}

/// The size of an RSA key, or none for P-256.
fn bits(kind: &str) -> Result<Option<usize>, String> {
    match kind {
        "p256" => Ok(None),
        "rsa2048" => Ok(Some(2048)),
        "rsa3072" => Ok(Some(3072)),
        "rsa4096" => Ok(Some(4096)),
        other => {
            Err(format!("`{other}` is no kind of key; expected p256, rsa2048, rsa3072 or rsa4096"))
        }
    }
}

/// A common name alone, or `CN=…, O=…, OU=…, L=…, ST=…, C=…`.
fn parse_subject(subject: &str) -> Result<DistinguishedName, String> {
    let mut name = DistinguishedName::new();
    let expected = "expected a common name, or parts such as `CN=host, O=firm, C=AT`";
    if !subject.contains('=') {
        if subject.is_empty() || subject.chars().count() > LONGEST_NAME {
            return Err(format!("the subject has no or too long a name; {expected}"));
        }
        name.push(DnType::CommonName, subject);
        return Ok(name);
    }
    for part in subject.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}`: {expected}"))?;
        let kind = match key.trim() {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "L" => DnType::LocalityName,
            "ST" => DnType::StateOrProvinceName,
            "C" => DnType::CountryName,
            other => return Err(format!("`{other}` is no part of a subject; {expected}")),
        };
        let value = value.trim();
        let country = kind == DnType::CountryName;
        if value.is_empty() || value.chars().count() > LONGEST_NAME || country && value.len() != 2 {
            return Err(format!("`{part}` is empty, too long, or no country of two letters"));
        }
        name.push(kind, value);
    }
    Ok(name)
}

/// `key` and `cert` in PEM. The certificate is one for a server and no CA.
pub(super) fn self_signed(
    subject: &str,
    sans: &[String],
    days: u32,
    kind: &str,
) -> Result<BTreeMap<&'static str, String>, String> {
    let text = |error: rcgen::Error| error.to_string();
    let key = match bits(kind)? {
        None => KeyPair::generate().map_err(text)?,
        Some(bits) => {
            let pem = rsa::pem(bits)?;
            KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).map_err(text)?
        }
    };
    let mut params = CertificateParams::new(sans.to_vec()).map_err(text)?;
    params.distinguished_name = parse_subject(subject)?;
    let now = SystemTime::now();
    params.not_before = (now - BACK).into();
    params.not_after = (now + Duration::from_secs(u64::from(days) * 24 * 3600)).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(text)?;
    Ok(BTreeMap::from([("key", key.serialize_pem()), ("cert", certificate.pem())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_names_or_parts() {
        for subject in ["x.test", "CN=x.test, O=Firm, OU=a b, C=AT"] {
            assert!(check(subject, "p256").is_ok(), "{subject}");
        }
        for subject in ["", "CN=", "C=AUT", "X=y", "CN=x, y", &"x".repeat(65)] {
            assert!(check(subject, "p256").is_err(), "{subject}");
        }
        assert!(check("x", "dsa").is_err());
    }
}
