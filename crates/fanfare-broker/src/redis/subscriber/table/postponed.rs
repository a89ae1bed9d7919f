//! Commands that Redis does not take at the moment.
//!
//! Invariant: while a SUBSCRIBE waits that restores a channel, no answer to a [`Command::Info`] settles the connection.

use std::time::{Duration, Instant};

use fanfare_core::{Channel, SubscribeError};

use super::{
    commands::Command,
    entry::{Entry, Past, State, Waiter},
    refused::Refusal,
    retry::Postponed,
    subscriptions::Table,
};

/// How long a channel is kept whose UNSUBSCRIBE Redis forbids, before the next try.
const KEEP: Duration = Duration::from_secs(10);
/// The most channels that are kept although they are not wanted. Past it, the connection is replaced.
const KEPT: usize = 16 << 10;

impl<W: Waiter> Table<W> {
    /// Redis did not take a command at the moment.
    pub(super) fn postpone(&mut self, command: Command, now: Instant) -> Refusal {
        match command {
            Command::Info => {}
            Command::SubscribeControl => {
                self.postponed.wait(now);
                (self.postponed.control, self.postponed.restores) = (true, true);
            }
            Command::Subscribe { channels, .. } => {
                self.postponed.wait(now);
                self.postponed.restores |= channels.iter().any(|channel| self.was_confirmed(channel));
                self.postponed.channels.extend(channels);
            }
            Command::Unsubscribe(channels) => {
                let delay = self.postponed.delay(now);
                self.keep(&channels, now + delay);
                return Refusal::Postponed("UNSUBSCRIBE");
            }
        }
        Refusal::Postponed("SUBSCRIBE")
    }

    /// Redis does not let this node give up channels. They are kept, up to [`KEPT`].
    pub(super) fn keep_forbidden(&mut self, channels: &[Channel], now: Instant) -> Refusal {
        if self.lingering.len() + channels.len() > KEPT {
            return Refusal::Connection("UNSUBSCRIBE");
        }
        self.keep(channels, now + KEEP);
        Refusal::Postponed("UNSUBSCRIBE")
    }

    /// Tries again the commands that are due.
    pub(super) fn retry_postponed(&mut self, now: Instant) {
        if self.postponed.at.is_none_or(|at| now < at) {
            return;
        }
        let again = Postponed { last: self.postponed.last, ..Postponed::default() };
        let Postponed { control, channels, .. } = std::mem::replace(&mut self.postponed, again);
        if control {
            self.commands.push(Command::SubscribeControl);
        }
        let mut restores = control;
        for channel in channels {
            if self.is_wanted_still(&channel, now) {
                restores |= self.was_confirmed(&channel);
                self.send_subscribe(channel, false);
            }
        }
        // Not for new channels alone: they could put off the end of an interruption for ever.
        if restores {
            self.ask_behind();
        }
    }

    pub(super) fn was_confirmed(&self, channel: &Channel) -> bool {
        self.entries.get(channel).is_some_and(|entry| entry.past != Past::New)
    }

    /// Whether a postponed SUBSCRIBE is still wanted. Otherwise the channel is given up.
    fn is_wanted_still(&mut self, channel: &Channel, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(channel) else { return false };
        let State::Subscribing { waiters, wanted } = &mut entry.state else { return false };
        if *wanted {
            return true;
        }
        let waiters = std::mem::take(waiters);
        if entry.held.is_some() {
            self.linger(channel, now);
        } else {
            self.entries.remove(channel);
        }
        self.tell(waiters, &Err(SubscribeError::Unavailable));
        false
    }

    /// Unwanted channels that Redis still holds linger on.
    fn keep(&mut self, channels: &[Channel], until: Instant) {
        for channel in channels {
            let is_held = |entry: &Entry<W>| matches!(entry.state, State::Unsubscribing);
            if self.entries.get(channel).is_some_and(is_held) {
                self.linger_until(channel, until);
            }
        }
    }
}
