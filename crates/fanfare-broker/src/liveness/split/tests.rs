use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn run(name: &str) -> Run {
    Run::new(name)
}

fn found(name: &str, used_for: Duration) -> Option<Found> {
    Some(Found { run: run(name), used_for })
}

/// A node on `a` since a long time, and now.
fn on_a() -> (Server, Instant) {
    let (mut server, now) = (Server::default(), Instant::now() + 1000 * SECOND);
    assert_eq!(server.arrived(found("a", 500 * SECOND), None, now), None, "it was nowhere before");
    (server, now)
}

#[test]
fn who_comes_after_others_were_there_was_apart_until_it_left() {
    let (mut server, now) = on_a();
    let whole_until = Some(now + 9 * SECOND);
    // The same run: its connection was cut.
    assert_eq!(server.arrived(found("a", 500 * SECOND), whole_until, now + 10 * SECOND), None);
    // Others came 4 s ago, and this node heard its own server until a second ago.
    let apart = server.arrived(found("b", 4 * SECOND), whole_until, now + 10 * SECOND);
    assert_eq!(apart, Some(3 * SECOND));
    // It is the first there, or others came after the end.
    assert_eq!(server.arrived(found("c", Duration::ZERO), whole_until, now + 10 * SECOND), None);
    assert_eq!(server.arrived(found("d", SECOND / 2), whole_until, now + 10 * SECOND), None);
}

#[test]
fn who_finds_the_name_to_lead_elsewhere_goes_there_once_both_took_writes() {
    let (mut server, now) = on_a();
    let here = server.here().unwrap();
    assert_eq!(server.looked(&here, &run("a"), Some(now), now), Look::Same);
    assert_eq!(server.looked(&here, &run("b"), Some(now), now), Look::Elsewhere);
    assert!(server.is_apart());
    assert_eq!(server.looked(&here, &run("b"), Some(now), now + SECOND), Look::Elsewhere, "is it alive?");
    assert_eq!(server.looked(&here, &run("b"), Some(now + SECOND), now + 2 * SECOND), Look::Move);
    assert!(server.takes_leave() && !server.takes_leave());
    server.arrived(found("b", SECOND), None, now + 3 * SECOND);
    assert!(!server.is_apart());
    assert!(!server.is_news(now + 2 * SECOND) && server.is_news(now + 4 * SECOND));
    // What was asked on an earlier connection says nothing of this one.
    assert_eq!(server.looked(&here, &run("a"), Some(now), now), Look::Same);
    assert!(!server.is_apart());
}

#[test]
fn a_name_that_leads_here_and_there_makes_no_node_hop() {
    let (mut server, mut now) = on_a();
    let mut moves = 0;
    for turn in 0..100 {
        let here = server.here().unwrap();
        let other = if here.0 == run("a") { "b" } else { "a" };
        now += 3 * SECOND;
        if server.looked(&here, &run(other), Some(now), now) == Look::Move {
            moves += 1;
            server.arrived(found(other, SECOND), None, now);
        }
        assert!(moves <= 1 + turn * 3 / 60, "turn {turn}: {moves}");
    }
    assert!(moves > 1, "it is tried again");
}

#[test]
fn a_server_that_does_not_say_what_it_is_judges_nobody() {
    let (mut server, now) = on_a();
    assert_eq!(server.arrived(None, Some(now), now), None);
    assert!(server.here().is_none() && !server.is_apart());
}

#[test]
fn what_another_node_tells_counts_once_and_where_it_told_less_before() {
    let mut others = Others::default();
    let look = |others: &mut Others, times, seconds: u64| {
        others.look([("1", Apart { times, millis: seconds * 1000 })].into_iter())
    };
    assert_eq!(look(&mut others, 1, 7), None, "it was before this node came");
    assert_eq!(look(&mut others, 1, 7), None);
    assert_eq!(others.look(std::iter::empty()), None, "its entry is gone while it moves");
    assert_eq!(look(&mut others, 2, 5), Some(5 * SECOND));
    assert_eq!(look(&mut others, 2, 5), None);
}

#[test]
fn who_was_apart_itself_is_told_nothing_new() {
    let (mut server, now) = on_a();
    assert!(!server.knows(now));
    server.arrived(found("b", 4 * SECOND), Some(now + 9 * SECOND), now + 10 * SECOND);
    assert_eq!(server.was_apart(), Apart { times: 1, millis: 3000 });
    assert!(server.knows(now + 11 * SECOND) && !server.knows(now + 100 * SECOND));
}
