//! Lines from a peer that may be hostile: each is read up to a limit and no further.

use std::io::{self, BufRead, Read};

/// What came instead of or as a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end, or what stood before the end of the stream.
    Whole(Vec<u8>),
    /// More than the limit came without an end of line.
    TooLong,
}

/// Reads the next line of at most `limit` bytes; `None` at the end of the stream.
pub(crate) fn next_line(reader: &mut impl BufRead, limit: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.by_ref().take(bound).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let ended = line.pop_if(|byte| *byte == b'\n').is_some();
    if !ended && line.len() > limit {
        return Ok(Some(Line::TooLong));
    }
    line.pop_if(|byte| *byte == b'\r');
    Ok(Some(Line::Whole(line)))
}

#[cfg(test)]
mod tests {
    use super::{Line, next_line};

    fn lines(mut input: &[u8], limit: usize) -> Vec<Line> {
        std::iter::from_fn(|| next_line(&mut input, limit).unwrap()).collect()
    }

    #[test]
    fn lines_lose_their_ends() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(lines(b"one\r\n\ntwo", 8), [whole("one"), whole(""), whole("two")]);
    }

    #[test]
    fn a_line_of_just_the_limit_is_whole() {
        assert_eq!(lines(b"12345678\n", 8), [Line::Whole(b"12345678".to_vec())]);
    }

    #[test]
    fn a_longer_one_is_cut_off() {
        assert_eq!(lines(b"123456789", 8), [Line::TooLong]);
    }
}
