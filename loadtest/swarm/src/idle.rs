//! The cost of idle connections: memory, and CPU for their heartbeats.
//!
//! - `plan`: the settings
//! - `pool`: the connections, in processes of their own; `worker`: one of these processes
//! - `ends`: how connections ended
//! - `figures`: the result

mod ends;
mod figures;
mod plan;
mod pool;
pub(crate) mod worker;

pub(crate) use self::pool::IdlePool;
pub use self::{
    ends::Ends,
    figures::Figures,
    plan::{Plan, REST},
};
use crate::{
    client::Target,
    process::{Cpu, Memory},
};

/// Opens the connections and measures.
///
/// # Errors
/// A connection fails or ends, or a process cannot be read.
pub async fn run(targets: &[Target], plan: &Plan) -> anyhow::Result<Figures> {
    let before = Memory::of_all(&plan.pids)?;
    let mut pool = IdlePool::open(targets, plan).await?;
    pool.hold(plan.rest).await?;
    let after = Memory::of_all(&plan.pids)?;
    let cpu = Cpu::of_all(&plan.pids)?;
    pool.hold(plan.watch).await?;
    let cores = (Cpu::of_all(&plan.pids)? - cpu).share_of(plan.watch);
    let per_connection = after.grown_per(before, plan.connections);
    let watched = plan.watch.as_secs_f64();
    Ok(Figures { connections: plan.connections, before, after, per_connection, watched, cores })
}
