//! What idle connections cost: memory, and CPU for their heartbeats.

use std::{fmt, net::IpAddr, ops::Range, path::PathBuf, time::Duration};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{Connection, Ended, Target},
    crowd,
    flock::{Flock, Job, split, worker::Parent},
    output::Table,
    process::{Cpu, Memory, MemoryPer},
    sources::Sources,
};

/// What a server is given to return what the handshakes needed: jemalloc's decay takes half a second, the
/// allocators of others a few.
pub const REST: Duration = Duration::from_secs(5);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This crate's program.
    pub swarm: PathBuf,
    /// The servers' processes.
    pub pids: Vec<u32>,
    /// Connections to open.
    pub connections: usize,
    /// The time between the last handshake and the reading.
    pub rest: Duration,
    /// After that: how long their CPU is watched.
    pub watch: Duration,
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
    /// The connections that this process has.
    pub connections: Range<usize>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Connections that were opened.
    pub connections: usize,
    /// The processes before.
    pub before: Memory,
    /// The processes with all connections.
    pub after: Memory,
    /// The difference for each connection, in bytes.
    pub per_connection: MemoryPer,
    /// How long the CPU was watched, in seconds.
    pub watched: f64,
    /// The servers' CPU meanwhile, in cores.
    pub cores: f64,
}

/// Measures.
///
/// # Errors
/// A connection fails or ends, or a process cannot be read.
pub async fn run(targets: &[Target], plan: &Plan) -> anyhow::Result<Figures> {
    let before = Memory::of_all(&plan.pids)?;
    let mut crowd = Crowd::open(targets, plan).await?;
    crowd.stays(plan.rest).await?;
    let after = Memory::of_all(&plan.pids)?;
    let cpu = Cpu::of_all(&plan.pids)?;
    crowd.stays(plan.watch).await?;
    let cores = (Cpu::of_all(&plan.pids)? - cpu).share_of(plan.watch);
    let per_connection = after.grown_per(before, plan.connections);
    let watched = plan.watch.as_secs_f64();
    Ok(Figures { connections: plan.connections, before, after, per_connection, watched, cores })
}

/// Connections in processes of their own, that do nothing but answer pings.
struct Crowd(Flock<()>);

impl Crowd {
    async fn open(targets: &[Target], plan: &Plan) -> anyhow::Result<Self> {
        let sources = Sources::new(&plan.sources, targets.iter().map(Target::address), plan.connections);
        let share = |connections| Share { targets: targets.to_vec(), sources: sources.clone(), connections };
        let shares = split(plan.connections, plan.processes)?.into_iter().map(share);
        let mut flock = Flock::start(&plan.swarm, shares.map(Job::Idle)).await?;
        flock.ready(|_| {}).await?;
        Ok(Self(flock))
    }

    /// Until this time is over; an error where a connection ended.
    async fn stays(&mut self, span: Duration) -> anyhow::Result<()> {
        tokio::select! {
            () = sleep(span) => Ok(()),
            said = self.0.next() => bail!("an idle connection: {:?}", said?),
        }
    }
}

pub(crate) async fn work(share: &Share, parent: &mut Parent) -> anyhow::Result<()> {
    let nodes = share.targets.len().max(1);
    let targets: Vec<_> =
        share.connections.clone().filter_map(|number| share.targets.get(number % nodes)).collect();
    let from = |number: usize| share.sources.of(share.connections.start + number);
    let connections = crowd::open_from(targets.into_iter(), from).await?;
    rest(connections, parent).await
}

/// Reads on all until the parent lets go.
async fn rest(connections: Vec<Connection>, parent: &mut Parent) -> anyhow::Result<()> {
    let mut tasks: JoinSet<Ended> =
        connections.into_iter().map(|connection| connection.count(|| {})).collect();
    tokio::select! {
        heard = parent.ready() => heard.map(|_| ()),
        Some(ended) = tasks.join_next() => bail!("an idle connection ended: {}", ended?),
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, before, after, per_connection, watched, cores } = self;
        let mut table = Table::new(["", "per connection", "before", "after"]);
        for (name, per, before, after) in [
            (
                "user memory (private, written)",
                per_connection.private_dirty,
                before.private_dirty,
                after.private_dirty,
            ),
            ("proportional set size", per_connection.pss, before.pss, after.pss),
            ("resident set size", per_connection.rss, before.rss, after.rss),
        ] {
            let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
            table.row([name.to_owned(), format!("{per:.0} B"), mib(before), mib(after)]);
        }
        write!(out, "{connections} idle connections:\n{table}")?;
        if *watched > 0.0 {
            writeln!(out, "  CPU over {watched:.0} s: {:.2} % of a core", 100.0 * cores)?;
        }
        Ok(())
    }
}
