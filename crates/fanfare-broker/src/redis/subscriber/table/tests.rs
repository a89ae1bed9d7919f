use std::time::Instant;

use fanfare_core::{Channel, SubscribeError};

use super::{
    commands::{BATCH, CONTROLS, Command, Confirmed},
    entry::Waiter,
    refused::Refusal,
    subscriptions::{Counted, LINGER, Table},
};
use crate::redis::connection::{code::Cause, error::Desync};

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
    assert_eq!(table.counted(CONTROLS), Ok(Counted::Settled));
    (table, now)
}

#[test]
fn a_waiter_is_told_of_its_confirmation() {
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
fn a_late_waiter_gets_a_subscribe_behind_unsubscribe() {
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
fn an_unwanted_channel_lingers_when_it_is_confirmed() {
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
fn a_new_connection_subscribes_in_batches() {
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
fn a_waiter_for_an_unwanted_channel_is_told() {
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
fn only_the_forbidden_channel_is_refused() {
    let (mut table, now) = connected();
    for (waiter, name) in ["a", "secret", "b"].iter().enumerate() {
        table.subscribe(&channel(name), u32::try_from(waiter).unwrap());
    }
    commands(&mut table);
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Batch));
    let alone = |name| Command::Subscribe { channels: vec![channel(name)], sealed: true };
    assert_eq!(commands(&mut table), [alone("a"), alone("secret"), alone("b")]);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Channel(channel("secret"))));
    table.confirmed(Confirmed::Subscribed("b"), now).unwrap();
    let forbidden = Err(SubscribeError::Forbidden("NOPERM".into()));
    assert_eq!(table.take_answers(), [(0, Ok(())), (1, forbidden), (2, Ok(()))]);
    assert_eq!(table.find("secret"), None);
    // It is not tried again by itself.
    table.retry_forbidden(usize::MAX);
    assert!(commands(&mut table).is_empty());
}

#[test]
fn a_channel_forbidden_later_is_tried_again() {
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
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Channel(channel("a"))));
    assert_eq!(table.counted(CONTROLS), Ok(Counted::Settled));
    table.retry_forbidden(0);
    assert!(table.is_any_forbidden() && commands(&mut table).is_empty());
    table.retry_forbidden(usize::MAX);
    assert!(!table.is_any_forbidden());
    assert_eq!(commands(&mut table), [Command::Subscribe { channels: vec![channel("a")], sealed: true }]);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.ask();
    commands(&mut table);
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
}

/// A connected table in which these channels stand.
fn with_channels(names: &[&str]) -> (Table<u32>, Instant) {
    let (mut table, now) = connected();
    names.iter().for_each(|name| table.subscribe(&channel(name), 0));
    commands(&mut table);
    for name in names {
        assert_eq!(table.confirmed(Confirmed::Subscribed(name), now), Ok(None));
    }
    table.restored();
    (table, now)
}

/// Connects, up to the confirmation of the node's own channels.
fn reconnect(table: &mut Table<u32>, now: Instant) {
    table.disconnected();
    table.connected();
    commands(table);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
}

#[test]
fn a_forbidden_batch_settles_behind_each_channel() {
    let (mut table, now) = with_channels(&["a", "b"]);
    reconnect(&mut table, now);
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Batch));
    let alone = commands(&mut table);
    assert_eq!((alone.len(), alone.last()), (3, Some(&Command::Info)));
    assert_eq!(table.counted(CONTROLS), Ok(Counted::Early), "none of both was asked for alone yet");
    let Some(Command::Subscribe { channels, .. }) = alone.first() else { panic!("{alone:?}") };
    table.confirmed(Confirmed::Subscribed(channels[0].as_str()), now).unwrap();
    table.refused(Cause::Permission, "NOPERM", now).unwrap();
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
}

#[test]
fn new_channels_of_a_forbidden_batch_delay_nothing() {
    let (mut table, now) = with_channels(&["a"]);
    reconnect(&mut table, now);
    ["new", "secret"].iter().for_each(|name| table.subscribe(&channel(name), 1));
    commands(&mut table);
    table.confirmed(Confirmed::Subscribed("a"), now).unwrap();
    table.ask();
    commands(&mut table);
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Batch));
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
}

#[test]
fn a_forbidden_check_settles_by_its_refusal() {
    let (mut table, now) = with_channels(&["a", "b"]);
    reconnect(&mut table, now);
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Batch));
    commands(&mut table);
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Info { settles: false }));
    for _ in ["a", "b"] {
        table.refused(Cause::Permission, "NOPERM", now).unwrap();
    }
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Info { settles: true }));
}

#[test]
fn the_loss_of_a_forbidden_channel_is_told() {
    let (mut table, now) = with_channels(&["a"]);
    let forbidden = |table: &mut Table<u32>| {
        assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Channel(channel("a"))));
    };
    let retried = |table: &mut Table<u32>| {
        table.retry_forbidden(usize::MAX);
        assert_eq!(commands(table).len(), 1);
    };
    reconnect(&mut table, now);
    forbidden(&mut table);
    // Permitted before the node is told that the interruption is over, it lost nothing outside of it.
    retried(&mut table);
    table.counted(CONTROLS).unwrap();
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(None));
    table.restored();
    reconnect(&mut table, now);
    forbidden(&mut table);
    table.counted(CONTROLS).unwrap();
    table.restored();
    retried(&mut table);
    forbidden(&mut table);
    retried(&mut table);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(Some(channel("a"))));
    // It is told once, and also where another interruption came in between.
    reconnect(&mut table, now);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(None));
    table.counted(CONTROLS + 1).unwrap();
    table.restored();
    reconnect(&mut table, now);
    forbidden(&mut table);
    table.counted(CONTROLS).unwrap();
    table.restored();
    reconnect(&mut table, now);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(Some(channel("a"))));
}

