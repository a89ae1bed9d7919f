//! Many idle connections on several nodes: held, then closed by a drain at a pace.

use std::{collections::BTreeMap, fmt, path::PathBuf, process::ExitStatus, time::Duration};

use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    client::Target,
    clock::Moment,
    connection_pool::origin::Origin,
    idle::{self, Ends, IdlePool},
    number::mib,
    process::{Cpu, Memory, MemoryPer},
    servers::{Node, Redis, Setup},
};

/// From the signal until the first close: by then every process has let its connections end.
const GRACE: Duration = Duration::from_secs(2);

/// The time for the last clients and for the node's own end; and again as much for a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// The close code that every client gets (IANA's registry: service restart).
const RESTART: &str = " 1012 ";

/// The plan of a drain.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `fanfare` program.
    pub server: PathBuf,
    /// This crate's program.
    pub swarm: PathBuf,
    /// Connections, over all nodes.
    pub connections: usize,
    /// Nodes.
    pub nodes: usize,
    /// The time to hold the connections.
    pub hold: Duration,
    /// Connections that each node closes in a second.
    pub pace: u32,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Connections that were opened.
    pub connections: usize,
    /// Nodes.
    pub nodes: usize,
    /// The time to open them, in seconds.
    pub opened_within: f64,
    /// The nodes' memory for each connection, in bytes.
    pub per_connection: MemoryPer,
    /// The nodes' memory, with all connections.
    pub memory: Memory,
    /// The time for which they were held, in seconds.
    pub held: f64,
    /// Connections that the nodes counted after that time.
    pub counted: u64,
    /// The nodes' CPU in that time, in cores.
    pub cores: f64,
    /// The configured pace of all nodes together, in connections a second.
    pub pace: f64,
    /// The most closes in any second.
    pub most_in_a_second: u64,
    /// From the signal until the first close, in seconds.
    pub first_close: f64,
    /// From the signal until the last close, in seconds.
    pub last_close: f64,
    /// Closes, by reason.
    pub ends: BTreeMap<String, u64>,
    /// From the signal until the last node had ended, in seconds.
    pub ended_within: f64,
    /// The longest time for that (drain.timeout), in seconds.
    pub timeout: f64,
    /// The faults, a sentence each.
    pub wrong: Vec<String>,
}

/// Opens, holds, and drains.
///
/// # Errors
/// A server does not start, a connection fails or ends before its time, or a node does not end.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let redis = Redis::start(None).await?;
    let mut nodes = Vec::new();
    for number in 1..=plan.nodes {
        let setup = Setup { name: Some(format!("node{number}")), toml: plan.toml(), ..redis.setup(None) };
        nodes.push(Node::set_up(&plan.server, setup).await?);
    }
    let targets: Vec<Target> =
        nodes.iter().map(|node| node.target("/ws/idle")).collect::<anyhow::Result<_>>()?;
    let pids: Vec<u32> = nodes.iter().map(Node::pid).collect::<anyhow::Result<_>>()?;

    let (empty, began) = (Memory::of_all(&pids)?, Instant::now());
    let mut pool = IdlePool::open(&targets, &plan.idle(&pids)).await?;
    let opened_within = began.elapsed().as_secs_f64();
    pool.hold(idle::REST).await?;
    let cpu = Cpu::of_all(&pids)?;
    pool.hold(plan.hold).await?;
    let cores = (Cpu::of_all(&pids)? - cpu).share_of(plan.hold);
    let memory = Memory::of_all(&pids)?;
    let mut counted = 0;
    for node in &nodes {
        counted += node.metrics().value(CONNECTIONS).await?;
    }

    let told = Instant::now();
    pool.release(Moment::now()).await?;
    nodes.iter().try_for_each(Node::terminate)?;
    let exits = try_join_all(nodes.iter_mut().map(|node| node.exit(plan.timeout() + SLACK)));
    let (ends, exits) = tokio::try_join!(pool.ended(), exits)?;
    let mut figures = Figures {
        connections: plan.connections,
        nodes: plan.nodes,
        opened_within,
        per_connection: memory.grown_per(empty, plan.connections),
        memory,
        held: plan.hold.as_secs_f64(),
        counted,
        cores,
        pace: f64::from(plan.pace) * plan.nodes as f64,
        most_in_a_second: most_in_a_second(&ends.tenths),
        first_close: ends.tenths.keys().next().map_or(0.0, |tenth| *tenth as f64 / 10.0),
        last_close: ends.tenths.keys().next_back().map_or(0.0, |tenth| *tenth as f64 / 10.0),
        ends: BTreeMap::new(),
        ended_within: told.elapsed().as_secs_f64(),
        timeout: plan.timeout().as_secs_f64(),
        wrong: Vec::new(),
    };
    figures.judge(ends, &exits);
    Ok(figures)
}

