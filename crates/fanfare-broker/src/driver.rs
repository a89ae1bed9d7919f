//! Which brokers there are, how each is named in the configuration, and how each is started.

use std::{fmt, str::FromStr, sync::Arc};

use fanfare_core::{Broker, BrokerEvents, Incarnation, Limits, Registry};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use url::Url;

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

/// Why a string names no broker. Shows nothing of what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// Neither `memory` nor a URL.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: {0}")]
    Url(url::ParseError),
    /// A URL of something else.
    #[error("there is no broker {0}://; use memory, redis:// or rediss:// (TLS)")]
    Scheme(String),
    /// No host.
    #[error("the broker's URL names no host")]
    Host,
    /// What follows the host is no number.
    #[error("the database in the broker's URL is a number from 0 up, as in redis://host:6379/0")]
    Database,
    /// A user without a password.
    #[error("the broker's URL has a user and no password")]
    Password,
    /// User or password are not UTF-8 once decoded.
    #[error("user and password in the broker's URL must be UTF-8, percent-encoded")]
    NotUtf8,
    /// Something after `?` or `#`.
    #[error("the broker's URL takes nothing after `?` or `#`")]
    Extra,
}

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

impl FromStr for BrokerConfig {
    type Err = BrokerConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let url = Url::parse(text).map_err(BrokerConfigError::Url)?;
        match url.scheme() {
            "redis" => RedisConfig::from_url(&url).map(Self::Redis),
            "rediss" => {
                let config = RedisConfig::from_url(&url)?;
                Ok(Self::Redis(RedisConfig { tls: Some(RedisTls::default()), ..config }))
            }
            other => Err(BrokerConfigError::Scheme(other.to_owned())),
        }
    }
}

impl RedisConfig {
    fn from_url(url: &Url) -> Result<Self, BrokerConfigError> {
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BrokerConfigError::Extra);
        }
        // An IPv6 address stands in brackets in a URL, and without them everywhere else.
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BrokerConfigError::Host)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let password = url.password().filter(|password| !password.is_empty()).map(decoded).transpose()?;
        let username = Some(url.username()).filter(|user| !user.is_empty()).map(decoded).transpose()?;
        if username.is_some() && password.is_none() {
            return Err(BrokerConfigError::Password);
        }
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            database => database.parse::<u32>().map_err(|_| BrokerConfigError::Database)?.into(),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(6379),
            database,
            username,
            password: password.map(Secret),
            tls: None,
            prefix: Prefix::default(),
            watch: Watch::default(),
        })
    }
}

fn decoded(text: &str) -> Result<String, BrokerConfigError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| BrokerConfigError::NotUtf8)?;
    Ok(text.into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BrokerConfig, BrokerConfigError> {
        text.parse()
    }

    fn redis(text: &str) -> RedisConfig {
        match parse(text) {
            Ok(BrokerConfig::Redis(config)) => config,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn brokers_are_named_by_a_word_or_a_url() {
        assert_eq!(parse("memory"), Ok(BrokerConfig::Memory));
        let config = redis("redis://localhost");
        assert_eq!((config.host.as_str(), config.port, config.database), ("localhost", 6379, 0));
        assert_eq!((config.username, config.password), (None, None));
        let config = redis("rediss://h:7");
        assert_eq!((config.tls.is_some(), config.to_string().as_str()), (true, "rediss://h:7/0"));
        let config = redis("redis://me:p%40ss%3A@[::1]:7000/3");
        assert_eq!((config.host.as_str(), config.port, config.database), ("::1", 7000, 3));
        assert_eq!(config.username.as_deref(), Some("me"));
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("p@ss:"));
        let config = redis("redis://:only@h:1");
        assert_eq!((config.username, config.password.as_ref().map(Secret::expose)), (None, Some("only")));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, error) in [
            ("nats://h", BrokerConfigError::Scheme("nats".into())),
            ("redissh://h", BrokerConfigError::Scheme("redissh".into())),
            ("redis://", BrokerConfigError::Host),
            ("redis://h/x", BrokerConfigError::Database),
            ("redis://h/-1", BrokerConfigError::Database),
            ("redis://user@h", BrokerConfigError::Password),
            ("redis://:%ff@h", BrokerConfigError::NotUtf8),
            ("redis://h?protocol=resp2", BrokerConfigError::Extra),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert!(matches!(parse("localhost"), Err(BrokerConfigError::Url(_))));
        assert!(matches!(parse("redis://h:99999"), Err(BrokerConfigError::Url(_))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = parse("redis://me:hunter2@h:1/2").unwrap();
        assert_eq!(config.to_string(), "redis://h:1/2");
        assert!(!format!("{config:?}").contains("hunter2"));
        let mistakes =
            ["redis://me:hunter2@h:1x", "redis://me:hunter2@", "redissh://me:hunter2@h", "hunter2"];
        for error in mistakes.map(|text| parse(text).unwrap_err()) {
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
