//! Finds a file among the names a directory lists, also where ISO 9660 has mangled them.
//!
//! Without Rock Ridge and Joliet a writer maps `user-data` to `USER_DAT.;1` (level 1, genisoimage
//! and xorriso) or `USER_DATA.;1` (level 2 and up): upper case, other characters than letters,
//! digits and `_` replaced by `_`, the stem cut to 8 and the extension to 3 characters, a final
//! dot and a version added (ECMA-119 7.5.1, 10.1).

/// Which of `listed` stands for `wanted`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match<'a> {
    /// This one.
    One(&'a str),
    /// None of them.
    None,
    /// Two of them could.
    Two(&'a str, &'a str),
}

/// Looks for `wanted` in `listed`: the exact name first, then mangled forms.
pub(crate) fn find<'a>(wanted: &str, listed: &'a [String]) -> Match<'a> {
    if let Some(exact) = listed.iter().find(|name| *name == wanted) {
        return Match::One(exact);
    }
    let forms =
        [wanted.to_ascii_uppercase(), mangle(wanted, usize::MAX, usize::MAX), mangle(wanted, 8, 3)];
    let mut found = listed.iter().filter(|name| forms.contains(&bare(name)));
    match (found.next(), found.next()) {
        (None, _) => Match::None,
        (Some(one), None) => Match::One(one),
        (Some(one), Some(other)) => Match::Two(one, other),
    }
}

/// `name` in upper case without version and final dot.
fn bare(name: &str) -> String {
    let name = name.rsplit_once(';').map_or(name, |(stem, _)| stem);
    name.trim_end_matches('.').to_ascii_uppercase()
}

fn mangle(name: &str, stem_limit: usize, extension_limit: usize) -> String {
    let part = |text: &str, limit: usize| -> String {
        let allowed =
            |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        text.chars().take(limit).map(allowed).collect()
    };
    match name.rsplit_once('.') {
        Some((stem, extension)) => {
            format!("{}.{}", part(stem, stem_limit), part(extension, extension_limit))
        }
        None => part(name, stem_limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn exact_name_wins() {
        let listed = names(&["USER_DAT.;1", "user-data"]);
        assert_eq!(find("user-data", &listed), Match::One("user-data"));
    }

    #[test]
    fn mangled_names() {
        for (wanted, found) in [
            ("user-data", "USER_DAT.;1"),
            ("user-data", "USER_DAT"),
            ("user-data", "USER_DATA."),
            ("user-data", "user_data"),
            ("user-data", "USER-DATA"),
            ("meta_data.json", "META_DAT.JSO;1"),
            ("meta_data.json", "META_DATA.JSON"),
            ("openstack", "OPENSTAC"),
            ("network-config", "NETWORK_.;1"),
        ] {
            assert_eq!(find(wanted, &names(&["README", found])), Match::One(found), "{wanted}");
        }
    }

    #[test]
    fn other_names_are_not_taken() {
        for found in ["USER_DA", "USERDATA", "USER_DATB", "USER_DAT.TXT", "META_DAT"] {
            assert_eq!(find("user-data", &names(&[found])), Match::None, "{found}");
        }
    }

    #[test]
    fn two_candidates_are_ambiguous() {
        let listed = names(&["USER_DAT.", "USER_DATA."]);
        assert_eq!(find("user-data", &listed), Match::Two("USER_DAT.", "USER_DATA."));
    }
}
