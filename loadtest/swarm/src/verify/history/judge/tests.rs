use super::*;
use crate::verify::history::ledger::{Fate, Life, Published};

const NOW: &str = "00000000000000bb";
const BEFORE: &str = "00000000000000aa";

fn at(epoch: &str, offset: u64) -> Position {
    Position { epoch: epoch.to_owned(), offset }
}

fn name(number: u32) -> Name {
    Name { publisher: 0, number }
}

/// One publisher, whose messages 0 to 5 are at the offsets 1 to 6, and two subscribers that got all of them.
fn ledger() -> Ledger {
    let life = Life { heard: (0..6).map(|number| Some(name(number))).collect(), ..at(NOW, 0).into() };
    Ledger {
        publishers: vec![Published {
            channel: 0,
            messages: (1..=6).map(|offset| Fate::At(at(NOW, offset))).collect(),
        }],
        subscribers: vec![Received { channel: 0, lives: vec![life] }; 2],
        ..Ledger::default()
    }
}

fn kept() -> Kept {
    Kept { top: at(NOW, 6), messages: (1..=6).zip((0..6).map(|number| Some(name(number)))).collect() }
}

/// Lost, doubled, reordered, foreign, unacknowledged.
fn wrongs(verdict: &Verdict) -> [u64; 5] {
    [verdict.lost, verdict.doubled, verdict.reordered, verdict.foreign, verdict.unacknowledged]
}

/// The verdict when the second subscriber got these numbers.
fn judged(heard: &[u32]) -> Verdict {
    let mut ledger = ledger();
    ledger.subscribers[1].lives[0].heard = heard.iter().map(|number| Some(name(*number))).collect();
    judge(&ledger, &[kept()], false)
}

#[test]
fn all_messages_in_order_are_right() {
    let verdict = judged(&[0, 1, 2, 3, 4, 5]);
    assert!(verdict.is_right(), "{verdict:?}");
    assert_eq!((verdict.acknowledged, verdict.delivered, verdict.told), (6, 12, 0));
}

#[test]
fn each_fault_of_a_subscriber_is_found() {
    for (heard, expected) in [
        (&[1, 2, 3, 4, 5][..], [1, 0, 0, 0, 0]),
        (&[0, 1, 3, 4, 5], [1, 0, 0, 0, 0]),
        (&[0, 1, 2, 3, 4], [1, 0, 0, 0, 0]),
        (&[], [6, 0, 0, 0, 0]),
        (&[0, 1, 2, 2, 3, 4, 5], [0, 1, 0, 0, 0]),
        (&[0, 1, 2, 3, 4, 5, 0], [0, 1, 0, 0, 0]),
        (&[0, 2, 1, 3, 4, 5], [0, 0, 1, 0, 0]),
        (&[0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 0]),
    ] {
        let verdict = judged(heard);
        assert_eq!(wrongs(&verdict), expected, "{heard:?}");
        assert!(!verdict.is_right() && !verdict.examples.is_empty());
    }
}

#[test]
fn messages_before_the_first_position_are_not_owed() {
    let mut ledger = ledger();
    let life = &mut ledger.subscribers[1].lives[0];
    (life.since.offset, life.heard) = (4, vec![Some(name(4)), Some(name(5))]);
    assert!(judge(&ledger, &[kept()], false).is_right());
    ledger.subscribers[1].lives[0].heard.insert(0, Some(name(3)));
    assert_eq!(wrongs(&judge(&ledger, &[kept()], false)), [0, 1, 0, 0, 0]);
}

#[test]
fn an_acknowledged_message_must_be_kept() {
    // At another offset, twice, or not at all.
    let mut moved = kept();
    (moved.messages[4].1, moved.messages[5].1) = (moved.messages[5].1, moved.messages[4].1);
    assert_eq!(wrongs(&judge(&ledger(), &[moved], false)), [2, 0, 2, 0, 0]);
    let mut twice = kept();
    twice.messages.push((7, Some(name(0))));
    assert_eq!(judge(&ledger(), &[twice], false).doubled, 1);
    let mut without = kept();
    without.messages.pop();
    assert!(judge(&ledger(), &[without], false).lost > 0);
    let mut foreign = kept();
    foreign.messages.push((7, None));
    assert_eq!(judge(&ledger(), &[foreign], false).foreign, 1);
}

#[test]
fn a_publisher_in_disorder_is_found() {
    let (mut ledger, mut kept) = (ledger(), kept());
    ledger.publishers[0].messages.swap(1, 2);
    (kept.messages[1].1, kept.messages[2].1) = (kept.messages[2].1, kept.messages[1].1);
    for subscriber in &mut ledger.subscribers {
        subscriber.lives[0].heard.swap(1, 2);
    }
    assert_eq!(wrongs(&judge(&ledger, &[kept], false)), [0, 0, 1, 0, 0]);
}

#[test]
fn a_message_without_an_acknowledgement_is_told() {
    let mut ledger = ledger();
    ledger.publishers[0].messages[5] = Fate::Sent;
    // It was published all the same, so subscribers owe it.
    assert_eq!(wrongs(&judge(&ledger, &[kept()], false)), [0, 0, 0, 0, 1]);
}

