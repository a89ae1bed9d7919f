//! What idle connections cost: memory, and CPU for their heartbeats.

use std::{collections::BTreeMap, fmt, net::IpAddr, ops::Range, path::PathBuf, pin::pin, time::Duration};

use anyhow::bail;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{Ended, Target},
    clock::{Moment, nanos},
    crowd,
    flock::{Flock, Job, split, worker::Parent},
    output::{Table, figure, mib},
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
    /// The servers' processes. None: their CPU and memory are not measured.
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

/// How connections ended that a server sent away.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ends {
    /// By what was said.
    pub kinds: BTreeMap<String, u64>,
    /// By tenths of a second since the server was told to.
    pub tenths: BTreeMap<u64, u64>,
}

impl Ends {
    fn add(&mut self, after: Duration, how: &Ended) {
        *self.kinds.entry(how.to_string()).or_default() += 1;
        *self.tenths.entry(nanos(after) / 100_000_000).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (tenth, count) in other.tenths {
            *self.tenths.entry(tenth).or_default() += count;
        }
    }
}

/// Connections in processes of their own, that do nothing but answer pings.
pub(crate) struct Crowd(Flock<Ends>);

impl Crowd {
    pub(crate) async fn open(targets: &[Target], plan: &Plan) -> anyhow::Result<Self> {
        let sources = Sources::new(&plan.sources, targets.iter().map(Target::address), plan.connections);
        let share = |connections| Share { targets: targets.to_vec(), sources: sources.clone(), connections };
        let shares = split(plan.connections, plan.processes)?.into_iter().map(share);
        let mut flock = Flock::start(&plan.swarm, shares.map(Job::Idle)).await?;
        flock.ready(|_| {}).await?;
        Ok(Self(flock))
    }

    /// Until this time is over; an error where a connection ended.
    pub(crate) async fn stays(&mut self, span: Duration) -> anyhow::Result<()> {
        tokio::select! {
            () = sleep(span) => Ok(()),
            said = self.0.next() => bail!("an idle connection: {:?}", said?),
        }
    }

    /// From this moment on the connections may end.
    pub(crate) async fn may_go(&mut self, at: Moment) -> anyhow::Result<()> {
        self.0.go(at).await
    }

    /// Until all have ended.
    pub(crate) async fn gone(&mut self) -> anyhow::Result<Ends> {
        let mut ends = Ends::default();
        self.0.done(|_| {}).await?.into_iter().for_each(|part| ends.merge(part));
        Ok(ends)
    }
}

pub(crate) async fn work(share: &Share, parent: &mut Parent) -> anyhow::Result<()> {
    let nodes = share.targets.len().max(1);
    let targets: Vec<_> =
        share.connections.clone().filter_map(|number| share.targets.get(number % nodes)).collect();
    let from = |number: usize| share.sources.of(share.connections.start + number);
    let mut tasks = JoinSet::new();
    let mut opening = pin!(crowd::one_by_one(targets.into_iter(), from)?);
    while let Some(connection) = opening.try_next().await? {
        tasks.spawn(connection.count(|| {}));
    }
    rest(tasks, parent).await
}

/// Until the parent lets go; or says that the connections may end, and then until they have.
async fn rest(mut tasks: JoinSet<Ended>, parent: &mut Parent) -> anyhow::Result<()> {
    let told = tokio::select! {
        heard = parent.ready() => heard?,
        Some(ended) = tasks.join_next() => bail!("an idle connection ended: {}", ended?),
    };
    let Some(told) = told else { return Ok(()) };
    let mut ends = Ends::default();
    while let Some(ended) = tasks.join_next().await {
        ends.add(Moment::now().since(told), &ended?);
    }
    parent.done(&ends).await
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
            table.row([name.to_owned(), figure(per, 0, "B"), mib(before), mib(after)]);
        }
        write!(out, "{connections} idle connections:\n{table}")?;
        if *watched > 0.0 {
            writeln!(out, "  CPU over {watched:.0} s: {}", figure(100.0 * cores, 2, "% of a core"))?;
        }
        Ok(())
    }
}
