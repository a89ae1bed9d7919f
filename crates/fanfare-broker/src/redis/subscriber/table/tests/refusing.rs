//! Commands that Redis refuses.

use fanfare_core::SubscribeError;

use super::helpers::{channel, commands, connected, reconnect, with_channels};
use crate::redis::{
    connection::code::Cause,
    subscriber::table::{
        commands::{CONTROLS, Command, Confirmed},
        refused::Refusal,
        subscriptions::{Counted, Table},
    },
};

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
    // Without a subscriber, nothing is lost.
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
