//! Channels that come and go, and the check of their number.

use fanfare_core::SubscribeError;

use super::helpers::{channel, commands, connected, subscribe, unsubscribe};
use crate::redis::{
    connection::error::Desync,
    subscriber::table::{
        commands::{BATCH, CONTROLS, Command, Confirmed},
        subscriptions::{Counted, LINGER},
    },
};

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
    assert_eq!(table.find("a"), Some(&channel("a")), "messages sent before still count");
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
    // Until it is confirmed again, no waiter is told.
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
