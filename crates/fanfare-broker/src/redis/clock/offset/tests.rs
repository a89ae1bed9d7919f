use bytes::Bytes;
use fanfare_core::SessionId;

use super::*;

/// 2023-11-14, 22:13:20.
const TIME: u64 = 1_700_000_000_000_000;
const HOUR: u64 = 3_600_000_000;

/// A node, and the time by Redis when its monotonic clock was 0.
struct Node {
    clock: Clock,
    zero: u64,
}

impl Node {
    fn new(number: u64, zero: u64) -> Self {
        Self { clock: Clock::new(Incarnation(number)), zero }
    }

    /// This many microseconds after the zero of its monotonic clock.
    fn at(&self, micros: u64) -> Instant {
        self.clock.base + Duration::from_micros(micros)
    }

    /// Asks at `sent` and has the answer after `there` and `back` again, both in microseconds.
    fn ask(&self, sent: u64, there: u64, back: u64) {
        let answered = sent + there + back;
        self.clock.learn(self.at(sent), self.at(answered), self.zero + sent + there);
    }

    /// Publishes at that time. The time in the envelope.
    fn publish(&self, sequence: u64, at: u64) -> Option<u64> {
        self.clock.stamps_from(sequence).of(self.at(at))
    }

    fn published(&self, node: u64, sequence: u64, time: u64) -> Option<u64> {
        let origin = Origin { node: Incarnation(node), session: Some(SessionId(1)), sequence };
        let instant = self.clock.published(&origin, time)?;
        Some(u64::try_from(instant.duration_since(self.clock.base).as_micros()).unwrap())
    }
}

#[test]
fn one_node_times_the_publications_of_another() {
    // Their monotonic clocks are an hour apart.
    let (a, b) = (Node::new(1, TIME), Node::new(2, TIME - HOUR));
    a.ask(1000, 50, 50);
    b.ask(HOUR + 500, 200, 200);
    let time = a.publish(1, 5000).unwrap();
    assert_eq!(time, TIME + 5000);
    assert_eq!(b.published(1, 1, time), Some(HOUR + 5000));
}

#[test]
fn without_an_answer_publications_are_not_timed() {
    let node = Node::new(1, TIME);
    assert_eq!((node.publish(1, 10), node.published(2, 1, TIME)), (None, None));
    node.ask(0, 50, 50);
    assert_eq!((node.publish(2, 10), node.published(2, 1, TIME)), (Some(TIME + 10), Some(0)));
    node.clock.forget();
    assert_eq!((node.publish(3, 10), node.published(2, 1, TIME)), (None, None));
}

#[test]
fn the_shortest_round_trip_counts() {
    let node = Node::new(1, TIME);
    let error = || node.publish(1, 0).unwrap().abs_diff(TIME);
    node.ask(0, 100, 0);
    assert_eq!(error(), 50);
    node.ask(1000, 5000, 0);
    assert_eq!(error(), 50, "a longer one is less exact");
    node.ask(2000, 10, 0);
    assert_eq!(error(), 5);
    for round in 0..SAMPLES as u64 - 1 {
        node.ask(10_000 + round, 0, 400);
        assert_eq!(error(), 5);
    }
    node.ask(20_000, 0, 400);
    assert_eq!(error(), 200, "the best is too long ago");
    node.ask(30_000, 400, 0);
    assert_eq!(error(), 200, "of equals the last");
    assert_eq!(node.publish(1, 0), Some(TIME + 200));
}

#[test]
fn own_publications_are_timed_exactly() {
    let mut node = Node::new(1, TIME);
    node.ask(0, 900, 0);
    let first = node.publish(1, 2000).unwrap();
    node.ask(3000, 0, 10);
    let second = node.publish(7, 4000).unwrap();
    // Redis' clock is set.
    node.zero += HOUR;
    node.ask(5000, 0, 10);
    let third = node.publish(8, 6000).unwrap();
    assert!(third > second + HOUR);
    node.clock.forget();
    let own = |sequence, time| node.published(1, sequence, time);
    assert_eq!([own(1, first), own(6, first)], [Some(2000); 2]);
    assert_eq!((own(7, second), own(8, third)), (Some(4000), Some(6000)));
    assert_eq!(own(0, first), None, "the node never wrote that one");
}

#[test]
fn a_clock_that_was_set_is_followed() {
    for by in [HOUR, HOUR.wrapping_neg()] {
        let mut node = Node::new(1, TIME);
        node.ask(0, 5, 5);
        node.zero = node.zero.wrapping_add(by);
        node.ask(1000, 300, 300);
        assert_eq!(node.publish(1, 0), Some(TIME.wrapping_add(by)));
    }
}

#[test]
fn another_redis_counts_from_its_first_answer() {
    let mut node = Node::new(1, TIME);
    node.ask(0, 5, 5);
    node.clock.connected();
    assert_eq!(node.publish(1, 0), Some(TIME));
    // This is too little to be a contradiction.
    node.zero += 10_000;
    node.ask(1000, 300, 300);
    assert_eq!(node.publish(2, 0), Some(TIME + 10_000));
}

#[test]
fn changes_are_remembered_within_bounds() {
    let mut node = Node::new(1, TIME);
    for sequence in 0..1000 {
        node.zero += HOUR;
        node.ask(0, 1, 1);
        node.publish(sequence, 0);
    }
    assert_eq!(node.clock.changes.lock().len(), CHANGES);
    assert!(node.published(1, 1, TIME).is_none() && node.published(1, 999, node.zero).is_some());
}

#[test]
fn no_written_time_panics() {
    let node = Node::new(1, TIME);
    for learned in [0, TIME, i64::MAX as u64, u64::MAX] {
        node.clock.learn(node.at(0), node.at(10), learned);
        for written in [0, TIME, i64::MAX as u64, u64::MAX] {
            let origin = Origin { node: Incarnation(2), session: None, sequence: 0 };
            let _any = node.clock.published(&origin, written);
            node.publish(0, written / 2_000_000);
        }
    }
    assert_eq!(node.published(2, 0, u64::MAX), None);
}

#[test]
fn the_answer_to_time_is_read() {
    let text = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
    assert_eq!(time(&Value::List(vec![text("1700000000"), text("42")])), Some(TIME + 42));
    for other in [
        text("OK"),
        Value::List(vec![text("1")]),
        Value::List(vec![Value::Int(1), Value::Int(2)]),
        Value::List(vec![text("-1"), text("2")]),
        Value::List(vec![text("18446744073709551615"), text("2")]),
    ] {
        assert_eq!(time(&other), None);
    }
}
