//! The cost of plain HTTP beside the WebSocket: a delivery down a stream, and the memory of a stream and of a poll that
//! waits. A message then reaches all of them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    budget::{Budget, Judged},
    case::Found,
    stage::{BYTES, Stage},
    ways::{deliveries, ratio, row, total},
};
use crate::{
    api::Api,
    chart::Chart,
    client::{Ended, Manner, Plain},
    clock::Moment,
    connection_pool::origin::Origin,
    idle::{self, IdlePool},
    number::short,
    process::Memory,
    servers::{Node, Setup},
    table::Table,
};

/// Subscribers and messages in flight. Both ways have their subscribers in this process.
const LOADS: [(usize, usize); 3] = [(1_000, 1), (1_000, 16), (9_900, 1)];

/// Streams, and polls, that are held, and the budget of each in bytes.
const HELD: usize = 10_000;
const HELD_BYTES: f64 = 4096.0;

/// The time for the processes of the clients to hear that connections may end.
const GRACE: Duration = Duration::from_secs(1);

const CHANNEL: &str = "kept:held";

/// A drain faster than the clients read. Polls need history.
const TOML: &str = "[drain]\nrate = 100000\n[[namespace]]\nname = \"kept\"\nhistory_size = 10\n";

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut grid =
        Table::new(["subscribers", "in flight", "", "µs/delivery", "user", "system", "to the WebSocket"]);
    let mut chart = Chart::new("CPU per delivery", "µs", ["WebSocket", "SSE"]);
    let mut raw = Vec::new();
    for (subscribers, in_flight) in LOADS {
        let manners = [Manner::default(), Manner::plain(Plain::Events)];
        let found = deliveries(stage, &manners, subscribers, in_flight).await?;
        let [websocket, sse] = found.as_slice() else { continue };
        for (name, way) in [("WebSocket", websocket), ("SSE", sse)] {
            let names = [short(subscribers as f64), in_flight.to_string(), name.to_owned()];
            grid.row(row(&names, way, ratio(way, websocket)));
        }
        chart.group(format!("{}, {in_flight}", short(subscribers as f64)), [total(websocket), total(sse)]);
        raw.push(json!({ "subscribers": subscribers, "in_flight": in_flight, "ways": found }));
    }
    let streams = held(stage, Kind::Streams).await?;
    let polls = held(stage, Kind::Polls).await?;
    let judged =
        [("stream of events", streams), ("poll that waits", polls)].into_iter().flat_map(|(name, found)| {
            let bytes = format!("user memory per {name}, of {}", short(HELD as f64));
            let missed = format!("{name}: not reached by one message, of {}", short(HELD as f64));
            [
                Judged::bound(bytes, "B", found.bytes, Budget::AtMost(HELD_BYTES)),
                Judged::bound(missed, "", found.missed as f64, Budget::AtMost(0.0)),
            ]
        });
    Ok(Found {
        title: "Plain HTTP",
        about: format!(
            "One channel, {BYTES} B, memory broker, closed loop: a relay client publishes a message when the one before it \
             has reached everybody, or with sixteen under way. The others are relay clients, or read Server-Sent Events \
             (`/sse`), on servers of their own, in turns, {} rounds: medians, the ratio that of the rounds' own ratios. \
             Memory as in the case `idle`, of {} streams, and of as many polls that wait, all in one channel with \
             history. Then one message is published: each poll is answered with it; the node drains, and each stream \
             ends behind it.",
            stage.rounds,
            short(HELD as f64),
        ),
        judged: judged.collect(),
        grid,
        charts: vec![chart],
        raw: json!({ "deliveries": raw, "streams": streams.bytes, "polls": polls.bytes }),
    })
}

/// The kind of answers that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Streams,
    Polls,
}

/// The memory of each answer, and the number of them that did not bring exactly the one message.
#[derive(Debug, Clone, Copy)]
struct Held {
    bytes: f64,
    missed: u64,
}

async fn held(stage: &Stage, kind: Kind) -> anyhow::Result<Held> {
    eprintln!("{HELD} {kind:?}");
    let node = stage.node(Setup { toml: TOML.to_owned(), ..Setup::default() }).await?;
    let plain = match kind {
        Kind::Streams => Plain::Events,
        Kind::Polls => Plain::Poll(cursor(&node).await?),
    };
    let plan = idle::Plan::of_memory(Origin::new(stage.swarm.clone()), node.pid()?, HELD);
    let target = node.target_in(&format!("/ws/{CHANNEL}"), Manner::plain(plain))?;
    let before = Memory::of_all(&plan.pids)?;
    let mut pool = IdlePool::open(std::slice::from_ref(&target), &plan).await?;
    pool.hold(plan.rest).await?;
    let bytes = Memory::of_all(&plan.pids)?.grown_per(before, HELD).private_dirty;
    pool.release(Moment::now()).await?;
    sleep(GRACE).await;
    let body = json!({ "channel": CHANNEL, "data": "to all" });
    let published = Api::new(target, None, idle::REST).call("publish", &body).await?;
    published.result::<Value>()?;
    if kind == Kind::Streams {
        sleep(GRACE).await;
        node.terminate()?;
    }
    let kinds = pool.ended().await?.kinds;
    let reached = kinds.get(&Ended::Answered(1).to_string()).copied().unwrap_or_default();
    eprintln!("{bytes:.0} B each; {kinds:?}");
    Ok(Held { bytes, missed: (HELD as u64).saturating_sub(reached) })
}

/// The cursor of a first poll.
async fn cursor(node: &Node) -> anyhow::Result<String> {
    let answer = node.get(&format!("/poll?channel={CHANNEL}")).await?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let body: Value = serde_json::from_str(body).with_context(|| answer.clone())?;
    let cursor = body.get("cursor").and_then(Value::as_str).unwrap_or_default();
    ensure!(!cursor.is_empty(), "no cursor: {answer}");
    Ok(cursor.to_owned())
}