#[test]
fn a_new_waiter_does_not_hide_a_loss() {
    let (mut table, now) = with_channels(&["a"]);
    reconnect(&mut table, now);
    table.refused(Cause::Permission, "NOPERM", now).unwrap();
    table.counted(CONTROLS).unwrap();
    table.restored();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(Some(channel("a"))));
    // Where nobody was there any more, nobody lost anything.
    reconnect(&mut table, now);
    table.refused(Cause::Permission, "NOPERM", now).unwrap();
    table.counted(CONTROLS).unwrap();
    table.restored();
    table.unsubscribe(&channel("a"), now);
    table.subscribe(&channel("a"), 2);
    commands(&mut table);
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), now), Ok(None));
}

#[test]
fn a_mistaken_configuration_is_told_to_all_waiters() {
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
    let refused = || Err(SubscribeError::Misconfigured("WRONGPASS".into()));
    assert_eq!(answers, [(2, refused()), (3, refused())]);
    assert_eq!((table.find("stood").is_some(), table.find("new")), (true, None));
}

#[test]
fn a_wrong_number_subscribes_all_again() {
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
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Wrong));
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
fn a_wrong_confirmation_is_noticed() {
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

#[test]
fn a_postponed_subscribe_is_tried_again() {
    let (mut table, now) = with_channels(&["a"]);
    table.subscribe(&channel("b"), 1);
    commands(&mut table);
    assert_eq!(table.refused(Cause::Temporary, "BUSY", now), Ok(Refusal::Postponed("SUBSCRIBE")));
    assert!(commands(&mut table).is_empty() && table.take_answers().len() == 1);
    // An answer to the check settles what stood: a newcomer puts off nothing.
    table.ask();
    commands(&mut table);
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
    let due = table.next_deadline().expect("it is tried again");
    table.tick(due);
    assert_eq!(commands(&mut table), [subscribe(&["b"])]);
    table.confirmed(Confirmed::Subscribed("b"), due).unwrap();
    assert_eq!(table.take_answers(), [(1, Ok(()))]);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn attempts_are_apart_up_to_a_bound() {
    let (mut table, mut now) = connected();
    table.subscribe(&channel("a"), 1);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(commands(&mut table).len(), 1);
        table.refused(Cause::Temporary, "BUSY", now).unwrap();
        let due = table.next_deadline().unwrap();
        waits.push((due - now).as_millis());
        now = due;
        table.tick(now);
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
}

#[test]
fn a_postponed_restore_settles_once_it_is_taken() {
    let (mut table, now) = with_channels(&["a"]);
    table.disconnected();
    table.connected();
    commands(&mut table);
    for _ in 0..2 {
        assert_eq!(table.refused(Cause::Temporary, "BUSY", now), Ok(Refusal::Postponed("SUBSCRIBE")));
    }
    assert_eq!(table.refused(Cause::Temporary, "BUSY", now), Ok(Refusal::Info { settles: false }));
    let due = table.next_deadline().unwrap();
    table.tick(due);
    assert_eq!(commands(&mut table), [Command::SubscribeControl, subscribe(&["a"]), Command::Info]);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, due).unwrap();
    }
    assert_eq!(table.confirmed(Confirmed::Subscribed("a"), due), Ok(None));
    assert_eq!(table.counted(CONTROLS + 1), Ok(Counted::Settled));
}

#[test]
fn a_channel_with_a_postponed_unsubscribe_lingers_on() {
    let (mut table, now) = with_channels(&["a"]);
    table.take_answers();
    table.unsubscribe(&channel("a"), now);
    let now = now + LINGER;
    table.tick(now);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"])]);
    assert_eq!(table.refused(Cause::Temporary, "BUSY", now), Ok(Refusal::Postponed("UNSUBSCRIBE")));
    // Redis holds it still: whoever wants it has it at once.
    table.subscribe(&channel("a"), 7);
    assert_eq!(table.take_answers(), [(7, Ok(()))]);
    table.unsubscribe(&channel("a"), now);
    table.tick(now + LINGER);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"])]);
    assert_eq!(table.refused(Cause::Permission, "NOPERM", now), Ok(Refusal::Postponed("UNSUBSCRIBE")));
    let due = table.next_deadline().unwrap();
    table.tick(due);
    assert_eq!(commands(&mut table), [unsubscribe(&["a"])]);
    table.confirmed(Confirmed::Unsubscribed("a"), due).unwrap();
    assert_eq!(table.len(), 0);
}

#[test]
fn an_unwanted_channel_is_not_tried_again() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    table.refused(Cause::Temporary, "BUSY", now).unwrap();
    table.unsubscribe(&channel("a"), now);
    table.tick(table.next_deadline().unwrap());
    assert!(commands(&mut table).is_empty());
    assert_eq!(table.take_answers(), [(1, Err(SubscribeError::Unavailable))]);
    assert_eq!(table.len(), 0);
}

#[test]
fn an_error_of_the_connection_ends_it() {
    let (mut table, now) = connected();
    table.subscribe(&channel("a"), 1);
    commands(&mut table);
    assert_eq!(table.refused(Cause::Connection, "NOAUTH", now), Ok(Refusal::Connection("SUBSCRIBE")));
    table.disconnected();
    table.connected();
    commands(&mut table);
    let refused = table.refused(Cause::Permission, "NOPERM", now);
    assert_eq!(
        refused,
        Ok(Refusal::Connection("SUBSCRIBE")),
        "without its own channels a node cannot hear itself"
    );
}
