//! Live rates and a progress bar, where somebody looks on.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Progress;

/// A bar on the standard error; nothing where that is no terminal.
#[derive(Debug)]
pub struct Live {
    bar: ProgressBar,
    so_far: Progress,
    shown: (Instant, Progress),
}

impl Live {
    /// For so many to be received.
    #[must_use]
    pub fn new(expected: u64) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}");
        let bar = ProgressBar::with_draw_target(Some(expected), ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, so_far: Progress::default(), shown: (Instant::now(), Progress::default()) }
    }

    /// One child has come so much further.
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

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
