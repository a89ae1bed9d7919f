//! The plan of a storm.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    client::Target,
    connection_pool::origin::{self, Origin},
};

/// The plan of a storm.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the connections come from.
    pub origin: Origin,
    /// The servers' processes. Without any, CPU and memory are not measured.
    pub pids: Vec<u32>,
    /// Connections to open.
    pub connections: usize,
    /// Connections that may be opening at the same time.
    pub at_once: usize,
    /// The time from the last connection until memory is read again.
    pub rest: Duration,
}

/// The part of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The connections of this process.
    pub connections: origin::Share,
    /// Connections that may be opening at the same time.
    pub at_once: usize,
}

impl Plan {
    /// The share of each process.
    pub(super) fn shares(&self, targets: &[Target]) -> anyhow::Result<Vec<Share>> {
        let shares = self.origin.shares(targets, self.connections)?;
        let at_once = self.at_once.div_ceil(shares.len());
        Ok(shares.into_iter().map(|connections| Share { connections, at_once }).collect())
    }
}
