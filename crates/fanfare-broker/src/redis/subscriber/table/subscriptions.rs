//! Which channels this node is subscribed to: the truth, which Redis is made to follow. No I/O, no clock.
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
//! - A waiter is told that its subscription stands only while Redis holds it and no UNSUBSCRIBE is on its way.
//! - No UNSUBSCRIBE is sent before the SUBSCRIBE ahead of it is confirmed, so at most one of each is
//!   unconfirmed per channel, and a confirmation can be of one command only.
//! - What settles a connection is the answer to a [`Command::Info`] that every SUBSCRIBE which restores a channel is
//!   ahead of: each was confirmed, or refused for this channel alone.
//! - A command that Redis does not take at the moment costs nothing but itself: it is tried again (`postponed`). A
//!   channel whose UNSUBSCRIBE was not taken lingers on, since Redis holds it.
//! - A channel that Redis forbade while the node was told that its subscriptions stand is said to have lost
//!   publications once it is confirmed.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use fanfare_core::{Channel, Origin, SubscribeError};

use super::{
    commands::{Command, Commands, Confirmed},
    entry::{Entry, Past, State, Waiter},
    retry::Postponed,
};
use crate::{
    liveness::sequence::{Arrival, Seen},
    redis::connection::error::Desync,
};

/// How long a channel stays subscribed after nobody wants it any more.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// What a number of subscriptions in Redis says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It is right, and everything that stood is confirmed or refused.
    Settled,
    /// It is right so far, and more is to be confirmed that stood.
    Early,
    /// It is another than it should be: everything is subscribed and counted again.
    Wrong,
}

/// The channels of a node, and what is under way to Redis.
#[derive(Debug)]
pub(crate) struct Table<W> {
    pub(super) entries: HashMap<Channel, Entry<W>>,
    pub(super) connected: bool,
    /// Whether the node was told that its subscriptions stand.
    pub(super) whole: bool,
    pub(super) commands: Commands,
    /// How many [`Command::Info`] are not answered.
    pub(super) asked: usize,
    /// How many of them, the first, settle nothing: a SUBSCRIBE that restores a channel is behind them.
    pub(super) early: usize,
    /// How many control channels Redis holds.
    pub(super) controls: usize,
    /// How many entries Redis holds.
    pub(super) held: usize,
    /// When to look at which lingering channel, in order of time.
    pub(super) lingering: VecDeque<(Instant, Channel)>,
    pub(super) forbidden: Vec<Channel>,
    pub(super) postponed: Postponed,
    pub(super) answers: Vec<(W, Result<(), SubscribeError>)>,
}

impl<W: Waiter> Table<W> {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
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

    /// The channel of this name, if messages on it are for anybody.
    pub(crate) fn find(&self, name: &str) -> Option<&Channel> {
        self.entries.get_key_value(name).map(|(channel, _)| channel)
    }

    /// A publication of an origin that has a say arrived on a channel.
    pub(crate) fn arrived(&mut self, channel: &Channel, origin: &Origin, previous: Option<u64>) -> Arrival {
        match self.entries.get_mut(channel) {
            Some(entry) => entry.seen.arrived(origin.node, origin.sequence, previous),
            None => Arrival::InOrder,
        }
    }

    /// Whether a channel was held at `at` and is still: what Redis took in between reached this node.
    pub(crate) fn held_since(&self, channel: &Channel, at: Instant) -> bool {
        self.entries.get(channel).is_some_and(|entry| {
            matches!(entry.state, State::Subscribed | State::Lingering(_))
                && entry.held.is_some_and(|held| held < at)
        })
    }

    /// How many channels there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Who is to be told what.
    pub(crate) fn take_answers(&mut self) -> Vec<(W, Result<(), SubscribeError>)> {
        std::mem::take(&mut self.answers)
    }

    /// The next command to write.
    pub(crate) fn next_command(&mut self) -> Option<&Command> {
        self.commands.next()
    }

    /// When [`Table::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.lingering.front().map(|(at, _)| *at).into_iter().chain(self.postponed.at).min()
    }

    /// Somebody wants a channel.
    pub(crate) fn subscribe(&mut self, channel: &Channel, waiter: W) {
        let subscribing = |waiter| State::Subscribing { waiters: vec![waiter], wanted: true };
        let Some(entry) = self.entries.get_mut(channel) else {
            let (state, past) = (subscribing(waiter), Past::New);
            let entry = Entry { state, past, held: None, queued: false, seen: Seen::default() };
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

    /// Nobody wants a channel any more.
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

    /// Time passed: what lingered long enough is given up, and what was postponed is tried again.
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

    /// A connection stands: everything is subscribed on it, control channels first; the answer to the
    /// [`Command::Info`] at the end says that all of it was confirmed or refused.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
        self.subscribe_all(self.entries.keys().cloned().collect());
        self.ask();
    }

    /// The connection ended. What nobody wants is forgotten; the rest waits for the next connection.
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
            entry.seen.clear();
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

    /// Asks Redis how many subscriptions it holds.
    pub(crate) fn ask(&mut self) {
        self.asked += 1;
        self.commands.push(Command::Info);
    }

    /// Redis confirmed a channel; the one that lost publications until now, if it did outside of an interruption.
    pub(crate) fn confirmed(&mut self, what: Confirmed<'_>, now: Instant) -> Result<Option<Channel>, Desync> {
        let progress = self.commands.confirmed(what)?;
        match what {
            Confirmed::Control => self.controls = self.controls.max(progress),
            Confirmed::Subscribed(name) => return Ok(self.subscribed(name, now)),
            Confirmed::Unsubscribed(name) => self.unsubscribed(name),
        }
        Ok(None)
    }

    /// Redis answered [`Command::Info`] with a number of subscriptions, which is held against what it should be at
    /// this place among the answers.
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
            entry.seen.clear();
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

    /// The channel, if it lost publications outside of an interruption and somebody wants it.
    fn subscribed(&mut self, name: &str, now: Instant) -> Option<Channel> {
        let channel = self.find(name)?.clone();
        let entry = self.entries.get_mut(name)?;
        self.held += usize::from(entry.held.is_none());
        entry.held.get_or_insert(now);
        let State::Subscribing { waiters, wanted } = &mut entry.state else { return None };
        let (waiters, wanted) = (std::mem::take(waiters), *wanted);
        entry.state = State::Subscribed;
        let lost = match std::mem::replace(&mut entry.past, Past::Stood) {
            Past::New | Past::Stood => false,
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
        entry.seen.clear();
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
        // In order of time, at the price of a channel that lingers a little longer.
        let at = self.lingering.back().map_or(at, |(last, _)| at.max(*last));
        self.lingering.push_back((at, channel));
    }

    fn subscribe_all(&mut self, channels: Vec<Channel>) {
        self.commands.push(Command::SubscribeControl);
        channels.into_iter().for_each(|channel| self.send_subscribe(channel, false));
    }

    /// Asks behind what is queued by now: no answer ahead of that settles it.
    pub(super) fn ask_behind(&mut self) {
        self.early = self.asked;
        self.ask();
    }

    /// A [`Command::Info`] is answered; whether that settles what was asked for.
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
