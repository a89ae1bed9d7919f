//! What each session sent and heard, and how it ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Since the chorus began: one clock for all, for they are one process.
pub type Time = Duration;

/// Everything that the clients know.
#[derive(Debug, Default)]
pub struct Record {
    /// Every connection that got its 101, in the order they did.
    pub sessions: Vec<Session>,
    /// Messages that are no `SESSION:NUMBER`.
    pub foreign: usize,
    /// Upgrades that were refused or failed, by what was said.
    pub turned_away: BTreeMap<String, usize>,
    heard: usize,
}

/// One connection of a client. Its place in [`Record::sessions`] is the publisher's name in its messages: the order of
/// messages is promised per connection.
#[derive(Debug, Clone)]
pub struct Session {
    /// Which client.
    pub member: usize,
    /// Where it connected, counted from 0.
    pub entrance: usize,
    /// Which channel, counted from 0.
    pub channel: usize,
    /// When it had its 101.
    pub opened: Time,
    /// When each of its messages was sent: number 0, 1 and so on.
    pub sent: Vec<Time>,
    /// What it heard, in order.
    pub heard: Vec<Heard>,
    /// How it ended, if not by the test's own end.
    pub ended: Option<(Time, End)>,
}

/// A message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it: a place in [`Record::sessions`].
    pub session: usize,
    /// Which of the sender's messages it is.
    pub number: usize,
    /// When it came.
    pub at: Time,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// 1013: a message was refused, it reached nobody.
    Refused,
    /// 1013: the outcome of a message is unknown.
    Unknown,
    /// Another close frame.
    Closed(u16, String),
    /// Without a close frame.
    Broken(String),
}

impl Record {
    /// Notes that a client is connected; gives the session's name.
    pub fn open(&mut self, member: usize, entrance: usize, channel: usize, opened: Time) -> usize {
        let (sent, heard) = (Vec::new(), Vec::new());
        self.sessions.push(Session { member, entrance, channel, opened, sent, heard, ended: None });
        self.sessions.len() - 1
    }

    /// Notes that a session sends now; gives the message.
    pub fn send(&mut self, session: usize, at: Time) -> String {
        let number = self.sessions.get_mut(session).map_or(0, |sender| {
            sender.sent.push(at);
            sender.sent.len() - 1
        });
        format!("{session}:{number}")
    }

    /// Notes what came.
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

    /// Notes how a session ended.
    pub fn close(&mut self, session: usize, at: Time, end: End) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.ended = Some((at, end));
        }
    }

    /// Notes an upgrade that did not come to a session.
    pub fn turn_away(&mut self, why: String) {
        *self.turned_away.entry(why).or_default() += 1;
    }

    /// Messages heard, by all sessions.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.heard
    }

    /// Clients that are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.open_sessions().count()
    }

    /// The first time that somebody heard what was sent at `from` or later.
    #[must_use]
    pub fn first_heard_of(&self, from: Time) -> Option<Time> {
        let since = |heard: &&Heard| heard.at >= from && self.sent_at(heard) >= Some(from);
        self.sessions
            .iter()
            .filter_map(|session| session.heard.iter().filter(since).map(|heard| heard.at).min())
            .min()
    }

    /// The clients that are not connected, or have not heard, on the connection they have, what was sent at `from` or
    /// later by somebody of each entrance that has somebody in their channel.
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

    fn open_sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.ended.is_none())
    }

    fn sent_at(&self, heard: &Heard) -> Option<Time> {
        self.sessions.get(heard.session)?.sent.get(heard.number).copied()
    }
}
