//! The parts of the cases: servers, floors, open loops, and separate processors.

use std::{path::PathBuf, time::Duration};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    client::Target,
    connection_pool::origin::Origin,
    fanout::{ClosedLoop, Load, Until},
    floor::{Floor, FloorArgs},
    median::median,
    rooms::{self, Layout, Schedule},
    servers::{Node, Redis, Setup},
};

/// The programs and the settings of all cases.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) server: PathBuf,
    pub(super) swarm: PathBuf,
    /// The seconds of the measured part of an open loop.
    pub(super) seconds: u64,
    /// The rounds of a closed loop.
    pub(super) rounds: usize,
    pub(super) cores: usize,
}

impl Stage {
    pub(super) async fn node(&self, setup: Setup) -> anyhow::Result<Node> {
        Node::set_up(&self.server, setup).await
    }

    /// The processor for a server and its Redis alone, if the machine has more than one.
    pub(super) fn one_core(&self) -> Option<String> {
        (self.cores > 1).then(|| "0".to_owned())
    }

    /// The processor for servers of Redis alone, if the machine has more than one.
    pub(super) fn last_core(&self) -> Option<String> {
        (self.cores > 1).then(|| (self.cores - 1).to_string())
    }

    /// Keeps this program and the nodes that it starts off that processor, until the guard is dropped.
    pub(super) fn off_the_last(&self) -> anyhow::Result<Pinned> {
        Pinned::to(0..self.cores.saturating_sub(1))
    }

    /// Leaves the other processors to this program, until the guard is dropped.
    pub(super) fn on_the_others(&self) -> anyhow::Result<Pinned> {
        Pinned::to(1..self.cores)
    }

    /// Runs an open loop to these nodes, with their Redis if they have one.
    pub(super) async fn rooms(
        &self,
        nodes: &[&Node],
        redis: Option<&Redis>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        self.rooms_in(CHANNEL, nodes, redis, layout, rate).await
    }

    /// As [`Stage::rooms`], in channels whose paths begin with this one.
    pub(super) async fn rooms_in(
        &self,
        path: &str,
        nodes: &[&Node],
        redis: Option<&Redis>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let beside = redis.map(Redis::pid).transpose()?.into_iter().collect();
        self.rooms_beside(path, nodes, beside, layout, rate).await
    }

    /// As [`Stage::rooms_in`], beside these processes.
    pub(super) async fn rooms_beside(
        &self,
        path: &str,
        nodes: &[&Node],
        beside: Vec<u32>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let targets = nodes.iter().map(|node| node.target(path)).collect::<anyhow::Result<_>>()?;
        let pids = nodes.iter().map(|node| node.pid()).collect::<anyhow::Result<_>>()?;
        self.open_loop(targets, pids, beside, layout, rate).await
    }

    /// Runs an open loop to a bare relay: one thread, without Redis or through this one.
    pub(super) async fn bare_rooms(
        &self,
        cpus: Option<&str>,
        redis: Option<&Redis>,
        layout: Layout,
        rate: f64,
    ) -> anyhow::Result<rooms::Figures> {
        let args = FloorArgs::relay(layout.connections(), redis.map(Redis::address));
        let floor = Floor::start_on(cpus, &self.swarm, &args).await?;
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
            origin: Origin::new(self.swarm.clone()),
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

/// The beginning of the channels' paths.
const CHANNEL: &str = "/ws/suite";

/// The payload of every message of the suite, in bytes.
pub(super) const BYTES: usize = 128;

/// A guard that keeps this process, and those that it starts, on some processors.
#[derive(Debug)]
pub(super) struct Pinned(CpuSet);

impl Pinned {
    /// Without processors, nothing changes.
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
        // The kernel accepts the set from before.
        sched_setaffinity(Pid::from_raw(0), &self.0).ok();
    }
}
