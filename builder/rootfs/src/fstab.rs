//! The image's own fstab (fstab(5)): which volume is mounted where.

/// An entry that mounts something below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What is mounted, such as `LABEL=BOOT`.
    pub(crate) spec: String,
    /// Where, as a normalised absolute path.
    pub(crate) point: Vec<u8>,
}

/// Parses an fstab. Root, swap, what is not mounted at boot and lines that are no entries
/// are left out.
pub(crate) fn parse(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (spec, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let options: Vec<&str> = fields.next().unwrap_or_default().split(',').collect();
        let is_mounted = !options.contains(&"noauto") || options.contains(&"x-systemd.automount");
        let point = normalise(&unescape(point))?;
        (kind != "swap" && is_mounted)
            .then(|| Entry { spec: String::from_utf8_lossy(&unescape(spec)).into_owned(), point })
    });
    let mut entries: Vec<Entry> = entries.collect();
    // Outer mounts first, so that inner ones are found below them.
    entries.sort_by_key(|entry| entry.point.len());
    entries
}

/// Octal escapes, as for a space (`\040`).
fn unescape(field: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// An absolute path without empty parts, `.` and `..`; nothing for the root and others.
fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    let parts = path.strip_prefix(b"/")?.split(|&byte| byte == b'/');
    let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|&part| part == b"." || part == b"..") {
        return None;
    }
    Some([b"/", &parts.join(&b'/')[..]].concat())
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
            UUID=1 /my\\040d\\303\\244ta\\ ext4\n\
            broken\n\
            /dev/sr0 /media/cdrom0 udf user,noauto 0 0\n\
            LABEL=lazy /lazy ext4 noauto,x-systemd.automount 0 0\n\
            tmpfs /../x tmpfs\n";
        let seen: Vec<_> = parse(text)
            .into_iter()
            .map(|entry| (entry.spec, String::from_utf8(entry.point).unwrap()))
            .collect();
        let expected = [
            ("LABEL=BOOT", "/boot"),
            ("LABEL=lazy", "/lazy"),
            ("LABEL=UEFI", "/boot/efi"),
            ("UUID=1", "/my däta\\"),
        ];
        assert_eq!(seen, expected.map(|(spec, point)| (spec.to_owned(), point.to_owned())));
    }
}
