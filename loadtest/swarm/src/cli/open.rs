//! The flags of what may take several processes.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;

use super::{NodeArgs, OriginArgs, OutputArgs, at_least_one};
use crate::{client::Target, idle, rooms, storm};

/// The flags of `swarm rooms`.
#[derive(Debug, Clone, Args)]
pub struct RoomsArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// A server's process, on this machine; repeat it for each. Without it CPU and memory are not measured
    #[arg(long)]
    pub pid: Vec<u32>,
    /// A process beside them whose CPU is told apart, as of a Redis; repeat it for each
    #[arg(long, value_name = "PID")]
    pub beside: Vec<u32>,
    /// Channels
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = at_least_one)]
    pub rooms: usize,
    /// Members of each, its publishers among them
    #[arg(long, value_name = "M", default_value_t = 10, value_parser = at_least_one)]
    pub members: usize,
    /// How many of them publish, in turns
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = at_least_one)]
    pub publishers: usize,
    /// Messages a second to each channel
    #[arg(long, value_name = "R", default_value_t = 5.0, value_parser = rate)]
    pub rate: f64,
    /// Payload of a message in bytes, 20 at least
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Seconds before that
    #[arg(long, value_name = "S", default_value_t = 2)]
    pub warm_up: u64,
    /// Seconds without any message after which one that is missing counts as lost
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl RoomsArgs {
    /// What is to be done, on these nodes.
    ///
    /// # Errors
    /// More publish than there are, or a message is too short for what it must say.
    pub fn plan(&self, targets: Vec<Target>, swarm: PathBuf) -> anyhow::Result<rooms::Plan> {
        let &Self { rooms, members, publishers, rate, bytes, .. } = self;
        ensure!(publishers <= members, "--publishers {publishers} of --members {members}");
        ensure!(
            bytes >= rooms::HEADER,
            "--bytes {bytes}: a message says who sent it in {} bytes",
            rooms::HEADER
        );
        let seconds = Duration::from_secs;
        Ok(rooms::Plan {
            swarm,
            targets,
            pids: self.pid.clone(),
            beside: self.beside.clone(),
            layout: rooms::Layout { rooms, members, publishers },
            schedule: rooms::Schedule {
                rate,
                warm_up: seconds(self.warm_up),
                measured: seconds(self.seconds),
            },
            bytes,
            processes: self.origin.processes,
            sources: self.origin.source.clone(),
            patience: seconds(self.patience),
        })
    }
}

/// The flags of `swarm storm`.
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// A server's process, on this machine; repeat it for each. Without it CPU and memory are not measured
    #[arg(long)]
    pub pid: Vec<u32>,
    /// Clients that connect
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub connections: usize,
    /// How many may be on their way at once [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub at_once: Option<usize>,
    /// Seconds after the last one until memory is read again
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub rest: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl StormArgs {
    /// What is to be done.
    #[must_use]
    pub fn plan(&self, swarm: PathBuf) -> storm::Plan {
        storm::Plan {
            swarm,
            pids: self.pid.clone(),
            connections: self.connections,
            at_once: self.at_once.unwrap_or(self.connections),
            rest: Duration::from_secs(self.rest),
            processes: self.origin.processes,
            sources: self.origin.source.clone(),
        }
    }
}

/// The flags of `swarm idle`.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// A server's process, on this machine; repeat it for each. Without it CPU and memory are not measured
    #[arg(long)]
    pub pid: Vec<u32>,
    /// Connections to open
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Seconds of rest before memory is read
    #[arg(long, value_name = "SECONDS", default_value_t = idle::REST.as_secs())]
    pub rest: u64,
    /// Seconds after that in which CPU is watched: some times the interval of pings
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub watch: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl IdleArgs {
    /// What is to be done.
    #[must_use]
    pub fn plan(&self, swarm: PathBuf) -> idle::Plan {
        idle::Plan {
            swarm,
            pids: self.pid.clone(),
            connections: self.connections,
            rest: Duration::from_secs(self.rest),
            watch: Duration::from_secs(self.watch),
            processes: self.origin.processes,
            sources: self.origin.source.clone(),
        }
    }
}

/// More than nothing, and not more than any server takes.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(rate),
        Ok(_) => Err("must be between 0.001 and 10,000,000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
