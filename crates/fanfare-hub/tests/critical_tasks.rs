//! A shard whose task has died is noticed: the node must not only look alive.

use fanfare_core::{Payload, Publish};

use crate::support::{Setup, channel, ends, settle};

#[tokio::test(start_paused = true)]
async fn a_dead_tick_is_reported() {
    let node = Setup { shards: 4, ..Setup::default() }.memory();
    let client = node.client_in(&["a"]).await;
    node.publish("a", "before").await.unwrap();
    settle().await;
    assert_eq!(client.lines(), ["a before"]);
    let failed = node.hub.failed();
    tokio::pin!(failed);
    assert!(is_pending(failed.as_mut()).await, "nothing has failed yet");
    // The tests' dialect panics at bytes that are not text, in the tick that encodes them.
    let no_text = Payload::binary(&b"\xff"[..]);
    node.hub.publisher.publish_from_server(Publish::new(channel("a"), no_text), None, false).await.unwrap();
    ends(failed).await;
}

async fn is_pending(future: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(std::time::Duration::from_secs(60), future).await.is_err()
}
