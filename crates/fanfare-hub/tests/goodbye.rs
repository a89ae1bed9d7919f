//! The time of a goodbye, and the messages that a client still gets before it.

use std::time::Duration;

use fanfare_core::{Disconnect, Limits};
use tokio::time::{Instant, sleep};

use crate::support::{AT_ONCE, Client, Framing, Node, Pipe, Setup, ends, settle};

/// Less than the time of any wait.
const BEFORE: Duration = Duration::from_millis(100);

fn goodbye() -> Duration {
    Limits::default().goodbye
}

/// A client that reads nothing, in a channel with a publication.
async fn deaf(node: &Node) -> Client {
    let client = node.client_on(Pipe::bounded(Framing::Newline, 1));
    client.join(&["a"]).await;
    node.publish("a", "hello").await.unwrap();
    settle().await;
    client
}

/// Reads a client's transport until it ends or the client has answered the goodbye, as a listener does.
fn serve(node: &Node, client: &Client) {
    let (hub, session, pipe) = (node.hub.clone(), client.session.clone(), client.pipe.clone());
    node.hub.sessions.spawn(async move {
        while !(pipe.is_over() || session.has_ended() && session.queued() == 0) {
            sleep(Duration::from_millis(1)).await;
        }
        hub.goodbyes.end(&session, &Disconnect::Lost);
        session.let_go();
    });
}

async fn aborted_after_the_goodbye(client: &Client) {
    sleep(goodbye() - BEFORE).await;
    assert!(!client.pipe.is_aborted());
    sleep(2 * BEFORE).await;
    assert!(client.pipe.is_aborted());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_aborted() {
    let node = Setup::default().memory();
    let client = deaf(&node).await;
    client.end(&Disconnect::Restart);
    aborted_after_the_goodbye(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closed_unread_is_aborted() {
    let node = Setup::default().memory();
    let client = deaf(&node).await;
    client.end(&Disconnect::ByClient(Some(5)));
    aborted_after_the_goodbye(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closed_and_reads_stays() {
    let node = Setup::default().memory();
    let client = deaf(&node).await;
    client.end(&Disconnect::ByClient(Some(5)));
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), ["a hello", "close 5 bye"]);
    assert_eq!(client.pipe.finished(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_go_is_aborted() {
    let node = Setup::default().memory();
    let client = node.client();
    client.end(&Disconnect::Restart);
    assert_eq!(client.lines(), ["close 76 restart"]);
    aborted_after_the_goodbye(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_sees_its_publish_before_the_goodbye() {
    let node = Setup::default().memory();
    let client = node.client_in(&["a"]).await;
    client.say("pub a hello").await;
    node.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(Some(5))).await;
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "a hello", "close 5 bye"]);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_waits_for_the_answers() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    client.say("pub a y").await;
    tokio::join!(node.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(None)), async {
        settle().await;
        recorder.answer(0, Ok(()));
        settle().await;
        assert!(!client.session.has_ended());
        recorder.answer(0, Ok(()));
    });
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "ok 2", "close 0 bye"]);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_does_not_wait_for_ever() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    node.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(None)).await;
    settle().await;
    assert_eq!(client.lines(), ["close 0 bye"]);
    recorder.answer(0, Ok(()));
    assert!(client.lines().is_empty(), "the answer came too late");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_readers() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    let clients = [node.client(), node.client(), node.client()];
    clients.iter().for_each(|client| serve(&node, client));
    let began = Instant::now();
    ends(node.hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart)).await;
    assert!(began.elapsed() <= BEFORE, "no client was waited for");
    assert!(clients.iter().all(|client| client.lines() == ["close 76 restart"]));
    assert_eq!(node.closed("restart"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_one_goodbye() {
    let node = Setup::default().memory();
    let (deaf, left, reads) = (deaf(&node).await, deaf(&node).await, node.client());
    [&deaf, &left, &reads].into_iter().for_each(|client| serve(&node, client));
    left.end(&Disconnect::ByClient(None));
    let began = Instant::now();
    ends(node.hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart)).await;
    assert!(began.elapsed() <= goodbye() + BEFORE);
    assert!(deaf.pipe.is_aborted() && left.pipe.is_aborted());
    assert_eq!(reads.lines(), ["close 76 restart"]);
}
