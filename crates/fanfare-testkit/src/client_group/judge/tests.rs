use super::*;
use crate::client_group::record::Heard;

const MESSAGES: usize = 30;
const ENTRANCES: usize = 2;
/// An end that is far away.
const END: Time = Duration::from_secs(100);

fn at(seconds: usize) -> Time {
    Duration::from_secs(seconds as u64)
}

/// Four sessions of one channel, two at each entrance. Each sends a message a second, and all get all messages.
fn whole() -> Record {
    let mut record = Record::default();
    for member in 0..4 {
        record.open(member, member % ENTRANCES, 0, Duration::ZERO);
    }
    for second in 1..=MESSAGES {
        for sender in 0..4 {
            say(&mut record, sender, at(second));
        }
    }
    record
}

/// A session sends a message, and all open sessions get it.
fn say(record: &mut Record, sender: usize, now: Time) {
    let message = record.send(sender, now);
    for listener in 0..record.sessions.len() {
        if record.sessions[listener].ended.is_none() {
            record.hear(listener, message.as_bytes(), now);
        }
    }
}

fn judge_it(record: &Record) -> Verdict {
    judge_with(record, &[], &[])
}

fn judge_with(record: &Record, faults: &[Range<Time>], interruptions: &[Interruption]) -> Verdict {
    judge("a test", &Evidence { record, faults, interruptions }, &[])
}

fn forget(record: &mut Record, listener: usize, sender: usize, numbers: Range<usize>) {
    let gone = |heard: &Heard| heard.session == sender && numbers.contains(&heard.number);
    record.sessions[listener].heard.retain(|heard| !gone(heard));
}

fn lost(verdict: &Verdict) -> Vec<(usize, usize, usize)> {
    let lost = |wrong: &Wrong| match *wrong {
        Wrong::Lost { listener, sender, number, .. } => Some((listener, sender, number)),
        _ => None,
    };
    verdict.examples.iter().filter_map(lost).collect()
}

fn interruption(node: usize, from: usize, to: usize) -> Interruption {
    Interruption { node, from: at(from), to: at(to), lasted: at(to - from) }
}

#[test]
fn a_run_without_faults_is_right() {
    let verdict = judge_it(&whole());
    verdict.is_right();
    assert_eq!((verdict.published, verdict.delivered), (4 * MESSAGES, 4 * 4 * MESSAGES));
    assert_eq!((verdict.refused, verdict.unknown, verdict.cut_off, verdict.missed()), (0, 0, 0, 0));
}

#[test]
fn nothing_excuses_a_copy() {
    for again in [0, 15, MESSAGES - 1] {
        let mut record = whole();
        record.hear(2, format!("1:{again}").as_bytes(), END);
        let verdict = judge_with(&record, &[at(0)..END], &[interruption(0, 0, 100)]);
        assert_eq!(verdict.examples, [Wrong::Doubled { listener: 2, sender: 1, number: again }]);
    }
}

#[test]
fn nothing_excuses_a_swap() {
    let mut record = whole();
    let heard = &mut record.sessions[3].heard;
    let place = |number| move |heard: &Heard| (heard.session, heard.number) == (1, number);
    let (first, second) = (heard.iter().position(place(7)), heard.iter().position(place(8)));
    heard.swap(first.unwrap(), second.unwrap());
    let verdict = judge_with(&record, &[at(0)..END], &[interruption(0, 0, 100)]);
    assert_eq!(verdict.examples, [Wrong::OutOfOrder { listener: 3, sender: 1, number: 7 }]);
}

#[test]
fn a_silent_loss_is_found() {
    for number in [0, 15, MESSAGES - 1] {
        let mut record = whole();
        forget(&mut record, 2, 1, number..number + 1);
        assert_eq!(lost(&judge_it(&record)), [(2, 1, number)]);
        // A fault alone does not excuse it: the sender was not closed, and no node counted an interruption.
        assert_eq!(lost(&judge_with(&record, &[at(0)..END], &[])), [(2, 1, number)]);
    }
}

#[test]
fn an_unreported_loss_is_found() {
    let mut record = whole();
    for listener in 0..4 {
        forget(&mut record, listener, 1, MESSAGES - 2..MESSAGES);
    }
    assert_eq!(judge_with(&record, &[at(0)..END], &[]).wrongs, 8);
}

#[test]
fn a_reported_loss_in_a_fault_is_excused() {
    let fault = at(MESSAGES - 2)..at(MESSAGES + 10);
    for (end, unreached) in
        [(End::Refused, [2, 0, 0]), (End::Unknown, [0, 2, 0]), (End::Broken("reset".into()), [0, 0, 2])]
    {
        let mut record = whole();
        for listener in 0..4 {
            forget(&mut record, listener, 1, MESSAGES - 2..MESSAGES);
        }
        record.close(1, END, end);
        let verdict = judge_with(&record, std::slice::from_ref(&fault), &[]);
        verdict.is_right();
        assert_eq!([verdict.refused, verdict.unknown, verdict.cut_off], unreached);
        // Without a fault it is not excused: a calm broker refuses no message.
        assert_eq!(judge_it(&record).wrongs, 8);
    }
}

