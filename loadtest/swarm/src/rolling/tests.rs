use std::time::Duration;

use super::{
    judge::{Verdict, judge},
    ledger::Ledger,
};
use crate::clock::Moment;

/// A moment, in milliseconds.
fn at(millis: u64) -> Moment {
    Moment(millis * 1_000_000)
}

/// A client in a channel in which a message is sent each second from 0.5 s on, and taken 10 ms later. The client is on
/// `a` from 0 to 4 s, and on `b` from 7 s on: numbers 4 and 5 are published while it is away, 6 while it connects.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(1, 1);
    ledger.opened(0, "a", at(0), at(0));
    for number in 0..10 {
        let sent = 500 + 1_000 * number;
        assert_eq!(ledger.publishes(0, at(sent)) as u64, number);
        ledger.taken(0, number as usize, at(sent + 10));
    }
    ledger
}

/// The client gets these, each 20 ms after it was sent.
fn hears(ledger: &mut Ledger, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let sent = ledger.channels[0][number].sent;
        ledger.heard(0, Some(number), sent.after(Duration::from_millis(20)));
    }
}

/// The verdict when the client gets these before it is away, and those after.
fn judged(before: &[usize], after: &[usize]) -> Verdict {
    let mut ledger = ledger();
    hears(&mut ledger, before.iter().copied());
    ledger.ended(0, at(4_000));
    ledger.opened(0, "b", at(6_000), at(7_000));
    hears(&mut ledger, after.iter().copied());
    judge(&ledger, false)
}

/// The counts of lost, doubled, disordered and early messages.
fn wrongs(verdict: &Verdict) -> [u64; 4] {
    [verdict.lost, verdict.doubled, verdict.out_of_order, verdict.early]
}

#[test]
fn only_messages_of_the_absence_are_missed() {
    let verdict = judged(&[0, 1, 2, 3], &[6, 7, 8, 9]);
    assert_eq!((wrongs(&verdict), verdict.missed, verdict.missed_in_absence), ([0; 4], 2, 2));
    assert_eq!((verdict.missed_before_close, verdict.heard_before_connect), (0.0, 0.0));
    let node = &verdict.nodes["a"];
    assert_eq!((node.ended, node.missed, node.longest, node.gone), (1, 2, 3.0, 0));
}

#[test]
fn near_a_close_both_fates_are_right() {
    // Number 3 was taken 490 ms before the close was read, 5 as long before the client began to connect.
    let verdict = judged(&[0, 1, 2], &[7, 8, 9]);
    assert_eq!((wrongs(&verdict), verdict.missed, verdict.missed_in_absence), ([0; 4], 4, 2));
    assert_eq!(verdict.missed_before_close, 0.49);
    let verdict = judged(&[0, 1, 2, 3], &[5, 6, 7, 8, 9]);
    assert_eq!((wrongs(&verdict), verdict.missed, verdict.heard_before_connect), ([0; 4], 1, 0.49));
}

#[test]
fn slow_deliveries_widen_the_leeway() {
    let mut ledger = ledger();
    hears(&mut ledger, [0, 1]);
    ledger.ended(0, at(4_000));
    assert_eq!(judge(&ledger, false).lost, 1);
    ledger.opened(0, "b", at(6_000), at(7_000));
    ledger.heard(0, Some(7), at(8_500));
    let verdict = judge(&ledger, false);
    assert_eq!((verdict.lost, verdict.leeway.round()), (2, 2.0), "{verdict:?}");
}

#[test]
fn messages_to_connected_clients_can_be_lost() {
    for (before, after) in [
        // Long before the close.
        (&[0, 1][..], &[6, 7, 8, 9][..]),
        // Sent after the 101.
        (&[0, 1, 2, 3], &[6, 8, 9]),
        (&[0, 1, 2, 3], &[6, 7, 8]),
        // Between others that the client got, however near to the end.
        (&[0, 1, 3], &[6, 7, 8, 9]),
    ] {
        assert_eq!(wrongs(&judged(before, after)), [1, 0, 0, 0], "{before:?} {after:?}");
    }
    // Between others of the same connection, from before its 101.
    assert_eq!(wrongs(&judged(&[0, 1, 2, 3], &[4, 6, 7, 8, 9])), [1, 0, 0, 1]);
}

#[test]
fn with_history_old_messages_may_come() {
    let mut ledger = ledger();
    hears(&mut ledger, 0..4);
    ledger.ended(0, at(4_000));
    ledger.opened(0, "b", at(6_900), at(7_000));
    hears(&mut ledger, 4..10);
    assert_eq!((wrongs(&judge(&ledger, true)), wrongs(&judge(&ledger, false))), ([0; 4], [0, 0, 0, 2]));
}

#[test]
fn a_refused_message_is_not_lost() {
    let mut ledger = ledger();
    ledger.publishes(0, at(11_000));
    ledger.publishes(0, at(12_000));
    ledger.taken(0, 11, at(12_010));
    hears(&mut ledger, (0..10).chain([11]));
    assert_eq!(wrongs(&judge(&ledger, false)), [0; 4]);
    assert!(ledger.is_complete());
}

#[test]
fn copies_count_on_any_connection() {
    assert_eq!(wrongs(&judged(&[0, 1, 2, 3, 3], &[6, 7, 8, 9])), [0, 1, 0, 0]);
    assert_eq!(wrongs(&judged(&[0, 1, 2, 3], &[3, 6, 7, 8, 9]))[1], 1);
}

#[test]
fn a_message_after_a_later_one_is_disordered() {
    assert_eq!(wrongs(&judged(&[0, 2, 1, 3], &[6, 7, 8, 9])), [0, 0, 1, 0]);
}

#[test]
fn foreign_messages_and_absent_clients_are_counted() {
    let mut ledger = ledger();
    hears(&mut ledger, 0..4);
    ledger.heard(0, Some(10), at(4_000));
    ledger.heard(0, None, at(4_000));
    ledger.ended(0, at(4_000));
    let verdict = judge(&ledger, false);
    assert_eq!((wrongs(&verdict), verdict.foreign, verdict.nodes["a"].gone), ([0; 4], 2, 1));
    assert!(!ledger.is_complete() && ledger.connected() == 0);
}
