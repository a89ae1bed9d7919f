//! How a broker is named: `memory`, or the URL of a Redis.
//!
//! Invariant: no error shows anything that may be a password. What has no scheme may be one as a whole.

use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{
    driver::{BrokerConfig, RedisConfig, Secret},
    redis::{names::Prefix, tls::RedisTls, watchdog::Watch},
};

/// Why a string names no broker. Shows nothing of what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// It is neither `memory` nor a URL.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: it has no scheme")]
    NoScheme,
    /// The URL is malformed.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: {0}")]
    Url(url::ParseError),
    /// It is a URL of something else.
    #[error("there is no broker {0}://; use memory, redis:// or rediss:// (TLS)")]
    Scheme(String),
    /// The URL has no host.
    #[error("the broker's URL names no host")]
    Host,
    /// What follows the host is not a number.
    #[error("the database in the broker's URL is a number from 0 up, as in redis://host:6379/0")]
    Database,
    /// It has a user without a password.
    #[error("the broker's URL has a user and no password")]
    Password,
    /// A sign that ends the host stands in front of the `@`: it is part of the user or the password.
    #[error(
        "a sign in the user or password ends the URL's host: percent-encode it (%23 for #, %2F for /, %3F for ?)"
    )]
    NotEncoded,
    /// User or password are not UTF-8 once they are decoded.
    #[error("user and password in the broker's URL must be UTF-8, percent-encoded")]
    NotUtf8,
    /// Something follows after `?` or `#`.
    #[error(
        "the broker's URL takes nothing after `?` or `#`; percent-encode them in a password (%3F for ?, %23 for #)"
    )]
    Extra,
}

impl FromStr for BrokerConfig {
    type Err = BrokerConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let (_, rest) = text.split_once("://").ok_or(BrokerConfigError::NoScheme)?;
        let before_host = rest.rsplit_once('@').map_or("", |(before, _)| before);
        if before_host.contains(['/', '?', '#']) {
            return Err(BrokerConfigError::NotEncoded);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => BrokerConfigError::Host,
            url::ParseError::RelativeUrlWithoutBase => BrokerConfigError::NoScheme,
            error => BrokerConfigError::Url(error),
        })?;
        match url.scheme() {
            "redis" => RedisConfig::from_url(&url).map(Self::Redis),
            "rediss" => {
                let config = RedisConfig::from_url(&url)?;
                Ok(Self::Redis(RedisConfig { tls: Some(RedisTls::default()), ..config }))
            }
            other if text.get(..other.len() + 3).is_some_and(|start| start.ends_with("://")) => {
                Err(BrokerConfigError::Scheme(other.to_owned()))
            }
            // `password:with://in.it`
            _ => Err(BrokerConfigError::NoScheme),
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
            password: password.map(Secret::new),
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
        let config = redis("redis://:%23%2F%3F@h");
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("#/?"));
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
            ("redis://:p#ss@h:6379", BrokerConfigError::NotEncoded),
            ("redis://:p/ss@h:6379", BrokerConfigError::NotEncoded),
            ("redis://u:12/ab@h:6379", BrokerConfigError::NotEncoded),
            ("rediss://u:what?@h", BrokerConfigError::NotEncoded),
            ("redis://:a@b/c@h", BrokerConfigError::NotEncoded),
            ("localhost", BrokerConfigError::NoScheme),
            ("localhost:6379", BrokerConfigError::NoScheme),
            (":hunter2@h:6379", BrokerConfigError::NoScheme),
            ("hunter2:x://h", BrokerConfigError::NoScheme),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert!(matches!(parse("redis://h:99999"), Err(BrokerConfigError::Url(_))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = parse("redis://me:hunter2@h:1/2").unwrap();
        assert_eq!(config.to_string(), "redis://h:1/2");
        assert!(!format!("{config:?}").contains("hunter2"));
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
