//! Flags of several commands.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;

use super::values::at_least_one;
use crate::{
    client::{Manner, Plain, Target, Tls},
    connection_pool::origin::Origin,
};

/// The nodes that clients connect to.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// A node's URL, ws://HOST:PORT/ws/CHANNEL or wss://…; repeat it for each node. Without a path, a channel of the
    /// run's own
    #[arg(long, required = true)]
    pub url: Vec<String>,
    /// The manner of connecting.
    #[command(flatten)]
    pub manner: MannerArgs,
}

impl NodeArgs {
    /// The nodes. Those without a path share one channel.
    ///
    /// # Errors
    /// A URL is wrong, or the authorities cannot be read.
    pub fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let (own_path, manner) = (own_path(), self.manner.manner()?);
        self.url.iter().map(|url| Target::in_manner(url, &own_path, manner.clone())).collect()
    }
}

/// The manner in which clients connect.
#[derive(Debug, Clone, Args)]
pub struct MannerArgs {
    /// Ask for permessage-deflate; a refusal is an error
    #[arg(long)]
    pub deflate: bool,
    /// For wss://: the trusted certificates, in PEM; on Debian, those of the system are in
    /// /etc/ssl/certs/ca-certificates.crt
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Speak Centrifugo's protocol, in JSON. MEMBERS are further members of the subscribe command, for example
    /// '"delta":"fossil"'. The client that publishes is a relay client of the same channel
    #[arg(long, value_name = "MEMBERS", num_args = 0..=1, default_missing_value = "", conflicts_with = "deflate")]
    pub centrifugo: Option<String>,
    /// Read Server-Sent Events, at /sse/CHANNEL. The client that publishes is a relay client of the same channel
    #[arg(long, conflicts_with_all = ["deflate", "centrifugo"])]
    pub sse: bool,
}

impl MannerArgs {
    /// The manner, with the authorities read.
    ///
    /// # Errors
    /// The authorities cannot be read.
    pub fn manner(&self) -> anyhow::Result<Manner> {
        Ok(Manner {
            deflate: self.deflate,
            tls: self.ca.as_deref().map(Tls::trusting).transpose()?,
            centrifugo: self.centrifugo.clone(),
            plain: self.sse.then_some(Plain::Events),
        })
    }
}

/// Where connections come from.
#[derive(Debug, Clone, Default, Args)]
pub struct OriginArgs {
    /// Processes that connect [default: as many as descriptors demand]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub processes: Option<usize>,
    /// A source address; repeat it, one for each 20,000 connections [default: as many of 127.0.0.x as ports demand, if
    /// all nodes are on loopback]
    #[arg(long, value_name = "IP")]
    pub source: Vec<IpAddr>,
}

impl OriginArgs {
    /// Where connections come from; `swarm` is this crate's program.
    #[must_use]
    pub fn origin(&self, swarm: PathBuf) -> Origin {
        Origin { swarm, processes: self.processes, sources: self.source.clone() }
    }
}

/// The nodes, and their processes to measure.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// The process of a server on this machine; repeat it for each. Without it, CPU and memory are not measured
    #[arg(long)]
    pub pid: Vec<u32>,
}

/// The channel of this run, for a URL without a path.
#[must_use]
pub fn own_path() -> String {
    format!("/ws/swarm-{:08x}", rand::random::<u32>())
}
