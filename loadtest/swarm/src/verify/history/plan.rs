//! The plan of a check.

use std::time::Duration;

use anyhow::Context as _;

use super::ledger::Name;
use crate::{api::Api, client::Target};

/// The longest time for an answer of the API. A publish without one is repeated, on another node if there is one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The plan of a check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The nodes, or a balancer. The channels are numbered ones beside that of the path.
    pub targets: Vec<Target>,
    /// The number in each message of this run.
    pub run: u32,
    /// The key for the HTTP API, if the API wants one.
    pub key: Option<String>,
    /// Channels, which subscribers and publishers go round.
    pub channels: usize,
    /// Clients that listen, and come back with their position.
    pub subscribers: usize,
    /// Callers of the API that publish, one message after another.
    pub publishers: usize,
    /// Clients of another program: see [`Guests`](super::Guests).
    pub guests: usize,
    /// The number of them that publish.
    pub guest_publishers: usize,
    /// Messages a second of all publishers together.
    pub rate: f64,
    /// The time of publishing.
    pub lasts: Duration,
    /// The time between two moments at which a tenth of the subscribers drop their connections.
    pub drop_every: Option<Duration>,
    /// The time without any message after which a missing message counts as lost.
    pub patience: Duration,
    /// Whether Redis may lose its memory during the run. Then clients must be told, and messages may be lost.
    pub may_forget: bool,
    /// With `may_forget`: the numbers of channels on servers that keep their memory. Their clients may not be told.
    pub keeping: Vec<usize>,
    /// Whether Redis fails over during the run, to a server that may lack the newest messages.
    pub fails_over: bool,
}

impl Plan {
    /// A caller of the API of one of the nodes.
    pub(super) fn api(&self, place: usize) -> anyhow::Result<Api> {
        let node = self.targets.get(place % self.targets.len().max(1)).context("no nodes")?;
        Ok(Api::new(node.clone(), self.key.clone(), ANSWER_TIMEOUT))
    }

    /// A channel on each node.
    pub(super) fn entrances(&self, channel: usize) -> Vec<Target> {
        self.targets.iter().map(|target| target.numbered(channel)).collect()
    }

    /// The payload of a message.
    pub(super) fn payload(&self, name: Name) -> String {
        format!("{} {} {}", self.run, name.publisher, name.number)
    }

    /// The message with this payload; `None` for a message of another run.
    pub(super) fn name(&self, payload: &[u8]) -> Option<Name> {
        let mut words = std::str::from_utf8(payload).ok()?.split(' ');
        if words.next()?.parse() != Ok(self.run) {
            return None;
        }
        let name = Name { publisher: words.next()?.parse().ok()?, number: words.next()?.parse().ok()? };
        words.next().is_none().then_some(name)
    }
}
