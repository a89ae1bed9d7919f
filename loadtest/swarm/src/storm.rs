//! A storm: many clients connect at once, as after a restart.
//!
//! - `plan`: the settings
//! - `worker`: the connections of one process
//! - `figures`: the result

mod figures;
mod plan;
pub(crate) mod worker;

use std::time::Duration;

pub use self::{figures::Figures, plan::Plan};
use crate::{
    client::Target,
    clock::Moment,
    connection_pool::{ConnectionPool, message::Kind, progress_bar::ProgressBar},
    process::{Cpu, Memory},
};

/// The time from the start until the first client connects, in which every child reads the start.
const LEAD: Duration = Duration::from_millis(200);

/// Connects all at once and measures.
///
/// # Errors
/// A process does not exist. A connection that fails is counted.
pub async fn run(targets: &[Target], plan: &Plan) -> anyhow::Result<Figures> {
    let mut pool = ConnectionPool::start(&plan.origin.swarm, Kind::Storm, plan.shares(targets)?).await?;
    pool.ready(|_| {}).await?;
    let children = pool.pids()?;

    let memory_before = Memory::of_all(&plan.pids)?;
    let (cpu, swarm_cpu) = (Cpu::of_all(&plan.pids)?, Cpu::of_all(&children)?);
    let begin = Moment::now().after(LEAD);
    pool.begin(begin).await?;
    let mut bar = ProgressBar::new(plan.connections as u64);
    let parts = pool.done(|step| bar.add(step)).await?;
    drop(bar);
    let cpu = Cpu::of_all(&plan.pids)? - cpu;
    let swarm_cpu = Cpu::of_all(&children)? - swarm_cpu;
    let memory_then = Memory::of_all(&plan.pids)?;
    tokio::time::sleep(plan.rest).await;
    let memory = [memory_before, memory_then, Memory::of_all(&plan.pids)?];
    Ok(Figures::new(plan, begin, [cpu, swarm_cpu], memory, &parts))
}
