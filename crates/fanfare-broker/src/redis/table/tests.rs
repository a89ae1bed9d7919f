use std::collections::{BTreeSet, HashMap as Map};

use proptest::prelude::*;

use super::*;

impl Waiter for u32 {
    fn is_gone(&self) -> bool {
        false
    }
}

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

fn commands<W: Waiter>(table: &mut Table<W>) -> Vec<Command> {
    std::iter::from_fn(|| table.next_command().cloned()).collect()
}

fn subscribe(names: &[&str]) -> Command {
    Command::Subscribe { channels: names.iter().map(|name| channel(name)).collect(), sealed: false }
}

fn unsubscribe(names: &[&str]) -> Command {
    Command::Unsubscribe(names.iter().map(|name| channel(name)).collect())
}

/// A connected table whose first commands are confirmed.
fn connected() -> (Table<u32>, Instant) {
    let (mut table, now) = (Table::new(), Instant::now());
    table.connected();
    assert_eq!(commands(&mut table), [Command::SubscribeControl, Command::Info]);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
    assert_eq!(table.counted(CONTROLS), Ok(false));
    (table, now)
}

#[test]
fn a_waiter_is_told_once_its_subscription_is_confirmed() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    table.subscribe(&channel("a"), 2);
    table.subscribe(&channel("b"), 3);
    assert_eq!(commands(&mut table), [subscribe(&["a", "b"])]);
    assert!(table.take_answers().is_empty());
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    assert_eq!(table.take_answers(), [(1, Ok(())), (2, Ok(()))]);
    table.confirmed(Confirmed::Subscribed("b"), now).unwrap();
    assert_eq!(table.take_answers(), [(3, Ok(()))]);
    table.subscribe(&channel("a"), 4);
    assert_eq!(table.take_answers(), [(4, Ok(()))]);
    assert!(commands(&mut table).is_empty());
}

#[test]
fn a_channel_lingers_before_it_is_given_up() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.unsubscribe(&channel("a"), now);
    table.tick(now + LINGER / 2);
    assert!(commands(&mut table).is_empty());
    // Wanted again within the time: nothing is sent, and the time begins anew.
    table.subscribe(&channel("a"), 2);
    assert_eq!(table.take_answers(), [(1, Ok(())), (2, Ok(()))]);
    table.unsubscribe(&channel("a"), now + LINGER / 2);
    table.tick(now + LINGER);
    assert!(commands(&mut table).is_empty());
    table.tick(now + LINGER * 2);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"])]);
    assert_eq!(table.find("a"), Some(&channel("a")), "what was sent before still counts");
    table.confirmed(Confirmed::Unsubscribed("a"), now).unwrap();
    assert_eq!(table.find("a"), None);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn who_comes_while_a_channel_is_given_up_gets_a_subscribe_behind_it() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.unsubscribe(&channel("a"), now);
    table.tick(now + LINGER);
    table.subscribe(&channel("a"), 2);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"]), subscribe(&["a"])]);
    table.take_answers();
    table.confirmed(Confirmed::Unsubscribed("a"), now).unwrap();
    assert!(table.take_answers().is_empty());
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    assert_eq!(table.take_answers(), [(2, Ok(()))]);
}

#[test]
fn what_nobody_wants_when_it_is_confirmed_lingers() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    table.unsubscribe(&channel("a"), now);
    assert!(commands(&mut table).is_empty(), "no UNSUBSCRIBE before the SUBSCRIBE is confirmed");
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    assert_eq!(table.take_answers(), [(1, Ok(()))]);
    table.tick(now + LINGER);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"])]);
}

#[test]
fn a_new_connection_gets_everything_that_is_wanted_in_batches() {
    let (mut table, now) = connected();
    let names: Vec<String> = (0..2500).map(|i| format!("c{i}")).collect();
    for name in &names {
        table.subscribe(&channel(name), 0);
    }
    commands(&mut table);
    for name in &names {
        table.confirmed(Confirmed::Subscribed(name), now).unwrap();
    }
    table.unsubscribe(&channel("c7"), now);
    table.disconnected();
    table.subscribe(&channel("late"), 9);
    table.take_answers();
    assert!(commands(&mut table).is_empty());
    table.connected();
    let sent = commands(&mut table);
    let sizes: Vec<usize> = sent
        .iter()
        .map(|command| match command {
            Command::Subscribe { channels, .. } => channels.len(),
            _ => 0,
        })
        .collect();
    // All but the lingering one, and the late one; CLIENT INFO last.
    assert_eq!(sizes, [0, BATCH, BATCH, 500, 0]);
    assert_eq!((sent.first(), sent.last()), (Some(&Command::SubscribeControl), Some(&Command::Info)));
}

