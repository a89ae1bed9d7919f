//! The memory of a channel's history: of the node, which keeps its newest messages, and of Redis.

use anyhow::ensure;
use serde_json::{Value, json};

use super::setup::{publish, setup};
use crate::{
    connection_pool::origin::Origin,
    idle::{IdlePool, Plan, REST},
    number::short,
    process::{Memory, MemoryPer},
    servers::Redis,
    suite::stage::Stage,
    table::Table,
};

/// The channels, with a client each.
pub(super) const CHANNELS: usize = 10_000;

/// The messages of each channel.
pub(super) const MESSAGES: usize = 10;

/// The most channels of a broadcast.
const AT_ONCE: usize = 1_000;

/// The node's count of bytes that it keeps.
const TAILS: &str = "fanfare_history_tail_bytes ";

/// The memory of a server for each channel, in bytes.
#[derive(Debug, Clone, Copy)]
struct Grown {
    /// With its client.
    joined: MemoryPer,
    /// After its messages.
    published: MemoryPer,
}

/// Both servers.
#[derive(Debug)]
struct Found {
    node: Grown,
    redis: Grown,
    /// The bytes that the node counts.
    tails: u64,
}

/// A figure of a server without history, and of the same with history.
type Figure = fn(Grown, Grown) -> f64;

pub(super) async fn measure(stage: &Stage, grid: &mut Table) -> anyhow::Result<Value> {
    let (without, with) = (grow(stage, "plain").await?, grow(stage, "kept:plain").await?);
    ensure!(with.tails > 0, "the node keeps nothing");
    let rows: [(_, Figure); 4] = [
        ("memory of a client in its channel".to_owned(), |without, _| without.joined.private_dirty),
        ("memory of an empty history".to_owned(), |without, with| {
            with.joined.private_dirty - without.joined.private_dirty
        }),
        (format!("memory of a history of {MESSAGES} messages"), |without, with| {
            with.published.private_dirty - without.published.private_dirty
        }),
        ("memory of each of these messages".to_owned(), |without, with| {
            (with.messages() - without.messages()) / MESSAGES as f64
        }),
    ];
    for (name, of) in rows {
        let bytes = |without, with| format!("{} B", short(of(without, with)));
        let (node, redis) = (bytes(without.node, with.node), bytes(without.redis, with.redis));
        grid.row([name, node, redis, String::new(), String::new()]);
    }
    Ok(json!({ "without": without.raw(), "with": with.raw() }))
}

/// Lets a client join each channel, and publishes.
async fn grow(stage: &Stage, name: &str) -> anyhow::Result<Found> {
    eprintln!("{CHANNELS} channels: {name}");
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let node = stage.node(setup(&redis, core)).await?;
    let names: Vec<String> = (0..CHANNELS).map(|number| format!("{name}-{number}")).collect();
    let target = node.target(&format!("/ws/{name}"))?;
    let targets: Vec<_> = (0..CHANNELS).map(|number| target.numbered(number)).collect();
    let memory = || Ok::<_, anyhow::Error>((Memory::of(node.pid()?)?, Memory::of(redis.pid()?)?));

    let before = memory()?;
    let plan = Plan::of_memory(Origin::new(stage.swarm.clone()), node.pid()?, CHANNELS);
    let mut clients = IdlePool::open(&targets, &plan).await?;
    clients.hold(REST).await?;
    let joined = memory()?;
    for names in names.chunks(AT_ONCE) {
        publish(&node, names, MESSAGES as u64).await?;
    }
    clients.hold(REST).await?;
    let published = memory()?;
    let tails = node.metrics().value(TAILS).await?;
    drop(clients);
    node.stop().await?;
    let grown = |before: Memory, joined: Memory, published: Memory| Grown {
        joined: joined.grown_per(before, CHANNELS),
        published: published.grown_per(before, CHANNELS),
    };
    Ok(Found {
        node: grown(before.0, joined.0, published.0),
        redis: grown(before.1, joined.1, published.1),
        tails,
    })
}

impl Grown {
    /// The growth with the messages.
    fn messages(self) -> f64 {
        self.published.private_dirty - self.joined.private_dirty
    }

    fn raw(self) -> Value {
        json!({ "joined": self.joined, "published": self.published })
    }
}

impl Found {
    fn raw(&self) -> Value {
        json!({ "node": self.node.raw(), "redis": self.redis.raw(), "tail_bytes": self.tails })
    }
}
