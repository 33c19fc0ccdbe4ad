//! Values that a person was meant to replace: sample passwords, sample addresses and the like.
//!
//! They are valid YAML and would be deployed unnoticed.

/// Passwords that samples of the systems we know are shipped with.
const SAMPLE_PASSWORDS: [&str; 3] = ["QWERTY33", "changeme", "CHANGEME"];
/// Addresses of the systems' documentation.
const SAMPLE_ADDRESSES: [&str; 4] = ["1.2.3.4", "4.3.2.1", "5.6.7.8", "8.7.6.5"];

/// What is left to replace in a text, in words; none of them is the text itself.
pub(super) fn of_text(text: &str) -> Option<String> {
    if let Some(name) = angled(text.trim()) {
        return Some(format!("<{name}> is a placeholder; put the real value there"));
    }
    if let Some(name) = quoted_angled(text) {
        return Some(format!("the text holds the placeholder <{name}>; put the real value there"));
    }
    if SAMPLE_PASSWORDS.contains(&text) {
        return Some("a password out of a sample; make one of its own".to_owned());
    }
    if let Some(address) = SAMPLE_ADDRESSES.iter().find(|address| has_word(text, address)) {
        return Some(format!("{address} is a sample address; put the real one there"));
    }
    if sample_uuid(text) {
        return Some("the sample UUID, 16 times `ec`; put the real one there".to_owned());
    }
    None
}

/// The name in `<NAME>`, if that is the whole text.
fn angled(text: &str) -> Option<&str> {
    let name = text.strip_prefix('<')?.strip_suffix('>')?;
    let shouts =
        |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | ' ');
    (name.len() >= 2 && name.len() <= 40 && name.chars().all(shouts)).then_some(name)
}

/// The name in `'<NAME>'` or `"<NAME>"` somewhere in a longer text, such as a settings file.
fn quoted_angled(text: &str) -> Option<&str> {
    text.match_indices(['\'', '"']).find_map(|(start, quote)| {
        let rest = text.get(start + 1..)?;
        let (inner, _) = rest.split_once(quote)?;
        angled(inner)
    })
}

/// Whether `word` stands in `text` with nothing beside it that would make it another one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    text.match_indices(word).any(|(start, _)| {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(start + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// 16 bytes of 0xec, with or without hyphens.
fn sample_uuid(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '-').collect();
    plain.to_ascii_lowercase().contains(&"ec".repeat(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told() {
        for text in [
            "<PASSWORD>",
            " <DOMAIND> ",
            "<YOUR NAME>",
            "SECRET_KEY = '<PASSWORD>'\n",
            "QWERTY33",
            "1.2.3.4",
            "//1.2.3.4/datavolume",
            "ETHICS_COMMISSION_UUID = 'ecececececececececececececececec'\n",
            "ecececec-ecec-ecec-ecec-ecececececec",
        ] {
            assert!(of_text(text).is_some(), "{text}");
        }
    }

    #[test]
    fn real_values_are_left_alone() {
        for text in [
            "",
            "<",
            "<>",
            "<b>",
            "<Password>",
            "x <PASSWORD> y",
            "11.2.3.4",
            "1.2.3.45",
            "1.2.3.4.5",
            "ecec",
            "QWERTY331",
            "it's <A> 'b'",
            "<a href='x'>",
            "QWERTY",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
