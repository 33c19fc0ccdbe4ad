//! Shows what changes in a file: the lines that go and those that come.

/// Longest diff, in lines; the rest is counted.
const MOST: usize = 60;

/// The difference between two contents, indented, each line after a line break. Hidden or
/// binary content is described by its size.
pub fn show(old: Option<&[u8]>, new: &[u8], hidden: bool) -> String {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let sizes = || match old {
        Some(old) => format!(": {} -> {} bytes, content not shown", old.len(), new.len()),
        None => format!(": {} bytes, content not shown", new.len()),
    };
    if hidden {
        return sizes();
    }
    match (text(old.unwrap_or_default()), text(new)) {
        (Some(old), Some(new)) => lines(old, new),
        _ => sizes(),
    }
}

fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.get(same..).unwrap_or_default(), new.get(same..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let gone = old.iter().take(old.len() - end).map(|line| ('-', line));
    let come = new.iter().take(new.len() - end).map(|line| ('+', line));
    let all: Vec<String> =
        gone.chain(come).map(|(sign, line)| format!("\n    {sign}{}", clean(line))).collect();
    let rest = all.len().saturating_sub(MOST);
    let mut text = all[..all.len() - rest].concat();
    if rest > 0 {
        text += &format!("\n    … and {rest} lines more");
    }
    text
}

fn clean(line: &str) -> String {
    super::program::printable(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_change() {
        let shown = show(Some(b"a\nb\nc\n"), b"a\nx\ny\nc\n", false);
        assert_eq!(shown, "\n    -b\n    +x\n    +y");
        assert_eq!(show(None, b"a\n", false), "\n    +a");
        assert_eq!(show(Some(b"a\na\n"), b"a\n", false), "\n    -a");
        assert_eq!(show(Some(b"old"), b"secret", true), ": 3 -> 6 bytes, content not shown");
        assert_eq!(show(None, b"\xff\xfe", false), ": 2 bytes, content not shown");
        assert!(show(None, "x\n".repeat(100).as_bytes(), false).ends_with("and 40 lines more"));
    }
}
