//! The table of the channels that this node is subscribed to.
//!
//! ```text
//!              subscribe                confirmed              unsubscribe            1 s later
//! (no entry) ───────────▶ Subscribing ───────────▶ Subscribed ─────────────▶ Lingering ───────▶ Unsubscribing
//!                          ▲   ▲ connection lost ─────┘  ▲        subscribe     │                │ │ confirmed
//!                          │   └─────────────────────────┼──────────────────────┘                │ ▼
//!                          └─ subscribe: SUBSCRIBE queued behind the UNSUBSCRIBE ────────────────┘ (no entry)
//! ```
//!
//! Invariants:
//! - A waiter is told that its subscription is confirmed only while Redis holds it and no UNSUBSCRIBE is on its way.
//! - No UNSUBSCRIBE is sent before the SUBSCRIBE ahead of it is confirmed. So at most one of each is unconfirmed per
//!   channel, and a confirmation can be of one command only.
//! - A connection is settled by the answer to a [`Command::Info`] that is behind every SUBSCRIBE which restores a
//!   channel: each of them was confirmed, or refused for its channel alone.
//! - A command that Redis does not take at the moment is tried again (`postponed`), and nothing else happens. A channel
//!   whose UNSUBSCRIBE was not taken lingers on, for Redis holds it.
//! - A channel that Redis forbade while the node's subscriptions were up is said to have lost publications once it is
//!   confirmed.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use fanfare_core::{Channel, ChannelMap, Origin, SubscribeError};

use super::{
    commands::{Command, Commands, Confirmed},
    entry::{Entry, Past, State, Waiter},
    retry::Postponed,
};
use crate::{
    liveness::sequence::{Arrival, SequenceCheck},
    redis::connection::error::Desync,
};

/// How long a channel stays subscribed after it is not wanted any more.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// The result of a check of the number of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It is right, and all channels that were confirmed before are confirmed or refused.
    Settled,
    /// It is right so far, and some channels that were confirmed before are not confirmed yet.
    Early,
    /// It is wrong: all channels are subscribed and counted again.
    Wrong,
}

/// The channels of a node, and the commands under way to Redis.
#[derive(Debug)]
pub(crate) struct Table<W> {
    pub(super) entries: ChannelMap<Entry<W>>,
    pub(super) connected: bool,
    /// Whether the node's subscriptions are up, as far as it was told.
    pub(super) whole: bool,
    pub(super) commands: Commands,
    /// The number of unanswered [`Command::Info`].
    pub(super) asked: usize,
    /// The number of those among them, the first ones, that settle nothing: a SUBSCRIBE that restores a channel is
    /// behind them.
    pub(super) early: usize,
    /// The number of control channels that Redis holds.
    pub(super) controls: usize,
    /// The number of entries that Redis holds.
    pub(super) held: usize,
    /// The lingering channels, each with the time of the next look, in order of time.
    pub(super) lingering: VecDeque<(Instant, Channel)>,
    pub(super) forbidden: Vec<Channel>,
    pub(super) postponed: Postponed,
    pub(super) answers: Vec<(W, Result<(), SubscribeError>)>,
}

impl<W: Waiter> Table<W> {
    pub(crate) fn new() -> Self {
        Self {
            entries: ChannelMap::default(),
            connected: false,
            whole: false,
            commands: Commands::default(),
            asked: 0,
            early: 0,
            controls: 0,
            held: 0,
            lingering: VecDeque::new(),
            forbidden: Vec::new(),
            postponed: Postponed::default(),
            answers: Vec::new(),
        }
    }

    /// The channel of this name, if there is an entry.
    pub(crate) fn find(&self, name: &str) -> Option<&Channel> {
        self.entries.get_key_value(name).map(|(channel, _)| channel)
    }

    /// A publication of a credible origin arrived on a channel.
    pub(crate) fn arrived(&mut self, channel: &Channel, origin: &Origin, previous: Option<u64>) -> Arrival {
        match self.entries.get_mut(channel) {
            Some(entry) => entry.sequence.arrived(origin.node, origin.sequence, previous),
            None => Arrival::InOrder,
        }
    }

    /// Whether Redis has held a channel since `at` or before: then messages that it took meanwhile had to reach this
    /// node.
    pub(crate) fn held_since(&self, channel: &Channel, at: Instant) -> bool {
        self.entries.get(channel).is_some_and(|entry| {
            matches!(entry.state, State::Subscribed | State::Lingering(_))
                && entry.held.is_some_and(|held| held < at)
        })
    }

