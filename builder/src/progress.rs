//! What the user sees of work that takes more than a moment: bars on a terminal, plain
//! lines elsewhere, all on stderr.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{report, timings};

/// Work shorter than this is not worth a line of its own in a log.
const NOTEWORTHY: Duration = Duration::from_secs(1);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Bars.
    Bars,
    /// Lines.
    Lines,
    /// Not at all.
    Quiet,
}

impl Progress {
    /// What fits stderr.
    pub fn new(quiet: bool) -> Self {
        match quiet {
            true => Self::Quiet,
            false if std::io::stderr().is_terminal() => Self::Bars,
            false => Self::Lines,
        }
    }

    /// A stage whose end is not known.
    pub fn stage(self, name: &'static str) -> Stage {
        let bar = ProgressBar::with_draw_target(None, self.target());
        bar.set_style(style("{spinner} {wide_msg} {elapsed}"));
        self.start(bar, name)
    }

    /// A stage of so many bytes.
    pub fn bytes(self, name: &'static str, len: u64) -> Stage {
        let bar = ProgressBar::with_draw_target(Some(len), self.target());
        bar.set_style(style("{msg:24} {wide_bar} {bytes}/{total_bytes} {eta:>4}"));
        self.start(bar, name)
    }

    /// A line that is shown unless the user asked for quiet.
    pub fn note(self, text: &str) {
        if self != Self::Quiet {
            report::message(text);
        }
    }

    fn target(self) -> ProgressDrawTarget {
        match self {
            Self::Bars => ProgressDrawTarget::stderr(),
            Self::Lines | Self::Quiet => ProgressDrawTarget::hidden(),
        }
    }

    fn start(self, bar: ProgressBar, name: &'static str) -> Stage {
        bar.set_message(name);
        bar.enable_steady_tick(Duration::from_millis(100));
        Stage { progress: self, bar, name, started: Instant::now(), _span: timings::span(name) }
    }
}

/// A style; the templates above are fixed and tested by use.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A stage of the work, shown until it is dropped.
#[derive(Debug)]
pub struct Stage {
    progress: Progress,
    bar: ProgressBar,
    name: &'static str,
    started: Instant,
    _span: timings::Span,
}

impl Stage {
    /// So many bytes are done.
    pub fn at(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Replaces the text beside the bar.
    pub fn say(&self, text: String) {
        self.bar.set_message(text);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        let elapsed = self.started.elapsed();
        if self.progress == Progress::Lines && elapsed >= NOTEWORTHY {
            report::message(format_args!("{}: {:.1} s", self.name, elapsed.as_secs_f64()));
        }
    }
}
