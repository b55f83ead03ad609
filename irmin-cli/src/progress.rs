//! Progress of long work: a bar on standard error, after a second, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How far some work is.
pub(crate) struct Progress {
    bar: ProgressBar,
    unit: &'static str,
    shown: bool,
    started: Option<Duration>,
}

/// Work that is done sooner than this needs no bar.
const DELAY: Duration = Duration::from_secs(1);

impl Progress {
    /// Begins to count some things.
    pub(crate) fn new(out: &Output, what: &'static str, unit: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // The template is a constant without mistakes; the default style serves otherwise.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Progress { bar, unit, shown: false, started: out.shows_progress().then_some(DELAY) }
    }

    /// Counts one more.
    pub(crate) fn step(&mut self) {
        self.reach(self.bar.position().saturating_add(1));
    }

    /// Says how many there are by now.
    pub(crate) fn reach(&mut self, count: u64) {
        self.bar.set_position(count);
        if let Some(delay) = self.started {
            if !self.shown && self.bar.elapsed() >= delay {
                self.shown = true;
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            if self.shown {
                self.bar.set_message(format!("{} {}", self.bar.position(), self.unit));
            }
        }
    }

    /// Ends it.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
