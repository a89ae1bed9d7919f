//! Many idle connections on several nodes, held and then sent away at a pace.

use std::{collections::BTreeMap, fmt, path::PathBuf, process::ExitStatus, time::Duration};

use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    bench::node::{Node, Setup},
    client::Target,
    clock::Moment,
    idle::{self, Crowd, Ends},
    output::mib,
    process::{Cpu, Memory, MemoryPer},
    suite::stage::Redis,
};

/// From the signal until the first is sent away: every process has heard by then that they may go.
const GRACE: Duration = Duration::from_secs(2);

/// For the last clients, and what a node does behind them; and again as much for a machine that is busy.
const SLACK: Duration = Duration::from_secs(20);

/// What every client is told (IANA's registry of close codes: service restart).
const RESTART: &str = " 1012 ";

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `fanfare`.
    pub server: PathBuf,
    /// This crate's program.
    pub swarm: PathBuf,
    /// Connections, over all nodes.
    pub connections: usize,
    /// Nodes.
    pub nodes: usize,
    /// How long the connections are held.
    pub hold: Duration,
    /// How many each node sends away in a second.
    pub pace: u32,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Connections that were opened.
    pub connections: usize,
    /// Nodes.
    pub nodes: usize,
    /// How long opening took, in seconds.
    pub opened_within: f64,
    /// The nodes' memory for each connection, in bytes.
    pub per_connection: MemoryPer,
    /// The nodes' memory, with all of them.
    pub memory: Memory,
    /// How long they were held, in seconds.
    pub held: f64,
    /// What the nodes counted as connected behind that.
    pub counted: u64,
    /// The nodes' CPU meanwhile, in cores.
    pub cores: f64,
    /// The pace that was set, of all nodes together, in connections a second.
    pub pace: f64,
    /// The most that were closed in any second.
    pub most_in_a_second: u64,
    /// From the signal until the first close, in seconds.
    pub first_close: f64,
    /// From the signal until the last close, in seconds.
    pub last_close: f64,
    /// Closes, by what was said.
    pub ends: BTreeMap<String, u64>,
    /// From the signal until the last node had ended, in seconds.
    pub ended_within: f64,
    /// How long that may have taken (drain.timeout), in seconds.
    pub timeout: f64,
    /// What is wrong, a sentence each.
    pub wrong: Vec<String>,
}

/// Opens, holds, and drains.
///
/// # Errors
/// Something does not start, a connection fails or ends before its time, or a node does not end.
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
    let mut crowd = Crowd::open(&targets, &plan.crowd(&pids)).await?;
    let opened_within = began.elapsed().as_secs_f64();
    crowd.stays(idle::REST).await?;
    let cpu = Cpu::of_all(&pids)?;
    crowd.stays(plan.hold).await?;
    let cores = (Cpu::of_all(&pids)? - cpu).share_of(plan.hold);
    let memory = Memory::of_all(&pids)?;
    let mut counted = 0;
    for node in &nodes {
        counted += node.metrics().value(CONNECTIONS).await?;
    }

    let told = Instant::now();
    crowd.may_go(Moment::now()).await?;
    nodes.iter().try_for_each(Node::terminate)?;
    let exits = try_join_all(nodes.iter_mut().map(|node| node.exit(plan.timeout() + SLACK)));
    let (ends, exits) = tokio::try_join!(crowd.gone(), exits)?;
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

/// What a node counts.
const CONNECTIONS: &str = "fanfare_connections{dialect=\"relay\"}";

impl Plan {
    /// More time than the pace needs, so that it is the pace that counts.
    fn timeout(&self) -> Duration {
        let closing = self.connections as f64 / self.nodes as f64 / f64::from(self.pace);
        GRACE + SLACK + Duration::from_secs((1.25 * closing).ceil() as u64)
    }

    fn toml(&self) -> String {
        let (rate, timeout, grace) = (self.pace, self.timeout().as_secs(), GRACE.as_secs());
        format!("[drain]\nrate = {rate}\ntimeout = \"{timeout}s\"\ngrace = \"{grace}s\"\n")
    }

    fn crowd(&self, pids: &[u32]) -> idle::Plan {
        idle::Plan {
            swarm: self.swarm.clone(),
            pids: pids.to_vec(),
            connections: self.connections,
            rest: idle::REST,
            watch: self.hold,
            processes: None,
            sources: Vec::new(),
        }
    }
}

/// The most in any ten tenths in a row.
fn most_in_a_second(tenths: &BTreeMap<u64, u64>) -> u64 {
    tenths
        .keys()
        .map(|first| tenths.range(first..&(first + 10)).map(|(_, count)| count).sum())
        .max()
        .unwrap_or(0)
}

impl Figures {
    /// Whether nothing is wrong.
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
            "  held for {held:.0} s: {counted} there behind it; CPU of all nodes {cores:.3} cores"
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
            return writeln!(out, "RIGHT: everybody stayed, and was sent away");
        }
        self.wrong.iter().try_for_each(|what| writeln!(out, "WRONG: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drain_has_more_time_than_its_pace_needs() {
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
