//! Asks Sentinels where the master is.
//!
//! All are asked at the same time. The answer with the highest epoch of a configuration counts: a Sentinel that is cut off
//! from the others knows an older one.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, timeout};

use super::{
    address::RedisConfig,
    code::{code, says},
    error::ConnectionError,
    open::Connection,
    place::{Endpoint, Place, Sentinels},
    resp::{Malformed, Value},
    tls::RedisTls,
};
use crate::redis::metrics::RedisMetrics;

/// How long a Sentinel may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the others may take behind the first answer.
const OTHERS: Duration = Duration::from_millis(200);
/// The longest answer.
const MAX_ANSWER: usize = 64 << 10;

/// Finds the server of a place.
#[derive(Clone)]
pub(crate) enum Finder {
    At(Endpoint),
    By(ToSentinels),
}

impl Finder {
    /// For a Redis. Connections to its Sentinels have this name.
    pub(crate) fn of(config: &RedisConfig, name: &str, metrics: &Arc<RedisMetrics>) -> Self {
        match &config.place {
            Place::Server(endpoint) => Self::At(endpoint.clone()),
            Place::Sentinels(sentinels) => Self::By(ToSentinels {
                sentinels: sentinels.clone(),
                tls: config.tls.clone(),
                client_name: name.to_owned(),
                metrics: metrics.clone(),
            }),
        }
    }

    /// Where the server is now.
    ///
    /// # Errors
    /// No Sentinel says it.
    pub(crate) async fn find(&self) -> Result<Endpoint, ConnectionError> {
        match self {
            Self::At(endpoint) => Ok(endpoint.clone()),
            Self::By(sentinels) => sentinels.master().await,
        }
    }
}

/// How to reach Sentinels.
#[derive(Clone)]
pub(crate) struct ToSentinels {
    pub(crate) sentinels: Sentinels,
    pub(crate) tls: Option<RedisTls>,
    /// The name of the connections.
    pub(crate) client_name: String,
    pub(crate) metrics: Arc<RedisMetrics>,
}

/// A master, as a Sentinel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    /// Rises with each failover.
    pub(crate) epoch: u64,
    pub(crate) endpoint: Endpoint,
}

impl ToSentinels {
    /// Where the master is.
    async fn master(&self) -> Result<Endpoint, ConnectionError> {
        let mut asked: FuturesUnordered<_> =
            self.sentinels.endpoints.iter().map(|endpoint| self.ask(endpoint)).collect();
        let (mut newest, mut failed): (Option<Master>, _) = (None, None);
        let mut until = std::pin::pin!(sleep(PATIENCE));
        loop {
            tokio::select! {
                answer = asked.next() => match answer {
                    None => break,
                    Some(Ok(master)) => {
                        if newest.is_none() {
                            until.as_mut().reset(tokio::time::Instant::now() + OTHERS);
                        }
                        if newest.as_ref().is_none_or(|newest| newest.epoch < master.epoch) {
                            newest = Some(master);
                        }
                    }
                    Some(Err(error)) => failed = Some(error),
                },
                () = &mut until => break,
            }
        }
        let error =
            failed.map_or(ConnectionError::NoSentinel("none answers".to_owned()), |error| match error {
                error @ ConnectionError::NoMaster(_) => error,
                error => ConnectionError::NoSentinel(error.to_string()),
            });
        newest.map(|master| master.endpoint).ok_or(error)
    }

    async fn ask(&self, endpoint: &Endpoint) -> Result<Master, ConnectionError> {
        let asked = async { self.ask_on(&mut self.open(endpoint).await?).await };
        timeout(PATIENCE, asked).await.unwrap_or(Err(ConnectionError::Timeout))
    }

    /// Connects to a Sentinel.
    pub(crate) async fn open(&self, endpoint: &Endpoint) -> Result<Connection, ConnectionError> {
        let (login, tls) = (&self.sentinels.login, self.tls.as_ref());
        Connection::dial(endpoint, tls, login, &self.client_name, MAX_ANSWER, &self.metrics).await
    }

    /// Asks on a connection to a Sentinel.
    pub(crate) async fn ask_on(&self, connection: &mut Connection) -> Result<Master, ConnectionError> {
        let answer = connection.command(&self.question()).await?;
        self.read(&answer)
    }

    pub(crate) fn question(&self) -> redis::Cmd {
        let mut question = redis::cmd("SENTINEL");
        question.arg("MASTER").arg(&self.sentinels.master);
        question
    }

    /// The master in the answer of a Sentinel.
    pub(crate) fn read(&self, answer: &Value) -> Result<Master, ConnectionError> {
        match answer {
            Value::List(fields) => master(fields).ok_or(Malformed("no address of a master").into()),
            Value::Error(error) if says(error, "no such master") => {
                Err(ConnectionError::NoMaster(self.sentinels.master.clone()))
            }
            Value::Error(error) => Err(ConnectionError::Refused(code(error), "SENTINEL MASTER")),
            _ => Err(Malformed("no list in answer to SENTINEL MASTER").into()),
        }
    }
}

fn master(fields: &[Value]) -> Option<Master> {
    let text = |name: &str| {
        fields.chunks_exact(2).find_map(|pair| match pair {
            [Value::Text(key), Value::Text(value)] if key == name.as_bytes() => {
                std::str::from_utf8(value).ok()
            }
            _ => None,
        })
    };
    let (host, port) = (text("ip")?.to_owned(), text("port")?.parse().ok()?);
    Some(Master { epoch: text("config-epoch")?.parse().ok()?, endpoint: Endpoint { host, port } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_read_from_its_fields() {
        let text = |text: &'static str| Value::Text(text.as_bytes().into());
        let fields = ["name", "m", "ip", "::1", "port", "7", "config-epoch", "3"].map(text);
        let endpoint = Endpoint { host: "::1".into(), port: 7 };
        assert_eq!(master(&fields), Some(Master { epoch: 3, endpoint }));
        assert_eq!(master(&fields[..6]), None);
    }
}
