//! Which brokers there are, how each is named in the configuration, and how each is started.

use std::{fmt, sync::Arc};

use fanfare_core::{Broker, BrokerEvents, Incarnation, Limits, Registry};
use tokio_util::sync::CancellationToken;

use crate::{
    memory,
    metrics::Metrics,
    redis,
    redis::{names::Prefix, tls::RedisTls, watchdog::Watch},
    tasks::Tasks,
};

/// A broker and how to reach it.
///
/// Parsed from `memory` or `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; user and
/// password may be percent-encoded. Neither `Debug` nor `Display` shows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerConfig {
    /// For one node: nothing else is needed.
    Memory,
    /// Redis 6.2 or newer.
    Redis(RedisConfig),
}

/// How to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Its host name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// The database of the keys; Pub/Sub knows none.
    pub database: i64,
    /// The ACL user; `None` for the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// TLS, where the URL asks for it.
    pub tls: Option<RedisTls>,
    /// What all names in Redis begin with.
    pub prefix: Prefix,
    /// How closely it is watched.
    pub watch: Watch,
}

/// Something that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a broker does not start. That it cannot be reached is no reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its counters have the names of others.
    #[error("the broker's metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The pool for the node registry cannot be made.
    #[error(transparent)]
    Registry(#[from] fanfare_core::registry::RegistryError),
}

/// What a broker has to know of its node.
#[derive(Debug, Clone)]
pub struct Node {
    /// This run of it.
    pub incarnation: Incarnation,
    /// Of these it keeps `message_bytes`, `publish_wait` and `goodbye`.
    pub limits: Limits,
}

/// What a driver starts.
pub(crate) type Parts = (Arc<dyn Broker>, Arc<dyn Registry>);

/// A broker at work.
pub struct Started {
    /// Carries publications.
    pub broker: Arc<dyn Broker>,
    /// Lists the nodes.
    pub registry: Arc<dyn Registry>,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Started {
    /// Ends it: what waits is still published, within `Limits::goodbye`; every publish is answered, and those
    /// that come later are refused.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.all_ended().await;
    }

    /// Ends if one of its tasks has, which only [`Started::stop`] makes them do: it carries nothing any more.
    pub async fn failed(&self) {
        self.tasks.one_ended().await;
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("state", &self.broker.state()).finish_non_exhaustive()
    }
}

/// Starts the broker `config` names, inside a tokio runtime. It need not be reachable: it is tried for ever, and
/// its state is `Away` meanwhile.
///
/// # Errors
/// A [`StartError`], for mistakes in this process only.
pub fn start(
    node: &Node,
    config: BrokerConfig,
    events: Arc<dyn BrokerEvents>,
    metrics: &prometheus::Registry,
) -> Result<Started, StartError> {
    let metrics = Metrics::register(metrics)?;
    let (stop, tasks) = (CancellationToken::new(), Tasks::default());
    let (broker, registry) = match config {
        BrokerConfig::Memory => memory::start(node, events, metrics, &tasks, &stop),
        BrokerConfig::Redis(config) => redis::start(node, config, events, metrics, &tasks, &stop)?,
    };
    Ok(Started { broker, registry, stop, tasks })
}

impl BrokerConfig {
    /// Whether it is reached by TLS.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        matches!(self, Self::Redis(RedisConfig { tls: Some(_), .. }))
    }

    /// The same broker, where it is reached by TLS in this way.
    #[must_use]
    pub fn with_tls(self, tls: RedisTls) -> Self {
        match self {
            Self::Redis(config) if config.tls.is_some() => {
                Self::Redis(RedisConfig { tls: Some(tls), ..config })
            }
            other => other,
        }
    }

    /// The same broker with its names in Redis under `prefix`.
    #[must_use]
    pub fn with_prefix(self, prefix: Prefix) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::Redis(config) => Self::Redis(RedisConfig { prefix, ..config }),
        }
    }
}

impl fmt::Display for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Redis(config) => config.fmt(f),
        }
    }
}

impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, .. } = self;
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}/{database}")
        } else {
            write!(f, "{scheme}://{host}:{port}/{database}")
        }
    }
}

impl Secret {
    pub(crate) fn new(secret: String) -> Self {
        Self(secret)
    }

    /// What it is: for the one who needs it, and never for a log.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
