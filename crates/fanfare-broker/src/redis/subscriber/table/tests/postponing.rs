//! Commands that Redis does not take at the moment.

use fanfare_core::SubscribeError;

use super::helpers::{channel, commands, connected, subscribe, unsubscribe, with_channels};
use crate::redis::{
    connection::code::Cause,
    subscriber::table::{
        commands::{CONTROLS, Command, Confirmed},
        refused::Refusal,
        subscriptions::{Counted, LINGER},
    },
};

#[test]
fn a_postponed_subscribe_is_tried_again() {
    let (mut table, now) = with_channels(&["a"]);
    table.subscribe(&channel("b"), 1);
    commands(&mut table);
    assert_eq!(table.refused(Cause::Temporary, "BUSY", now), Ok(Refusal::Postponed("SUBSCRIBE")));
    assert!(commands(&mut table).is_empty() && table.take_answers().len() == 1);
    // An answer to the check settles the connection: a new channel delays nothing.
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
    // Redis still holds it: a new waiter has it at once.
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
