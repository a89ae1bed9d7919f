//! Who does not finish a message.

use std::time::Duration;

use fanfare_core::{Disconnect, Limits};
use tokio::time::{advance, sleep};

use crate::support::{Client, Node, Setup, settle};

fn limits() -> Limits {
    Limits { message_time: Duration::from_secs(10), unanswered_publishes: 1, ..Limits::default() }
}

async fn pass(node: &Node, client: &Client, seconds: u64) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        settle().await;
        // It answers pings, and gets messages.
        client.hub.heard(&client.session);
        node.publish("a", "hello").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_whole_in_time_ends_its_session_and_no_other() {
    let node = Setup { limits: limits(), ..Setup::default() }.memory();
    let [never, again, in_time] = [(); 3].map(|()| node.client());
    never.join(&["a"]).await;
    for client in [&never, &again, &in_time] {
        node.hub.began(&client.session);
    }
    pass(&node, &never, 9).await;
    node.hub.whole(&in_time.session);
    // Its first is whole, and the next one began.
    node.hub.began(&again.session);
    assert!(!never.session.has_ended());
    pass(&node, &never, 3).await;
    assert_eq!(never.lines().last().map(String::as_str), Some("close 81 too slow"));
    assert_eq!(node.closed("message_too_slow"), 1);
    assert_eq!(node.count("fanfare_limits_hit_total", &[("limit", "message_time")]), 1);
    assert!(!again.session.has_ended());
    pass(&node, &again, 9).await;
    assert!(again.session.has_ended() && !in_time.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn what_the_node_did_not_read_is_not_held_against_the_client() {
    let (node, recorder) = Setup { limits: limits(), ..Setup::default() }.recorded();
    let client = node.client();
    let seconds = async |seconds: u64| {
        for _ in 0..seconds {
            sleep(Duration::from_secs(1)).await;
            settle().await;
        }
    };
    client.say("pub a x").await;
    node.hub.began(&client.session);
    let (hub, session) = (node.hub.clone(), client.session.clone());
    let reader = tokio::spawn(std::future::poll_fn(move |cx| hub.poll_room(&session, cx)));
    seconds(60).await;
    assert!(!client.session.has_ended(), "its socket is not read");
    recorder.answer(0, Ok(()));
    reader.await.unwrap();
    seconds(9).await;
    advance(Duration::from_secs(3600)).await;
    settle().await;
    assert!(!client.session.has_ended(), "the node was frozen");
    seconds(4).await;
    assert!(client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn of_a_session_that_is_over_nothing_is_kept() {
    let node = Setup { limits: limits(), ..Setup::default() }.memory();
    let client = node.client();
    node.hub.began(&client.session);
    client.end(&Disconnect::Restart);
    sleep(Duration::from_secs(20)).await;
    assert_eq!((node.closed("restart"), node.closed("message_too_slow")), (1, 0));
}
