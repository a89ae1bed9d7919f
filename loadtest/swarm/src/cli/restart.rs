//! The flags of what restarts nodes, or ends them.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{OutputArgs, at_least_one, open::rate};
use crate::{client::Target, drain, rolling};

/// The flags of `swarm rolling`.
#[derive(Debug, Clone, Args)]
pub struct RollingArgs {
    /// The balancer's URL, ws://HOST:PORT/ws/CHANNEL; channels are CHANNEL-0, CHANNEL-1 and so on. Without a path,
    /// channels of the run's own
    #[arg(long)]
    pub url: String,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = at_least_one)]
    pub clients: usize,
    /// Channels that they go round
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one)]
    pub channels: usize,
    /// Messages a second to all channels together
    #[arg(long, value_name = "R", default_value_t = 200.0, value_parser = rate)]
    pub rate: f64,
    /// The pace of the drain (drain.rate): exit code 1 too where clients come back twice as fast in any second
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: Option<u32>,
    /// Seconds that a client may be away: exit code 1 too where one was away for longer
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub away: Option<u64>,
    /// Seconds without any message after which one that is missing counts as lost, or a client as gone
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Restarts the nodes, and ends when that is done: swarm rolling --url URL -- COMMAND WORDS
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

impl RollingArgs {
    /// What is to be watched, at this balancer.
    #[must_use]
    pub fn plan(&self, target: Target) -> rolling::Plan {
        rolling::Plan {
            target,
            clients: self.clients,
            channels: self.channels,
            rate: self.rate,
            key: std::env::var("FANFARE_API_KEY").ok(),
            command: self.command.clone(),
            patience: Duration::from_secs(self.patience),
            bounds: rolling::Bounds { pace: self.pace, away: self.away.map(Duration::from_secs) },
        }
    }
}

/// The flags of `swarm drain`.
#[derive(Debug, Clone, Args)]
pub struct DrainArgs {
    /// The server [default: `fanfare` beside this program]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Connections, over all nodes
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Nodes; one has as many descriptors as `ulimit -Hn` says
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = at_least_one)]
    pub nodes: usize,
    /// Seconds that the connections are held
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub hold: u64,
    /// How many each node sends away in a second (drain.rate)
    #[arg(long, value_name = "R", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: u32,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl DrainArgs {
    /// What is to be done.
    #[must_use]
    pub fn plan(&self, server: PathBuf, swarm: PathBuf) -> drain::Plan {
        drain::Plan {
            server,
            swarm,
            connections: self.connections,
            nodes: self.nodes,
            hold: Duration::from_secs(self.hold),
            pace: self.pace,
        }
    }
}
