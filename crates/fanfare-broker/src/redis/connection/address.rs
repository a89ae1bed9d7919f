//! The URL of Redis: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; or with Sentinels
//! `redis+sentinel://[user:password@]host[:port],host[:port]/master[/database]`, or `rediss+sentinel://`. Behind each
//! there may be `?name=`. A Cluster is `redis+cluster://[user:password@]host[:port],host[:port]`, or `rediss+cluster://`;
//! there may be `?partitions=` and `pubsub=` behind it.
//!
//! Invariant: neither an error nor `Debug` nor `Display` shows anything that may be a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    place::{Cluster, Endpoint, Login, Place, Secret, Sentinels},
    tls::RedisTls,
};
use crate::{liveness::watchdog::Watch, redis::names::Prefix};

/// The port of a Redis.
const PORT: u16 = 6379;
/// The most partitions of a Cluster: as many as servers.
const MAX_PARTITIONS: u16 = 64;
/// The port of a Sentinel.
const SENTINEL_PORT: u16 = 26379;

/// How to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Where it is.
    pub place: Place,
    /// The name that the URL gives it among several servers.
    pub given_name: Option<String>,
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

/// A mistake in the URL of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// The URL is malformed.
    #[error("a broker is `memory` or `redis://[user:password@]host[:port][/database]`: {0}")]
    Url(url::ParseError),
    /// The URL has no host.
    #[error("the broker's URL names no host")]
    Host,
    /// The URL with Sentinels has no name of a master.
    #[error(
        "a URL with Sentinels names the master behind the hosts, as in redis+sentinel://host:26379,host:26379/mymaster"
    )]
    Master,
    /// The name among several servers is empty or too long, or has a sign that a name must not have.
    #[error("the name of a server (?name=) has 1 to 64 letters, digits, `.`, `-`, `_` or `:`")]
    Name,
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
    /// The number of partitions is not a number, or out of its bounds.
    #[error("the partitions of a Cluster (?partitions=) are a number from 1 to {MAX_PARTITIONS}")]
    Partitions,
    /// The word for Pub/Sub is another one.
    #[error("the Pub/Sub of a Cluster (?pubsub=) is `sharded`, or `plain` before Redis 7")]
    PubSub,
    /// The URL of a Cluster names a database.
    #[error(
        "a Cluster has database 0 only: write nothing behind the hosts, as in redis+cluster://host:6379,host:6379"
    )]
    ClusterDatabase,
    /// The URL of a Cluster has another option.
    #[error("the URL of a Cluster takes partitions= and pubsub= after `?`, each once, and nothing after `#`")]
    ClusterExtra,
    /// There is text behind `?` or `#`.
    #[error(
        "the broker's URL takes nothing after `?` but name=, and nothing after `#`; percent-encode them in a password (%3F \
         for ?, %23 for #)"
    )]
    Extra,
}

impl RedisConfig {
    /// Reads a URL, whose scheme is `redis` or `rediss`, perhaps with `+sentinel` or `+cluster`.
    pub(crate) fn parse(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(['/', '?', '#']) {
            return Err(RedisUrlError::NotEncoded);
        }
        let scheme = scheme.to_ascii_lowercase();
        let config = match scheme.split_once('+') {
            Some((_, "sentinel")) => Self::with_sentinels(rest)?,
            Some((_, "cluster")) => Self::of_cluster(rest)?,
            _ => Self::from_url(&url(text)?)?,
        };
        Ok(Self { tls: scheme.starts_with("rediss").then(RedisTls::default), ..config })
    }

    /// `[user:password@]host[:port],host[:port]/master[/database]`
    fn with_sentinels(rest: &str) -> Result<Self, RedisUrlError> {
        let Hosts { user, hosts, behind } = Hosts::of(rest);
        let end = behind.find(['?', '#']).unwrap_or(behind.len());
        let (path, query) = behind.split_at_checked(end).unwrap_or_default();
        let (master, database) =
            path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let master = decoded(master)?;
        if !is_name(&master) {
            return Err(RedisUrlError::Master);
        }
        let endpoints = endpoints(hosts, SENTINEL_PORT)?;
        let config = Self::from_url(&url(&format!("redis://{user}h/{database}{query}"))?)?;
        let place = Place::Sentinels(Sentinels { endpoints, master, login: Login::default() });
        Ok(Self { place, ..config })
    }

