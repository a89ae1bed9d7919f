//! A connection to a server: connected, authenticated, and speaking RESP3.

use std::sync::Arc;

use redis::Cmd;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    code::{code, says},
    error::{CONNECT, ConnectionError, Desync},
    place::{Endpoint, Login},
    resp::{Frame, Reader, Value},
    stream::{self, Stream},
    tls::RedisTls,
};
use crate::redis::metrics::{Kind, RedisMetrics};

/// A connection that said HELLO.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) reader: Reader,
    pub(crate) metrics: Arc<RedisMetrics>,
    /// Where it leads.
    pub(crate) endpoint: Endpoint,
    /// The epoch of the configuration by which Sentinels named it: it rises with each failover.
    pub(crate) era: Option<u64>,
}

impl Connection {
    /// Connects to a server and says HELLO.
    pub(crate) async fn dial(
        endpoint: &Endpoint,
        tls: Option<&RedisTls>,
        login: &Login,
        name: &str,
        max_bulk: usize,
        metrics: &Arc<RedisMetrics>,
    ) -> Result<Self, ConnectionError> {
        let stream = stream::connect(endpoint, tls).await?;
        let reader = Reader::new(max_bulk);
        let mut connection =
            Self { stream, reader, metrics: metrics.clone(), endpoint: endpoint.clone(), era: None };
        connection.hello(login, name).await?;
        Ok(connection)
    }

    /// Sends one command and waits for its answer. Only while no other command is under way.
    pub(crate) async fn command(&mut self, command: &Cmd) -> Result<Value, ConnectionError> {
        within(async {
            let command = command.get_packed_command();
            self.stream.write_all(&command).await?;
            let metrics = &self.metrics;
            metrics.sent(Kind::Connect);
            metrics.bytes_sent.inc_by(command.len() as u64);
            loop {
                match self.reader.next()? {
                    Some(Frame::Reply(value)) => return Ok(value),
                    Some(_) => return Err(Desync.into()),
                    None => {
                        let read = self.reader.fill(&mut self.stream).await?;
                        metrics.bytes_received.inc_by(read as u64);
                    }
                }
            }
        })
        .await
    }

    /// The code word of an error that Redis answered. The error is counted.
    pub(crate) fn error(&self, error: &[u8]) -> String {
        let code = code(error);
        self.metrics.error(&code);
        code
    }

    async fn hello(&mut self, login: &Login, name: &str) -> Result<(), ConnectionError> {
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if let Some(password) = &login.password {
            let user = login.username.as_deref().unwrap_or("default");
            hello.arg("AUTH").arg(user).arg(password.expose());
        }
        hello.arg("SETNAME").arg(name);
        match self.command(&hello).await? {
            Value::List(_) => {}
            Value::Error(error) => return Err(hello_refused(self.error(&error), &error)),
            _ => return Err(ConnectionError::NoResp3),
        }
        for (key, value) in [("LIB-NAME", "fanfare"), ("LIB-VER", env!("CARGO_PKG_VERSION"))] {
            // For people who look at CLIENT LIST. Redis before 7.2 does not know the command, which does no harm.
            self.command(redis::cmd("CLIENT").arg("SETINFO").arg(key).arg(value)).await?;
        }
        Ok(())
    }

    /// On every connection, also on one that uses no keys: a database that does not exist is a mistake in the
    /// configuration.
    pub(super) async fn select(&mut self, database: i64) -> Result<(), ConnectionError> {
        if database == 0 {
            return Ok(());
        }
        match self.command(redis::cmd("SELECT").arg(database)).await? {
            Value::Error(error) if says(&error, "out of range") => {
                self.error(&error);
                Err(ConnectionError::NoDatabase(database))
            }
            Value::Error(error) => Err(ConnectionError::Refused(self.error(&error), "SELECT")),
            _ => Ok(()),
        }
    }
}

pub(super) async fn within<T>(
    work: impl Future<Output = Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    timeout(CONNECT, work).await.unwrap_or(Err(ConnectionError::Timeout))
}

fn hello_refused(code: String, error: &[u8]) -> ConnectionError {
    match code.as_str() {
        "NOPROTO" => ConnectionError::NoResp3,
        "ERR" if says(error, "unknown command") => ConnectionError::NoResp3,
        "ERR" if says(error, "max number of clients") => ConnectionError::TooManyClients,
        _ => ConnectionError::Refused(code, "HELLO"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_hello_shows_no_arguments() {
        let hello_refused = |error: &[u8]| hello_refused(code(error), error);
        let refused = |error: &[u8]| hello_refused(error).to_string();
        let no_resp3 = ConnectionError::NoResp3.to_string();
        assert_eq!(refused(b"ERR unknown command `HELLO`, with args beginning with: `hunter2`"), no_resp3);
        assert_eq!(refused(b"NOPROTO unsupported protocol version"), no_resp3);
        assert_eq!(
            refused(b"WRONGPASS invalid username-password pair"),
            "it answers WRONGPASS to HELLO: correct the user or the password in `broker`"
        );
        assert_eq!(
            refused(b"ERR max number of clients reached"),
            ConnectionError::TooManyClients.to_string()
        );
        assert!(hello_refused(b"WRONGPASS x").is_configuration());
        assert!(!hello_refused(b"LOADING x").is_configuration());
    }
}
