//! The messages of publishers and subscribers, as each of them saw them.
//!
//! Invariant: a publisher sends a message only once the fates of all its earlier ones are known.

use std::{collections::HashSet, ops::Range};

use crate::position::Position;

/// A message of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The number of its publisher.
    pub publisher: u32,
    /// Its number among those of the publisher.
    pub number: u32,
}

/// The fate of a message, as its publisher knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was sent.
    Sent,
    /// It is acknowledged, and has this position.
    At(Position),
    /// It is acknowledged. The answer does not tell the position.
    Taken,
    /// The answer did not come, and the publisher went on: the message is there once, or not at all.
    Unknown,
}

/// The messages of one publisher.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Its channel.
    pub channel: usize,
    /// The fate of each message that was sent.
    pub messages: Vec<Fate>,
}

/// The time of a subscriber from one position on, which it counts. It ends when the server says that the position cannot
/// be recovered.
#[derive(Debug, Clone)]
pub struct Life {
    /// The position from which the subscriber wanted all.
    pub since: Position,
    /// The messages that came, in order; `None` for a message that is not of this run.
    pub heard: Vec<Option<Name>>,
    /// The messages of each connection whose end warned of missed messages.
    pub warned: Vec<Range<usize>>,
}

impl From<Position> for Life {
    fn from(since: Position) -> Self {
        Self { since, heard: Vec::new(), warned: Vec::new() }
    }
}

impl Life {
    /// The position of its last message, as the subscriber counts.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { offset: self.since.offset + self.heard.len() as u64, ..self.since.clone() }
    }
}

/// The messages of one subscriber.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Its channel.
    pub channel: usize,
    /// Its lives, at least one.
    pub lives: Vec<Life>,
}

/// The messages of all.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The publishers.
    pub publishers: Vec<Published>,
    /// The subscribers.
    pub subscribers: Vec<Received>,
    /// The messages that were sent more than once, since no answer came. A Redis that lost its memory, or another master,
    /// may take each of them again.
    pub repeated: HashSet<Name>,
}

impl Ledger {
    /// A ledger in which publishers and subscribers go round the channels, whose newest positions are `starts`.
    #[must_use]
    pub fn new(starts: &[Position], publishers: usize, subscribers: usize) -> Self {
        let channel = |number| number % starts.len().max(1);
        let published = |number| Published { channel: channel(number), messages: Vec::new() };
        let received = |(number, since): (usize, &Position)| {
            let lives = vec![Life::from(since.clone())];
            Received { channel: channel(number), lives }
        };
        Self {
            publishers: (0..publishers).map(published).collect(),
            subscribers: (0..subscribers).zip(starts.iter().cycle()).map(received).collect(),
            repeated: HashSet::new(),
        }
    }

    /// The part of these channels. Numbers of publishers stay.
    #[must_use]
    pub fn of(&self, channels: &[usize]) -> Self {
        let mut part = self.clone();
        part.subscribers.retain(|subscriber| channels.contains(&subscriber.channel));
        for publisher in part.publishers.iter_mut().filter(|all| !channels.contains(&all.channel)) {
            publisher.messages.clear();
        }
        part
    }

    /// Notes that a publisher sends its next message. Returns the message's name.
    pub fn sends(&mut self, publisher: usize) -> Name {
        let messages = self.publishers.get_mut(publisher).map(|publisher| &mut publisher.messages);
        let number = messages.map_or(0, |messages| {
            messages.push(Fate::Sent);
            messages.len() - 1
        });
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Name { publisher: short(publisher), number: short(number) }
    }

    /// Notes the fate of a message.
    pub fn has(&mut self, name: Name, fate: Fate) {
        let publisher = self.publishers.get_mut(name.publisher as usize);
        if let Some(message) = publisher.and_then(|all| all.messages.get_mut(name.number as usize)) {
            *message = fate;
        }
    }

    /// The fate of a message of this run.
    #[must_use]
    pub fn fate(&self, name: Name) -> Option<&Fate> {
        self.publishers.get(name.publisher as usize)?.messages.get(name.number as usize)
    }

    /// Notes the next message of a subscriber.
    pub fn hears(&mut self, subscriber: usize, name: Option<Name>) {
        if let Some(life) = self.subscribers.get_mut(subscriber).and_then(|one| one.lives.last_mut()) {
            life.heard.push(name);
        }
    }

    /// The number of messages in the newest life of a subscriber.
    #[must_use]
    pub fn heard_by(&self, subscriber: usize) -> usize {
        let life = self.subscribers.get(subscriber).and_then(|one| one.lives.last());
        life.map_or(0, |life| life.heard.len())
    }

    /// Notes that the end of a connection warned a subscriber of missed messages. It had the messages from this one on. Its
    /// position may be recovered all the same.
    pub fn warns(&mut self, subscriber: usize, from: usize) {
        if let Some(life) = self.subscribers.get_mut(subscriber).and_then(|one| one.lives.last_mut()) {
            life.warned.push(from..life.heard.len());
        }
    }

    /// Notes that a subscriber was told that its position cannot be recovered: it begins anew.
    pub fn begins_anew(&mut self, subscriber: usize, since: Position) {
        if let Some(subscriber) = self.subscribers.get_mut(subscriber) {
            subscriber.lives.push(Life::from(since));
        }
    }

    /// The position of a subscriber, as it counts.
    #[must_use]
    pub fn position(&self, subscriber: usize) -> Option<Position> {
        self.subscribers.get(subscriber).and_then(|one| one.lives.last()).map(Life::position)
    }

    /// Whether every subscriber is at the top of its channel.
    #[must_use]
    pub fn is_complete(&self, tops: &[Position]) -> bool {
        self.subscribers.iter().all(|subscriber| {
            let (life, top) = (subscriber.lives.last(), tops.get(subscriber.channel));
            life.map(Life::position)
                .zip(top)
                .is_some_and(|(position, top)| position.epoch == top.epoch && position.offset >= top.offset)
        })
    }

    /// The number of messages that came to all subscribers.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.subscribers.iter().flat_map(|subscriber| &subscriber.lives).map(|life| life.heard.len()).sum()
    }
}
