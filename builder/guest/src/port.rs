//! The report as it comes through the virtio port: one line of JSON from a guest that may
//! send anything.

use bootwright_seed::report::{Report, SCHEMA};
use serde::Deserialize;

use crate::lines::Line;
use crate::{Error, Result};

/// Longest report that is read, in bytes.
pub(crate) const REPORT_LIMIT: usize = 256 << 10;

/// Characters of a malformed report that the error shows.
const SHOWN: usize = 300;

/// Understands the line that came through the port.
pub(crate) fn parse(line: &Line) -> Result<Report> {
    /// The field that decides what the others mean.
    #[derive(Deserialize)]
    struct Envelope {
        schema: u32,
    }
    let Line::Whole(line) = line else {
        return Err(Error::ReportTooLong { limit: REPORT_LIMIT });
    };
    let malformed = |source| Error::ReportMalformed { line: shown(line), source };
    let envelope: Envelope = serde_json::from_slice(line).map_err(malformed)?;
    if envelope.schema != SCHEMA {
        return Err(Error::ReportSchema { found: envelope.schema, known: SCHEMA });
    }
    serde_json::from_slice(line).map_err(malformed)
}

/// The line as it can be shown on a terminal.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use bootwright_seed::report::State;

    use super::{parse, shown};
    use crate::lines::Line;

    fn whole(text: &str) -> Line {
        Line::Whole(text.into())
    }

    #[test]
    fn a_report_is_read() {
        let line = whole(r#"{"schema":1,"state":"active","agent":"0.1.0","elapsed_ms":7,"new":0}"#);
        assert_eq!(parse(&line).unwrap().state, State::Active);
    }

    #[test]
    fn another_schema_is_named_before_anything_else() {
        let error = parse(&whole(r#"{"schema":2,"state":{"name":"active"}}"#)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the guest's report has schema 2, this tool knows 1; build the image and boot it with the same version"
        );
    }

    #[test]
    fn what_is_no_report_is_shown_harmlessly() {
        let error = parse(&whole("\u{1b}[2J{")).unwrap_err().to_string();
        assert!(error.ends_with(r"the line was: \u{1b}[2J{"), "{error}");
        assert_eq!(shown(&[b'x'; 400]).chars().count(), 301);
    }

    #[test]
    fn a_flood_is_refused() {
        let error = parse(&Line::TooLong).unwrap_err().to_string();
        assert!(error.contains("longer than 262144 bytes"), "{error}");
    }
}
