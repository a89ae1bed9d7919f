//! The flags of commands that may need several processes.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;

use super::{
    shared::{OriginArgs, ServerArgs},
    values::{at_least_one, rate},
};
use crate::{client::Target, idle, output::OutputArgs, rooms, storm};

/// The flags of `swarm rooms`.
#[derive(Debug, Clone, Args)]
pub struct RoomsArgs {
    /// The servers.
    #[command(flatten)]
    pub servers: ServerArgs,
    /// A process whose CPU is measured apart from the servers', such as a Redis; repeat it for each
    #[arg(long, value_name = "PID")]
    pub beside: Vec<u32>,
    /// Channels
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = at_least_one)]
    pub rooms: usize,
    /// Members of each channel, with its publishers
    #[arg(long, value_name = "M", default_value_t = 10, value_parser = at_least_one)]
    pub members: usize,
    /// Publishers of each channel, which publish in turns
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = at_least_one)]
    pub publishers: usize,
    /// Messages a second to each channel
    #[arg(long, value_name = "R", default_value_t = 5.0, value_parser = rate)]
    pub rate: f64,
    /// Payload of a message in bytes, 20 at least
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Seconds of the measurement
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Seconds of the warm-up
    #[arg(long, value_name = "S", default_value_t = 2)]
    pub warm_up: u64,
    /// Seconds without any message after which a missing message counts as lost
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl RoomsArgs {
    /// The plan for these nodes.
    ///
    /// # Errors
    /// There are more publishers than members, or a message is too short for its head.
    pub fn plan(&self, targets: Vec<Target>, swarm: PathBuf) -> anyhow::Result<rooms::Plan> {
        let &Self { rooms, members, publishers, rate, bytes, .. } = self;
        ensure!(publishers <= members, "--publishers {publishers} of --members {members}");
        ensure!(
            bytes >= rooms::HEADER,
            "--bytes {bytes}: the head of a message takes {} bytes",
            rooms::HEADER
        );
        let seconds = Duration::from_secs;
        Ok(rooms::Plan {
            origin: self.origin.origin(swarm),
            targets,
            pids: self.servers.pid.clone(),
            beside: self.beside.clone(),
            layout: rooms::Layout { rooms, members, publishers },
            schedule: rooms::Schedule {
                rate,
                warm_up: seconds(self.warm_up),
                measured: seconds(self.seconds),
            },
            bytes,
            patience: seconds(self.patience),
        })
    }
}

/// The flags of `swarm storm`.
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// The servers.
    #[command(flatten)]
    pub servers: ServerArgs,
    /// Clients that connect
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Connections that may be opening at the same time [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub at_once: Option<usize>,
    /// Seconds after the last connection until memory is read again
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub rest: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl StormArgs {
    /// The plan.
    #[must_use]
    pub fn plan(&self, swarm: PathBuf) -> storm::Plan {
        storm::Plan {
            origin: self.origin.origin(swarm),
            pids: self.servers.pid.clone(),
            connections: self.connections,
            at_once: self.at_once.unwrap_or(self.connections),
            rest: Duration::from_secs(self.rest),
        }
    }
}

/// The flags of `swarm idle`.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// The servers.
    #[command(flatten)]
    pub servers: ServerArgs,
    /// Connections to open
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Seconds of rest before memory is read
    #[arg(long, value_name = "SECONDS", default_value_t = idle::REST.as_secs())]
    pub rest: u64,
    /// Seconds after that in which CPU is measured: a few intervals of pings
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub watch: u64,
    /// Where connections come from.
    #[command(flatten)]
    pub origin: OriginArgs,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl IdleArgs {
    /// The plan.
    #[must_use]
    pub fn plan(&self, swarm: PathBuf) -> idle::Plan {
        idle::Plan {
            origin: self.origin.origin(swarm),
            pids: self.servers.pid.clone(),
            connections: self.connections,
            rest: Duration::from_secs(self.rest),
            watch: Duration::from_secs(self.watch),
        }
    }
}
