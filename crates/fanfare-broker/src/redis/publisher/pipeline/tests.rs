mod redirects;
mod replays;
mod world;

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::broker::PublishOrder;
use tokio::time::Instant;

use self::world::{PATIENCE, World, error};
use super::{MAX_UNANSWERED, MAX_UNANSWERED_BYTES};
use crate::redis::{
    connection::{error::ConnectionError, resp::Value},
    publisher::under_way::Answered,
};

#[test]
fn items_are_written_and_answered_in_order() {
    let mut world = World::new();
    (0..3).for_each(|_| world.publish(None));
    assert_eq!(world.write(0), [0, 1, 2]);
    world.answer(&Value::Int(5)).unwrap();
    world.answer(&error("NOPERM no")).unwrap();
    world.answer(&Value::Int(0)).unwrap();
    assert_eq!(world.answers(), [(0, Ok(())), (1, Err("refused")), (2, Ok(()))]);
    assert!(world.pipeline.is_empty());
    assert!(world.answer(&Value::Int(0)).is_err(), "no command waits for it");
}

#[test]
fn only_unwritten_items_are_written_again() {
    let mut world = World::new();
    (0..3).for_each(|_| world.publish(None));
    world.pipeline.fill(1);
    let length = world.pipeline.unwritten().len();
    // All of the first item, and one byte of the second.
    assert_eq!(world.write(length - length / 3 - 1), [0]);
    world.pipeline.disconnected();
    assert_eq!(world.answers(), [(0, Err("unknown")), (1, Err("unknown"))]);
    assert_eq!(world.write(0), [2]);
    world.answer(&Value::Int(0)).unwrap();
    assert_eq!(world.answers(), [(2, Ok(()))]);
}

#[test]
fn nothing_is_written_behind_a_failure() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    world.publish(Some(&order));
    world.publish(None);
    assert_eq!(world.write(0), [0, 1]);
    world.publish(Some(&order));
    world.publish(None);
    // Encoded, and no byte of it is written yet.
    world.pipeline.fill(1);
    world.answer(&error("MISCONF x")).unwrap();
    assert_eq!(world.answers(), [(0, Err("refused"))]);
    world.publish(Some(&order));
    assert_eq!(world.write(0), [3]);
    assert_eq!(world.answers(), [(2, Err("refused")), (4, Err("refused"))]);
}

#[test]
fn an_error_looks_at_no_waiting_item() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    (0..MAX_UNANSWERED + 3).for_each(|_| world.publish(Some(&order)));
    assert_eq!(world.write(0).len(), MAX_UNANSWERED);
    world.answer(&error("BUSY x")).unwrap();
    assert_eq!(world.answers(), [(0, Err("refused"))]);
    assert_eq!(world.pipeline.backlog.len(), 3);
    // Their turn comes with the next write.
    assert!(world.write(0).is_empty());
    let refused = (MAX_UNANSWERED..MAX_UNANSWERED + 3).map(|number| (number, Err("refused")));
    assert_eq!(world.answers(), refused.collect::<Vec<_>>());
}

#[test]
fn a_publication_names_the_last_one_taken() {
    let mut world = World::new();
    (0..3).for_each(|_| world.publish(None));
    assert_eq!(world.sequences(), [(1, None), (2, None), (3, None)]);
    world.answer(&error("BUSY x")).unwrap();
    world.answer(&Value::Int(1)).unwrap();
    world.publish(None);
    assert_eq!(world.sequences(), [(4, Some(2))]);
    world.answer(&Value::Int(1)).unwrap();
    // Neither a refusal nor the end of a connection changes that.
    world.answer(&error("NOPERM x")).unwrap();
    world.publish(None);
    assert_eq!(world.sequences(), [(5, Some(3))]);
    world.pipeline.disconnected();
    world.publish(None);
    assert_eq!(world.sequences(), [(6, Some(3))]);
}

#[test]
fn a_lost_connection_fails_the_rest_at_once() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    world.publish(Some(&order));
    world.write(0);
    world.publish(Some(&order));
    world.publish(None);
    world.pipeline.disconnected();
    assert_eq!(world.answers(), [(0, Err("unknown")), (1, Err("refused"))]);
    assert_eq!(world.write(0), [2]);
}

