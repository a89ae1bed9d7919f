//! The result.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{plan::Plan, worker::Part};
use crate::{
    clock::Moment,
    latency::{Latencies, Latency},
    number::figure,
    process::{Cpu, CpuPer, Memory, MemoryPer},
    table::Table,
};

/// The cost of a storm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Clients that tried.
    pub connections: usize,
    /// Connections that were opening at the same time.
    pub at_once: usize,
    /// Clients that connected.
    pub connected: u64,
    /// Clients that did not, by kind of failure.
    pub failures: BTreeMap<String, u64>,
    /// From the beginning until the last client was connected.
    pub seconds: f64,
    /// From the beginning of a connection until its 101, in microseconds.
    pub latency: Latency,
    /// The servers' CPU per connection, in microseconds: accept, upgrade, subscribe.
    pub cpu: CpuPer,
    /// The load generator's own CPU per connection.
    pub swarm_cpu: CpuPer,
    /// The servers' memory before.
    pub before: Memory,
    /// The memory that each connection added, right after the last connection, in bytes.
    pub right_after: MemoryPer,
    /// The same after the rest.
    pub rested: MemoryPer,
    /// The rest, in seconds.
    pub rest: f64,
}

impl Figures {
    pub(super) fn new(
        plan: &Plan,
        begin: Moment,
        cpu: [Cpu; 2],
        memory: [Memory; 3],
        parts: &[Part],
    ) -> Self {
        let mut latencies = Latencies::default();
        let mut failures = BTreeMap::new();
        for part in parts {
            latencies.merge(&part.latencies);
            for (kind, count) in &part.failures {
                *failures.entry(kind.clone()).or_default() += count;
            }
        }
        let connected = latencies.count();
        let [cpu, swarm_cpu] = cpu.map(|cpu| cpu.per(connected));
        let [before, then, rested] = memory;
        let grown = |memory: Memory| memory.grown_per(before, usize::try_from(connected).unwrap_or(1));
        Self {
            connections: plan.connections,
            at_once: plan.at_once,
            connected,
            failures,
            seconds: parts.iter().map(|part| part.last.since(begin)).max().unwrap_or_default().as_secs_f64(),
            latency: latencies.summary(),
            cpu,
            swarm_cpu,
            before,
            right_after: grown(then),
            rested: grown(rested),
            rest: plan.rest.as_secs_f64(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, at_once, connected, failures, seconds, latency, rest, .. } = self;
        writeln!(out, "{connections} clients connect, up to {at_once} at once:")?;
        writeln!(out, "  {connected} connected within {seconds:.2} s; {latency}")?;
        failures.iter().try_for_each(|(kind, count)| writeln!(out, "  {count} failed: {kind}"))?;
        let mut table = Table::new(["CPU per connection", "total", "user", "system"]);
        for (name, cpu) in [("server", self.cpu), ("load generator", self.swarm_cpu)] {
            let us = |value| figure(value, 1, "µs");
            table.row([name.to_owned(), us(cpu.total), us(cpu.user), us(cpu.system)]);
        }
        write!(out, "{table}")?;
        writeln!(
            out,
            "  user memory per connection: {} right after, {} after {rest:.0} s",
            figure(self.right_after.private_dirty, 0, "B"),
            figure(self.rested.private_dirty, 0, "B")
        )
    }
}
