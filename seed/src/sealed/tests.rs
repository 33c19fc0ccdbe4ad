//! Our two sides against each other; the `age` tool judges in `tests/sealed.rs`.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use super::*;

fn pair() -> (Identity, Recipient) {
    let identity = Identity::generate().unwrap();
    let recipient = identity.recipient();
    (identity, recipient)
}

#[test]
fn what_was_sealed_opens() {
    let (identity, recipient) = pair();
    for len in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let plain: Vec<u8> = (0..len).map(|i: u32| i.to_le_bytes()[0] ^ 0x5a).collect();
        let sealed = seal(&plain, &[pair().1, recipient]).unwrap();
        assert!(is_sealed(&sealed));
        assert_eq!(open(&sealed, &[pair().0, identity.clone()]).unwrap(), plain, "{len}");
    }
}

#[test]
fn nobody_else_opens_it() {
    let sealed = seal(b"#cloud-config\n", &[pair().1]).unwrap();
    assert_eq!(open(&sealed, &[pair().0]), Err(SealedError::NotForUs));
    assert_eq!(open(&sealed, &[]), Err(SealedError::NoKey));
    assert_eq!(seal(b"", &[]), Err(SealedError::NoRecipient));
}

/// Whatever bit is changed and wherever it is cut, nothing is given out and nothing panics.
#[test]
fn changed_or_cut_is_refused() {
    let (identity, recipient) = pair();
    let identities = [identity];
    let file = armor::decode(&seal(b"#cloud-config\na: 1\n", &[recipient]).unwrap()).unwrap();
    assert!(open(&file, &identities).is_ok());
    for index in 0..file.len() {
        let mut changed = file.clone();
        changed[index] ^= 1;
        assert!(open(&changed, &identities).is_err(), "byte {index}");
        assert!(open(&file[..index], &identities).is_err(), "cut at {index}");
    }
    assert!(open(&[&file[..], b"x"].concat(), &identities).is_err());
}

#[test]
fn armor_is_strict() {
    let (identity, recipient) = pair();
    let sealed = String::from_utf8(seal(b"#cloud-config\na: 1\n", &[recipient]).unwrap()).unwrap();
    let opened = |text: &str| open(text.as_bytes(), std::slice::from_ref(&identity));
    assert!(opened(&sealed.replace('\n', "\r\n")).is_ok());
    assert!(opened(&format!("{sealed}\n \n")).is_ok());
    let lines: Vec<&str> = sealed.lines().collect();
    for broken in [
        lines[..lines.len() - 1].join("\n"),
        format!("{sealed}more\n"),
        sealed.replacen(lines[1], &lines[1][1..], 1),
        sealed.replacen(lines[1], &format!("{}?", &lines[1][..63]), 1),
        sealed.replacen(&format!("{}\n", lines[1]), "", 1),
    ] {
        assert!(opened(&broken).is_err(), "{broken}");
    }
}

#[test]
fn key_files() {
    let (identity, recipient) = pair();
    let file = format!("# comment\n\n{}\n", *identity.line());
    assert_eq!(Identity::parse_file("k", &file).unwrap()[0].recipient(), recipient);
    let text = recipient.to_string();
    assert_eq!(Recipient::parse_file("r", &format!("# x\n{text}\n")).unwrap(), [recipient]);
    assert_eq!(Recipient::parse(&text[..text.len() - 1]), None);
    let error = Recipient::parse_file("r", &file).unwrap_err().to_string();
    assert!(error.starts_with("r:3: this is the machine's secret"), "{error}");
    assert!(!error.contains(&**identity.line()), "{error}");
    let lower = identity.line().to_lowercase();
    assert!(Identity::parse_file("k", &lower).is_err());
    let shown = Identity::parse_file("k", "# nothing\n").unwrap_err().to_string();
    assert_eq!(shown, "k:1: no key in the file");
    assert_eq!(format!("{identity:?}"), "Identity(secret)");
}

/// The example key of age's own documentation.
#[test]
fn a_known_key_pair() {
    let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity = &Identity::parse_file("k", text).unwrap()[0];
    assert_eq!(
        identity.recipient().to_string(),
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    );
    assert_eq!(*identity.line(), text);
}
