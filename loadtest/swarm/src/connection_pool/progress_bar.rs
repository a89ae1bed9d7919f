//! A progress bar with live rates, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressDrawTarget, ProgressStyle};

use super::message::Progress;

/// A bar on the standard error. Draws nothing if that is not a terminal.
#[derive(Debug)]
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    so_far: Progress,
    shown: (Instant, Progress),
}

impl ProgressBar {
    /// A bar for this number of receipts.
    #[must_use]
    pub fn new(expected: u64) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}");
        let bar = indicatif::ProgressBar::with_draw_target(Some(expected), ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, so_far: Progress::default(), shown: (Instant::now(), Progress::default()) }
    }

    /// Adds the progress of a child.
    pub fn add(&mut self, step: Progress) {
        self.so_far.sent += step.sent;
        self.so_far.received += step.received;
        let (when, before) = self.shown;
        let span = when.elapsed();
        if span < Duration::from_millis(500) {
            return;
        }
        let rate = |now: u64, before: u64| (now - before) as f64 / span.as_secs_f64();
        self.bar.set_position(self.so_far.received);
        self.bar.set_message(format!(
            "{:.0}/s out, {:.0}/s in",
            rate(self.so_far.sent, before.sent),
            rate(self.so_far.received, before.received)
        ));
        self.shown = (Instant::now(), self.so_far);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
