//! What a reader of YAML 1.1 (PyYAML) makes of a plain scalar, as Python prints it.
//!
//! Sources: yaml.org/type/{bool,int,float,timestamp}.html with PyYAML's narrower patterns; the
//! tests ask PyYAML itself.

/// The Python text of a plain scalar that YAML 1.1 takes for a truth, number or time; `None`
/// if it is text.
///
/// # Errors
/// A whole number too large to be written in decimal here, or a date that is none.
pub fn python_text(plain: &str) -> Result<Option<String>, &'static str> {
    if let Some(truth) = truth(plain) {
        return Ok(Some(truth.to_owned()));
    }
    if let Some(whole) = int(plain) {
        return whole.map(Some).ok_or("a whole number beyond 128 bits; quote it");
    }
    if let Some(number) = float(plain) {
        return Ok(Some(python_float(number)));
    }
    timestamp(plain)
}

fn truth(text: &str) -> Option<&'static str> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some("true"),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some("false"),
        _ => None,
    }
}

fn signed(text: &str) -> (&str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn all(text: &str, of: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| of.contains(c))
}

/// The decimal text of what matches one of the patterns of an integer.
fn int(text: &str) -> Option<Option<String>> {
    const DECIMAL: &str = "0123456789";
    let (sign, body) = signed(text);
    let digits: String = body.chars().filter(|&c| c != '_').collect();
    let based = |digits: &str, base| u128::from_str_radix(digits, base).ok();
    let value = if let Some(binary) = body.strip_prefix("0b").filter(|rest| all(rest, "01_")) {
        based(&binary.replace('_', ""), 2)
    } else if let Some(hex) =
        body.strip_prefix("0x").filter(|rest| all(rest, "0123456789abcdefABCDEF_"))
    {
        based(&hex.replace('_', ""), 16)
    } else if body == "0" {
        Some(0)
    } else if let Some(octal) = body.strip_prefix('0').filter(|rest| all(rest, "01234567_")) {
        based(&format!("0{}", octal.replace('_', "")), 8)
    } else if body.starts_with(|c: char| ('1'..='9').contains(&c)) && all(&digits, DECIMAL) {
        based(&digits, 10)
    } else if body.starts_with(|c: char| ('1'..='9').contains(&c)) && sexagesimal(body) {
        digits.split(':').try_fold(0_u128, |sum, part| {
            sum.checked_mul(60)?.checked_add(part.parse::<u128>().ok()?)
        })
    } else {
        return None;
    };
    Some(value.map(|value| if value == 0 { "0".to_owned() } else { format!("{sign}{value}") }))
}

/// Digits, then at least one `:` with a number below 60.
fn sexagesimal(body: &str) -> bool {
    let mut parts = body.split(':');
    let first = parts.next().is_some_and(|first| all(first, "0123456789_"));
    let mut count = 0;
    let rest = parts.all(|part| {
        count += 1;
        all(part, "0123456789") && (part.len() == 1 || (part.len() == 2 && part < "60"))
    });
    first && rest && count > 0
}

fn float(text: &str) -> Option<f64> {
    let (sign, body) = signed(text);
    let factor = if sign == "-" { -1.0 } else { 1.0 };
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(factor * f64::INFINITY),
        _ => {}
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let (whole, fraction) = body.split_once('.')?;
    let plain = |text: &str| all(text, "0123456789_");
    if sexagesimal(whole) && whole.starts_with(|c: char| c.is_ascii_digit()) {
        (fraction.is_empty() || plain(fraction)).then_some(())?;
        let clean = body.replace('_', "");
        let value = clean
            .split(':')
            .try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
        return Some(factor * value);
    }
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|digits| all(digits, "0123456789"))
    });
    let fits = match whole {
        // Without digits before the dot there are digits after it, and no sign.
        "" => body == text && fraction.starts_with(|c: char| c.is_ascii_digit()) && plain(fraction),
        _ => {
            whole.starts_with(|c: char| c.is_ascii_digit())
                && plain(whole)
                && (fraction.is_empty() || plain(fraction))
        }
    };
    (fits && exponent_fits)
        .then(|| body.replace('_', "").parse::<f64>().ok())
        .flatten()
        .map(|value| factor * value)
}

/// A float as Python's `repr` writes it: shortest digits, exponents from 1e-5 and from 1e16.
fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent if (-4..16).contains(&exponent) => format!("{value:?}"),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

/// A date or a time with a date, as `str()` of Python's objects has it.
fn timestamp(text: &str) -> Result<Option<String>, &'static str> {
    let Some(stamp) = Stamp::parse(text) else {
        return Ok(None);
    };
    stamp.python().map(Some).ok_or("looks like a date, but there is no such day or time; quote it")
}

struct Stamp {
    date: [u32; 3],
    time: Option<Time>,
}

struct Time {
    parts: [u32; 3],
    /// Up to six digits.
    fraction: String,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

impl Stamp {
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(['T', 't', ' ', '\t']);
        let (date, rest) = text.split_at(end.unwrap_or(text.len()));
        let parts: Vec<&str> = date.split('-').collect();
        let [year, month, day] = parts[..] else {
            return None;
        };
        let digits = |text: &str, lengths: [usize; 2]| {
            (lengths.contains(&text.len()) && all(text, "0123456789"))
                .then(|| text.parse::<u32>().ok())
                .flatten()
        };
        let short = if rest.is_empty() { [2, 2] } else { [1, 2] };
        let date = [digits(year, [4, 4])?, digits(month, short)?, digits(day, short)?];
        if rest.is_empty() {
            return Some(Self { date, time: None });
        }
        let rest =
            rest.strip_prefix(['T', 't']).unwrap_or_else(|| rest.trim_start_matches([' ', '\t']));
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
        let (clock, zone) = rest.split_at(end.unwrap_or(rest.len()));
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts[..] else {
            return None;
        };
        let parts = [digits(hour, [1, 2])?, digits(minute, [2, 2])?, digits(second, [2, 2])?];
        if !fraction.is_empty() && !all(fraction, "0123456789") {
            return None;
        }
        let fraction = fraction.chars().take(6).collect();
        Some(Self { date, time: Some(Time { parts, fraction, zone: parse_zone(zone)? }) })
    }

    fn python(&self) -> Option<String> {
        let [year, month, day] = self.date;
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (year > 0 && (1..=days).contains(&day)).then_some(())?;
        let date = format!("{year:04}-{month:02}-{day:02}");
        let Some(time) = &self.time else {
            return Some(date);
        };
        let [hour, minute, second] = time.parts;
        (hour < 24 && minute < 60 && second < 60).then_some(())?;
        let micros = format!("{:0<6}", time.fraction);
        let fraction = if micros == "000000" { String::new() } else { format!(".{micros}") };
        let zone = match time.zone {
            None => String::new(),
            Some(zone) => {
                let sign = if zone < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", zone.abs() / 60, zone.abs() % 60)
            }
        };
        Some(format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
    }
}

/// Minutes east of Greenwich; the outer `None` is for what is no time zone.
fn parse_zone(text: &str) -> Option<Option<i32>> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() {
        return Some(None);
    }
    if text == "Z" {
        return Some(Some(0));
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let offset = text.strip_prefix(['-', '+'])?;
    let (hours, minutes) = match offset.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None => (offset, "0"),
    };
    (hours.len() <= 2 && all(hours, "0123456789") && all(minutes, "0123456789")).then_some(())?;
    let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
    (minutes < 24 * 60).then_some(Some(sign * minutes))
}
