//! The URL of Redis: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
//!
//! Invariant: neither an error nor `Debug` nor `Display` shows anything that may be a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::tls::RedisTls;
use crate::{liveness::watchdog::Watch, redis::names::Prefix};

/// How to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Its host name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// The database of the keys. Pub/Sub does not know databases.
    pub database: i64,
    /// The ACL user; `None` for the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// TLS, where the URL asks for it.
    pub tls: Option<RedisTls>,
    /// The beginning of all names in Redis.
    pub prefix: Prefix,
    /// How closely it is watched.
    pub watch: Watch,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A mistake in the URL of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// The URL is malformed.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: {0}")]
    Url(url::ParseError),
    /// The URL has no host.
    #[error("the broker's URL names no host")]
    Host,
    /// The part behind the host is not a number.
    #[error("the database in the broker's URL is a number from 0 up, as in redis://host:6379/0")]
    Database,
    /// It has a user without a password.
    #[error("the broker's URL has a user and no password")]
    Password,
    /// A character that ends the host stands in front of the `@`: it is part of the user or the password.
    #[error(
        "a sign in the user or password ends the URL's host: percent-encode it (%23 for #, %2F for /, %3F for ?)"
    )]
    NotEncoded,
    /// User or password are not UTF-8 once they are decoded.
    #[error("user and password in the broker's URL must be UTF-8, percent-encoded")]
    NotUtf8,
    /// There is text behind `?` or `#`.
    #[error(
        "the broker's URL takes nothing after `?` or `#`; percent-encode them in a password (%3F for ?, %23 for #)"
    )]
    Extra,
}

impl RedisConfig {
    /// Reads a URL, whose scheme is `redis` or `rediss`.
    pub(crate) fn parse(text: &str) -> Result<Self, RedisUrlError> {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(['/', '?', '#']) {
            return Err(RedisUrlError::NotEncoded);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => RedisUrlError::Host,
            error => RedisUrlError::Url(error),
        })?;
        let tls = (url.scheme() == "rediss").then(RedisTls::default);
        Ok(Self { tls, ..Self::from_url(&url)? })
    }

    fn from_url(url: &Url) -> Result<Self, RedisUrlError> {
        if url.query().is_some() || url.fragment().is_some() {
            return Err(RedisUrlError::Extra);
        }
        // An IPv6 address has brackets in a URL only.
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(RedisUrlError::Host)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let password = url.password().filter(|password| !password.is_empty()).map(decoded).transpose()?;
        let username = Some(url.username()).filter(|user| !user.is_empty()).map(decoded).transpose()?;
        if username.is_some() && password.is_none() {
            return Err(RedisUrlError::Password);
        }
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            database => database.parse::<u32>().map_err(|_| RedisUrlError::Database)?.into(),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(6379),
            database,
            username,
            password: password.map(Secret::new),
            tls: None,
            prefix: Prefix::default(),
            watch: Watch::default(),
        })
    }
}

fn decoded(text: &str) -> Result<String, RedisUrlError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| RedisUrlError::NotUtf8)?;
    Ok(text.into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(text: &str) -> RedisConfig {
        RedisConfig::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn a_url_says_how_redis_is_reached() {
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
        let config = redis("redis://:%23%2F%3F@h");
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("#/?"));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, error) in [
            ("redis://", RedisUrlError::Host),
            ("redis://h/x", RedisUrlError::Database),
            ("redis://h/-1", RedisUrlError::Database),
            ("redis://user@h", RedisUrlError::Password),
            ("redis://:%ff@h", RedisUrlError::NotUtf8),
            ("redis://h?protocol=resp2", RedisUrlError::Extra),
            ("redis://:p#ss@h:6379", RedisUrlError::NotEncoded),
            ("redis://:p/ss@h:6379", RedisUrlError::NotEncoded),
            ("redis://u:12/ab@h:6379", RedisUrlError::NotEncoded),
            ("rediss://u:what?@h", RedisUrlError::NotEncoded),
            ("redis://:a@b/c@h", RedisUrlError::NotEncoded),
        ] {
            assert_eq!(RedisConfig::parse(text), Err(error), "{text}");
        }
        assert!(matches!(RedisConfig::parse("redis://h:99999"), Err(RedisUrlError::Url(_))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = redis("redis://me:hunter2@h:1/2");
        assert_eq!(config.to_string(), "redis://h:1/2");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