#[test]
fn a_partly_delivered_message_is_owed_to_all() {
    let mut record = whole();
    forget(&mut record, 2, 1, MESSAGES - 3..MESSAGES - 2);
    record.close(1, END, End::Unknown);
    assert_eq!(lost(&judge_with(&record, &[at(0)..END], &[])), [(2, 1, MESSAGES - 3)]);
}

#[test]
fn a_refused_and_delivered_message_is_found() {
    let mut record = whole();
    record.close(1, END, End::Refused);
    let verdict = judge_with(&record, &[at(0)..END], &[]);
    assert_eq!(verdict.examples, [Wrong::RefusedAndDelivered { sender: 1, number: MESSAGES - 1 }]);
}

#[test]
fn an_interruption_excuses_its_own_time_and_nodes() {
    // Message 14 was sent at second 15; sessions 0 and 2 are at entrance 0, 1 and 3 at 1.
    let mut record = whole();
    forget(&mut record, 2, 0, 14..15);
    for counted in [interruption(0, 14, 16), interruption(0, 15, 18), interruption(0, 13, 15)] {
        let verdict = judge_with(&record, &[], &[counted]);
        verdict.is_right();
        assert_eq!((verdict.missed(), verdict.interrupted.get(&0)), (1, Some(&1)));
    }
    for elsewhere in [interruption(1, 14, 16), interruption(0, 10, 13), interruption(0, 17, 20)] {
        assert_eq!(lost(&judge_with(&record, &[], &[elsewhere])), [(2, 0, 14)]);
    }
    // A message that reached no client is judged by the time it was sent.
    for listener in 0..4 {
        forget(&mut record, listener, 0, 14..15);
    }
    let both = [interruption(0, 18, 19), interruption(1, 18, 19)];
    judge_with(&record, &[], &both).is_right();
    assert_eq!(judge_with(&record, &[], &both[..1]).wrongs, 0, "the sender's node was interrupted");
    assert_eq!(judge_with(&record, &[], &[interruption(0, 10, 14), interruption(1, 10, 14)]).wrongs, 4);
    // The sender's node was interrupted: it may have published to another Redis than the listener's.
    let mut record = whole();
    forget(&mut record, 2, 1, 14..15);
    judge_with(&record, &[], &[interruption(1, 14, 16)]).is_right();
}

#[test]
fn a_returned_client_is_owed_later_messages() {
    let mut record = whole();
    record.close(3, at(MESSAGES), End::Broken("reset".into()));
    say(&mut record, 0, at(40));
    let back = record.open(3, 0, 0, at(41));
    say(&mut record, 0, at(42));
    say(&mut record, back, at(43));
    judge_it(&record).is_right();
    forget(&mut record, back, 0, MESSAGES + 1..MESSAGES + 2);
    assert_eq!(lost(&judge_it(&record)), [(back, 0, MESSAGES + 1)]);
}

#[test]
fn a_closed_client_is_owed_earlier_messages() {
    let mut record = whole();
    record.close(3, at(MESSAGES), End::Broken("reset".into()));
    let mut holed = whole();
    holed.sessions[3].ended = record.sessions[3].ended.clone();
    forget(&mut holed, 3, 0, MESSAGES - 2..MESSAGES - 1);
    assert_eq!(lost(&judge_it(&holed)), [(3, 0, MESSAGES - 2)]);
    // The last message may have been on its way.
    forget(&mut record, 3, 0, MESSAGES - 1..MESSAGES);
    judge_it(&record).is_right();
    forget(&mut record, 3, 0, 20..MESSAGES);
    assert!(lost(&judge_it(&record)).contains(&(3, 0, 20)));
}

#[test]
fn a_closed_client_is_not_owed_late_deliveries() {
    // Sent at second 31, while 3 is connected; Redis was frozen, and published it after 3 was closed.
    let mut record = whole();
    let message = record.send(0, at(31));
    record.close(3, at(40), End::Refused);
    record.sessions[3].sent.push(at(39));
    for listener in 0..3 {
        record.hear(listener, message.as_bytes(), at(50));
    }
    let fault = [at(30)..at(50)];
    judge_with(&record, &fault, &[]).is_right();
    for heard in record.sessions[..3].iter_mut().filter_map(|session| session.heard.last_mut()) {
        heard.at = at(35);
    }
    assert_eq!(lost(&judge_with(&record, &fault, &[])), [(3, 0, MESSAGES)]);
}

#[test]
fn a_foreign_message_is_found() {
    for message in ["99:0", "0:99", "hello"] {
        let mut record = whole();
        record.hear(2, message.as_bytes(), END);
        assert_eq!(judge_it(&record).examples, [Wrong::Foreign], "{message}");
    }
    let mut record = whole();
    let elsewhere = record.open(4, 0, 1, Duration::ZERO);
    judge_it(&record).is_right();
    record.hear(elsewhere, b"0:0", END);
    assert_eq!(judge_it(&record).examples, [Wrong::Foreign]);
}

#[test]
fn counts_are_whole_and_examples_few() {
    let mut record = whole();
    for listener in 0..4 {
        forget(&mut record, listener, 0, 0..MESSAGES - 1);
    }
    let verdict = judge_it(&record);
    assert_eq!((verdict.wrongs, verdict.examples.len()), (4 * (MESSAGES - 1), 20));
}
