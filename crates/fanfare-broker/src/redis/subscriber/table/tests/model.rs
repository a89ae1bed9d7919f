//! The table against a model of Redis: commands and answers travel in order, and may be cut off at any place.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use fanfare_core::{Channel, SubscribeError};
use proptest::prelude::*;

use crate::redis::{
    connection::code::Cause,
    subscriber::table::{
        commands::{CONTROLS, Command, Confirmed},
        entry::{Entry, Past, State},
        refused::Refusal,
        subscriptions::{Counted, Table},
    },
};

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

/// A Redis that knows subscriptions only.
#[derive(Default)]
struct Server {
    incoming: VecDeque<Command>,
    answers: VecDeque<Answer>,
    held: BTreeSet<String>,
    /// The number of the node's own channels that are held.
    controls: usize,
    /// Whether it takes no commands at the moment.
    busy: bool,
}

enum Answer {
    Control,
    Subscribed(String),
    Unsubscribed(String),
    NoPerm,
    Busy,
    Count(usize),
}

const FORBIDDEN: &str = "c0";

impl Server {
    fn execute(&mut self) {
        match self.incoming.pop_front() {
            None => {}
            Some(_) if self.busy => self.answers.push_back(Answer::Busy),
            Some(Command::SubscribeControl) => {
                self.controls = CONTROLS;
                self.answers.extend((0..CONTROLS).map(|_| Answer::Control));
            }
            Some(Command::Info) => self.answers.push_back(Answer::Count(self.controls + self.held.len())),
            Some(Command::Subscribe { channels, .. }) => {
                if channels.iter().any(|channel| channel.as_str() == FORBIDDEN) {
                    return self.answers.push_back(Answer::NoPerm);
                }
                for channel in channels {
                    self.held.insert(channel.to_string());
                    self.answers.push_back(Answer::Subscribed(channel.to_string()));
                }
            }
            Some(Command::Unsubscribe(channels)) => {
                for channel in channels {
                    self.held.remove(channel.as_str());
                    self.answers.push_back(Answer::Unsubscribed(channel.to_string()));
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Subscribe(u8),
    Unsubscribe(u8),
    Write,
    Execute,
    Answer,
    Wait(u16),
    Disconnect,
    Connect,
    Ask,
    Busy(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..6).prop_map(Step::Subscribe),
        6 => (0u8..6).prop_map(Step::Unsubscribe),
        6 => Just(Step::Write),
        8 => Just(Step::Execute),
        8 => Just(Step::Answer),
        4 => (0u16..1500).prop_map(Step::Wait),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Connect),
        1 => Just(Step::Ask),
        2 => any::<bool>().prop_map(Step::Busy),
    ]
}

struct World {
    table: Table<u32>,
    server: Server,
    now: Instant,
    connected: bool,
    wanted: BTreeSet<String>,
    waiting: HashMap<u32, String>,
    asked: u32,
}

impl World {
    fn new() -> Self {
        Self {
            table: Table::new(),
            server: Server::default(),
            now: Instant::now(),
            connected: false,
            wanted: BTreeSet::new(),
            waiting: HashMap::new(),
            asked: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Subscribe(number) => {
                let name = format!("c{number}");
                self.asked += 1;
                self.waiting.insert(self.asked, name.clone());
                self.table.subscribe(&channel(&name), self.asked);
                self.wanted.insert(name);
            }
            Step::Unsubscribe(number) => {
                let name = format!("c{number}");
                self.table.unsubscribe(&channel(&name), self.now);
                self.wanted.remove(&name);
            }
            Step::Write => {
                while let Some(command) = self.table.next_command() {
                    self.server.incoming.push_back(command.clone());
                }
            }
            Step::Execute => self.server.execute(),
            Step::Answer => self.answer(),
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(u64::from(*milliseconds));
                self.table.tick(self.now);
            }
            Step::Disconnect if self.connected => {
                self.connected = false;
                self.server = Server { busy: self.server.busy, ..Server::default() };
                self.table.disconnected();
            }
            Step::Connect if !self.connected => {
                self.connected = true;
                self.table.connected();
            }
            Step::Ask if self.connected => self.table.ask(),
            Step::Busy(busy) => self.server.busy = *busy,
            Step::Disconnect | Step::Connect | Step::Ask => {}
        }
        self.check_answers();
    }

    fn answer(&mut self) {
        match self.server.answers.pop_front() {
            None => {}
            Some(Answer::Control) => self.confirmed(Confirmed::Control),
            Some(Answer::Subscribed(name)) => self.confirmed(Confirmed::Subscribed(&name)),
            Some(Answer::Unsubscribed(name)) => self.confirmed(Confirmed::Unsubscribed(&name)),
            Some(Answer::NoPerm) => {
                let refused = self.table.refused(Cause::Permission, "NOPERM", self.now);
                assert!(!matches!(refused, Ok(Refusal::Connection(_))), "{refused:?}");
            }
            Some(Answer::Busy) => match self.table.refused(Cause::Temporary, "BUSY", self.now).unwrap() {
                Refusal::Postponed(_) | Refusal::Info { settles: false } => {}
                Refusal::Info { settles: true } => assert_eq!(self.restoring(), 0),
                refusal => panic!("{refusal:?}"),
            },
            Some(Answer::Count(count)) => match self.table.counted(count).unwrap() {
                Counted::Settled => assert_eq!(self.restoring(), 0),
                counted => assert_eq!(counted, Counted::Early),
            },
        }
    }

    fn confirmed(&mut self, what: Confirmed<'_>) {
        assert_eq!(self.table.confirmed(what, self.now), Ok(None), "none that was confirmed is forbidden");
    }

    /// The number of channels that were confirmed before, and are not confirmed again.
    fn restoring(&self) -> usize {
        let is_restoring = |entry: &Entry<u32>| {
            entry.past == Past::Confirmed && matches!(entry.state, State::Subscribing { .. })
        };
        self.table.entries.values().filter(|entry| is_restoring(entry)).count()
    }

    fn check_answers(&mut self) {
        for (waiter, answer) in self.table.take_answers() {
            let name = self.waiting.remove(&waiter).expect("each waiter is told once");
            match answer {
                Ok(()) => assert!(self.server.held.contains(&name), "{name} is not held"),
                Err(SubscribeError::Forbidden(_)) => {
                    assert_eq!(name, FORBIDDEN);
                    self.wanted.remove(&name);
                }
                Err(error) => {
                    assert_eq!(error, SubscribeError::Unavailable);
                    assert!(!self.connected || !self.wanted.contains(&name));
                }
            }
        }
    }

    fn settle(&mut self) {
        self.step(&Step::Connect);
        self.step(&Step::Busy(false));
        for _ in 0..6 {
            self.step(&Step::Wait(2000));
            self.step(&Step::Ask);
            self.step(&Step::Write);
            while !self.server.incoming.is_empty() || !self.server.answers.is_empty() {
                self.step(&Step::Execute);
                self.step(&Step::Answer);
                self.step(&Step::Write);
            }
        }
    }
}

proptest! {
    /// In any order of steps: a waiter is told `Ok` only while Redis holds its subscription. Each waiter is told once.
    /// Channels that were confirmed before are restored when the connection is settled. In the end Redis holds the
    /// wanted channels only.
    #[test]
    fn redis_follows_the_table(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.settle();
        let mut wanted = world.wanted.clone();
        wanted.remove(FORBIDDEN);
        prop_assert_eq!(&world.server.held, &wanted);
        prop_assert!(world.waiting.is_empty());
        prop_assert_eq!(world.table.len(), wanted.len());
    }
}
