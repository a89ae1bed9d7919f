//! The result.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{faults::Faults, plan::Plan, worker::Part};
use crate::{
    clock::Moment,
    latency::{Latencies, Latency},
    number::{figure, mib},
    process::{Cpu, CpuPer, Memory},
    table::Table,
};

/// The figures of the measured part. Only faults count in the warm-up too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Channels.
    pub rooms: usize,
    /// Members of each channel.
    pub members: usize,
    /// Publishers of each channel.
    pub publishers: usize,
    /// Nodes.
    pub nodes: usize,
    /// Processes of the load generator.
    pub processes: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages a second that were due, in all channels.
    pub offered: f64,
    /// Messages that were due.
    pub messages: u64,
    /// Messages times members.
    pub expected: u64,
    /// Messages that members received.
    pub deliveries: u64,
    /// From the beginning until the last message came.
    pub seconds: f64,
    /// Deliveries a second over this time.
    pub rate: f64,
    /// The servers' CPU per delivery, in microseconds.
    pub cpu: CpuPer,
    /// The servers' CPU per message published, in microseconds.
    pub cpu_per_publish: CpuPer,
    /// The CPU of the processes beside them per delivery, in microseconds.
    pub beside_cpu: CpuPer,
    /// The load generator's own CPU per delivery, in microseconds.
    pub swarm_cpu: CpuPer,
    /// The servers' CPU over this time, in cores.
    pub cores: f64,
    /// From the moment that a message was due until each receipt, in microseconds.
    pub latency: Latency,
    /// From the moment that a message was due until the load generator sent it; a part of `latency`.
    pub lateness: Latency,
    /// The servers' memory before.
    pub memory_before: Memory,
    /// The servers' memory after.
    pub memory_after: Memory,
    /// The highest resident memory in between, in bytes.
    pub peak_rss: f64,
    /// Faults.
    #[serde(flatten)]
    pub faults: Faults,
}

/// CPU and memory of the measured part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) cpu: Cpu,
    pub(super) beside_cpu: Cpu,
    pub(super) swarm_cpu: Cpu,
    pub(super) memory_before: Memory,
    pub(super) memory_after: Memory,
    pub(super) peak_rss: f64,
}

impl Figures {
    pub(super) fn new(plan: &Plan, processes: usize, begin: Moment, used: &Used, parts: &[Part]) -> Self {
        let (mut latencies, mut lateness) = (Latencies::default(), Latencies::default());
        let mut faults = Faults::default();
        for part in parts {
            latencies.merge(&part.latencies);
            lateness.merge(&part.lateness);
            faults.merge(&part.faults);
        }
        let (layout, schedule) = (plan.layout, plan.schedule);
        let messages = schedule.messages(layout);
        let deliveries = parts.iter().map(|part| part.received).sum();
        let span = parts.iter().map(|part| part.last.since(begin)).max().unwrap_or_default();
        let seconds = span.max(schedule.measured).as_secs_f64();
        Self {
            rooms: layout.rooms,
            members: layout.members,
            publishers: layout.publishers,
            nodes: plan.targets.len(),
            processes,
            bytes: plan.bytes,
            offered: schedule.rate * layout.rooms as f64,
            messages,
            expected: messages * layout.members as u64,
            deliveries,
            seconds,
            rate: deliveries as f64 / seconds,
            cpu: used.cpu.per(deliveries),
            cpu_per_publish: used.cpu.per(messages),
            beside_cpu: used.beside_cpu.per(deliveries),
            swarm_cpu: used.swarm_cpu.per(deliveries),
            cores: used.cpu.share_of(span),
            latency: latencies.summary(),
            lateness: lateness.summary(),
            memory_before: used.memory_before,
            memory_after: used.memory_after,
            peak_rss: used.peak_rss,
            faults,
        }
    }

    /// Whether every member saw every message once and in order, and stayed connected.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.faults.count() == 0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, members, nodes, processes, bytes, offered, seconds, rate, .. } = self;
        writeln!(
            out,
            "{rooms} channels of {members} on {nodes} nodes, {bytes} B, {offered:.0} messages/s due in all, \
             from {processes} processes:"
        )?;
        let mut table = Table::new(["CPU", "total", "user", "system"]);
        for (name, cpu) in [
            ("server, per delivery", self.cpu),
            ("server, per publish", self.cpu_per_publish),
            ("beside it, per delivery", self.beside_cpu),
            ("load generator, per delivery", self.swarm_cpu),
        ] {
            let us = |value| figure(value, 3, "µs");
            table.row([name.to_owned(), us(cpu.total), us(cpu.user), us(cpu.system)]);
        }
        write!(out, "{table}")?;
        let share = self.swarm_cpu.total / self.cpu.total;
        writeln!(
            out,
            "  the load generator costs {} what the servers do; they used {}",
            figure(share, 2, "×"),
            figure(self.cores, 2, "cores")
        )?;
        writeln!(out, "  {rate:.0} deliveries/s over {seconds:.1} s")?;
        writeln!(out, "  latency from when a message was due: {}", self.latency)?;
        writeln!(out, "    of it until the load generator sent it: {}", self.lateness)?;
        writeln!(
            out,
            "  resident memory {} before, {} at most, {} after",
            mib(self.memory_before.rss),
            mib(self.peak_rss),
            mib(self.memory_after.rss)
        )?;
        write!(out, "  {} of {} deliveries; {}", self.deliveries, self.expected, self.faults)
    }
}