    /// `[user:password@]host[:port],host[:port][/0][?partitions=16&pubsub=sharded]`
    fn of_cluster(rest: &str) -> Result<Self, RedisUrlError> {
        let Hosts { user, hosts, behind } = Hosts::of(rest);
        let (path, query) =
            behind.split_once('?').map_or((behind, None), |(path, query)| (path, Some(query)));
        if !matches!(path, "" | "/" | "/0") {
            return Err(RedisUrlError::ClusterDatabase);
        }
        let (mut partitions, mut is_plain) = (None, None);
        for option in query.unwrap_or_default().split('&').filter(|_| query.is_some()) {
            match option.split_once('=') {
                Some(("partitions", number)) if partitions.is_none() => {
                    let number = number.parse().ok().filter(|number| (1..=MAX_PARTITIONS).contains(number));
                    partitions = Some(number.ok_or(RedisUrlError::Partitions)?);
                }
                Some(("pubsub", word @ ("sharded" | "plain"))) if is_plain.is_none() => {
                    is_plain = Some(word == "plain");
                }
                Some(("pubsub", _)) => return Err(RedisUrlError::PubSub),
                _ => return Err(RedisUrlError::ClusterExtra),
            }
        }
        let config = Self::from_url(&url(&format!("redis://{user}h"))?)?;
        let place = Place::Cluster(Cluster {
            endpoints: endpoints(hosts, PORT)?,
            partitions: partitions.unwrap_or(Cluster::PARTITIONS),
            is_plain: is_plain.unwrap_or_default(),
        });
        Ok(Self { place, ..config })
    }

    fn from_url(url: &Url) -> Result<Self, RedisUrlError> {
        let mut given_name = None;
        for (key, value) in url.query_pairs() {
            if key != "name" || given_name.is_some() {
                return Err(RedisUrlError::Extra);
            }
            if !is_name(&value) {
                return Err(RedisUrlError::Name);
            }
            given_name = Some(value.into_owned());
        }
        if url.fragment().is_some() || url.query().is_some() && given_name.is_none() {
            return Err(RedisUrlError::Extra);
        }
        let (host, port) = host_of(url)?;
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
            place: Place::Server(Endpoint { host, port: port.unwrap_or(PORT) }),
            given_name,
            database,
            username,
            password: password.map(Secret::new),
            tls: None,
            prefix: Prefix::default(),
            watch: Watch::default(),
        })
    }

    /// Its name among several servers: the given one, the name of its master, or its address.
    #[must_use]
    pub fn name(&self) -> String {
        self.given_name.clone().unwrap_or_else(|| self.place.name())
    }
}

/// The parts of a URL with several hosts.
struct Hosts<'a> {
    /// With the `@` behind it, or empty.
    user: &'a str,
    hosts: &'a str,
    /// From the first `/`, `?` or `#` on.
    behind: &'a str,
}

impl<'a> Hosts<'a> {
    fn of(rest: &'a str) -> Self {
        let place = rest.rfind('@').map_or(0, |at| at + 1);
        let (user, place) = rest.split_at_checked(place).unwrap_or_default();
        let end = place.find(['/', '?', '#']).unwrap_or(place.len());
        let (hosts, behind) = place.split_at_checked(end).unwrap_or_default();
        Self { user, hosts, behind }
    }
}

fn endpoints(hosts: &str, port: u16) -> Result<Vec<Endpoint>, RedisUrlError> {
    let endpoint = |host| {
        let (host, given) = host_of(&url(&format!("redis://{host}"))?)?;
        Ok(Endpoint { host, port: given.unwrap_or(port) })
    };
    hosts.split(',').map(endpoint).collect()
}

fn url(text: &str) -> Result<Url, RedisUrlError> {
    Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => RedisUrlError::Host,
        error => RedisUrlError::Url(error),
    })
}

/// The host and the port of a URL. An IPv6 address has brackets in a URL only.
fn host_of(url: &Url) -> Result<(String, Option<u16>), RedisUrlError> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(RedisUrlError::Host)?;
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), url.port()))
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c))
}

fn decoded(text: &str) -> Result<String, RedisUrlError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| RedisUrlError::NotUtf8)?;
    Ok(text.into_owned())
}

impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, database, .. } = self;
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        let kind = match place {
            Place::Server(_) => "",
            Place::Sentinels(_) => "+sentinel",
            Place::Cluster(Cluster { partitions, is_plain, .. }) => {
                let words = if *is_plain { "plain" } else { "sharded" };
                return write!(f, "{scheme}+cluster://{place}/?partitions={partitions}&pubsub={words}");
            }
        };
        write!(f, "{scheme}{kind}://{place}/{database}")?;
        match &self.given_name {
            Some(name) => write!(f, "?name={name}"),
            None => Ok(()),
        }
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
        assert_eq!((config.place.to_string().as_str(), config.database), ("localhost:6379", 0));
        assert_eq!((config.username, config.password), (None, None));
        let config = redis("rediss://h:7");
        assert_eq!((config.tls.is_some(), config.to_string().as_str()), (true, "rediss://h:7/0"));
        let config = redis("redis://me:p%40ss%3A@[::1]:7000/3");
        let endpoint = Endpoint { host: "::1".into(), port: 7000 };
        assert_eq!((&config.place, config.database), (&Place::Server(endpoint), 3));
        assert_eq!(config.username.as_deref(), Some("me"));
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("p@ss:"));
        let config = redis("redis://:only@h:1");
        assert_eq!((config.username, config.password.as_ref().map(Secret::expose)), (None, Some("only")));
        let config = redis("redis://h?name=eu-1");
        assert_eq!((config.name(), config.to_string()), ("eu-1".into(), "redis://h:6379/0?name=eu-1".into()));
        let config = redis("redis://:%23%2F%3F@h");
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("#/?"));
    }

    #[test]
    fn a_url_names_sentinels_and_their_master() {
        let config = redis("redis+sentinel://me:p,w@a,b:7,[::1]/main/3?name=x");
        assert_eq!(config.to_string(), "redis+sentinel://a:26379,b:7,[::1]:26379/main/3?name=x");
        assert_eq!((config.username.as_deref(), config.name().as_str()), (Some("me"), "x"));
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("p,w"));
        let Place::Sentinels(sentinels) = &config.place else { panic!("{config:?}") };
        assert_eq!((sentinels.master.as_str(), sentinels.endpoints.len()), ("main", 3));
        assert!(redis("rediss+sentinel://a/m").tls.is_some());
        assert_eq!(redis("REDIS+SENTINEL://a/m").name(), "m");
    }

    #[test]
    fn a_url_names_nodes_of_a_cluster() {
        let config = redis("redis+cluster://me:p,w@a,b:7,[::1]?partitions=8&pubsub=plain");
        assert_eq!(config.to_string(), "redis+cluster://a:6379,b:7,[::1]:6379/?partitions=8&pubsub=plain");
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("p,w"));
        for text in ["rediss+cluster://a", "rediss+cluster://a/", "REDISS+CLUSTER://a:6379/0?pubsub=sharded"]
        {
            let shown = redis(text).to_string();
            assert_eq!(shown, "rediss+cluster://a:6379/?partitions=16&pubsub=sharded");
            assert_eq!(redis(&shown), redis(text));
        }
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
            ("redis://h?name=", RedisUrlError::Name),
            ("redis://h?name=a b", RedisUrlError::Name),
            ("redis://h?name=a&name=b", RedisUrlError::Extra),
            ("redis://h?", RedisUrlError::Extra),
            ("redis+sentinel://h", RedisUrlError::Master),
            ("redis+sentinel://h/", RedisUrlError::Master),
            ("redis+sentinel:///m", RedisUrlError::Host),
            ("redis+sentinel://a,,b/m", RedisUrlError::Host),
            ("redis+sentinel://a/m/x", RedisUrlError::Database),
            ("redis+sentinel://u@a/m", RedisUrlError::Password),
            ("redis+sentinel://a/m?x=1", RedisUrlError::Extra),
            ("redis+cluster://", RedisUrlError::Host),
            ("redis+cluster://a,,b", RedisUrlError::Host),
            ("redis+cluster://a/1", RedisUrlError::ClusterDatabase),
            ("redis+cluster://a#x", RedisUrlError::ClusterDatabase),
            ("redis+cluster://a?partitions=0", RedisUrlError::Partitions),
            ("redis+cluster://a?partitions=65", RedisUrlError::Partitions),
            ("redis+cluster://a?pubsub=other", RedisUrlError::PubSub),
            ("redis+cluster://a?name=x", RedisUrlError::ClusterExtra),
            ("redis+cluster://a?", RedisUrlError::ClusterExtra),
            ("redis+cluster://u@a", RedisUrlError::Password),
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