#[test]
fn who_waits_for_what_nobody_wants_is_told_when_the_connection_ends() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    table.unsubscribe(&channel("a"), now);
    table.subscribe(&channel("b"), 2);
    table.disconnected();
    assert_eq!(table.take_answers(), [(1, Err(SubscribeError::Unavailable))]);
    table.unsubscribe(&channel("b"), now);
    assert_eq!(table.take_answers(), [(2, Err(SubscribeError::Unavailable))]);
    assert_eq!(table.len(), 0);
}

#[test]
fn of_a_forbidden_batch_only_the_guilty_channel_is_refused() {
    let (mut table, now) = connected();
    for (waiter, name) in ["a", "secret", "b"].iter().enumerate() {
        table.subscribe(&channel(name), u32::try_from(waiter).unwrap());
    }
    commands(&mut table);
    assert_eq!(table.refused(true, "NOPERM"), Ok(Refusal::Batch));
    let alone = |name| Command::Subscribe { channels: vec![channel(name)], sealed: true };
    assert_eq!(commands(&mut table), [alone("a"), alone("secret"), alone("b")]);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    assert_eq!(table.refused(true, "NOPERM"), Ok(Refusal::Channel(channel("secret"))));
    table.confirmed(Confirmed::Subscribed("b"), now).unwrap();
    let forbidden = Err(SubscribeError::Forbidden("NOPERM".into()));
    assert_eq!(table.take_answers(), [(0, Ok(())), (1, forbidden), (2, Ok(()))]);
    assert_eq!(table.find("secret"), None);
    // It is not tried again by itself.
    table.retry_forbidden();
    assert!(commands(&mut table).is_empty());
}

#[test]
fn what_stood_and_is_forbidden_now_is_tried_again() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.disconnected();
    table.connected();
    commands(&mut table);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
    assert_eq!(table.refused(true, "NOPERM"), Ok(Refusal::Channel(channel("a"))));
    assert_eq!(table.counted(CONTROLS), Ok(false));
    table.retry_forbidden();
    assert_eq!(commands(&mut table), [Command::Subscribe { channels: vec![channel("a")], sealed: true }]);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.ask();
    commands(&mut table);
    assert_eq!(table.counted(CONTROLS + 1), Ok(false));
}

#[test]
fn a_mistaken_configuration_is_told_to_all_who_wait() {
    let (mut table, now) = connected();
    table.subscribe(&channel("stood"), 1);
    commands(&mut table);
    table.confirmed(Confirmed::Subscribed("stood"), now).unwrap();
    table.disconnected();
    table.subscribe(&channel("stood"), 2);
    table.subscribe(&channel("new"), 3);
    table.take_answers();
    table.forbid_all("WRONGPASS");
    let mut answers = table.take_answers();
    answers.sort_by_key(|(waiter, _)| *waiter);
    let forbidden = || Err(SubscribeError::Forbidden("WRONGPASS".into()));
    assert_eq!(answers, [(2, forbidden()), (3, forbidden())]);
    assert_eq!((table.find("stood").is_some(), table.find("new")), (true, None));
}

