//! Which brokers there are, how each is named in the configuration, and how each is started.
//!
//! Invariant: no error shows anything that may be a password. A text without a scheme may be a password as a whole.

use std::{fmt, str::FromStr, sync::Arc};

use fanfare_core::{Backend, BrokerEvents, Channel, Registry};
use fanfare_metrics::Registrar;
use tokio_util::sync::CancellationToken;

use crate::{
    memory,
    metrics::Metrics,
    node::Node,
    partitions::{self, MAX_SERVERS, Placement},
    redis::{
        self, PartitionContext,
        connection::{
            address::{RedisConfig, RedisUrlError},
            place::{Login, Place, Sentinels},
            tls::RedisTls,
        },
        metrics::RedisMetrics,
        names::Prefix,
    },
    tasks::Tasks,
};

/// A broker and how to reach it.
///
/// Parsed from `memory` or `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; or
/// `redis+sentinel://[user:password@]host[:port],host[:port]/master[/database]`; or several of these URLs with commas
/// between them; or `redis+cluster://[user:password@]host[:port],host[:port]`. User and password may be percent-encoded. Neither `Debug` nor `Display` shows a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerConfig {
    /// For one node alone.
    Memory,
    /// Redis 6.2 or newer.
    Redis(Box<RedisConfig>),
    /// Several servers of Redis, which share the channels.
    Several(Servers),
    /// A Redis Cluster, whose place is a [`Cluster`](crate::Cluster).
    Cluster(Box<RedisConfig>),
}

/// Several servers of Redis.
///
/// Invariants: there are two at least, and 64 at most. They are sorted by their names, and no two have the same name or
/// the same place. All of them have the same prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<RedisConfig>);

impl Servers {
    /// Each of them.
    #[must_use]
    pub fn each(&self) -> &[RedisConfig] {
        &self.0
    }

    /// The server that a channel is on.
    #[must_use]
    pub fn of(&self, channel: &Channel) -> Option<&RedisConfig> {
        let names: Vec<_> = self.0.iter().map(RedisConfig::name).collect();
        let partition = Placement::new(names.iter().map(String::as_str)).of(channel);
        self.0.get(usize::from(partition.0))
    }

    fn new(mut servers: Vec<RedisConfig>) -> Result<Self, BrokerConfigError> {
        if servers.len() > MAX_SERVERS {
            return Err(BrokerConfigError::TooMany(servers.len()));
        }
        servers.sort_by_cached_key(RedisConfig::name);
        for (at, server) in servers.iter().enumerate() {
            let others = || servers.iter().skip(at + 1);
            if others().any(|other| other.name() == server.name()) {
                return Err(BrokerConfigError::SameName(server.name()));
            }
            if others().any(|other| other.place == server.place) {
                return Err(BrokerConfigError::SamePlace(server.place.to_string()));
            }
        }
        Ok(Self(servers))
    }
}

/// Why a string does not name a broker. Shows nothing that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// It is neither `memory` nor a URL.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: it has no scheme")]
    NoScheme,
    /// Memory is in a list with others.
    #[error("`memory` is for a node alone: a list has URLs of Redis only")]
    MemoryInList,
    /// Two of several servers have the same name.
    #[error(
        "two of the servers have the name {0}: channels are spread by the names, so give each another (?name=)"
    )]
    SameName(String),
    /// Two of several servers are the same one.
    #[error("two of the servers are {0}: list each once")]
    SamePlace(String),
    /// There are more servers than there may be.
    #[error("there are {0} servers: there may be {MAX_SERVERS}")]
    TooMany(usize),
    /// A Cluster is in a list with others.
    #[error(
        "a Cluster is a broker by itself: write its nodes into one URL, as in redis+cluster://host:6379,host:6379"
    )]
    ClusterInList,
    /// It is a URL of something else.
    #[error(
        "{0}:// is not a broker; use memory, redis://, rediss:// (TLS), redis+sentinel:// or redis+cluster://"
    )]
    Scheme(String),
    /// It is a URL of a Redis, with a mistake in it.
    #[error(transparent)]
    Redis(#[from] RedisUrlError),
}

impl FromStr for BrokerConfig {
    type Err = BrokerConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let urls = urls(text);
        if urls.len() > 1 {
            return Self::several(urls);
        }
        let (scheme, _) = text.split_once("://").ok_or(BrokerConfigError::NoScheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" => {
                Ok(Self::Redis(RedisConfig::parse(text)?.into()))
            }
            "redis+cluster" | "rediss+cluster" => Ok(Self::Cluster(RedisConfig::parse(text)?.into())),
            other if is_scheme(other) => Err(BrokerConfigError::Scheme(other.to_owned())),
            // `password:with://in.it`
            _ => Err(BrokerConfigError::NoScheme),
        }
    }
}

/// See [`BrokerConfig::urls`].
fn urls(text: &str) -> Vec<&str> {
    let (mut urls, mut rest) = (Vec::new(), text);
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|later| later.find(',')).map(|at| from + at) {
        let (url, next) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
        let next = next.trim_start();
        if next == "memory" || next.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
            urls.push(url.trim());
            (rest, from) = (next, 0);
        } else {
            from = at + 1;
        }
    }
    urls.push(rest.trim());
    urls
}

