//! The HTTP API of a server: one call after another, on one connection as long as the server keeps it open.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{client::Target, position::Position};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// The publications that one call of `history` asks for.
const PAGE: u64 = 1_000;

/// A part of a channel's history.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page {
    /// The publications, in order.
    #[serde(default)]
    pub(crate) publications: Vec<Kept>,
    /// The newest position of the channel.
    #[serde(flatten)]
    pub(crate) top: Position,
}

/// A publication in a history.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Kept {
    pub(crate) data: Value,
    pub(crate) offset: u64,
}

/// The caller.
#[derive(Debug)]
pub(crate) struct Api {
    target: Target,
    key: Option<String>,
    /// The longest time for an answer.
    patience: Duration,
    connection: Option<TcpStream>,
}

impl Api {
    /// A caller of this server, with the key that the API wants, if it wants one.
    pub(crate) const fn new(target: Target, key: Option<String>, patience: Duration) -> Self {
        Self { target, key, patience, connection: None }
    }

    /// Calls `POST /api/METHOD`.
    ///
    /// # Errors
    /// An answer did not come: it is unknown whether the server did anything.
    pub(crate) async fn call(&mut self, method: &str, body: &Value) -> anyhow::Result<Answer> {
        let connection = self.connection.take();
        let answer = timeout(self.patience, self.ask(connection, method, &body.to_string())).await;
        let (answer, connection) = answer.context("no answer in time").flatten()?;
        self.connection = connection;
        Ok(answer)
    }

    /// The newest position of a channel.
    ///
    /// # Errors
    /// An answer did not come, or has no position.
    pub(crate) async fn top(&mut self, channel: &str) -> anyhow::Result<Position> {
        let answer = self.call("history", &json!({ "channel": channel, "limit": 0 })).await?;
        answer.result::<Page>().map(|page| page.top)
    }

    /// The history of a channel behind an offset, up to its newest position `top`.
    ///
    /// # Errors
    /// An answer did not come, or the history does not reach back, or is of another epoch.
    pub(crate) async fn history(
        &mut self,
        channel: &str,
        after: u64,
        top: &Position,
    ) -> anyhow::Result<Vec<Kept>> {
        let mut all: Vec<Kept> = Vec::new();
        loop {
            let offset = all.last().map_or(after, |last| last.offset);
            if offset >= top.offset {
                return Ok(all);
            }
            let since = Position { offset, ..top.clone() };
            let body = json!({ "channel": channel, "limit": PAGE, "since": since });
            let page: Page = self.call("history", &body).await?.result()?;
            ensure!(
                !page.publications.is_empty(),
                "{channel}: its history ends at {offset}, below its top {top}"
            );
            all.extend(page.publications);
        }
    }

    /// The answer, and the connection if it may be used again.
    async fn ask(
        &self,
        connection: Option<TcpStream>,
        method: &str,
        body: &str,
    ) -> anyhow::Result<(Answer, Option<TcpStream>)> {
        let mut stream = match connection {
            Some(stream) => stream,
            None => TcpStream::connect(self.target.address()).await.context("cannot connect")?,
        };
        stream.set_nodelay(true)?;
        let key = self.key.as_ref().map_or_else(String::new, |key| format!("X-API-Key: {key}\r\n"));
        let request = format!(
            "POST /api/{method} HTTP/1.1\r\nHost: {}\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.target.host(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.context("the connection broke")?;
        let mut bytes = Vec::with_capacity(1024);
        loop {
            ensure!(bytes.len() < MAX_ANSWER, "the answer is too long");
            let ended = stream.read_buf(&mut bytes).await.context("the connection broke")? == 0;
            if let Some(head) = parse(&bytes)?
                && head.is_whole(bytes.len(), ended)
            {
                let body = bytes.split_off(head.length);
                return Ok((Answer { status: head.status, body }, head.stays().then_some(stream)));
            }
            if ended {
                bail!("the connection ended without an answer");
            }
        }
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The result.
    ///
    /// # Errors
    /// The answer is an error, or has another result.
    pub(crate) fn result<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        #[derive(Deserialize)]
        struct Body<T> {
            result: T,
        }
        let text = || String::from_utf8_lossy(&self.body);
        ensure!(self.status == 200, "the API answered with {}: {}", self.status, text());
        let body: Body<T> = serde_json::from_slice(&self.body)
            .with_context(|| format!("the API answered with another result: {}", text()))?;
        Ok(body.result)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Its length in bytes.
    length: usize,
    /// The length of the body, if it is known beforehand.
    body: Option<usize>,
    closes: bool,
}

impl Head {
    /// Whether the answer is whole. An error without a length is its status.
    fn is_whole(&self, bytes: usize, ended: bool) -> bool {
        self.body.map_or(ended || self.status != 200, |body| self.length + body <= bytes)
    }

    /// Whether the connection may be used again. Without a length the body ends with the connection.
    const fn stays(&self) -> bool {
        self.body.is_some() && !self.closes
    }
}

/// The head of an answer; `None` while it is incomplete.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).context("the answer is not HTTP")? else {
        return Ok(None);
    };
    let header = |name: &str| {
        let named = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        named.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let body = header("content-length").and_then(|length| length.parse().ok());
    let closes = header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
    Ok(Some(Head { status: response.code.unwrap_or_default(), length, body, closes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(head: &str) -> Head {
        parse(head.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_connection_is_kept_after_a_whole_answer() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        let good = parsed(text);
        assert_eq!(good, Head { status: 200, length: text.len(), body: Some(2), closes: false });
        assert!(
            good.stays() && good.is_whole(text.len() + 2, false) && !good.is_whole(text.len() + 1, false)
        );
        assert!(parse(&text.as_bytes()[..30]).unwrap().is_none());
        for last in ["Content-Length: 0\r\nConnection: close", "Date: today"] {
            let head = parsed(&format!("HTTP/1.1 503 Service Unavailable\r\n{last}\r\n\r\n"));
            assert_eq!((head.status, head.stays()), (503, false), "{last}");
        }
    }

    #[test]
    fn bytes_that_are_not_http_are_refused() {
        assert!(parse(b"\x16\x03\x01 no HTTP at all").is_err());
    }

    #[test]
    fn results_and_errors_are_told_apart() {
        let answer = |status, body: &str| Answer { status, body: body.as_bytes().to_vec() };
        let page =
            answer(200, r#"{"result":{"publications":[{"data":"x","offset":7}],"offset":9,"epoch":"e"}}"#);
        let page: Page = page.result().unwrap();
        assert_eq!((page.publications[0].offset, page.top.to_string()), (7, "e:9".to_owned()));
        for (status, body) in [(503, r#"{"error":{"code":100}}"#), (200, "{}"), (200, "no JSON")] {
            assert!(answer(status, body).result::<Page>().is_err(), "{body}");
        }
    }
}
