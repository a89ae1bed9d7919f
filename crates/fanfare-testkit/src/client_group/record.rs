//! The messages that each session sent and got, and how it ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The time since the group started. All clients are in one process and share its clock.
pub type Time = Duration;

/// The notes of all clients.
#[derive(Debug, Default)]
pub struct Record {
    /// Every connection with a 101, in the order of these.
    pub sessions: Vec<Session>,
    /// Messages that are not `SESSION:NUMBER`.
    pub foreign: usize,
    /// Upgrades that were refused or failed, by reason.
    pub rejected: BTreeMap<String, usize>,
    heard: usize,
}

/// A connection of a client. Its place in [`Record::sessions`] is the publisher's name in its messages: the order of
/// messages is promised per connection.
#[derive(Debug, Clone)]
pub struct Session {
    /// The number of the client.
    pub member: usize,
    /// The number of the entrance that it connected to.
    pub entrance: usize,
    /// The number of the channel.
    pub channel: usize,
    /// The time of its 101.
    pub opened: Time,
    /// The time of each message: number 0, 1 and so on.
    pub sent: Vec<Time>,
    /// The messages that it got, in order.
    pub heard: Vec<Heard>,
    /// Its end, if the test itself did not end it.
    pub ended: Option<(Time, End)>,
}

/// A message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The sender: a place in [`Record::sessions`].
    pub session: usize,
    /// The message's number among those of the sender.
    pub number: usize,
    /// The time of the receipt.
    pub at: Time,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Code 1013: a message was refused, and reached no client.
    Refused,
    /// Code 1013: the outcome of a message is unknown.
    Unknown,
    /// Another close frame.
    Closed(u16, String),
    /// An end without a close frame.
    Broken(String),
}

/// The time from the end of a fault until all was as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// Until the first receipt of a message that was sent after the end.
    pub first: Duration,
    /// Until every client was connected and had a message from each node.
    pub all: Duration,
}

impl Record {
    /// Notes that a client is connected. Returns the session's name.
    pub fn open(&mut self, member: usize, entrance: usize, channel: usize, opened: Time) -> usize {
        let (sent, heard) = (Vec::new(), Vec::new());
        self.sessions.push(Session { member, entrance, channel, opened, sent, heard, ended: None });
        self.sessions.len() - 1
    }

    /// Notes that a session sends a message. Returns the message.
    pub fn send(&mut self, session: usize, at: Time) -> String {
        let number = self.sessions.get_mut(session).map_or(0, |sender| {
            sender.sent.push(at);
            sender.sent.len() - 1
        });
        format!("{session}:{number}")
    }

    /// Notes a message that came.
    pub fn hear(&mut self, session: usize, payload: &[u8], at: Time) {
        let parsed = std::str::from_utf8(payload).ok().and_then(|text| text.split_once(':'));
        let parsed = parsed.and_then(|(sender, number)| Some((sender.parse().ok()?, number.parse().ok()?)));
        match (parsed, self.sessions.get_mut(session)) {
            (Some((sender, number)), Some(listener)) => {
                listener.heard.push(Heard { session: sender, number, at });
                self.heard += 1;
            }
            _ => self.foreign += 1,
        }
    }

    /// Notes the end of a session.
    pub fn close(&mut self, session: usize, at: Time, end: End) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.ended = Some((at, end));
        }
    }

    /// Notes an upgrade that failed.
    pub fn reject(&mut self, why: String) {
        *self.rejected.entry(why).or_default() += 1;
    }

    /// The number of messages that all sessions got.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.heard
    }

    /// The number of connected clients.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.open_sessions().count()
    }

    /// The time of the first receipt of a message that was sent at `from` or later.
    #[must_use]
    pub fn first_heard_of(&self, from: Time) -> Option<Time> {
        let since = |heard: &&Heard| heard.at >= from && self.sent_at(heard) >= Some(from);
        self.sessions
            .iter()
            .filter_map(|session| session.heard.iter().filter(since).map(|heard| heard.at).min())
            .min()
    }

    /// The clients that are not connected, or whose connection did not get a message, sent at `from` or later, from each
    /// entrance with a client in their channel.
    #[must_use]
    pub fn silent_since(&self, from: Time) -> Vec<usize> {
        let mut of_channel: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for session in self.open_sessions() {
            of_channel.entry(session.channel).or_default().insert(session.entrance);
        }
        let mut silent: BTreeSet<usize> = self.sessions.iter().map(|session| session.member).collect();
        for session in self.open_sessions() {
            let recent = session.heard.iter().rev().take_while(|heard| heard.at >= from);
            let heard: BTreeSet<usize> = recent
                .filter(|heard| self.sent_at(heard) >= Some(from))
                .filter_map(|heard| Some(self.sessions.get(heard.session)?.entrance))
                .collect();
            if of_channel.get(&session.channel).is_some_and(|wanted| heard.is_superset(wanted)) {
                silent.remove(&session.member);
            }
        }
        silent.into_iter().collect()
    }

    /// The ends of sessions, by entrance.
    #[must_use]
    pub fn ends(&self) -> BTreeMap<(usize, End), usize> {
        let mut ends = BTreeMap::new();
        for session in &self.sessions {
            if let Some((_, end)) = &session.ended {
                *ends.entry((session.entrance, end.clone())).or_default() += 1;
            }
        }
        ends
    }

    fn open_sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.ended.is_none())
    }

    fn sent_at(&self, heard: &Heard) -> Option<Time> {
        self.sessions.get(heard.session)?.sent.get(heard.number).copied()
    }
}
