//! A block of lines in a file that others write to as well, between two marks of ours.

/// The text with `lines` as our block of this name: where the block was, else at the end. Without lines
/// there is no block.
pub fn set(text: &str, name: &str, lines: &[String]) -> String {
    let (begin, end) = marks(name);
    let (before, after) = outside(text, &begin, &end);
    if lines.is_empty() {
        return before + &after;
    }
    let mut all = before;
    if !all.is_empty() && !all.ends_with('\n') {
        all.push('\n');
    }
    all += &format!("{begin}\n{}\n{end}\n", lines.join("\n"));
    all + &after
}

/// The lines around a block.
fn marks(name: &str) -> (String, String) {
    let begin = format!("# bootwright: begin {name} (do not edit; the agent writes these lines)");
    (begin, format!("# bootwright: end {name}"))
}

/// What stands before our block and after it.
fn outside(text: &str, begin: &str, end: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let mut inside = false;
    let mut seen = false;
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            found if found == begin => (inside, seen) = (true, true),
            found if found == end && inside => inside = false,
            _ if inside => {}
            _ if seen => after += line,
            _ => before += line,
        }
    }
    if inside {
        // The end is missing: somebody cut the file. What follows the mark is not surely ours.
        let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
        after = rest.trim_start_matches('\n').to_owned();
    }
    (before, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_changes_and_goes() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (begin, end) = marks("x");
        let one = set("a\nb", "x", &lines("x\ny"));
        assert_eq!(one, format!("a\nb\n{begin}\nx\ny\n{end}\n"));
        assert_eq!(set(&one, "x", &lines("x\ny")), one);
        let two = set(&(one + "c\n"), "x", &lines("z"));
        assert_eq!(two, format!("a\nb\n{begin}\nz\n{end}\nc\n"));
        assert_eq!(set(&two, "x", &[]), "a\nb\nc\n");
        assert_eq!(set(&format!("a\n{begin}\nmine\n"), "x", &[]), "a\nmine\n");
    }
}
