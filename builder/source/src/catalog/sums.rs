//! Checksum files as `sha256sum` and its like write them.

use crate::Digest;

/// The digest of `name` in the text of a checksum file.
///
/// A name that is listed twice with different digests counts as not listed: nothing says
/// which one is meant.
pub(crate) fn find(text: &str, name: &str) -> Option<Digest> {
    let mut digests = entries(text).filter(|(found, _)| *found == name).map(|(_, digest)| digest);
    let first = digests.next()?;
    digests.all(|other| other == first).then_some(first)
}

/// Names and digests, in order; lines that are no entry are passed over.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = (&str, Digest)> {
    text.lines().filter_map(|line| {
        let (digits, name) = line.split_once(' ')?;
        // The second separator is a blank for text and a star for binary files.
        let name = name.strip_prefix([' ', '*']).unwrap_or(name);
        let name = name.strip_prefix("./").unwrap_or(name);
        Some((name, Digest::parse(digits)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_separators_are_read_and_doubt_is_none() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let text = format!("{a} *one.img\n{b}  two.img\nnonsense\n{b} *one.img2\n{a}  ./d\n");
        assert_eq!(find(&text, "one.img"), Digest::parse(&a));
        assert_eq!(find(&text, "two.img"), Digest::parse(&b));
        assert_eq!(find(&text, "d"), Digest::parse(&a));
        assert_eq!(find(&text, "img"), None);
        let twice = format!("{text}{b} *one.img\n");
        assert_eq!(find(&twice, "one.img"), None);
    }
}
