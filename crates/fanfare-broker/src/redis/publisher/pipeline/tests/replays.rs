//! Items that are written again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_core::broker::PublishOrder;
use tokio::time::Instant;

use super::world::{PATIENCE, World, error};
use crate::redis::connection::resp::Value;

/// The answer of the script that it ran: now (0), or before (1).
pub(super) fn ran(outcome: i64) -> Value {
    let epoch = Value::Text(Bytes::from_static(b"01234567"));
    Value::List(vec![Value::Int(1), epoch, Value::Int(7), Value::Int(outcome)])
}

fn missing() -> Value {
    error("NOSCRIPT No matching script. Please use EVAL.")
}

/// The answer to SCRIPT LOAD.
pub(super) fn loaded() -> Value {
    Value::Text(Bytes::from_static(b"0123456789012345678901234567890123456789"))
}

#[test]
fn kept_items_are_written_again_with_their_sequences() {
    let mut world = World::new();
    world.keep(None);
    world.publish(None);
    world.keep(None);
    world.keep(None);
    assert_eq!(world.sequences(), [(1, None), (2, None), (3, None), (4, None)]);
    world.answer(&loaded()).unwrap();
    world.answer(&ran(0)).unwrap();
    world.keep(None);
    // No byte of the last one is written.
    world.pipeline.fill(1);
    world.pipeline.disconnected();
    assert_eq!(world.answers(), [(0, Ok(())), (1, Err("unknown"))]);
    assert!(!world.pipeline.is_empty());
    world.pipeline.connected(None, None, true);
    world.publish(None);
    let sequences: Vec<_> = world.sequences().into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(sequences, [3, 4, 6, 7], "the fifth was encoded, and never written");
    world.answer(&loaded()).unwrap();
    world.answer(&ran(1)).unwrap();
    for _ in 0..2 {
        world.answer(&ran(0)).unwrap();
    }
    world.answer(&Value::Int(1)).unwrap();
    assert_eq!(world.answers(), [2, 3, 4, 5].map(|number| (number, Ok(()))));
    assert_eq!(world.metrics.replays.get(), 2);
    assert!(world.pipeline.is_empty());
}

#[test]
fn another_run_of_redis_knows_nothing() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    world.keep(Some(&order));
    world.write(0);
    world.keep(Some(&order));
    world.publish(None);
    world.pipeline.disconnected();
    assert_eq!(world.answers(), []);
    world.pipeline.connected(None, None, false);
    assert_eq!(world.answers(), [(0, Err("unknown"))]);
    assert_eq!(world.write(0), [2]);
    assert_eq!(world.answers(), [(1, Err("refused"))]);
}

#[test]
fn a_lost_script_is_loaded_ahead_of_everything() {
    let mut world = World::new();
    (0..3).for_each(|_| world.keep(None));
    assert_eq!(world.write(0), [0, 1, 2]);
    world.answer(&loaded()).unwrap();
    world.answer(&ran(0)).unwrap();
    world.keep(None);
    // The fourth is encoded, and taken back.
    world.pipeline.fill(1);
    world.answer(&missing()).unwrap();
    world.keep(None);
    assert!(world.write(0).is_empty(), "the third is under way");
    world.answer(&missing()).unwrap();
    world.pipeline.fill(1);
    let written = world.pipeline.unwritten().split();
    assert!(written.starts_with(b"*3\r\n$6\r\nSCRIPT\r\n"));
    assert_eq!(super::world::numbers(&written), [1, 2, 3, 4]);
    world.answer(&loaded()).unwrap();
    for _ in 0..4 {
        world.answer(&ran(0)).unwrap();
    }
    assert_eq!(world.answers(), [0, 1, 2, 3, 4].map(|number| (number, Ok(()))));
    assert!(world.pipeline.is_empty() && world.metrics.replays.get() == 0);
}

#[test]
fn a_script_lost_twice_changes_no_order() {
    let mut world = World::new();
    (0..4).for_each(|_| world.keep(None));
    world.write(0);
    world.pipeline.disconnected();
    world.pipeline.connected(None, None, true);
    (0..2).for_each(|_| world.keep(None));
    assert_eq!(world.write(0), [0, 1, 2, 3, 4, 5]);
    world.answer(&loaded()).unwrap();
    world.answer(&ran(1)).unwrap();
    (0..5).for_each(|_| drop(world.answer(&missing()).unwrap()));
    world.pipeline.fill(1);
    let length = world.pipeline.unwritten().len();
    // A byte of each but the last is written.
    let _written = world.pipeline.unwritten().split_to(length - 10);
    world.pipeline.disconnected();
    world.pipeline.connected(None, None, true);
    assert_eq!(world.write(0), [1, 2, 3, 4, 5]);
    world.answer(&loaded()).unwrap();
    (0..5).for_each(|_| drop(world.answer(&ran(0)).unwrap()));
    assert_eq!(world.answers(), [0, 1, 2, 3, 4, 5].map(|number| (number, Ok(()))));
}

#[test]
fn a_refused_script_refuses_what_needs_it() {
    let mut world = World::new();
    (0..2).for_each(|_| world.keep(None));
    world.publish(None);
    world.write(0);
    world.answer(&error("NOPERM no")).unwrap();
    (0..2).for_each(|_| drop(world.answer(&missing()).unwrap()));
    world.answer(&Value::Int(1)).unwrap();
    assert_eq!(world.answers(), [(0, Err("refused")), (1, Err("refused")), (2, Ok(()))]);
    // The next one tries again.
    world.keep(None);
    world.write(0);
    world.answer(&loaded()).unwrap();
    world.answer(&ran(0)).unwrap();
    assert_eq!(world.answers(), [(3, Ok(()))]);
}

#[test]
fn an_error_leaves_a_replay_unknown() {
    let mut world = World::new();
    (0..2).for_each(|_| world.keep(None));
    world.write(0);
    world.pipeline.disconnected();
    world.pipeline.connected(None, None, true);
    world.write(0);
    world.answer(&loaded()).unwrap();
    world.answer(&error("BUSY x")).unwrap();
    // The script looks first whether it ran, and then asks for memory.
    world.answer(&error("OOM x")).unwrap();
    assert_eq!(world.answers(), [(0, Err("unknown")), (1, Err("refused"))]);
}

#[test]
fn a_replay_waits_longer_than_others() {
    let mut world = World::new();
    world.keep(None);
    world.write(0);
    world.keep(None);
    world.pipeline.disconnected();
    let now = Instant::now();
    world.pipeline.expire(now + PATIENCE, "away");
    assert_eq!(world.answers(), [(1, Err("refused"))]);
    assert!(world.pipeline.next_deadline().is_some_and(|deadline| deadline > now + 10 * PATIENCE));
    world.pipeline.expire(now + Duration::from_secs(60), "away");
    assert_eq!(world.answers(), [(0, Err("unknown"))]);
    assert_eq!(world.pipeline.next_deadline(), None);
}

#[test]
fn a_node_that_ends_leaves_replays_unknown() {
    let mut world = World::new();
    world.keep(None);
    world.write(0);
    world.pipeline.disconnected();
    world.keep(None);
    let answers = world.answers.clone();
    drop(world);
    assert_eq!(*answers.lock(), [(0, Err("unknown")), (1, Err("refused"))]);
}
