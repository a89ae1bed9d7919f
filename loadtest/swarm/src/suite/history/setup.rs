//! The node with history, and its messages.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::{
    api::Api,
    servers::{Node, Redis, Setup},
    suite::stage::BYTES,
};

/// The longest time for an answer, and for all messages.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The messages that a client that recovers is behind.
pub(super) const BEHIND: u64 = 100;

/// The namespace with history. It keeps what a client that recovers wants.
const KEPT: &str =
    "[[namespace]]\nname = \"kept\"\nhistory_size = 200\nhistory_ttl = \"1h\"\nhistory = \"anonymous\"\n";

/// The namespace with presence.
const PRESENT: &str =
    "[[namespace]]\nname = \"present\"\ntrack_presence = true\npresence_grace = \"100ms\"\n";

/// The node's count of history reads for clients that recover.
pub(super) const READS: &str = "fanfare_history_reads_total{purpose=\"recover\"}";

/// The setup of a node on this Redis, with a namespace that has history.
pub(super) fn setup(redis: &Redis, core: Option<String>) -> Setup {
    Setup { toml: KEPT.to_owned(), ..redis.setup(core) }
}

/// The setup of a node on this Redis, with a namespace that has presence.
pub(super) fn present(redis: &Redis, core: Option<String>) -> Setup {
    Setup { toml: PRESENT.to_owned(), ..redis.setup(core) }
}

/// Publishes to each of these channels: 1,000 at most.
pub(super) async fn publish(node: &Node, names: &[String], times: u64) -> anyhow::Result<()> {
    let mut api = Api::new(node.target("/")?, None, PATIENCE);
    for _ in 0..times {
        let message = json!({ "channels": names, "data": "x".repeat(BYTES) });
        let answer = api.call("broadcast", &message).await?;
        ensure!(answer.status == 200, "a broadcast was answered with {}", answer.status);
    }
    Ok(())
}

/// The channels of publishes, with one member each.
pub(super) const ROOMS: usize = 200;
