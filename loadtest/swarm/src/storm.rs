//! A storm: many clients connect at once, as after a restart.

mod figures;
pub mod worker;

use std::{net::IpAddr, ops::Range, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::figures::Figures;
use crate::{
    client::Target,
    clock::Moment,
    flock::{Flock, Job, progress::Live, split},
    process::{Cpu, Memory},
    sources::Sources,
};

/// From the word to begin until the first connects: time for every child to hear it.
const LEAD: Duration = Duration::from_millis(200);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This crate's program.
    pub swarm: PathBuf,
    /// The servers' processes. None: CPU and memory are not measured.
    pub pids: Vec<u32>,
    /// Connections to open.
    pub connections: usize,
    /// How many may be on their way at once.
    pub at_once: usize,
    /// How long after the last one memory is read again.
    pub rest: Duration,
    /// Processes of the load generator. `None`: as many as it takes.
    pub processes: Option<usize>,
    /// Addresses to connect from. None: see [`Sources`].
    pub sources: Vec<IpAddr>,
}

/// One process's part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Share {
    /// The nodes; connections go round them.
    pub targets: Vec<Target>,
    /// Where connections come from.
    pub sources: Sources,
    /// The connections of this process.
    pub connections: Range<usize>,
    /// How many may be on their way at once.
    pub at_once: usize,
}

/// Connects all at once and measures.
///
/// # Errors
/// A process is not there. A connection that fails is counted.
pub async fn run(targets: &[Target], plan: &Plan) -> anyhow::Result<Figures> {
    let sources = Sources::new(&plan.sources, targets.iter().map(Target::address), plan.connections);
    let ranges = split(plan.connections, plan.processes)?;
    let at_once = plan.at_once.div_ceil(ranges.len());
    let share =
        |connections| Share { targets: targets.to_vec(), sources: sources.clone(), connections, at_once };
    let mut flock = Flock::start(&plan.swarm, ranges.into_iter().map(share).map(Job::Storm)).await?;
    flock.ready(|_| {}).await?;
    let children = flock.pids()?;

    let memory_before = Memory::of_all(&plan.pids)?;
    let (cpu, swarm_cpu) = (Cpu::of_all(&plan.pids)?, Cpu::of_all(&children)?);
    let begin = Moment::now().after(LEAD);
    flock.go(begin).await?;
    let mut live = Live::new(plan.connections as u64);
    let parts = flock.done(|step| live.add(step)).await?;
    drop(live);
    let cpu = Cpu::of_all(&plan.pids)? - cpu;
    let swarm_cpu = Cpu::of_all(&children)? - swarm_cpu;
    let memory_then = Memory::of_all(&plan.pids)?;
    tokio::time::sleep(plan.rest).await;
    let memory = [memory_before, memory_then, Memory::of_all(&plan.pids)?];
    Ok(Figures::new(plan, begin, [cpu, swarm_cpu], memory, &parts))
}
