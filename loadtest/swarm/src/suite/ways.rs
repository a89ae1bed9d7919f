//! Several ways to subscribe, compared: CPU per delivery, each way on a server of its own, in turns.

use super::stage::{BYTES, Stage};
use crate::{
    client::Manner,
    connect,
    fanout::{ClosedLoop, Figures, Load, Until},
    median::median,
    number::short,
    servers::{Node, Setup},
};

/// Deliveries in a round, where one message is in flight.
const DELIVERIES: u64 = 300_000;

/// A server with its clients.
struct Running {
    node: Node,
    clients: ClosedLoop,
    rounds: Vec<Figures>,
}

/// The rounds of each way.
pub(super) async fn deliveries(
    stage: &Stage,
    manners: &[Manner],
    subscribers: usize,
    in_flight: usize,
) -> anyhow::Result<Vec<Vec<Figures>>> {
    let mut running = Vec::new();
    for manner in manners {
        let node = stage.node(Setup::default()).await?;
        let target = node.target_in("/ws/ways", manner.clone())?;
        let clients = ClosedLoop::start(connect::members(&target, subscribers).await?, BYTES)?;
        running.push(Running { node, clients, rounds: Vec::new() });
    }
    let messages = DELIVERIES * in_flight as u64 / subscribers as u64;
    let load = |messages| Load { in_flight, until: Until::Messages(messages), pace: None };
    for way in &mut running {
        way.clients.run(way.node.pid()?, load(messages / 5)).await?;
    }
    for round in 1..=stage.rounds {
        eprintln!("{subscribers} subscribers, {in_flight} in flight, round {round}/{}", stage.rounds);
        for way in &mut running {
            way.rounds.push(way.clients.run(way.node.pid()?, load(messages)).await?);
        }
    }
    Ok(running.into_iter().map(|way| way.rounds).collect())
}

/// The CPU per delivery.
pub(super) fn total(rounds: &[Figures]) -> f64 {
    median(rounds.iter().map(|figures| figures.cpu.total))
}

/// The ratio of a way to another.
pub(super) fn ratio(way: &[Figures], other: &[Figures]) -> f64 {
    median(way.iter().zip(other).map(|(way, other)| way.cpu.total / other.cpu.total))
}

/// A row of a table: these cells, the CPU per delivery, and the ratio.
pub(super) fn row(names: &[String], rounds: &[Figures], ratio: f64) -> Vec<String> {
    let us = |of: fn(&Figures) -> f64| format!("{} µs", short(median(rounds.iter().map(of))));
    let cpu = [
        us(|figures| figures.cpu.total),
        us(|figures| figures.cpu.user),
        us(|figures| figures.cpu.system),
        format!("{ratio:.2} ×"),
    ];
    [names, &cpu].concat()
}
