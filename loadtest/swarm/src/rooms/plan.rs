//! The plan of an open loop.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{layout::Layout, schedule::Schedule};
use crate::{
    client::Target,
    connection_pool::origin::{self, Origin},
};

/// The plan of an open loop.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the connections come from.
    pub origin: Origin,
    /// The nodes; members and publishers are spread over them.
    pub targets: Vec<Target>,
    /// The servers' processes. Without any, their CPU and memory are not measured.
    pub pids: Vec<u32>,
    /// Processes whose CPU is measured apart from the servers': a Redis.
    pub beside: Vec<u32>,
    /// The members and publishers of each channel.
    pub layout: Layout,
    /// The moments at which messages are due.
    pub schedule: Schedule,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// The time without any message after which a missing message counts as lost.
    pub patience: Duration,
}

/// The part of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The members of this process.
    pub members: origin::Share,
    /// The members and publishers of each channel.
    pub layout: Layout,
    /// The moments at which messages are due.
    pub schedule: Schedule,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// The number that the messages of this run, and of no other, begin with.
    pub run: u32,
    /// The time without any message after which a missing message counts as lost.
    pub patience: Duration,
}

impl Plan {
    /// The share of each process.
    pub(super) fn shares(&self) -> anyhow::Result<Vec<Share>> {
        let &Self { layout, schedule, bytes, patience, .. } = self;
        let run = rand::random();
        let share = |members| Share { members, layout, schedule, bytes, run, patience };
        Ok(self.origin.shares(&self.targets, layout.connections())?.into_iter().map(share).collect())
    }
}
