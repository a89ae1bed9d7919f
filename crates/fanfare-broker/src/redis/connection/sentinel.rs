//! Asks Sentinels where the master is.
//!
//! All are asked at the same time. The answer with the highest epoch of a configuration counts: a Sentinel that is cut off
//! from the others knows an older one.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, timeout};

use super::{
    code::{code, says},
    error::ConnectionError,
    open::Connection,
    place::{Endpoint, Sentinels},
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
    pub(super) async fn master(&self) -> Result<Master, ConnectionError> {
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
        newest.ok_or(error)
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

    /// Asks on a connection to a Sentinel. The epoch last: it is never older than the address.
    async fn ask_on(&self, connection: &mut Connection) -> Result<Master, ConnectionError> {
        let endpoint = self.address(&connection.command(&self.question()).await?)?;
        let epoch = match connection.command(&self.command("MASTER")).await? {
            Value::Error(error) => return Err(self.refused(&error)),
            answer => epoch(&answer)?,
        };
        Ok(Master { epoch, endpoint })
    }

    /// The question for the address. Within a failover a Sentinel answers with the new master as soon as it is one;
    /// `SENTINEL MASTER` only once all replicas follow it.
    pub(crate) fn question(&self) -> redis::Cmd {
        self.command("GET-MASTER-ADDR-BY-NAME")
    }

    /// The address in the answer of a Sentinel.
    pub(crate) fn address(&self, answer: &Value) -> Result<Endpoint, ConnectionError> {
        let parts = match answer {
            Value::List(parts) => parts,
            Value::Null => return Err(ConnectionError::NoMaster(self.sentinels.master.clone())),
            Value::Error(error) => return Err(self.refused(error)),
            _ => &[][..],
        };
        let [host, port] = parts else { return Err(Malformed("no address of a master").into()) };
        let (host, port) =
            (text(host).unwrap_or_default().to_owned(), text(port).and_then(|port| port.parse().ok()));
        let port = port.ok_or(Malformed("no port of a master"))?;
        Ok(Endpoint { host, port })
    }

    fn command(&self, name: &str) -> redis::Cmd {
        let mut command = redis::cmd("SENTINEL");
        command.arg(name).arg(&self.sentinels.master);
        command
    }

    fn refused(&self, error: &[u8]) -> ConnectionError {
        if says(error, "no such master") {
            ConnectionError::NoMaster(self.sentinels.master.clone())
        } else {
            ConnectionError::Refused(code(error), "SENTINEL")
        }
    }
}

/// The epoch in the answer to `SENTINEL MASTER`.
fn epoch(answer: &Value) -> Result<u64, Malformed> {
    let Value::List(fields) = answer else { return Err(Malformed("no list in answer to SENTINEL MASTER")) };
    let mut pairs = fields.chunks_exact(2);
    let epoch = pairs.find_map(|pair| match pair {
        [key, value] if text(key) == Some("config-epoch") => text(value)?.parse().ok(),
        _ => None,
    });
    epoch.ok_or(Malformed("no config-epoch of a master"))
}

fn text(value: &Value) -> Option<&str> {
    let Value::Text(text) = value else { return None };
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_read_from_its_field() {
        let list = |fields: &[&'static str]| {
            Value::List(fields.iter().map(|field| Value::Text(field.as_bytes().into())).collect())
        };
        assert_eq!(epoch(&list(&["name", "config-epoch", "config-epoch", "3"])), Ok(3));
        assert!(epoch(&list(&["ip", "::1", "config-epoch", "x"])).is_err());
        assert!(epoch(&Value::Null).is_err());
    }
}
