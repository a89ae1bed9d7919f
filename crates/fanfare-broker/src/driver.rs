//! Which brokers there are, how each is named in the configuration, and how each is started.
//!
//! Invariant: no error shows anything that may be a password. A text without a scheme may be a password as a whole.

use std::{fmt, str::FromStr, sync::Arc};

use fanfare_core::{Backend, BrokerEvents, Registry};
use fanfare_metrics::Registrar;
use tokio_util::sync::CancellationToken;

use crate::{
    memory,
    metrics::Metrics,
    node::Node,
    redis::{
        self,
        connection::{
            address::{RedisConfig, RedisUrlError},
            tls::RedisTls,
        },
        metrics::RedisMetrics,
        names::Prefix,
    },
    tasks::Tasks,
};

/// A broker and how to reach it.
///
/// Parsed from `memory` or `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; user and
/// password may be percent-encoded. Neither `Debug` nor `Display` shows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerConfig {
    /// For one node alone.
    Memory,
    /// Redis 6.2 or newer.
    Redis(RedisConfig),
}

/// Why a string does not name a broker. Shows nothing that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// It is neither `memory` nor a URL.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: it has no scheme")]
    NoScheme,
    /// It is a URL of something else.
    #[error("{0}:// is not a broker; use memory, redis:// or rediss:// (TLS)")]
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
        let (scheme, _) = text.split_once("://").ok_or(BrokerConfigError::NoScheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "redis" | "rediss" => Ok(Self::Redis(RedisConfig::parse(text)?)),
            other if is_scheme(other) => Err(BrokerConfigError::Scheme(other.to_owned())),
            // `password:with://in.it`
            _ => Err(BrokerConfigError::NoScheme),
        }
    }
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
    let register = Registrar(metrics);
    let metrics = Arc::new(Metrics::register(register)?);
    // With every broker: so that all series of docs/metrics.md are there.
    let redis_metrics = Arc::new(RedisMetrics::register(register, metrics.clone())?);
    let (stop, tasks) = (CancellationToken::new(), Tasks::default());
    let (backend, registry) = match config {
        BrokerConfig::Memory => memory::start(node, events, metrics, &tasks, &stop),
        BrokerConfig::Redis(config) => redis::start(node, config, events, redis_metrics, &tasks, &stop)?,
    };
    Ok(Started { backend, registry, stop, tasks })
}

impl BrokerConfig {
    /// Whether TLS leads to it.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        matches!(self, Self::Redis(RedisConfig { tls: Some(_), .. }))
    }

    /// The same broker with this TLS, if TLS leads to it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BrokerConfig, BrokerConfigError> {
        text.parse()
    }

    #[test]
    fn a_word_or_a_url_names_a_broker() {
        assert_eq!(parse("memory"), Ok(BrokerConfig::Memory));
        for url in ["redis://localhost", "rediss://h:7", "REDIS://h"] {
            assert!(matches!(parse(url), Ok(BrokerConfig::Redis(_))), "{url}");
        }
    }

    #[test]
    fn a_text_that_names_no_broker_is_refused() {
        for (text, error) in [
            ("nats://h", BrokerConfigError::Scheme("nats".into())),
            ("redissh://h", BrokerConfigError::Scheme("redissh".into())),
            ("redis://", BrokerConfigError::Redis(RedisUrlError::Host)),
            ("localhost", BrokerConfigError::NoScheme),
            ("localhost:6379", BrokerConfigError::NoScheme),
            (":hunter2@h:6379", BrokerConfigError::NoScheme),
            ("hunter2:x://h", BrokerConfigError::NoScheme),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn no_error_shows_a_password() {
        let mistakes = [
            "redis://me:hunter2@h:1x",
            "redis://me:hunter2@",
            "redissh://me:hunter2@h",
            "redis://me:hunter2#@h",
            "hunter2",
            "hunter2:6379",
            "hunter2@h:1",
            "hunter2:x://h",
        ];
        for error in mistakes.map(|text| parse(text).unwrap_err()) {
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
