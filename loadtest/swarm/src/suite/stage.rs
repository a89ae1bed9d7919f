//! What the cases need: servers, a Redis, floors, and processors apart from each other.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use tokio::process::Child;

use crate::{
    bench::node::{Node, Setup, free_address, on_cpus},
    client::Target,
    fanout::{ClosedLoop, Load, Until},
    floor::{Floor, FloorArgs},
    median::median,
    rooms::{self, Layout, Schedule},
};

/// How long a Redis may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all cases have in common.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) server: PathBuf,
    pub(super) swarm: PathBuf,
    /// Of the measured part of an open loop.
    pub(super) seconds: u64,
    /// Of closed loops.
    pub(super) rounds: usize,
    pub(super) cores: usize,
}

impl Stage {
    pub(super) async fn node(&self, setup: Setup) -> anyhow::Result<Node> {
        Node::set_up(&self.server, setup).await
    }

    /// The processor that a server with a Redis has to itself, where the machine has more than one.
    pub(super) fn one_core(&self) -> Option<String> {
        (self.cores > 1).then(|| "0".to_owned())
    }

    /// What is left of them to this program; as it was, once the guard is dropped.
    pub(super) fn on_the_others(&self) -> anyhow::Result<Pinned> {
        Pinned::to(1..self.cores)
    }

    /// An open loop to these nodes, and to their Redis where they have one.
    pub(super) async fn rooms(
        &self,
        nodes: &[&Node],
        redis: Option<&Redis>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let targets = nodes.iter().map(|node| node.target(CHANNEL)).collect::<anyhow::Result<_>>()?;
        let pids = nodes.iter().map(|node| node.pid()).collect::<anyhow::Result<_>>()?;
        let beside = redis.map(Redis::pid).transpose()?.into_iter().collect();
        self.open_loop(targets, pids, beside, layout, rate).await
    }

    /// The same to a bare relay: no Redis, one thread.
    pub(super) async fn bare_rooms(
        &self,
        cpus: Option<&str>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let floor = Floor::start_on(cpus, &self.swarm, &FloorArgs::relay(layout.connections())).await?;
        self.open_loop(vec![floor.target(CHANNEL)?], vec![floor.pid()?], Vec::new(), layout, rate).await
    }

    async fn open_loop(
        &self,
        targets: Vec<Target>,
        pids: Vec<u32>,
        beside: Vec<u32>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let plan = rooms::Plan {
            swarm: self.swarm.clone(),
            targets,
            pids,
            beside,
            layout,
            schedule: Schedule {
                rate,
                warm_up: Duration::from_secs(2),
                measured: Duration::from_secs(self.seconds),
            },
            bytes: BYTES,
            processes: None,
            sources: Vec::new(),
            patience: Duration::from_secs(3),
        };
        let figures = rooms::run(&plan).await?;
        eprintln!("{figures}");
        Ok(figures)
    }

    /// The CPU of a bare `send` to each of 1,000 sockets, in microseconds.
    pub(super) async fn bare_send(&self) -> anyhow::Result<f64> {
        let floor = Floor::start(&self.swarm, &FloorArgs::send(1_000, BYTES, 1)).await?;
        let mut to_floor = ClosedLoop::start(floor.connect(1_000).await?, BYTES)?;
        let load = Load { in_flight: 1, until: Until::Messages(200), pace: None };
        let mut rounds = Vec::new();
        for _ in 0..=self.rounds {
            rounds.push(to_floor.run(floor.pid()?, load).await?.cpu.total);
        }
        Ok(median(rounds.into_iter().skip(1)))
    }
}

/// What the channels' names begin with.
const CHANNEL: &str = "/ws/suite";

/// Payload of every message of the suite, in bytes.
pub(super) const BYTES: usize = 128;

/// This process, and those that it starts, on some processors.
#[derive(Debug)]
pub(super) struct Pinned(CpuSet);

impl Pinned {
    /// To none is to all.
    fn to(cpus: impl IntoIterator<Item = usize>) -> anyhow::Result<Self> {
        let this = Pid::from_raw(0);
        let before = sched_getaffinity(this)?;
        let (mut set, mut count) = (CpuSet::new(), 0);
        for cpu in cpus {
            set.set(cpu)?;
            count += 1;
        }
        if count > 0 {
            sched_setaffinity(this, &set)?;
        }
        Ok(Self(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was so before: the kernel takes it.
        sched_setaffinity(Pid::from_raw(0), &self.0).ok();
    }
}

/// A redis-server without persistence; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    pub(crate) async fn start(cpus: Option<&str>) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut child = on_cpus(cpus, Path::new("redis-server"))
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server (Debian: apt-get install redis-server)")?;
        let start = std::time::Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(child.try_wait()?.is_none(), "redis-server has ended");
            ensure!(start.elapsed() < PATIENCE, "redis-server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, url: format!("redis://{address}") })
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("redis-server has ended")
    }

    /// A server's setup that uses it.
    pub(crate) fn setup(&self, cpus: Option<String>) -> Setup {
        Setup { redis: Some(self.url.clone()), cpus, ..Setup::default() }
    }
}
