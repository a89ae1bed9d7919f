//! Many clients that come back at once to one channel, each some messages behind, beside the same storm without recovery.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    recoveries,
    setup::{BEHIND, READS, setup},
};
use crate::{
    connection_pool::origin::Origin,
    number::short,
    process::Cpu,
    servers::Redis,
    storm,
    suite::{
        budget::{Budget, Judged},
        stage::Stage,
    },
    table::Table,
};

/// The clients.
pub(super) const CLIENTS: usize = 10_000;

/// The time after the last 101 until all messages are written.
const REST: Duration = Duration::from_secs(5);

const CHANNEL: &str = "kept:herd";

/// The node's count of deliveries.
const DELIVERIES: &str = "fanfare_deliveries_total";

pub(super) async fn measure(stage: &Stage, grid: &mut Table) -> anyhow::Result<(Value, Vec<Judged>)> {
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let node = stage.node(setup(&redis, core.clone())).await?;
    let starts = recoveries::fill(&node, &[CHANNEL.to_owned()]).await?;
    let start = starts.first().context("a channel has a position")?;
    node.stop().await?;

    let (mut all, mut judged) = (Vec::new(), Vec::new());
    for (name, since) in [("10,000 come at once", None), ("10,000 come back at once", Some(start))] {
        eprintln!("{name}");
        let node = stage.node(setup(&redis, core.clone())).await?;
        let target = node.target(&format!("/ws/{CHANNEL}"))?;
        let plan = storm::Plan {
            origin: Origin::new(stage.swarm.clone()),
            pids: vec![node.pid()?],
            connections: CLIENTS,
            at_once: CLIENTS,
            rest: REST,
        };
        let before = (Cpu::of(node.pid()?)?, Cpu::of(redis.pid()?)?);
        let figures =
            storm::run(&[since.map_or_else(|| target.clone(), |since| target.since(since))], &plan).await?;
        let [of_node, of_redis] = [Cpu::of(node.pid()?)? - before.0, Cpu::of(redis.pid()?)? - before.1]
            .map(|cpu| cpu.per(CLIENTS as u64).total);
        let (reads, deliveries) =
            (node.metrics().value(READS).await?, node.metrics().value(DELIVERIES).await?);
        node.stop().await?;
        let us = |value: f64| format!("{} µs", short(value));
        grid.row([
            name.to_owned(),
            us(of_node),
            us(of_redis),
            reads.to_string(),
            format!("{} s", short(figures.seconds)),
        ]);
        if since.is_some() {
            let missing = (figures.connected * BEHIND).saturating_sub(deliveries) as f64;
            let failed = figures.failures.values().sum::<u64>() as f64;
            judged = vec![
                Judged::bound(
                    "history reads for 10,000 that come back",
                    "",
                    reads as f64,
                    Budget::AtMost(1.0),
                ),
                Judged::bound("clients that do not come back", "", failed, Budget::AtMost(0.0)),
                Judged::bound("messages that they did not get", "", missing, Budget::AtMost(0.0)),
            ];
        }
        all.push(json!({
            "name": name, "node": of_node, "redis": of_redis, "reads": reads, "deliveries": deliveries,
            "storm": figures,
        }));
    }
    Ok((json!(all), judged))
}