    /// The number of channels.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The waiters that are to be told, with their answers.
    pub(crate) fn take_answers(&mut self) -> Vec<(W, Result<(), SubscribeError>)> {
        std::mem::take(&mut self.answers)
    }

    /// The next command to write.
    pub(crate) fn next_command(&mut self) -> Option<&Command> {
        self.commands.next()
    }

    /// The time of the next [`Table::tick`] that has work to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.lingering.front().map(|(at, _)| *at).into_iter().chain(self.postponed.at).min()
    }

    /// A waiter wants a channel.
    pub(crate) fn subscribe(&mut self, channel: &Channel, waiter: W) {
        let subscribing = |waiter| State::Subscribing { waiters: vec![waiter], wanted: true };
        let Some(entry) = self.entries.get_mut(channel) else {
            let (state, past) = (subscribing(waiter), Past::New);
            let entry = Entry { state, past, held: None, queued: false, sequence: SequenceCheck::default() };
            self.entries.insert(channel.clone(), entry);
            return self.send_subscribe(channel.clone(), false);
        };
        match &mut entry.state {
            State::Subscribing { waiters, wanted, .. } => {
                if waiters.len() == waiters.capacity() {
                    waiters.retain(|waiter| !waiter.is_gone());
                }
                waiters.push(waiter);
                *wanted = true;
                return;
            }
            State::Subscribed | State::Lingering(_) => {
                entry.state = State::Subscribed;
                self.answers.push((waiter, Ok(())));
                return;
            }
            State::Unsubscribing => (entry.state, entry.past) = (subscribing(waiter), Past::New),
            State::Forbidden => entry.state = subscribing(waiter),
        }
        self.send_subscribe(channel.clone(), false);
    }

    /// A channel is not wanted any more.
    pub(crate) fn unsubscribe(&mut self, channel: &Channel, now: Instant) {
        let Some(entry) = self.entries.get_mut(channel) else { return };
        match &mut entry.state {
            State::Subscribing { wanted, .. } if self.connected => *wanted = false,
            State::Subscribed => self.linger(channel, now),
            State::Lingering(_) | State::Unsubscribing => {}
            State::Subscribing { .. } | State::Forbidden => {
                if let Some(Entry { state: State::Subscribing { waiters, .. }, .. }) =
                    self.entries.remove(channel)
                {
                    self.tell(waiters, &Err(SubscribeError::Unavailable));
                }
            }
        }
    }

    /// Time passed. Channels that lingered long enough are given up, and postponed commands are tried again.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.retry_postponed(now);
        while self.lingering.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, channel)) = self.lingering.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&channel) else { continue };
            entry.queued = false;
            match entry.state {
                State::Lingering(until) if until <= now => {
                    entry.state = State::Unsubscribing;
                    self.commands.unsubscribe(channel);
                }
                // It was wanted in between, and lingers anew.
                State::Lingering(until) => {
                    entry.queued = true;
                    self.queue_lingering(until, channel);
                }
                _ => {}
            }
        }
    }

    /// There is a connection. All channels are subscribed on it, control channels first. The answer to the
    /// [`Command::Info`] at the end says that each of them was confirmed or refused.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
        self.subscribe_all(self.entries.keys().cloned().collect());
        self.ask();
    }

    /// The connection ended. Unwanted channels are forgotten. The others wait for the next connection.
    pub(crate) fn disconnected(&mut self) {
        self.interrupted();
        self.connected = false;
        self.commands.clear();
        (self.asked, self.early) = (0, 0);
        (self.controls, self.held) = (0, 0);
        self.lingering.clear();
        self.forbidden.clear();
        self.postponed = Postponed::default();
        let answers = &mut self.answers;
        self.entries.retain(|_, entry| {
            (entry.held, entry.queued) = (None, false);
            entry.sequence.clear();
            match &mut entry.state {
                State::Subscribing { wanted: true, .. } => true,
                State::Subscribing { waiters, .. } => {
                    answers
                        .extend(waiters.drain(..).map(|waiter| (waiter, Err(SubscribeError::Unavailable))));
                    false
                }
                State::Subscribed | State::Forbidden => {
                    entry.state = State::Subscribing { waiters: Vec::new(), wanted: true };
                    true
                }
                State::Lingering(_) | State::Unsubscribing => false,
            }
        });
    }

    /// Asks Redis for the number of subscriptions that it holds.
    pub(crate) fn ask(&mut self) {
        self.asked += 1;
        self.commands.push(Command::Info);
    }

    /// Redis confirmed a command for a channel. The channel, if it lost publications outside of an interruption.
    pub(crate) fn confirmed(&mut self, what: Confirmed<'_>, now: Instant) -> Result<Option<Channel>, Desync> {
        let progress = self.commands.confirmed(what)?;
        match what {
            Confirmed::Control => self.controls = self.controls.max(progress),
            Confirmed::Subscribed(name) => return Ok(self.subscribed(name, now)),
            Confirmed::Unsubscribed(name) => self.unsubscribed(name),
        }
        Ok(None)
    }

    /// Redis answered [`Command::Info`] with a number of subscriptions. It is compared with the right number at this
    /// place among the answers.
    pub(crate) fn counted(&mut self, subscriptions: usize) -> Result<Counted, Desync> {
        self.commands.informed()?;
        let settles = self.informed();
        if subscriptions == self.controls + self.held {
            return Ok(if settles { Counted::Settled } else { Counted::Early });
        }
        self.interrupted();
        self.held = 0;
        let mut again = Vec::new();
        for (channel, entry) in &mut self.entries {
            entry.held = None;
            entry.sequence.clear();
            let wanted = match entry.state {
                State::Subscribed => true,
                State::Lingering(_) => false,
                // Its SUBSCRIBE or UNSUBSCRIBE is under way.
                _ => continue,
            };
            entry.state = State::Subscribing { waiters: Vec::new(), wanted };
            again.push(channel.clone());
        }
        self.subscribe_all(again);
        self.ask_behind();
        Ok(Counted::Wrong)
    }

    /// The channel, if it is wanted and lost publications outside of an interruption.
    fn subscribed(&mut self, name: &str, now: Instant) -> Option<Channel> {
        let channel = self.find(name)?.clone();
        let entry = self.entries.get_mut(name)?;
        self.held += usize::from(entry.held.is_none());
        entry.held.get_or_insert(now);
        let State::Subscribing { waiters, wanted } = &mut entry.state else { return None };
        let (waiters, wanted) = (std::mem::take(waiters), *wanted);
        entry.state = State::Subscribed;
        let lost = match std::mem::replace(&mut entry.past, Past::Confirmed) {
            Past::New | Past::Confirmed => false,
            Past::Forbidden => self.whole,
            Past::Lost => true,
        };
        self.tell(waiters, &Ok(()));
        if !wanted {
            self.linger(&channel, now);
        }
        (lost && wanted).then_some(channel)
    }

    fn unsubscribed(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        self.held -= usize::from(entry.held.take().is_some());
        entry.sequence.clear();
        if matches!(entry.state, State::Unsubscribing) {
            self.entries.remove(name);
        }
    }

    pub(super) fn linger(&mut self, channel: &Channel, now: Instant) {
        self.linger_until(channel, now + LINGER);
    }

    pub(super) fn linger_until(&mut self, channel: &Channel, until: Instant) {
        let Some(entry) = self.entries.get_mut(channel) else { return };
        entry.state = State::Lingering(until);
        if !std::mem::replace(&mut entry.queued, true) {
            self.queue_lingering(until, channel.clone());
        }
    }

    fn queue_lingering(&mut self, at: Instant, channel: Channel) {
        // In order of time: a channel may linger a little longer.
        let at = self.lingering.back().map_or(at, |(last, _)| at.max(*last));
        self.lingering.push_back((at, channel));
    }

    fn subscribe_all(&mut self, channels: Vec<Channel>) {
        self.commands.push(Command::SubscribeControl);
        channels.into_iter().for_each(|channel| self.send_subscribe(channel, false));
    }

    /// Asks behind all queued commands. No earlier answer settles them.
    pub(super) fn ask_behind(&mut self) {
        self.early = self.asked;
        self.ask();
    }

    /// A [`Command::Info`] is answered. Whether that settles the connection.
    pub(super) fn informed(&mut self) -> bool {
        self.asked = self.asked.saturating_sub(1);
        let is_early = self.early > 0;
        self.early = self.early.saturating_sub(1);
        !is_early && !self.postponed.restores
    }

    pub(super) fn send_subscribe(&mut self, channel: Channel, alone: bool) {
        if self.connected {
            self.commands.subscribe(channel, alone);
        }
    }

    pub(super) fn tell(&mut self, waiters: Vec<W>, what: &Result<(), SubscribeError>) {
        self.answers.extend(waiters.into_iter().map(|waiter| (waiter, what.clone())));
    }
}
