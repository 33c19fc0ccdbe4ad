//! Plain scalars that readers of YAML 1.1 and 1.2 take for different things.
//!
//! cloud-init and much else reads YAML 1.1 (PyYAML); newer libraries read 1.2. An unquoted
//! `0600` is the number 384 to one and the number 600 to the other, and text to nobody.
//! Sources: yaml.org/type (bool, int, float, timestamp) and chapter 10.3 of YAML 1.2.2.

/// What a plain scalar is taken for, beside what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// `yes`, `no`, `on`, `off`.
    Truth,
    /// A number with a leading zero.
    LeadingZero,
    /// Digits and colons, such as a time of day.
    Sexagesimal,
    /// A date, with or without a time.
    Timestamp,
    /// Digits with underscores, binary digits, `0o17`, `1e3`.
    Number,
}

impl Trap {
    /// What is wrong, and the way out.
    #[must_use]
    pub fn explain(self) -> &'static str {
        match self {
            Self::Truth => {
                "an unquoted yes, no, on or off is a truth value to YAML 1.1 and text to YAML 1.2; write true or false, or quote it if it is text"
            }
            Self::LeadingZero => {
                "an unquoted number with a leading zero is octal to YAML 1.1 and decimal to YAML 1.2; quote it, like \"0600\""
            }
            Self::Sexagesimal => {
                "unquoted digits with colons are a number in base 60 to YAML 1.1; quote it, like \"06:30\""
            }
            Self::Timestamp => {
                "an unquoted date is a date to YAML 1.1 and text to YAML 1.2; quote it"
            }
            Self::Number => {
                "unquoted, this is a number to some readers of YAML and text to others; quote it if it is text, else write plain decimal digits"
            }
        }
    }
}

/// The trap that an unquoted scalar is, if it is one.
#[must_use]
pub fn of_plain(text: &str) -> Option<Trap> {
    if truth(text) {
        return Some(Trap::Truth);
    }
    if timestamp(text) {
        return Some(Trap::Timestamp);
    }
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits(number) {
        return match number {
            _ if number.len() > 1 && number.starts_with('0') => Some(Trap::LeadingZero),
            _ if number.contains('_') => Some(Trap::Number),
            _ => None,
        };
    }
    if sexagesimal(number) {
        return Some(Trap::Sexagesimal);
    }
    let based = |prefix: &str, base: u32| {
        number.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_digit(base) || c == '_')
        })
    };
    let exponent = number.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| {
        digits(mantissa) && digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))
    });
    (based("0b", 2) || based("0o", 8) || exponent).then_some(Trap::Number)
}

/// What an unquoted scalar is to every reader, if it is not text.
#[must_use]
pub fn typed(text: &str) -> Option<&'static str> {
    match text {
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some("a truth value"),
        _ if text.starts_with("0x") || text.parse::<f64>().is_ok() => Some("a number"),
        _ => None,
    }
}

fn truth(text: &str) -> bool {
    matches!(
        text,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF"
    )
}

/// `1:30`, `06:30:00`, `190:20:30.15`.
fn sexagesimal(number: &str) -> bool {
    let number = number.split_once('.').map_or(number, |(whole, _)| whole);
    let mut parts = number.split(':');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let first = parts.next().is_some_and(digits);
    let mut more = parts.peekable();
    let sixty = |part: &str| digits(part) && part.parse::<u8>().is_ok_and(|part| part < 60);
    first && more.peek().is_some() && more.all(|part| part.len() <= 2 && sixty(part))
}

/// `2017-01-30` and what may follow it.
fn timestamp(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |part: &&str, lengths: &[usize]| {
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let is_date = digits(year, &[4]) && digits(month, &[1, 2]) && digits(day, &[1, 2]);
    let time = time.get(1..).unwrap_or_default().trim_start();
    is_date && (time.is_empty() || time.split(':').count() >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_are_told() {
        for (text, trap) in [
            ("yes", Trap::Truth),
            ("OFF", Trap::Truth),
            ("0600", Trap::LeadingZero),
            ("-012", Trap::LeadingZero),
            ("089", Trap::LeadingZero),
            ("06:30", Trap::Sexagesimal),
            ("6:30:00", Trap::Sexagesimal),
            ("00:11:22:33:44:55", Trap::Sexagesimal),
            ("190:20:30.15", Trap::Sexagesimal),
            ("2017-01-30", Trap::Timestamp),
            ("2017-01-30 06:30:00", Trap::Timestamp),
            ("2017-1-3T06:30:00Z", Trap::Timestamp),
            ("1_000", Trap::Number),
            ("0b11", Trap::Number),
            ("0o17", Trap::Number),
            ("12e45", Trap::Number),
        ] {
            assert_eq!(of_plain(text), Some(trap), "{text}");
        }
    }

    #[test]
    fn what_all_readers_agree_on_is_no_trap() {
        for text in [
            "0",
            "1",
            "-7",
            "1.50",
            "true",
            "y",
            "n",
            "text",
            "0x1F",
            "1.2.3.4",
            "::1",
            "fe80::1",
            "*-*-* 06:30:00",
            "Sun *-*-* 06:30:00",
            "10:99",
            "1e",
            "e3",
            "2017-01",
            "12:34:5x",
            "2017-01-30x",
            "99999999-1-1",
            "",
            "-",
            "_",
            "0:",
            "00:11:22:33:44:5f",
            "No way",
        ] {
            assert_eq!(of_plain(text), None, "{text}");
        }
    }
}
