//! The image's own fstab (fstab(5)): which volume is mounted where.

/// An entry that mounts something below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What is mounted, such as `LABEL=BOOT`.
    pub(crate) spec: String,
    /// Where, as a normalised absolute path.
    pub(crate) point: Vec<u8>,
}

/// Parses an fstab. Root, swap and lines that are no entries are left out.
pub(crate) fn parse(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (spec, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let point = normalise(&unescape(point))?;
        (kind != "swap").then(|| Entry { spec: unescape(spec), point })
    });
    let mut entries: Vec<Entry> = entries.collect();
    // Outer mounts first, so that inner ones are found below them.
    entries.sort_by_key(|entry| entry.point.len());
    entries
}

/// Octal escapes, as for a space (`\040`).
fn unescape(field: &str) -> String {
    let mut out = String::new();
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                out.push(byte.into());
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

/// An absolute path without empty parts, `.` and `..`; nothing for the root and others.
fn normalise(path: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> =
        path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|&part| part == "." || part == "..") {
        return None;
    }
    Some(format!("/{}", parts.join("/")).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_mounts_and_leaves_the_rest() {
        let text = "# comment\n\
            LABEL=cloudimg-rootfs / ext4 discard,errors=remount-ro 0 1\n\
            LABEL=UEFI\t/boot/efi/ vfat umask=0077 0 1\n\
            LABEL=BOOT /boot ext4 defaults 0 2\n\
            /dev/vdb none swap sw 0 0\n\
            UUID=1 /my\\040data ext4\n\
            broken\n\
            tmpfs /../x tmpfs\n";
        let seen: Vec<_> = parse(text)
            .into_iter()
            .map(|entry| (entry.spec, String::from_utf8(entry.point).unwrap()))
            .collect();
        let expected =
            [("LABEL=BOOT", "/boot"), ("UUID=1", "/my data"), ("LABEL=UEFI", "/boot/efi")];
        assert_eq!(seen, expected.map(|(spec, point)| (spec.to_owned(), point.to_owned())));
    }
}