#[test]
fn only_unwritten_items_expire() {
    let mut world = World::new();
    world.publish(None);
    world.write(0);
    world.publish(None);
    world.publish(None);
    let deadline = world.pipeline.next_deadline().unwrap();
    world.pipeline.expire(deadline - PATIENCE, "away");
    assert_eq!(world.answers(), []);
    world.pipeline.expire(deadline + PATIENCE, "away");
    assert_eq!(world.answers(), [(1, Err("refused")), (2, Err("refused"))]);
    world.answer(&Value::Int(0)).unwrap();
    assert_eq!(world.answers(), [(0, Ok(()))]);
}

#[test]
fn encoded_items_expire_too() {
    let mut world = World::new();
    world.publish(None);
    world.pipeline.fill(1);
    let length = world.pipeline.unwritten().len();
    (0..2).for_each(|_| world.publish(None));
    // A byte of the second item was written. The socket takes no more.
    assert_eq!(world.write(2 * length - 1), [0]);
    let deadline = world.pipeline.next_deadline().unwrap();
    world.pipeline.expire(deadline, "away");
    assert_eq!(world.answers(), [(2, Err("refused"))]);
    assert_eq!(world.pipeline.next_deadline(), None);
    world.publish(None);
    // The rest of the second item, and the next one.
    assert_eq!(world.write(0), [1, 3]);
    for _ in 0..3 {
        world.answer(&Value::Int(0)).unwrap();
    }
    assert_eq!(world.answers(), [(0, Ok(())), (1, Ok(())), (3, Ok(()))]);
}

#[test]
fn past_the_bound_orders_leave_by_turns() {
    let mut world = World::new();
    let [flooder, other] = [(); 2].map(|()| Arc::new(PublishOrder::default()));
    (0..MAX_UNANSWERED + 4).for_each(|_| world.publish(Some(&flooder)));
    assert_eq!(world.write(0).len(), MAX_UNANSWERED);
    let next = world.count;
    (0..2).for_each(|_| world.publish(Some(&other)));
    world.publish(None);
    (0..6).for_each(|_| drop(world.answer(&Value::Int(1)).unwrap()));
    let flooders = |number| MAX_UNANSWERED + number;
    assert_eq!(world.write(0), [next + 2, next, flooders(0), next + 1, flooders(1), flooders(2)]);
}

#[test]
fn items_taken_back_keep_their_order() {
    let mut world = World::new();
    let orders = [(); 2].map(|()| Arc::new(PublishOrder::default()));
    (0..MAX_UNANSWERED).for_each(|_| world.publish(None));
    world.write(0);
    let first = world.count;
    (0..6).for_each(|_| world.publish(Some(&orders[0])));
    (0..2).for_each(|_| world.publish(Some(&orders[1])));
    (0..4).for_each(|_| drop(world.answer(&Value::Int(1)).unwrap()));
    // Four are encoded by turns, and taken back by an error that comes before they are written.
    world.pipeline.fill(1);
    world.answer(&error("NOPERM no")).unwrap();
    (0..MAX_UNANSWERED - 5).for_each(|_| drop(world.answer(&Value::Int(1)).unwrap()));
    let written = world.write(0);
    let of = |range: std::ops::Range<usize>| {
        written
            .iter()
            .map(|number| number - first)
            .filter(|number| range.contains(number))
            .collect::<Vec<_>>()
    };
    assert_eq!((of(0..6), of(6..8)), ((0..6).collect(), (6..8).collect()));
}

#[test]
fn a_demoted_master_is_left() {
    let mut world = World::new();
    world.publish(None);
    world.write(0);
    let readonly = || error("READONLY You can't write against a read only replica.");
    assert!(matches!(world.answer(&readonly()), Err(ConnectionError::Demoted)));
    assert_eq!(world.answers(), [(0, Err("refused"))]);
    world.pipeline.disconnected();
    world.pipeline.begin_round(1);
    world.write(0);
    assert!(matches!(world.answer(&readonly()), Err(ConnectionError::Demoted)));
}

