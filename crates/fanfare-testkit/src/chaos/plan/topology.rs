//! The Redis of a run.

use std::str::FromStr;

/// The nodes.
pub const NODES: usize = 3;

/// The servers, and what binds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    One,
    /// Three servers that share the channels.
    Three,
    /// A master with two replicas and three Sentinels.
    Sentinel,
    /// A Cluster of three masters with a replica each.
    Cluster,
}

impl Topology {
    /// All of them.
    pub const ALL: &[Self] = &[Self::One, Self::Three, Self::Sentinel, Self::Cluster];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Three => "three",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }

    /// The one that a seed chooses.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let place = usize::try_from(seed).unwrap_or(0) % Self::ALL.len();
        Self::ALL.get(place).copied().unwrap_or(Self::One)
    }

    /// The servers with messages of their own.
    #[must_use]
    pub const fn servers(self) -> usize {
        match self {
            Self::One | Self::Sentinel => 1,
            Self::Three | Self::Cluster => 3,
        }
    }

    /// Whether a replica takes the place of a master.
    #[must_use]
    pub const fn fails_over(self) -> bool {
        matches!(self, Self::Sentinel | Self::Cluster)
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.iter().copied().find(|topology| topology.name() == text);
        named.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|topology| topology.name()).collect();
            format!("not a kind of Redis; want one of {}", names.join(","))
        })
    }
}
