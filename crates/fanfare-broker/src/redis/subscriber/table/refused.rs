//! Commands that Redis refuses, and channels that it forbids.

use std::time::Instant;

use fanfare_core::{Channel, SubscribeError};

use super::{
    commands::Command,
    entry::{Entry, Past, State, Waiter},
    subscriptions::Table,
};
use crate::redis::connection::{code::Cause, error::Desync};

/// The subject of an error of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One channel, whose waiters are told.
    Channel(Channel),
    /// A batch. Each of its channels is tried alone.
    Batch,
    /// The check of the number of subscriptions. `settles`: all channels that were confirmed before are confirmed or
    /// refused.
    Info { settles: bool },
    /// A command that is tried again.
    Postponed(&'static str),
    /// A command that the connection cannot do without.
    Connection(&'static str),
}

impl<W: Waiter> Table<W> {
    /// The node was told that its subscriptions are up. Channels that Redis forbids are not: their losses from now on
    /// are told by channel.
    pub(crate) fn restored(&mut self) {
        self.whole = true;
    }

    /// The subscriptions are not up any more.
    pub(super) fn interrupted(&mut self) {
        if std::mem::take(&mut self.whole) {
            let forbidden = self.entries.values_mut().filter(|entry| entry.past == Past::Forbidden);
            forbidden.for_each(|entry| entry.past = Past::Lost);
        }
    }

    /// The connection failed, and a retry cannot help. All waiters are told why.
    pub(crate) fn forbid_all(&mut self, why: &str) {
        let answers = &mut self.answers;
        self.entries.retain(|_, entry| {
            let State::Subscribing { waiters, .. } = &mut entry.state else { return true };
            let refused = || Err(SubscribeError::Misconfigured(why.to_owned()));
            answers.extend(waiters.drain(..).map(|waiter| (waiter, refused())));
            entry.past != Past::New
        });
    }

    /// Whether Redis forbids a channel that was confirmed before.
    pub(crate) fn is_any_forbidden(&self) -> bool {
        !self.forbidden.is_empty()
    }

    /// Asks again for at most `most` forbidden channels, the longest forbidden first.
    pub(crate) fn retry_forbidden(&mut self, most: usize) {
        let count = most.min(self.forbidden.len());
        let retried: Vec<_> = self.forbidden.drain(..count).collect();
        for channel in retried {
            if let Some(entry @ Entry { state: State::Forbidden, .. }) = self.entries.get_mut(&channel) {
                entry.state = State::Subscribing { waiters: Vec::new(), wanted: true };
                self.send_subscribe(channel, true);
            }
        }
    }

    /// Redis refused the first command that is not confirmed.
    pub(crate) fn refused(&mut self, cause: Cause, why: &str, now: Instant) -> Result<Refusal, Desync> {
        Ok(match (self.commands.refused()?, cause) {
            (Command::Info, _) => Refusal::Info { settles: self.informed() },
            (Command::Subscribe { channels, .. }, Cause::Permission) => self.forbidden(channels, why),
            (Command::Unsubscribe(channels), Cause::Permission) => self.keep_forbidden(&channels, now),
            (command, Cause::Temporary) => self.postpone(command, now),
            (Command::Unsubscribe(_), Cause::Connection) => Refusal::Connection("UNSUBSCRIBE"),
            (_, Cause::Permission | Cause::Connection) => Refusal::Connection("SUBSCRIBE"),
        })
    }

    fn forbidden(&mut self, channels: Vec<Channel>, why: &str) -> Refusal {
        let [channel] = channels.as_slice() else {
            self.each_alone(channels);
            return Refusal::Batch;
        };
        if let Some(mut entry) = self.entries.remove(channel) {
            self.held -= usize::from(entry.held.take().is_some());
            if let State::Subscribing { waiters, wanted } = entry.state {
                self.tell(waiters, &Err(SubscribeError::Forbidden(why.to_owned())));
                if wanted && entry.past != Past::New {
                    entry.state = State::Forbidden;
                    entry.past = entry.past.max(Past::Forbidden);
                    self.entries.insert(channel.clone(), entry);
                    self.forbidden.push(channel.clone());
                }
            }
        }
        Refusal::Channel(channel.clone())
    }

    fn each_alone(&mut self, channels: Vec<Channel>) {
        let restores = channels.iter().any(|channel| self.was_confirmed(channel));
        channels.into_iter().for_each(|channel| self.send_subscribe(channel, true));
        // Not for a batch of new channels: they could put off the end of an interruption for ever.
        if restores {
            self.ask_behind();
        }
    }
}