#[test]
fn a_round_overtakes_waiting_items_only() {
    let mut world = World::new();
    (0..MAX_UNANSWERED + 10).for_each(|_| world.publish(None));
    assert_eq!(world.write(0).len(), MAX_UNANSWERED);
    world.pipeline.begin_round(7);
    world.pipeline.fill(1);
    let written = world.pipeline.unwritten().split();
    let text = String::from_utf8_lossy(&written).into_owned();
    assert!(text.starts_with("*5\r\n$3\r\nSET\r\n") && text.ends_with("$1\r\n7\r\n"), "{text}");
    for _ in 0..MAX_UNANSWERED {
        assert_eq!(world.answer(&Value::Int(1)).unwrap(), Answered::Item);
    }
    let ok = Value::Text(Bytes::from_static(b"OK"));
    assert_eq!(world.answer(&ok).unwrap(), Answered::Heartbeat(None));
    let Answered::Time(_, Err(_)) = world.answer(&ok).unwrap() else { panic!("OK is not a time") };
    assert_eq!(world.answer(&Value::Int(1)).unwrap(), Answered::Canary(7, Ok(1)));
}

#[test]
fn a_round_is_forgotten_with_its_connection() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    world.publish(Some(&order));
    world.write(0);
    world.publish(Some(&order));
    world.pipeline.begin_round(1);
    // The round is encoded, and taken back with the items behind the refused one.
    world.pipeline.fill(1);
    world.answer(&error("NOPERM x")).unwrap();
    world.write(0);
    assert_eq!(world.answer(&error("MISCONF x")).unwrap(), Answered::Heartbeat(Some("MISCONF".into())));
    let number = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
    let time = Value::List(vec![number("2"), number("3")]);
    assert!(matches!(world.answer(&time).unwrap(), Answered::Time(_, Ok(2_000_003))));
    assert_eq!(world.answer(&error("NOPERM x")).unwrap(), Answered::Canary(1, Err("NOPERM".into())));
    world.pipeline.begin_round(2);
    world.pipeline.fill(1);
    world.pipeline.disconnected();
    world.pipeline.fill(1);
    assert!(world.pipeline.unwritten().is_empty() && world.pipeline.is_empty());
}

#[test]
fn a_publication_that_reached_nobody_is_reported() {
    let mut world = World::new();
    world.publish(None);
    world.write(0);
    let Answered::Unheard(channel, _) = world.answer(&Value::Int(0)).unwrap() else {
        panic!("it is not reported")
    };
    assert_eq!(channel.as_str(), "c");
    assert_eq!(world.answers(), [(0, Ok(()))]);
}

#[test]
fn held_items_wait_and_expire() {
    let mut world = World::new();
    world.pipeline.hold(true);
    world.publish(None);
    assert!(world.write(0).is_empty());
    world.pipeline.expire(Instant::now() + PATIENCE, "away");
    world.publish(None);
    world.pipeline.hold(false);
    assert_eq!(world.write(0), [1]);
    assert_eq!(world.answers(), [(0, Err("refused"))]);
}

#[test]
fn unanswered_items_are_bounded() {
    let mut world = World::new();
    (0..MAX_UNANSWERED + 10).for_each(|_| world.publish(None));
    assert_eq!(world.write(0).len(), MAX_UNANSWERED);
    world.answer(&Value::Int(0)).unwrap();
    assert_eq!(world.write(0), [MAX_UNANSWERED]);

    let mut world = World::new();
    let big = usize::try_from(MAX_UNANSWERED_BYTES).unwrap() * 2;
    (0..2).for_each(|_| world.publish_bytes(None, big));
    assert_eq!(world.write(0), [0], "one item may always be written");
    world.answer(&Value::Int(0)).unwrap();
    assert_eq!(world.write(0), [1]);
}

#[test]
fn everything_is_answered_when_the_node_ends() {
    let mut world = World::new();
    world.publish(None);
    world.write(0);
    world.publish(None);
    let answers = world.answers.clone();
    drop(world);
    assert_eq!(*answers.lock(), [(0, Err("unknown")), (1, Err("refused"))]);
}
