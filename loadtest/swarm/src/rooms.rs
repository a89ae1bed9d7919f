//! Many channels at a steady rate, open loop: every message is due at a fixed moment, and its latency counts from that
//! moment. So a wait in the server, or in this program, is a part of the latency.
//!
//! - `plan`: the settings; `layout`: the members of each channel; `schedule`: when messages are due
//! - `worker`: the members of one process; `payload`: the bytes of a message
//! - `figures`: the result; `faults`: a part of it

mod faults;
mod figures;
mod layout;
mod payload;
mod plan;
mod schedule;
pub(crate) mod worker;

use std::time::Duration;

pub use self::{
    faults::Faults, figures::Figures, layout::Layout, payload::HEADER, plan::Plan, schedule::Schedule,
};
use crate::{
    clock::Moment,
    connection_pool::{ConnectionPool, message::Kind, progress_bar::ProgressBar},
    process::{Cpu, Memory},
};

/// The time from the start until the first message is due, in which every child reads the start.
const LEAD: Duration = Duration::from_millis(200);

/// The time between two readings of the servers' memory.
const READ_EVERY: Duration = Duration::from_millis(250);

/// Connects, warms up and measures.
///
/// # Errors
/// A connection cannot be opened, or a process does not exist. Later faults are in the figures.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let shares = plan.shares()?;
    let processes = shares.len();
    let mut pool = ConnectionPool::start(&plan.origin.swarm, Kind::Rooms, shares).await?;
    pool.ready(|_| {}).await?;
    let children = pool.pids()?;

    let begin = Moment::now().after(LEAD);
    pool.begin(begin).await?;
    let measured = begin.after(plan.schedule.measured_from());
    // Between the warm-up and the measured part nothing is due.
    tokio::time::sleep(measured.since(Moment::now()).saturating_sub(LEAD)).await;
    let cpu = [&plan.pids, &plan.beside, &children].map(|pids| Cpu::of_all(pids));
    let memory = Memory::of_all(&plan.pids)?;
    let mut peak = memory.rss;
    let mut bar = ProgressBar::new(plan.schedule.messages_in_all(plan.layout) * plan.layout.members as u64);
    let parts = {
        let done = pool.done(|step| bar.add(step));
        tokio::pin!(done);
        loop {
            tokio::select! {
                parts = &mut done => break parts?,
                () = tokio::time::sleep(READ_EVERY) => peak = peak.max(Memory::of_all(&plan.pids)?.rss),
            }
        }
    };
    drop(bar);
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
