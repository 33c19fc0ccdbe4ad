//! The armor: base64 in lines of 64 between two marker lines (RFC 7468, strictly).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{MARKER, SealedError};

const END: &str = "-----END AGE ENCRYPTED FILE-----";
/// Characters of base64 in a line.
const COLUMNS: usize = 64;

/// The bytes in the armor. Lines may end in CR LF; blank space may follow the end marker.
pub(super) fn decode(armored: &[u8]) -> Result<Vec<u8>, SealedError> {
    let fail = |line, what| SealedError::Armor { line, what };
    let text = std::str::from_utf8(armored).map_err(|_| fail(1, "not text"))?;
    let mut lines = text.trim_end().lines().zip(1..);
    match lines.next() {
        Some((first, _)) if first == MARKER => {}
        _ => return Err(fail(1, "the first line is not the marker")),
    }
    let mut base64 = String::with_capacity(text.len());
    let mut is_last = false;
    for (line, number) in lines {
        if line == END {
            let rest = text.trim_end().lines().nth(number);
            return match rest {
                Some(_) => Err(fail(number + 1, "something follows the end marker")),
                None => STANDARD.decode(&base64).map_err(|_| fail(number - 1, "not base64")),
            };
        }
        if is_last || line.is_empty() || line.len() > COLUMNS {
            return Err(fail(number, "a line of another length than 64 characters"));
        }
        is_last = line.len() < COLUMNS;
        base64.push_str(line);
    }
    Err(fail(text.lines().count(), "the end marker is missing"))
}

/// Puts the armor on, with a line end after the last line.
#[cfg(feature = "write")]
pub(super) fn encode(bytes: &[u8]) -> String {
    let base64 = STANDARD.encode(bytes);
    let mut armored = format!("{MARKER}\n");
    for start in (0..base64.len()).step_by(COLUMNS) {
        let end = base64.len().min(start + COLUMNS);
        armored.push_str(&base64[start..end]);
        armored.push('\n');
    }
    armored + END + "\n"
}
