//! The cost of presence: clients that join a channel and leave it, in a namespace with presence and in one without, in
//! turns.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::setup::present;
use crate::{
    connect,
    median::median,
    number::short,
    process::Cpu,
    servers::{Node, Redis},
    suite::stage::Stage,
    table::Table,
};

/// The clients.
pub(super) const CLIENTS: usize = 1_000;

/// The time after the last client left, until Redis has the last change. The grace of presence is shorter.
const REST: Duration = Duration::from_secs(1);

/// The node's count of clients in channels with presence.
const ENTRIES: &str = "fanfare_presence_entries ";

const PATHS: [&str; 2] = ["/ws/present:churn", "/ws/churn"];

/// The CPU of node and Redis per client, in microseconds.
type Costs = [f64; 2];

pub(super) async fn measure(stage: &Stage, grid: &mut Table) -> anyhow::Result<Value> {
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let node = stage.node(present(&redis, core)).await?;
    let mut rounds: [Vec<Costs>; 2] = Default::default();
    // The first round warms the server up.
    for round in 0..=stage.rounds {
        eprintln!("join and leave, round {round}/{}", stage.rounds);
        for (path, costs) in PATHS.into_iter().zip(&mut rounds) {
            let cost = churn(&node, &redis, path).await?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    node.stop().await?;
    let [with, without] = &rounds;
    for (name, costs) in [("join and leave", without), ("join and leave with presence", with)] {
        let of =
            |costs: &[Costs], of: fn(&Costs) -> f64| format!("{} µs", short(median(costs.iter().map(of))));
        let (node, redis) = (of(costs, |[node, _]| *node), of(costs, |[_, redis]| *redis));
        grid.row([name.to_owned(), node, redis, String::new(), String::new()]);
    }
    Ok(json!({ "with": with, "without": without }))
}

/// Lets all clients join and leave.
async fn churn(node: &Node, redis: &Redis, path: &str) -> anyhow::Result<Costs> {
    let target = node.target(path)?;
    let is_tracked = path.contains(':');
    let pids = [node.pid()?, redis.pid()?];
    let before = [Cpu::of(pids[0])?, Cpu::of(pids[1])?];
    let clients = connect::all(std::iter::repeat_n(&target, CLIENTS)).await?;
    let joined = node.metrics().value(ENTRIES).await?;
    drop(clients);
    sleep(REST).await;
    let [of_node, of_redis] = [Cpu::of(pids[0])? - before[0], Cpu::of(pids[1])? - before[1]];
    let left = node.metrics().value(ENTRIES).await?;
    let expected = if is_tracked { CLIENTS as u64 } else { 0 };
    ensure!((joined, left) == (expected, 0), "{joined} clients are present, and {left} after they left");
    Ok([of_node, of_redis].map(|cpu| cpu.per(CLIENTS as u64).total))
}
