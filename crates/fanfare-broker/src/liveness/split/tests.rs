use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn run(name: &str) -> Run {
    Run::new(name)
}

fn found(name: &str, used_for: Duration) -> Option<Found> {
    Some(Found { run: run(name), used_for })
}

/// A node that is on `a`, and now.
fn on_a() -> (SplitCheck, Instant) {
    let (mut split, now) = (SplitCheck::default(), Instant::now() + 1000 * SECOND);
    assert_eq!(split.arrived(found("a", 500 * SECOND), None, now), None, "it was on no server before");
    (split, now)
}

#[test]
fn a_node_that_comes_late_was_split() {
    let (mut split, now) = on_a();
    let whole_until = Some(now + 9 * SECOND);
    // The same run: its connection was cut.
    assert_eq!(split.arrived(found("a", 500 * SECOND), whole_until, now + 10 * SECOND), None);
    // Others came 4 s ago, and this node heard its own server until a second ago.
    let apart = split.arrived(found("b", 4 * SECOND), whole_until, now + 10 * SECOND);
    assert_eq!(apart, Some(3 * SECOND));
    // It is the first node there, or others came after the end.
    assert_eq!(split.arrived(found("c", Duration::ZERO), whole_until, now + 10 * SECOND), None);
    assert_eq!(split.arrived(found("d", SECOND / 2), whole_until, now + 10 * SECOND), None);
}

#[test]
fn a_node_moves_once_both_servers_took_writes() {
    let (mut split, now) = on_a();
    let here = split.here().unwrap();
    assert_eq!(split.compare(&here, &run("a"), Some(now), now), Comparison::Same);
    assert_eq!(split.compare(&here, &run("b"), Some(now), now), Comparison::Other);
    assert!(split.is_split());
    assert_eq!(split.compare(&here, &run("b"), Some(now), now + SECOND), Comparison::Other, "is it alive?");
    assert_eq!(split.compare(&here, &run("b"), Some(now + SECOND), now + 2 * SECOND), Comparison::Move);
    assert!(split.take_move() && !split.take_move());
    split.arrived(found("b", SECOND), None, now + 3 * SECOND);
    assert!(!split.is_split());
    assert!(!split.is_news(now + 2 * SECOND) && split.is_news(now + 4 * SECOND));
    // An answer on an earlier connection says nothing of this one.
    assert_eq!(split.compare(&here, &run("a"), Some(now), now), Comparison::Same);
    assert!(!split.is_split());
}

#[test]
fn a_name_with_two_servers_moves_nodes_rarely() {
    let (mut split, mut now) = on_a();
    let mut moves = 0;
    for turn in 0..100 {
        let here = split.here().unwrap();
        let other = if here.0 == run("a") { "b" } else { "a" };
        now += 3 * SECOND;
        if split.compare(&here, &run(other), Some(now), now) == Comparison::Move {
            moves += 1;
            split.arrived(found(other, SECOND), None, now);
        }
        assert!(moves <= 1 + turn * 3 / 60, "turn {turn}: {moves}");
    }
    assert!(moves > 1, "it is tried again");
}

#[test]
fn an_unnamed_server_is_never_split() {
    let (mut split, now) = on_a();
    assert_eq!(split.arrived(None, Some(now), now), None);
    assert!(split.here().is_none() && !split.is_split());
}

#[test]
fn a_report_counts_once() {
    let mut others = ReportedSplits::default();
    let look = |others: &mut ReportedSplits, times, seconds: u64| {
        others.take([("1", SplitHistory { times, millis: seconds * 1000 })].into_iter())
    };
    assert_eq!(look(&mut others, 1, 7), None, "it was before this node came");
    assert_eq!(look(&mut others, 1, 7), None);
    assert_eq!(others.take(std::iter::empty()), None, "its entry is gone while it moves");
    assert_eq!(look(&mut others, 2, 5), Some(5 * SECOND));
    assert_eq!(look(&mut others, 2, 5), None);
}

#[test]
fn a_split_node_learns_nothing_from_reports() {
    let (mut split, now) = on_a();
    assert!(!split.knows(now));
    split.arrived(found("b", 4 * SECOND), Some(now + 9 * SECOND), now + 10 * SECOND);
    assert_eq!(split.history(), SplitHistory { times: 1, millis: 3000 });
    assert!(split.knows(now + 11 * SECOND) && !split.knows(now + 100 * SECOND));
}
