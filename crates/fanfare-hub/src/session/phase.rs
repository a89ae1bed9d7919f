//! How far a session of a dialect with a connect command is.

use std::sync::atomic::{AtomicU8, Ordering};

/// See the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Its client did not connect yet.
    New,
    /// Its connect is under way.
    Connecting,
    /// Its commands are carried out.
    Connected,
    /// Its connect failed, and it waits for its end.
    Failed,
}

/// The phase of a session. It is [`Phase::New`] at first.
#[derive(Default)]
pub(crate) struct CurrentPhase(AtomicU8);

impl CurrentPhase {
    pub(crate) fn get(&self) -> Phase {
        let current = self.0.load(Ordering::Acquire);
        [Phase::Connecting, Phase::Connected, Phase::Failed]
            .into_iter()
            .find(|phase| *phase as u8 == current)
            .unwrap_or(Phase::New)
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }
}
