//! The flags of commands that restart or end nodes.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::values::{at_least_one, rate};
use crate::{client::Target, drain, output::OutputArgs, rolling};

/// The flags of `swarm rolling`.
#[derive(Debug, Clone, Args)]
pub struct RollingArgs {
    /// The balancer's URL, ws://HOST:PORT/ws/CHANNEL; channels are CHANNEL-0, CHANNEL-1 and so on. Without a path, the
    /// run has channels of its own
    #[arg(long)]
    pub url: String,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = at_least_one)]
    pub clients: usize,
    /// Channels that the clients go round
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one)]
    pub channels: usize,
    /// Messages a second to all channels together
    #[arg(long, value_name = "R", default_value_t = 200.0, value_parser = rate)]
    pub rate: f64,
    /// Clients come back with the position of their last message (?since=), and must miss nothing: the channels' namespace
    /// has history, readable for anonymous clients
    #[arg(long)]
    pub history: bool,
    /// The pace of the drain (drain.rate): exit code 1 also if clients reconnect twice as fast in any second
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: Option<u32>,
    /// Seconds that a client may be away: exit code 1 also if a client was away for longer
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub away: Option<u64>,
    /// Seconds without any message after which a missing message counts as lost, or a missing client as gone
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The command that restarts the nodes and then ends: swarm rolling --url URL -- COMMAND WORDS
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

impl RollingArgs {
    /// The plan for this balancer.
    #[must_use]
    pub fn plan(&self, target: Target) -> rolling::Plan {
        rolling::Plan {
            target,
            clients: self.clients,
            channels: self.channels,
            rate: self.rate,
            history: self.history,
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
    /// Connections to all nodes together
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Nodes; each has as many descriptors as `ulimit -Hn` says
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = at_least_one)]
    pub nodes: usize,
    /// Seconds that the connections are held
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub hold: u64,
    /// Connections that each node closes in a second (drain.rate)
    #[arg(long, value_name = "R", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: u32,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl DrainArgs {
    /// The plan.
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
