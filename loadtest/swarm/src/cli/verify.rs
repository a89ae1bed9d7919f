//! The flags of `swarm verify`.

use std::time::Duration;

use clap::Args;

use super::{
    shared::NodeArgs,
    values::{at_least_one, rate},
};
use crate::{client::Target, output::OutputArgs, verify};

/// The flags of `swarm verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// Clients that only listen
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub subscribers: usize,
    /// Clients that publish, and listen too
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
    pub publishers: usize,
    /// Messages of each publisher
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one, conflicts_with = "history")]
    pub messages: usize,
    /// The seed for the clients' nodes and the messages' contents [default: random, and printed]
    #[arg(long, value_name = "S", conflicts_with = "history")]
    pub seed: Option<u64>,
    /// Seconds without any message after which a missing message counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Channels with history.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The flags of `swarm verify --history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Channels with history: clients that were away get what they missed. Their namespace has history_size, and history for
    /// anonymous clients
    #[arg(long)]
    pub history: bool,
    /// With --history: channels, CHANNEL-0, CHANNEL-1 and so on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one, requires = "history")]
    pub channels: usize,
    /// With --history: messages a second of all publishers together
    #[arg(long, value_name = "R", default_value_t = 200.0, value_parser = rate, requires = "history")]
    pub rate: f64,
    /// With --history: seconds of publishing
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// With --history: seconds between two moments at which a tenth of the clients drop their connections
    #[arg(long, value_name = "SECONDS", requires = "history", value_parser = clap::value_parser!(u64).range(1..))]
    pub drop_every: Option<u64>,
    /// With --history: Redis may lose its memory meanwhile. Then clients must be told
    #[arg(long, requires = "history")]
    pub may_forget: bool,
}

impl VerifyArgs {
    /// The plan for these nodes.
    #[must_use]
    pub fn plan(&self, targets: Vec<Target>) -> verify::Plan {
        verify::Plan {
            targets,
            subscribers: self.subscribers,
            publishers: self.publishers,
            messages: self.messages,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            patience: Duration::from_secs(self.patience),
        }
    }

    /// The plan for these nodes with --history.
    #[must_use]
    pub fn history_plan(&self, targets: Vec<Target>) -> verify::history::Plan {
        let HistoryArgs { history: _, channels, rate, seconds, drop_every, may_forget } = self.history;
        verify::history::Plan {
            targets,
            run: rand::random(),
            key: std::env::var("FANFARE_API_KEY").ok(),
            channels,
            subscribers: self.subscribers,
            publishers: self.publishers,
            guests: 0,
            guest_publishers: 0,
            rate,
            lasts: Duration::from_secs(seconds),
            drop_every: drop_every.map(Duration::from_secs),
            patience: Duration::from_secs(self.patience),
            may_forget,
            keeping: Vec::new(),
            fails_over: false,
        }
    }
}
