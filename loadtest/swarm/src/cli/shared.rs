//! Flags that several commands have.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;

use super::at_least_one;
use crate::client::{Manner, Target, Tls};

/// The nodes that clients connect to.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// A node's URL, ws://HOST:PORT/ws/CHANNEL or wss://…; repeat it for each node. Without a path, a channel of the
    /// run's own
    #[arg(long, required = true)]
    pub url: Vec<String>,
    /// How they connect.
    #[command(flatten)]
    pub manner: MannerArgs,
}

impl NodeArgs {
    /// The nodes; those without a path have one channel together.
    ///
    /// # Errors
    /// A URL is none, or the authorities cannot be read.
    pub fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let (own_path, manner) = (own_path(), self.manner.manner()?);
        self.url.iter().map(|url| Target::in_manner(url, &own_path, manner.clone())).collect()
    }
}

/// How clients connect.
#[derive(Debug, Clone, Args)]
pub struct MannerArgs {
    /// Ask for permessage-deflate; a server without it is an error
    #[arg(long)]
    pub deflate: bool,
    /// For wss://: the certificates that are trusted, in PEM; all that the system trusts are in
    /// /etc/ssl/certs/ca-certificates.crt on Debian
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl MannerArgs {
    /// The same, with the authorities read.
    ///
    /// # Errors
    /// They cannot be.
    pub fn manner(&self) -> anyhow::Result<Manner> {
        Ok(Manner { deflate: self.deflate, tls: self.ca.as_deref().map(Tls::trusting).transpose()? })
    }
}

/// Where connections come from.
#[derive(Debug, Clone, Default, Args)]
pub struct OriginArgs {
    /// Processes to connect from [default: as many as descriptors demand]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub processes: Option<usize>,
    /// An address to connect from; repeat it, one for each 20,000 connections [default: as many of 127.0.0.x as ports
    /// demand, where all nodes are there]
    #[arg(long, value_name = "IP")]
    pub source: Vec<IpAddr>,
}

/// Where figures go.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// JSON to this file, beside the table; without a file to the standard output, instead of it
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// A chart of the figures to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// A channel of this run's own, for a URL without one.
#[must_use]
pub fn own_path() -> String {
    format!("/ws/swarm-{:08x}", rand::random::<u32>())
}