#[test]
fn a_taken_message_must_be_kept_in_order() {
    let mut ledger = ledger();
    ledger.publishers[0].messages = vec![Fate::Taken; 6];
    let verdict = judge(&ledger, &[kept()], false);
    assert!(verdict.is_right() && verdict.acknowledged == 6, "{verdict:?}");
    let mut swapped = kept();
    (swapped.messages[4].1, swapped.messages[5].1) = (swapped.messages[5].1, swapped.messages[4].1);
    assert!(judge(&ledger, &[swapped], false).reordered > 0);
    ledger.publishers[0].messages.push(Fate::Taken);
    assert_eq!(wrongs(&judge(&ledger, &[kept()], false)), [1, 0, 0, 0, 0]);
    // Redis lost its memory, and with it the place of the message, which a subscriber got before.
    ledger.subscribers[0].lives[0].heard.push(Some(name(6)));
    let verdict = judge(&ledger, &[kept()], true);
    assert!(verdict.is_right() && verdict.forgotten == 1, "{verdict:?}");
}

#[test]
fn an_unanswered_message_is_there_once_or_not() {
    let mut ledger = ledger();
    ledger.publishers[0].messages[2] = Fate::Unknown;
    ledger.publishers[0].messages.push(Fate::Unknown);
    assert!(judge(&ledger, &[kept()], false).is_right());
    let mut twice = kept();
    twice.messages.push((7, Some(name(2))));
    assert_eq!(judge(&ledger, &[twice], false).doubled, 1);
    ledger.subscribers[0].lives[0].heard.remove(2);
    assert_eq!(wrongs(&judge(&ledger, &[kept()], false)), [1, 0, 0, 0, 0]);
}

#[test]
fn another_channel_is_foreign() {
    let mut ledger = ledger();
    ledger.publishers.push(Published { channel: 1, messages: vec![Fate::At(at(NOW, 1))] });
    ledger.subscribers[0].lives[0].heard.push(Some(Name { publisher: 1, number: 0 }));
    let other = Kept { top: at(NOW, 1), messages: vec![(1, Some(Name { publisher: 1, number: 0 }))] };
    assert_eq!(wrongs(&judge(&ledger, &[kept(), other], false)), [0, 0, 0, 1, 0]);
}

/// As [`ledger`], but Redis lost its memory: the first three messages are at the offsets 1 to 3 of an earlier epoch. The
/// second subscriber got the last of them only if `whole`, and was told.
fn forgetful(heard: &[u32]) -> (Ledger, Kept) {
    let mut ledger = ledger();
    let offsets = (1..=3).map(|offset| Fate::At(at(BEFORE, offset)));
    ledger.publishers[0].messages = offsets.chain((1..=3).map(|offset| Fate::At(at(NOW, offset)))).collect();
    for (subscriber, heard) in ledger.subscribers.iter_mut().zip([&[0, 1, 2][..], heard]) {
        let heard = heard.iter().map(|number| Some(name(*number))).collect();
        let now = Life { heard: (3..6).map(|number| Some(name(number))).collect(), ..at(NOW, 0).into() };
        subscriber.lives = vec![Life { heard, ..at(BEFORE, 0).into() }, now];
    }
    (
        ledger,
        Kept { top: at(NOW, 3), messages: (1..=3).zip((3..6).map(|number| Some(name(number)))).collect() },
    )
}

#[test]
fn a_told_loss_is_right_where_expected() {
    for heard in [&[0, 1, 2][..], &[0, 1], &[], &[0, 1, 3, 4]] {
        let (ledger, kept) = forgetful(heard);
        let verdict = judge(&ledger, std::slice::from_ref(&kept), true);
        assert!(verdict.is_right(), "{heard:?}: {verdict:?}");
        assert_eq!((verdict.told, verdict.forgotten), (2, 3));
        assert!(!judge(&ledger, &[kept], false).is_right());
    }
}

#[test]
fn a_repeated_message_may_come_in_both_epochs() {
    let (mut ledger, kept) = forgetful(&[0, 1, 2, 1]);
    assert!(!judge(&ledger, std::slice::from_ref(&kept), true).is_right());
    ledger.repeated.insert(name(1));
    assert!(judge(&ledger, std::slice::from_ref(&kept), true).is_right());
    for subscriber in &mut ledger.subscribers {
        subscriber.lives[1].heard.push(Some(name(5)));
    }
    ledger.repeated.insert(name(5));
    assert!(!judge(&ledger, &[kept], true).is_right(), "nobody was told behind it");
}

#[test]
fn an_epoch_may_be_told_twice() {
    let (mut ledger, kept) = forgetful(&[0, 1]);
    let lives = &mut ledger.subscribers[1].lives;
    lives.insert(1, at(BEFORE, 3).into());
    assert!(judge(&ledger, &[kept], true).is_right());
}

#[test]
fn a_told_loss_excuses_no_holes() {
    let (ledger, kept) = forgetful(&[0, 2]);
    assert_eq!(wrongs(&judge(&ledger, &[kept], true)), [1, 0, 0, 0, 0]);
    let (mut ledger, kept) = forgetful(&[0, 1]);
    ledger.subscribers[1].lives[1].heard.remove(1);
    assert_eq!(wrongs(&judge(&ledger, &[kept], true)), [1, 0, 0, 0, 0]);
}

#[test]
fn an_untold_loss_is_found() {
    let (mut ledger, kept) = forgetful(&[0, 1]);
    ledger.subscribers[1].lives.pop();
    // The last of the earlier epoch, and all of this one.
    assert_eq!(wrongs(&judge(&ledger, &[kept], true)), [4, 0, 0, 0, 0]);
}

#[test]
fn a_position_given_up_for_nothing_is_found() {
    let mut ledger = ledger();
    let heard = vec![Some(name(5))];
    ledger.subscribers[1].lives[0].heard.truncate(2);
    ledger.subscribers[1].lives.push(Life { heard, ..at(NOW, 5).into() });
    let verdict = judge(&ledger, &[kept()], false);
    assert_eq!((wrongs(&verdict), verdict.told), ([3, 0, 0, 0, 0], 1));
}
