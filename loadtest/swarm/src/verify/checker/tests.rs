use super::*;

const CLIENTS: usize = 3;
const PUBLISHERS: usize = 2;
const MESSAGES: usize = 5;
const SENT: [usize; PUBLISHERS] = [MESSAGES; PUBLISHERS];

fn message(publisher: usize, number: usize) -> Sighting {
    Sighting::Message { publisher, number, intact: true }
}

/// The sightings of a client without faults: the publishers interleaved.
fn all() -> Vec<Sighting> {
    (0..MESSAGES)
        .flat_map(|number| (0..PUBLISHERS).map(move |publisher| message(publisher, number)))
        .collect()
}

/// The verdict when client 1 sees these, and the others see all.
fn judge(seen_by_one: &[Sighting]) -> Verdict {
    let mut checker = Checker::new(CLIENTS, PUBLISHERS, MESSAGES);
    for client in 0..CLIENTS {
        let whole = all();
        for sighting in if client == 1 { seen_by_one } else { &whole } {
            checker.saw(client, sighting);
        }
    }
    let verdict = checker.verdict(&SENT);
    assert_eq!(checker.is_complete(&SENT), verdict.lost == 0);
    verdict
}

fn fault(kind: FaultKind, number: usize) -> Vec<Fault> {
    vec![Fault { kind, client: 1, publisher: 0, number }]
}

#[test]
fn publishers_may_interleave() {
    let mut one_after_the_other = all();
    one_after_the_other.sort_by_key(|sighting| match sighting {
        Sighting::Message { publisher, .. } => *publisher,
        Sighting::Foreign => usize::MAX,
    });
    for seen in [all(), one_after_the_other] {
        let verdict = judge(&seen);
        assert!(verdict.is_right(), "{verdict:?}");
        assert_eq!((verdict.expected, verdict.received), (30, 30));
    }
}

#[test]
fn each_lost_message_is_found() {
    for number in 0..MESSAGES {
        let mut seen = all();
        seen.retain(|sighting| *sighting != message(0, number));
        let verdict = judge(&seen);
        assert_eq!((verdict.lost, verdict.examples.clone()), (1, fault(FaultKind::Lost, number)));
        assert_eq!(verdict, Verdict { expected: 30, received: 29, lost: 1, ..verdict.clone() });
        assert!(!verdict.is_right());
    }
}

#[test]
fn each_doubled_message_is_found() {
    for number in 0..MESSAGES {
        let place = all().iter().position(|sighting| *sighting == message(0, number)).unwrap();
        for again in [place, all().len()] {
            let mut seen = all();
            seen.insert(again, message(0, number));
            let verdict = judge(&seen);
            assert_eq!((verdict.doubled, verdict.out_of_order, verdict.lost), (1, 0, 0));
            assert_eq!(verdict.examples, fault(FaultKind::Doubled, number));
            assert!(!verdict.is_right());
        }
    }
}

#[test]
fn each_swap_within_a_publisher_is_found() {
    for number in 0..MESSAGES - 1 {
        let mut seen = all();
        seen.swap(number * PUBLISHERS, (number + 1) * PUBLISHERS);
        let verdict = judge(&seen);
        assert_eq!((verdict.out_of_order, verdict.doubled, verdict.lost), (1, 0, 0));
        assert_eq!(verdict.examples, fault(FaultKind::OutOfOrder, number));
        assert!(!verdict.is_right());
    }
}

#[test]
fn loss_copies_and_disorder_are_told_apart() {
    let mut seen = all();
    seen.swap(0, PUBLISHERS);
    seen.retain(|sighting| *sighting != message(1, 3));
    seen.push(message(1, 4));
    let verdict = judge(&seen);
    assert_eq!((verdict.lost, verdict.doubled, verdict.out_of_order), (1, 1, 1));
}

#[test]
fn damaged_and_foreign_messages_are_found() {
    let mut seen = all();
    seen[0] = Sighting::Message { publisher: 0, number: 0, intact: false };
    let verdict = judge(&seen);
    assert_eq!((verdict.damaged, verdict.lost), (1, 0));
    assert!(!verdict.is_right());

    for stray in [Sighting::Foreign, message(PUBLISHERS, 0), message(0, MESSAGES)] {
        let mut seen = all();
        seen.push(stray);
        let verdict = judge(&seen);
        assert_eq!((verdict.foreign, verdict.received), (1, 30));
        assert!(!verdict.is_right());
    }
}

#[test]
fn messages_that_were_not_sent_are_not_lost() {
    let mut checker = Checker::new(1, PUBLISHERS, MESSAGES);
    checker.saw(0, &message(1, 0));
    assert!(checker.is_complete(&[0, 1]) && !checker.is_complete(&[1, 1]));
    let verdict = checker.verdict(&[0, 1]);
    assert!(verdict.is_right() && verdict.expected == 1, "{verdict:?}");
}

#[test]
fn examples_are_few_and_counts_are_whole() {
    let verdict = Checker::new(100, 1, 100).verdict(&[100]);
    assert_eq!((verdict.lost, verdict.examples.len()), (10_000, EXAMPLES));
}