/// The node's count of connections.
const CONNECTIONS: &str = "fanfare_connections{dialect=\"relay\",transport=\"websocket\"}";

impl Plan {
    /// More time than the pace needs, so that the pace decides.
    fn timeout(&self) -> Duration {
        let closing = self.connections as f64 / self.nodes as f64 / f64::from(self.pace);
        GRACE + SLACK + Duration::from_secs((1.25 * closing).ceil() as u64)
    }

    fn toml(&self) -> String {
        let (rate, timeout, grace) = (self.pace, self.timeout().as_secs(), GRACE.as_secs());
        format!("[drain]\nrate = {rate}\ntimeout = \"{timeout}s\"\ngrace = \"{grace}s\"\n")
    }

    fn idle(&self, pids: &[u32]) -> idle::Plan {
        idle::Plan {
            origin: Origin::new(self.swarm.clone()),
            pids: pids.to_vec(),
            connections: self.connections,
            rest: idle::REST,
            watch: self.hold,
        }
    }
}

/// The highest count in ten consecutive tenths.
fn most_in_a_second(tenths: &BTreeMap<u64, u64>) -> u64 {
    tenths
        .keys()
        .map(|first| tenths.range(first..&(first + 10)).map(|(_, count)| count).sum())
        .max()
        .unwrap_or(0)
}

impl Figures {
    /// Whether the run has no fault.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.wrong.is_empty()
    }

    fn judge(&mut self, ends: Ends, exits: &[ExitStatus]) {
        self.ends = ends.kinds;
        if self.counted != self.connections as u64 {
            self.wrong.push(format!("the nodes counted {} connections", self.counted));
        }
        let others: u64 =
            self.ends.iter().filter(|(kind, _)| !kind.contains(RESTART)).map(|(_, count)| count).sum();
        if others > 0 {
            self.wrong.push(format!("{others} connections did not end by the close code of a restart"));
        }
        for status in exits.iter().filter(|status| !status.success()) {
            self.wrong.push(format!("a node ended with {status}"));
        }
        if self.ended_within >= self.timeout {
            self.wrong.push("drain.timeout was over".to_owned());
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, nodes, opened_within, per_connection, memory, held, counted, cores, .. } =
            self;
        writeln!(
            out,
            "{connections} idle connections on {nodes} nodes, opened within {opened_within:.1} s:"
        )?;
        writeln!(
            out,
            "  user memory of all nodes: {}, {:.0} B a connection",
            mib(memory.private_dirty),
            per_connection.private_dirty
        )?;
        writeln!(
            out,
            "  held for {held:.0} s: {counted} connected after it; CPU of all nodes {cores:.3} cores"
        )?;
        writeln!(
            out,
            "  told to end: first close after {:.1} s, last after {:.1} s; at most {} in a second at a pace of {:.0}; \
             all nodes had ended after {:.1} s of {:.0}",
            self.first_close,
            self.last_close,
            self.most_in_a_second,
            self.pace,
            self.ended_within,
            self.timeout
        )?;
        self.ends.iter().try_for_each(|(kind, count)| writeln!(out, "  {count} × {kind}"))?;
        if self.is_right() {
            return writeln!(out, "RIGHT: every client stayed until the drain closed it");
        }
        self.wrong.iter().try_for_each(|what| writeln!(out, "WRONG: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_exceeds_the_pace() {
        let plan = |connections| Plan {
            server: PathBuf::new(),
            swarm: PathBuf::new(),
            connections,
            nodes: 5,
            hold: Duration::ZERO,
            pace: 100,
        };
        assert_eq!(plan(5_000).timeout(), Duration::from_secs(35));
        assert!(plan(1).toml().contains("timeout = \"23s\""), "{}", plan(1).toml());
    }

    #[test]
    fn a_second_begins_at_any_tenth() {
        let tenths = BTreeMap::from([(0, 5), (9, 5), (10, 7), (19, 1), (25, 1)]);
        assert_eq!(most_in_a_second(&tenths), 12);
        assert_eq!(most_in_a_second(&BTreeMap::new()), 0);
    }
}
