//! Steps that tests share.

use std::time::Instant;

use fanfare_core::Channel;

use crate::redis::subscriber::table::{
    commands::{CONTROLS, Command, Confirmed},
    entry::Waiter,
    subscriptions::{Counted, Table},
};

impl Waiter for u32 {
    fn is_gone(&self) -> bool {
        false
    }
}

pub(super) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

pub(super) fn commands<W: Waiter>(table: &mut Table<W>) -> Vec<Command> {
    std::iter::from_fn(|| table.next_command().cloned()).collect()
}

pub(super) fn subscribe(names: &[&str]) -> Command {
    Command::Subscribe { channels: names.iter().map(|name| channel(name)).collect(), sealed: false }
}

pub(super) fn unsubscribe(names: &[&str]) -> Command {
    Command::Unsubscribe(names.iter().map(|name| channel(name)).collect())
}

/// A connected table whose first commands are confirmed.
pub(super) fn connected() -> (Table<u32>, Instant) {
    let (mut table, now) = (Table::new(), Instant::now());
    table.connected();
    assert_eq!(commands(&mut table), [Command::SubscribeControl, Command::Info]);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
    assert_eq!(table.counted(CONTROLS), Ok(Counted::Settled));
    (table, now)
}

/// A connected table in which these channels stand.
pub(super) fn with_channels(names: &[&str]) -> (Table<u32>, Instant) {
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
pub(super) fn reconnect(table: &mut Table<u32>, now: Instant) {
    table.disconnected();
    table.connected();
    commands(table);
    for _ in 0..CONTROLS {
        table.confirmed(Confirmed::Control, now).unwrap();
    }
}
