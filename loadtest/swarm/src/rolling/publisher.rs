//! Publishes through the HTTP API, one message after another, on one connection as long as the server keeps it open.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use super::run::Run;
use crate::{client::Target, clock::Moment};

/// The longest time for an answer: longer than a server lets a publish wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The publisher of a channel.
pub(super) struct Publisher {
    pub(super) run: Arc<Mutex<Run>>,
    pub(super) target: Target,
    pub(super) name: String,
    pub(super) key: Option<String>,
    pub(super) channel: usize,
    /// The time from one message to the next.
    pub(super) every: Duration,
    /// The time until the first message.
    pub(super) after: Duration,
    pub(super) stop: CancellationToken,
}

impl Publisher {
    /// Publishes until it is told to stop. It catches up after a delay.
    pub(super) async fn publish(self) {
        let mut due = interval_at(Instant::now() + self.after, self.every);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut connection = None;
        while self.stop.run_until_cancelled(due.tick()).await.is_some() {
            let sent = Moment::now();
            let number = self.run.lock().ledger.publishes(self.channel, sent);
            let asked = timeout(ANSWER_TIMEOUT, self.ask(&mut connection, number)).await;
            let answer = asked.context("no answer in time").flatten();
            let now = Moment::now();
            let mut run = self.run.lock();
            match answer {
                Ok(200) => {
                    run.ledger.taken(self.channel, number, now);
                    run.answers.record(now.since(sent));
                }
                Ok(status) => run.not_taken(format!("answered with {status}")),
                Err(error) => {
                    connection = None;
                    run.not_taken(format!("{error:#}"));
                }
            }
        }
    }

    /// Publishes a message. Returns the status of the answer.
    async fn ask(&self, connection: &mut Option<TcpStream>, number: usize) -> anyhow::Result<u16> {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.target.address()).await.context("cannot connect")?,
        };
        stream.set_nodelay(true)?;
        let body = serde_json::json!({ "channel": self.name, "data": number.to_string() }).to_string();
        let key = self.key.as_ref().map_or_else(String::new, |key| format!("X-API-Key: {key}\r\n"));
        let request = format!(
            "POST /api/publish HTTP/1.1\r\nHost: {}\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.target.host(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.context("the connection broke")?;
        let answer = read_answer(&mut stream).await?;
        if answer.stays {
            *connection = Some(stream);
        }
        Ok(answer.status)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Whether the connection may be used again.
    stays: bool,
    /// The length of head and body, in bytes.
    length: usize,
}

async fn read_answer(stream: &mut TcpStream) -> anyhow::Result<Answer> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        ensure!(bytes.len() < MAX_ANSWER, "the answer is too long");
        if stream.read_buf(&mut bytes).await.context("the connection broke")? == 0 {
            bail!("the connection ended without an answer");
        }
        if let Some(answer) = parse(&bytes)?.filter(|answer| answer.length <= bytes.len()) {
            return Ok(answer);
        }
    }
}

/// The answer, by its head; `None` while the head is incomplete.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).context("the answer is not HTTP")? else {
        return Ok(None);
    };
    let header = |name: &str| {
        let named = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        named.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let body: Option<usize> = header("content-length").and_then(|length| length.parse().ok());
    // Without a length the body ends with the connection, or in chunks: that connection is not used again.
    let stays =
        body.is_some() && !header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
    Ok(Some(Answer { status: response.code.unwrap_or_default(), stays, length: head + body.unwrap_or(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(head: &str) -> Answer {
        parse(head.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_connection_is_kept_after_a_whole_answer() {
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(parsed(good), Answer { status: 200, stays: true, length: good.len() + 2 });
        assert!(parse(&good.as_bytes()[..30]).unwrap().is_none());
        for last in ["Content-Length: 0\r\nConnection: close", "Date: today"] {
            let answer = parsed(&format!("HTTP/1.1 503 Service Unavailable\r\n{last}\r\n\r\n"));
            assert_eq!((answer.status, answer.stays), (503, false), "{last}");
        }
    }

    #[test]
    fn bytes_that_are_not_http_are_refused() {
        assert!(parse(b"\x16\x03\x01 no HTTP at all").is_err());
    }
}
