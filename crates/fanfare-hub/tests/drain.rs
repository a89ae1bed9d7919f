//! Sessions that are ended at a pace: spread over time and over the sessions, each behind its queue.

use std::time::Duration;

use fanfare_core::{Disconnect, Heartbeat, Limits, PublishError};
use fanfare_hub::Pace;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{AT_ONCE, Client, Framing, Node, Pipe, Setup, ends, settle, until};

const SECOND: Duration = Duration::from_secs(1);

fn crowd(node: &Node, count: usize) -> Vec<Client> {
    (0..count).map(|_| node.client()).collect()
}

async fn end_at(node: &Node, per_second: u32, within: Duration) {
    node.hub
        .drain
        .end_at_pace(node.hub.sessions.all(), Pace { per_second, within }, &Disconnect::Restart)
        .await;
    settle().await;
}

/// The number of sessions that ended in each second of `work`.
async fn by_second(node: &Node, work: impl Future<Output = ()>) -> Vec<u64> {
    tokio::pin!(work);
    let mut ended = Vec::new();
    let mut before = 0;
    loop {
        let is_done = timeout(SECOND, work.as_mut()).await.is_ok();
        let now = node.closed("restart");
        ended.push(now - before);
        before = now;
        if is_done {
            return ended;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_time_sessions_end_at_the_pace() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    let clients = crowd(&node, 500);
    let ended = by_second(&node, end_at(&node, 100, 60 * SECOND)).await;
    assert!(ended.len() <= 6 && ended.iter().all(|&count| count <= 110), "{ended:?}");
    assert!(clients.iter().all(|client| client.lines() == ["close 76 restart"]));
}

#[tokio::test(start_paused = true)]
async fn a_missed_ping_counts_as_the_drain() {
    let heartbeat =
        Heartbeat { ping_interval: 5 * SECOND, pong_timeout: 2 * SECOND, idle_timeout: Duration::ZERO };
    let node = Setup { heartbeat, ..Setup::default() }.memory();
    // No client answers pings, and the last is sent away long after the first would be given up.
    let clients = crowd(&node, 600);
    let pace = Pace { per_second: 1, within: 120 * SECOND };
    let goes = async {
        for client in &clients {
            while !client.session.has_ended() {
                sleep(SECOND / 10).await;
            }
            client.session.abort();
            client.session.let_go();
        }
    };
    tokio::join!(node.hub.drain.send_all_away(pace, &Disconnect::Restart), goes);
    assert_eq!((node.closed("restart"), node.closed("no_pong")), (600, 0));
    assert!(
        clients.iter().all(|client| client.lines().last().is_some_and(|last| last == "close 76 restart"))
    );
}

#[tokio::test(start_paused = true)]
async fn with_little_time_sessions_end_evenly() {
    let node = Setup::default().memory();
    let clients = crowd(&node, 2000);
    let ended = by_second(&node, end_at(&node, 1, 10 * SECOND)).await;
    assert!((10..=11).contains(&ended.len()), "{ended:?}");
    assert!(ended[..9].iter().all(|count| (180..=220).contains(count)), "{ended:?}");
    assert!(clients.iter().all(|client| client.session.has_ended()));
}

#[tokio::test(start_paused = true)]
async fn without_time_all_end_at_once() {
    let node = Setup::default().memory();
    let clients = crowd(&node, 1000);
    let began = Instant::now();
    node.hub.drain.end_at_pace(node.hub.sessions.all(), AT_ONCE, &Disconnect::Restart).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == ["close 76 restart"]));
}

