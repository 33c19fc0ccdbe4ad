//! Sizes as plans write them.

/// Bytes of a text such as `2g`, `1.5GiB`, `100M` or `4096s`.
///
/// As LVM has it: a small letter and the forms with an i count in powers of 1024, capitals in
/// powers of 1000. `kB` and the like are powers of 1000, too, as parted has them.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = factor(unit.trim())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    // Decimal places as a fraction of integers, so that no size is rounded through a float.
    let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 9)?;
    let part: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let part = u128::from(part) * u128::from(factor) / u128::from(10u64.pow(places));
    whole.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}

fn factor(unit: &str) -> Option<u64> {
    let (letter, rest) = match unit.chars().next() {
        None => return Some(1),
        Some(letter) => (letter, unit.get(1..)?),
    };
    if unit.eq_ignore_ascii_case("b") {
        return Some(1);
    }
    if unit == "s" {
        return Some(512);
    }
    let power = "kmgtp".find(letter.to_ascii_lowercase())? as u32 + 1;
    let base: u64 = match rest {
        "iB" | "ib" | "i" => 1024,
        "B" | "b" => 1000,
        "" if letter.is_ascii_lowercase() => 1024,
        "" => 1000,
        _ => return None,
    };
    Some(base.pow(power))
}

/// A place on a disk: a size, or a percentage of the disk.
pub fn place(text: &str, disk: u64) -> Option<u64> {
    match text.trim().strip_suffix('%') {
        Some(percent) => {
            let percent: u64 = percent.trim().parse().ok().filter(|percent| *percent <= 100)?;
            Some(disk / 100 * percent + disk % 100 * percent / 100)
        }
        None => bytes(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b23_units_and_fractions() {
        for (text, expected) in [
            ("2g", Some(2 << 30)),
            ("2G", Some(2_000_000_000)),
            ("1.5GiB", Some(3 << 29)),
            ("1024 kiB", Some(1 << 20)),
            ("2MB", Some(2_000_000)),
            ("2048s", Some(1 << 20)),
            ("512", Some(512)),
            ("0.5k", Some(512)),
            ("g", None),
            ("-1g", None),
            ("1x", None),
            ("1.x", None),
            ("1.1234567890g", None),
            ("99999999999999999p", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        assert_eq!(place("50%", 201), Some(100));
        assert_eq!(place("101%", 200), None);
        assert_eq!(place("1MiB", 0), Some(1 << 20));
    }
}
