//! Where a Redis is: at an address, where its Sentinels say, or on the nodes of a Cluster.

use std::fmt;

use crate::redis::pubsub::PubSub;

/// See the head of this file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At this address.
    Server(Endpoint),
    /// Where the Sentinels say at each connection.
    Sentinels(Sentinels),
    /// On the nodes of this Cluster.
    Cluster(Cluster),
}

/// A host and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The Sentinels of a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentinels {
    /// Their addresses: at least one.
    pub endpoints: Vec<Endpoint>,
    /// The name that they have for the master.
    pub master: String,
    /// The user and the password for the Sentinels themselves.
    pub login: Login,
}

/// A Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The addresses of some of its nodes: at least one.
    pub endpoints: Vec<Endpoint>,
    /// The number of parts that the channels are spread over: 1 to 64.
    pub partitions: u16,
    /// Whether messages go over the bus of the Cluster to all nodes, as before Redis 7.
    pub is_plain: bool,
}

impl Cluster {
    /// The number of partitions where the URL has none.
    pub(crate) const PARTITIONS: u16 = 16;
}

/// A user and a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; `None` for the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The text itself: for the connection, never for a log.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Place {
    /// An address of it: that of the first Sentinel, or of the first node of a Cluster, where there are some.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Server(endpoint) => Some(endpoint),
            Self::Sentinels(sentinels) => sentinels.endpoints.first(),
            Self::Cluster(cluster) => cluster.endpoints.first(),
        }
    }

    /// The words of Pub/Sub there.
    pub(crate) fn pubsub(&self) -> PubSub {
        match self {
            Self::Cluster(Cluster { is_plain: false, .. }) => PubSub::Sharded,
            _ => PubSub::Plain,
        }
    }

    /// Its name among several servers.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Server(endpoint) => endpoint.to_string(),
            Self::Sentinels(sentinels) => sentinels.master.clone(),
            Self::Cluster(cluster) => listed(&cluster.endpoints),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(endpoint) => endpoint.fmt(f),
            Self::Sentinels(Sentinels { endpoints, master, .. }) => {
                write!(f, "{}/{master}", listed(endpoints))
            }
            Self::Cluster(Cluster { endpoints, .. }) => f.write_str(&listed(endpoints)),
        }
    }
}

fn listed(endpoints: &[Endpoint]) -> String {
    let endpoints: Vec<_> = endpoints.iter().map(Endpoint::to_string).collect();
    endpoints.join(",")
}
