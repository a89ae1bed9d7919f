//! A client of the HTTP transports: its commands go by requests, and its replies come down a stream.

use serde_json::{Value, json};

use crate::{
    endpoint::Endpoint,
    raw::{Answer, RawClient},
};

/// A stream of lines, at `/connection/http_stream`.
pub struct StreamClient {
    /// The connection of the stream.
    pub raw: RawClient,
    /// The head of its answer.
    pub head: Answer,
    /// Bytes that came and are not read yet.
    unread: Vec<u8>,
}

impl StreamClient {
    /// Opens a stream with this connect command.
    pub async fn open(node: &Endpoint, connect: &str) -> Self {
        let mut raw = node.raw().await;
        let head = format!(
            "POST /connection/http_stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            connect.len()
        );
        raw.send(&[head.as_bytes(), connect.as_bytes()].concat()).await;
        let head = raw.head().await;
        Self { raw, head, unread: Vec::new() }
    }

    /// Opens a stream, and its connect reply.
    ///
    /// # Panics
    /// If the client is not connected.
    pub async fn connected(node: &Endpoint) -> (Self, Value) {
        let mut client = Self::open(node, r#"{"id":1,"connect":{}}"#).await;
        let Some(line) = client.line().await else { panic!("the stream ended at once") };
        let Some(connected) = line.get("connect").cloned() else { panic!("not connected: {line}") };
        (client, connected)
    }

    /// The next line; `None` behind the last.
    ///
    /// # Panics
    /// If it is not JSON.
    pub async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let Ok(line) = serde_json::from_slice(&line) else { panic!("not JSON: {line:?}") };
                return Some(line);
            }
            let chunk = self.raw.chunk().await;
            if chunk.is_empty() {
                assert!(self.unread.is_empty(), "an unfinished line");
                return None;
            }
            self.unread.extend(chunk);
        }
    }
}

/// Sends commands to `node` for the session of a connect reply.
pub async fn emulate(node: &Endpoint, connected: &Value, commands: &str) -> Answer {
    let body = json!({"session": connected.get("session"), "node": connected.get("node"), "data": commands});
    node.request("POST", "/emulation", &[("Content-Type", "application/json")], body.to_string()).await
}
