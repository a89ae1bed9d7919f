//! Clients that want the last messages of a channel each: of a node that was just started, then of its tails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::setup::{BEHIND, PATIENCE, READS, publish, setup};
use crate::{
    api::Api,
    client::Target,
    connect,
    number::short,
    position::Position,
    process::Cpu,
    servers::{Node, Redis},
    suite::stage::Stage,
    table::Table,
};

/// The clients, and their channels.
pub(super) const CLIENTS: usize = 1_000;

pub(super) async fn measure(stage: &Stage, grid: &mut Table) -> anyhow::Result<Value> {
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let node = stage.node(setup(&redis, core.clone())).await?;
    let names: Vec<String> = (0..CLIENTS).map(|number| format!("kept:one-{number}")).collect();
    let starts = fill(&node, &names).await?;
    node.stop().await?;

    let node = stage.node(setup(&redis, core)).await?;
    let targets: Vec<Target> = names
        .iter()
        .zip(&starts)
        .map(|(name, start)| Ok(node.target(&format!("/ws/{name}"))?.since(start)))
        .collect::<anyhow::Result<_>>()?;
    let (mut all, mut connections) = (Vec::new(), Vec::new());
    for name in ["recovery of 100 messages, from Redis", "recovery of 100 messages, from the tail"] {
        eprintln!("{name}");
        let reads = node.metrics().value(READS).await?;
        let before = (Instant::now(), Cpu::of(node.pid()?)?, Cpu::of(redis.pid()?)?);
        connections.push(recover(&targets).await?);
        let seconds = before.0.elapsed().as_secs_f64();
        let [of_node, of_redis] = [Cpu::of(node.pid()?)? - before.1, Cpu::of(redis.pid()?)? - before.2]
            .map(|cpu| cpu.per(CLIENTS as u64).total);
        let reads = node.metrics().value(READS).await? - reads;
        let us = |value: f64| format!("{} µs", short(value));
        grid.row([
            name.to_owned(),
            us(of_node),
            us(of_redis),
            reads.to_string(),
            format!("{} s for {CLIENTS}", short(seconds)),
        ]);
        all.push(
            json!({ "name": name, "node": of_node, "redis": of_redis, "reads": reads, "seconds": seconds }),
        );
    }
    node.stop().await?;
    Ok(json!(all))
}

/// Publishes to each of these channels. Returns the positions before that.
pub(super) async fn fill(node: &Node, names: &[String]) -> anyhow::Result<Vec<Position>> {
    let mut api = Api::new(node.target("/")?, None, PATIENCE);
    let mut starts = Vec::new();
    for name in names {
        starts.push(api.top(name).await?);
    }
    publish(node, names, BEHIND).await?;
    Ok(starts)
}

/// Connects all clients, and waits until each has its messages.
async fn recover(targets: &[Target]) -> anyhow::Result<JoinSet<()>> {
    let (heard, mut clients) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    for connection in connect::all(targets.iter()).await? {
        ensure!(connection.recovered() == Some(true), "a client was not recovered");
        let heard = heard.clone();
        let counting = connection.count(move || {
            heard.fetch_add(1, Ordering::Relaxed);
        });
        clients.spawn(async move { drop(counting.await) });
    }
    let (wanted, began) = (BEHIND * targets.len() as u64, Instant::now());
    while heard.load(Ordering::Relaxed) < wanted {
        ensure!(began.elapsed() < PATIENCE, "{} of {wanted} messages came", heard.load(Ordering::Relaxed));
        sleep(Duration::from_millis(1)).await;
    }
    Ok(clients)
}