#[tokio::test(start_paused = true)]
async fn chosen_sessions_end_in_random_order() {
    let node = Setup::default().memory();
    let (chosen, others) = (crowd(&node, 400), crowd(&node, 10));
    let sessions = chosen.iter().map(|client| client.session.clone()).collect();
    let (hub, pace) = (node.hub.clone(), Pace { per_second: 100, within: 60 * SECOND });
    let ending =
        tokio::spawn(async move { hub.drain.end_at_pace(sessions, pace, &Disconnect::Restart).await });
    sleep(2 * SECOND).await;
    let early = |half: &[Client]| half.iter().filter(|client| client.session.has_ended()).count();
    let halves = [early(&chosen[..200]), early(&chosen[200..])];
    assert!(halves.iter().all(|count| (60..=140).contains(count)), "{halves:?}");
    let left = node.hub.metrics().closing.get();
    assert_eq!(left, 400 - (halves[0] + halves[1]) as i64);
    ending.await.unwrap();
    settle().await;
    assert_eq!((node.closed("restart"), node.hub.metrics().closing.get()), (400, 0));
    assert!(others.iter().all(|client| !client.session.has_ended()));
}

#[tokio::test(start_paused = true)]
async fn after_a_freeze_the_pace_is_kept() {
    let node = Setup::default().memory();
    let _clients = crowd(&node, 3000);
    let (hub, pace) = (node.hub.clone(), Pace { per_second: 100, within: 60 * SECOND });
    let ending =
        tokio::spawn(
            async move { hub.drain.end_at_pace(hub.sessions.all(), pace, &Disconnect::Restart).await },
        );
    sleep(SECOND).await;
    let before = node.closed("restart");
    advance(20 * SECOND).await;
    settle().await;
    let at_once = node.closed("restart") - before;
    assert!((1..=20).contains(&at_once), "{at_once}");
    ending.await.unwrap();
    settle().await;
    assert_eq!(node.closed("restart"), 3000);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_ended_themselves_cost_no_time() {
    let node = Setup::default().memory();
    let clients = crowd(&node, 1000);
    let hub = node.hub.clone();
    let pace = Pace { per_second: 10, within: 3600 * SECOND };
    let ending =
        tokio::spawn(
            async move { hub.drain.end_at_pace(hub.sessions.all(), pace, &Disconnect::Restart).await },
        );
    settle().await;
    clients[..980].iter().for_each(|client| client.end(&Disconnect::Lost));
    let told = node.closed("restart");
    sleep(SECOND).await;
    assert!(told < 10 && (5..=15).contains(&(node.closed("restart") - told)), "{told}");
    ending.abort();
    let _ = ending.await;
    assert_eq!(node.hub.metrics().closing.get(), 0);
    let told = node.closed("restart");
    sleep(10 * SECOND).await;
    assert_eq!(node.closed("restart"), told);
}

#[tokio::test(start_paused = true)]
async fn each_ends_behind_what_came_in_for_it() {
    let node = Setup::default().memory();
    let reader = node.client_in(&["a"]).await;
    let slow = node.client_on(Pipe::bounded(Framing::Newline, 3));
    slow.join(&["a"]).await;
    let sender = node.client_in(&["a"]).await;
    sender.say("pub a last").await;
    // No tick has run since: all messages are still in the shard's queue.
    assert!(reader.pipe.writes() == 0 && slow.pipe.writes() == 0);
    end_at(&node, 1, Duration::ZERO).await;
    assert_eq!(reader.lines(), ["a last", "close 76 restart"]);
    assert_eq!(sender.lines(), ["ok 1", "a last", "close 76 restart"]);
    slow.pipe.widen();
    settle().await;
    assert_eq!(slow.lines(), ["a last", "close 76 restart"]);
}

#[tokio::test(start_paused = true)]
async fn read_publishes_are_answered_before_the_goodbye() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a"]).await;
    client.say("pub a x").await;
    let ending = tokio::spawn({
        let hub = node.hub.clone();
        async move { hub.drain.end_at_pace(hub.sessions.all(), AT_ONCE, &Disconnect::Restart).await }
    });
    settle().await;
    ending.await.unwrap();
    // The same read had brought the publish of y.
    client.say("pub a y").await;
    assert_eq!(recorder.unanswered(), 2);
    let room = client.ready();
    assert!(timeout(SECOND, room).await.is_err(), "its socket is not read");
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(!client.session.has_ended());
    recorder.answer(0, Ok(()));
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "ok 2", "close 76 restart"]);
    let room = client.ready();
    assert!(timeout(SECOND, room).await.is_ok(), "its socket is read again, until the client is gone");
}

