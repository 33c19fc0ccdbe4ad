//! Where the time of a run goes: spans of work, told as a waterfall.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::report;

/// Characters of the widest bar.
const WIDTH: f64 = 40.0;

/// When the first span began, near enough the program's start.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static ENDED: Mutex<Vec<Ended>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Ended {
    name: &'static str,
    from: Duration,
    to: Duration,
}

/// A piece of work, measured until it is dropped.
#[derive(Debug)]
pub struct Span {
    name: &'static str,
    from: Duration,
}

/// Begins a span.
pub fn span(name: &'static str) -> Span {
    Span { name, from: START.elapsed() }
}

impl Span {
    /// Ends this span and begins the next.
    pub fn next(&mut self, name: &'static str) {
        drop(std::mem::replace(self, span(name)));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let ended = Ended { name: self.name, from: self.from, to: START.elapsed() };
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
    }
}

/// Shows all spans that have ended on stderr, in the order in which they began.
pub fn show() {
    let mut spans = ENDED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    spans.sort_by_key(|span| (span.from, std::cmp::Reverse(span.to)));
    let whole = spans.iter().map(|span| span.to).max().unwrap_or_default();
    for span in &spans {
        report::message(line(*span, whole));
    }
}

fn line(span: Ended, whole: Duration) -> String {
    let Ended { name, from, to } = span;
    let column = |at: Duration| (at.as_secs_f64() / whole.as_secs_f64() * WIDTH).round() as usize;
    let (start, end) = (column(from), column(to).max(column(from) + 1));
    let bar = format!("{}{}", " ".repeat(start), "#".repeat(end - start));
    let took = (to - from).as_secs_f64();
    format!("{name:28} {:8.3} s {took:8.3} s  {bar}", from.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_where_their_spans_do() {
        let second = Duration::from_secs(1);
        let half = Ended { name: "x", from: second, to: 2 * second };
        let line = line(half, 2 * second);
        assert_eq!(&line[..52], "x                               1.000 s    1.000 s  ");
        assert_eq!(&line[52..], format!("{}{}", " ".repeat(20), "#".repeat(20)));
    }
}