/// Whether a URL may begin with it: RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Why a broker does not start. A broker that cannot be reached does start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A metric of its name is registered already.
    #[error("the broker's metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The pool for the node registry cannot be made.
    #[error(transparent)]
    Registry(#[from] fanfare_core::registry::RegistryError),
    /// The prefix would put all partitions of a Cluster into one slot.
    #[error(
        "with a Redis Cluster the prefix must not have the sign {{: it decides on the node. This one is {0}"
    )]
    Brace(Prefix),
}

/// A broker at work.
pub struct Started {
    /// Carries and keeps publications, and lists clients.
    pub backend: Backend,
    /// Lists the nodes.
    pub registry: Arc<dyn Registry>,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Started {
    /// Ends it. Waiting messages are still published, within `Limits::goodbye`. Every publish is answered, and later
    /// ones are refused.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.all_ended().await;
    }

    /// Returns once one of its tasks has ended, which only [`Started::stop`] makes them do. Then it carries nothing.
    pub async fn failed(&self) {
        self.tasks.one_ended().await;
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("state", &self.backend.broker.overall_state()).finish_non_exhaustive()
    }
}

/// Starts the broker that `config` names, inside a tokio runtime. It need not be reachable: the node tries for ever,
/// and the state is `Away` meanwhile.
///
/// # Errors
/// A [`StartError`], for mistakes in this process only.
pub fn start(
    node: &Node,
    config: BrokerConfig,
    events: Arc<dyn BrokerEvents>,
    metrics: &prometheus::Registry,
) -> Result<Started, StartError> {
    let (stop, tasks) = (CancellationToken::new(), Tasks::default());
    let (backend, registry) = match config {
        BrokerConfig::Several(servers) => {
            partitions::start(node, servers.0, &events, metrics, &tasks, &stop)?
        }
        BrokerConfig::Cluster(config) if let Place::Cluster(cluster) = config.place.clone() => {
            partitions::start_cluster(node, &config, &cluster, &events, metrics, &tasks, &stop)?
        }
        one => {
            let register = Registrar(metrics);
            let metrics = Arc::new(Metrics::register(register)?);
            // With every broker: so that all series of docs/metrics.md are there.
            let redis_metrics = Arc::new(RedisMetrics::register(register, metrics.clone())?);
            match one {
                BrokerConfig::Redis(config) | BrokerConfig::Cluster(config) => redis::start(
                    node,
                    *config,
                    PartitionContext::default(),
                    events,
                    redis_metrics,
                    &tasks,
                    &stop,
                )?
                .into(),
                _ => memory::start(node, events, metrics, &tasks, &stop),
            }
        }
    };
    Ok(Started { backend, registry, stop, tasks })
}

impl BrokerConfig {
    fn several(urls: Vec<&str>) -> Result<Self, BrokerConfigError> {
        let mut servers = Vec::new();
        for url in urls {
            match url.parse()? {
                Self::Redis(server) => servers.push(*server),
                Self::Cluster(_) => return Err(BrokerConfigError::ClusterInList),
                Self::Several(_) | Self::Memory => return Err(BrokerConfigError::MemoryInList),
            }
        }
        Servers::new(servers).map(Self::Several)
    }

    /// The URLs of a text. A comma within a URL, as in a password or between Sentinels, has no scheme behind it.
    #[must_use]
    pub fn urls(text: &str) -> Vec<&str> {
        urls(text)
    }

    /// Its servers of Redis.
    #[must_use]
    pub fn servers(&self) -> &[RedisConfig] {
        match self {
            Self::Memory => &[],
            Self::Redis(server) | Self::Cluster(server) => std::slice::from_ref(&**server),
            Self::Several(servers) => servers.each(),
        }
    }

    /// Whether TLS leads to one of its servers.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.servers().iter().any(|server| server.tls.is_some())
    }

    /// Whether Sentinels say where one of its servers is.
    #[must_use]
    pub fn has_sentinels(&self) -> bool {
        self.servers().iter().any(|server| matches!(server.place, Place::Sentinels(_)))
    }

    /// The same broker with this TLS, where TLS leads to it.
    #[must_use]
    pub fn with_tls(self, tls: &RedisTls) -> Self {
        self.map(|config| match &config.tls {
            Some(_) => RedisConfig { tls: Some(tls.clone()), ..config },
            None => config,
        })
    }

    /// The same broker with this login for Sentinels.
    #[must_use]
    pub fn with_sentinel_login(self, login: &Login) -> Self {
        self.map(|config| match config.place {
            Place::Sentinels(sentinels) => {
                let place = Place::Sentinels(Sentinels { login: login.clone(), ..sentinels });
                RedisConfig { place, ..config }
            }
            Place::Server(_) | Place::Cluster(_) => config,
        })
    }

    /// The same broker with its names in Redis under `prefix`.
    #[must_use]
    pub fn with_prefix(self, prefix: &Prefix) -> Self {
        self.map(|config| RedisConfig { prefix: prefix.clone(), ..config })
    }

    /// The same broker with each server changed, which keeps its name and its place.
    #[must_use]
    pub fn map(self, change: impl Fn(RedisConfig) -> RedisConfig) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::Redis(server) => Self::Redis(change(*server).into()),
            Self::Cluster(cluster) => Self::Cluster(change(*cluster).into()),
            Self::Several(Servers(servers)) => {
                Self::Several(Servers(servers.into_iter().map(change).collect()))
            }
        }
    }
}

impl fmt::Display for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers().iter().map(RedisConfig::to_string).collect();
        f.write_str(if servers.is_empty() { "memory" } else { "" })?;
        f.write_str(&servers.join(","))
    }
}

#[cfg(test)]
mod tests;
