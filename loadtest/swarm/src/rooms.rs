//! Many channels at a steady rate, open loop: every message is due at a moment that nothing delays, and its latency
//! counts from then, so what the server (or this program) makes wait is not left out.

mod figures;
mod layout;
mod payload;
mod schedule;
mod seen;
pub mod worker;

use std::{net::IpAddr, ops::Range, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{figures::Figures, layout::Layout, payload::HEADER, schedule::Schedule};
use crate::{
    client::Target,
    clock::Moment,
    flock::{Flock, Job, progress::Live, split},
    process::{Cpu, Memory},
    sources::Sources,
};

/// From the word to begin until the first message is due: time for every child to hear it.
const LEAD: Duration = Duration::from_millis(200);

/// How often the servers' memory is looked at.
const GLANCE: Duration = Duration::from_millis(250);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This crate's program.
    pub swarm: PathBuf,
    /// The nodes; members and publishers are spread over them.
    pub targets: Vec<Target>,
    /// The servers' processes. None: their CPU and memory are not measured.
    pub pids: Vec<u32>,
    /// Processes beside them whose CPU is told apart: a Redis.
    pub beside: Vec<u32>,
    /// Who is where.
    pub layout: Layout,
    /// What is due when.
    pub schedule: Schedule,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Processes of the load generator. `None`: as many as it takes.
    pub processes: Option<usize>,
    /// Addresses to connect from. None: see [`Sources`].
    pub sources: Vec<IpAddr>,
    /// The time without any message after which one that is missing counts as lost.
    pub patience: Duration,
}

/// One process's part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Share {
    /// The nodes.
    pub targets: Vec<Target>,
    /// Who is where.
    pub layout: Layout,
    /// What is due when.
    pub schedule: Schedule,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Where connections come from.
    pub sources: Sources,
    /// The members that this process is.
    pub members: Range<usize>,
    /// What no other run's messages begin with.
    pub run: u32,
    /// The time without any message after which one that is missing counts as lost.
    pub patience: Duration,
}

/// Connects, warms up and measures.
///
/// # Errors
/// A connection cannot be opened, or a process is not there. What goes wrong later is in the figures.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let shares = plan.shares()?;
    let processes = shares.len();
    let mut flock = Flock::start(&plan.swarm, shares.into_iter().map(Job::Rooms)).await?;
    flock.ready(|_| {}).await?;
    let children = flock.pids()?;

    let begin = Moment::now().after(LEAD);
    flock.go(begin).await?;
    let measured = begin.after(plan.schedule.measured_from());
    // Between the two parts nothing is due.
    tokio::time::sleep(measured.since(Moment::now()).saturating_sub(LEAD)).await;
    let cpu = [&plan.pids, &plan.beside, &children].map(|pids| Cpu::of_all(pids));
    let memory = Memory::of_all(&plan.pids)?;
    let mut peak = memory.rss;
    let mut live = Live::new(plan.schedule.messages_in_all(plan.layout) * plan.layout.members as u64);
    let parts = {
        let done = flock.done(|step| live.add(step));
        tokio::pin!(done);
        loop {
            tokio::select! {
                parts = &mut done => break parts?,
                () = tokio::time::sleep(GLANCE) => peak = peak.max(Memory::of_all(&plan.pids)?.rss),
            }
        }
    };
    drop(live);
    let [servers, beside, swarm] = cpu;
    let used = figures::Used {
        cpu: Cpu::of_all(&plan.pids)? - servers?,
        beside_cpu: Cpu::of_all(&plan.beside)? - beside?,
        swarm_cpu: Cpu::of_all(&children)? - swarm?,
        memory_before: memory,
        memory_after: Memory::of_all(&plan.pids)?,
        peak_rss: peak,
    };
    Ok(Figures::new(plan, processes, measured, &used, &parts))
}

impl Plan {
    fn shares(&self) -> anyhow::Result<Vec<Share>> {
        let connections = self.layout.connections();
        let nodes = self.targets.iter().map(Target::address);
        let sources = Sources::new(&self.sources, nodes, connections);
        let run = rand::random();
        let share = |members| Share {
            targets: self.targets.clone(),
            layout: self.layout,
            schedule: self.schedule,
            bytes: self.bytes,
            sources: sources.clone(),
            members,
            run,
            patience: self.patience,
        };
        Ok(split(connections, self.processes)?.into_iter().map(share).collect())
    }
}