#[tokio::test(start_paused = true)]
async fn late_publishes_of_a_client_sent_away_count() {
    for reason in [Disconnect::Restart, Disconnect::Interrupted, Disconnect::Idle] {
        let limits = Limits { unanswered_publishes: 1, ..Limits::default() };
        let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
        let client = node.client_in(&["a"]).await;
        node.hub.goodbyes.end_after_answers(&client.session, reason).await;
        settle().await;
        assert_eq!(client.lines().len(), 1, "the goodbye");
        client.say("pub a x").await;
        assert_eq!(recorder.unanswered(), 1);
        let room = client.ready();
        assert!(timeout(SECOND, room).await.is_err(), "a flooder fills its share, and no more");
        recorder.answer(0, Err(PublishError::Unknown));
        assert_eq!(node.count("fanfare_publishes_untold_total", &[]), 1, "it heard something else already");
        sleep(Limits::default().goodbye).await;
        client.say("pub a late").await;
        assert_eq!(recorder.unanswered(), 0);
        assert!(client.pipe.is_aborted() && client.lines().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_at_fault_publishes_nothing_more() {
    for reason in [Disconnect::Slow, Disconnect::Expired, Disconnect::BadRequest("no".into())] {
        let (node, recorder) = Setup::default().recorded();
        let client = node.client();
        client.end(&reason);
        client.say("pub a x").await;
        assert_eq!(recorder.unanswered(), 0, "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_answer_delays_one_goodbye() {
    let (node, _recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    end_at(&node, 1, Duration::ZERO).await;
    assert!(!client.session.has_ended());
    sleep(Limits::default().goodbye).await;
    until(|| client.session.has_ended()).await;
    assert_eq!(client.lines(), ["close 76 restart"]);
}

#[tokio::test(start_paused = true)]
async fn two_tasks_wait_for_the_same_answers() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    let end = |disconnect| node.hub.goodbyes.end_after_answers(&client.session, disconnect);
    let answered = Instant::now() + SECOND;
    tokio::join!(end(Disconnect::ByClient(Some(5))), end(Disconnect::Restart), async {
        sleep(SECOND).await;
        recorder.answer(0, Ok(()));
    });
    assert_eq!(Instant::now(), answered, "both were woken by the answer");
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "close 5 bye"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_newcomers_too() {
    let node = Setup::default().memory();
    let early = crowd(&node, 100);
    let hub = node.hub.clone();
    let pace = Pace { per_second: 10, within: 60 * SECOND };
    let draining = tokio::spawn(async move { hub.drain.send_all_away(pace, &Disconnect::Restart).await });
    sleep(SECOND).await;
    let late = crowd(&node, 3);
    ends(draining).await.unwrap();
    for client in early.iter().chain(&late) {
        assert_eq!(client.lines(), ["close 76 restart"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_handshake_under_way() {
    let node = Setup::default().memory();
    let handshake = node.hub.sessions.handshake();
    let hub = node.hub.clone();
    let draining = tokio::spawn(async move { hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart).await });
    sleep(60 * SECOND).await;
    assert!(!draining.is_finished());
    drop(handshake);
    ends(draining).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_client_of_a_handshake() {
    let node = Setup::default().memory();
    let handshake = node.hub.sessions.handshake();
    let hub = node.hub.clone();
    let draining = tokio::spawn(async move { hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart).await });
    sleep(SECOND).await;
    let late = node.client();
    // A task of its own reads it until the goodbye.
    let pipe = late.pipe.clone();
    node.hub.sessions.spawn(async move { pipe.ended().await });
    drop(handshake);
    ends(draining).await.unwrap();
    assert_eq!(late.lines(), ["close 76 restart"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_is_still_read() {
    let node = Setup::default().memory();
    let client = node.client();
    client.end(&Disconnect::Idle);
    node.hub.goodbyes.end_after_answers(&client.session, Disconnect::Restart).await;
    settle().await;
    let room = client.ready();
    assert!(timeout(SECOND, room).await.is_ok());
    assert_eq!(client.lines(), ["close 77 idle"]);
}