#[test]
fn another_number_of_subscriptions_means_to_subscribe_again() {
    let (mut table, now) = connected();
    for name in ["a", "b"] {
        table.subscribe(&channel(name), 0);
    }
    commands(&mut table);
    for name in ["a", "b"] {
        table.confirmed(Confirmed::Subscribed(name), now).unwrap();
    }
    table.take_answers();
    table.unsubscribe(&channel("b"), now);
    table.ask();
    assert_eq!(commands(&mut table), [Command::Info]);
    assert_eq!(table.counted(CONTROLS + 1), Ok(true));
    let sent = commands(&mut table);
    assert_eq!(sent.first(), Some(&Command::SubscribeControl));
    // Until it is confirmed again, nobody is told that it stands.
    table.subscribe(&channel("a"), 5);
    assert!(table.take_answers().is_empty());
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
    let Some(Command::Subscribe { channels, .. }) = sent.get(1) else { panic!("{sent:?}") };
    for channel in channels {
        table.confirmed(Confirmed::Subscribed(channel.as_str()), now).unwrap();
    }
    assert_eq!(table.take_answers(), [(5, Ok(()))]);
    table.tick(now + LINGER);
    assert_eq!(commands(&mut table), [unsubscribe(&["b"])]);
}

#[test]
fn a_confirmation_of_something_else_is_noticed() {
    let (mut table, now) = connected();
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Err(Desync));
    table.subscribe(&channel("a"), 1);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Err(Desync), "it is not written yet");
    commands(&mut table);
    assert_eq!(table.confirmed(Confirmed::Subscribed("b"), now), Err(Desync));
    assert_eq!(table.confirmed(Confirmed::Unsubscribed("a"), now), Err(Desync));
    assert_eq!(table.confirmed(Confirmed::Control, now), Err(Desync));
    assert_eq!(table.counted(2), Err(Desync));
    assert!(table.take_answers().is_empty());
}

/// Redis, as far as subscriptions go: commands and their answers travel in order, and may be cut off.
#[derive(Default)]
struct Server {
    incoming: VecDeque<Command>,
    answers: VecDeque<Answer>,
    held: BTreeSet<String>,
}

enum Answer {
    Control,
    Subscribed(String),
    Unsubscribed(String),
    NoPerm,
    Count(usize),
}

const FORBIDDEN: &str = "c0";

impl Server {
    fn execute(&mut self) {
        match self.incoming.pop_front() {
            None => {}
            Some(Command::SubscribeControl) => {
                self.answers.extend([Answer::Control, Answer::Control]);
            }
            Some(Command::Info) => self.answers.push_back(Answer::Count(CONTROLS + self.held.len())),
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
    ]
}

struct World {
    table: Table<u32>,
    server: Server,
    now: Instant,
    connected: bool,
    wanted: BTreeSet<String>,
    waiting: Map<u32, String>,
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
            waiting: Map::new(),
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
                self.server = Server::default();
                self.table.disconnected();
            }
            Step::Connect if !self.connected => {
                self.connected = true;
                self.table.connected();
            }
            Step::Ask if self.connected => self.table.ask(),
            Step::Disconnect | Step::Connect | Step::Ask => {}
        }
        self.check_answers();
    }

    fn answer(&mut self) {
        match self.server.answers.pop_front() {
            None => {}
            Some(Answer::Control) => self.table.confirmed(Confirmed::Control, self.now).unwrap(),
            Some(Answer::Subscribed(name)) => {
                self.table.confirmed(Confirmed::Subscribed(&name), self.now).unwrap();
            }
            Some(Answer::Unsubscribed(name)) => {
                self.table.confirmed(Confirmed::Unsubscribed(&name), self.now).unwrap();
            }
            Some(Answer::NoPerm) => {
                assert_ne!(self.table.refused(true, "NOPERM"), Ok(Refusal::Connection));
            }
            Some(Answer::Count(count)) => assert_eq!(self.table.counted(count), Ok(false)),
        }
    }

    fn check_answers(&mut self) {
        for (waiter, answer) in self.table.take_answers() {
            let name = self.waiting.remove(&waiter).expect("each waiter is told once");
            match answer {
                Ok(()) => assert!(self.server.held.contains(&name), "{name} does not stand"),
                Err(SubscribeError::Forbidden(_)) => {
                    assert_eq!(name, FORBIDDEN);
                    self.wanted.remove(&name);
                }
                Err(error) => {
                    assert_eq!(error, SubscribeError::Unavailable);
                    assert!(!self.connected);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.step(&Step::Connect);
        for _ in 0..4 {
            self.step(&Step::Wait(1000));
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
    /// Whatever happens in whatever order: a waiter is told Ok only while Redis holds the subscription, each is
    /// told once, and in the end Redis holds what is wanted and nothing else.
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
