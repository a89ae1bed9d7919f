//! A client of Server-Sent Events, as a browser reads them.

use serde_json::Value;

use crate::{
    endpoint::Endpoint,
    raw::{Answer, RawClient},
};

/// An open stream.
pub struct EventClient {
    /// The connection of the stream.
    pub raw: RawClient,
    /// The head of its answer.
    pub head: Answer,
    /// Text that came and is not read yet.
    unread: String,
    /// The last id, as a browser keeps it.
    pub last_id: String,
}

/// The fields of a block.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The id; `None` where it has none.
    pub id: Option<String>,
    /// The milliseconds before the client comes back.
    pub retry: Option<u64>,
    /// Its event, where it has data.
    pub event: Option<Event>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name; `message` where it has none.
    pub name: String,
    /// Its lines of data, joined by line feeds.
    pub data: String,
}

impl Block {
    /// The fields of these lines.
    #[must_use]
    pub fn read(lines: &str) -> Self {
        let (mut block, mut name, mut data) = (Self::default(), "message", Vec::new());
        for line in lines.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => block.id = Some(id.to_owned()),
                Some(("retry", time)) => block.retry = time.parse().ok(),
                Some(("event", of_event)) => name = of_event,
                Some(("data", line)) => data.push(line),
                _ => {}
            }
        }
        if !data.is_empty() {
            block.event = Some(Event { name: name.to_owned(), data: data.join("\n") });
        }
        block
    }
}

impl EventClient {
    /// Opens a stream with further headers.
    pub async fn open_with(node: &Endpoint, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut raw = node.raw().await;
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", node.address());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        raw.send(format!("{head}\r\n").as_bytes()).await;
        let head = raw.head().await;
        Self { raw, head, unread: String::new(), last_id: String::new() }
    }

    /// Opens a stream.
    pub async fn open(node: &Endpoint, path: &str) -> Self {
        Self::open_with(node, path, &[]).await
    }

    /// Opens a stream that goes on from this id.
    pub async fn go_on(node: &Endpoint, path: &str, id: &str) -> Self {
        Self::open_with(node, path, &[("Last-Event-ID", id)]).await
    }

    /// The next block, its fields in order; `None` behind the last.
    ///
    /// # Panics
    /// If a block is not whole, or is not UTF-8.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let chunk = self.raw.chunk().await;
            if chunk.is_empty() {
                assert!(self.unread.is_empty(), "an unfinished block: {:?}", self.unread);
                return None;
            }
            let Ok(text) = String::from_utf8(chunk) else { panic!("a chunk that is not UTF-8") };
            self.unread += &text;
        }
    }

    /// The next event. Blocks without data are skipped.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            let block = Block::read(&self.block().await?);
            block.id.into_iter().for_each(|id| self.last_id = id);
            if block.event.is_some() {
                return block.event;
            }
        }
    }

    /// The next notice.
    ///
    /// # Panics
    /// If something else comes.
    pub async fn notice(&mut self) -> Value {
        match self.event().await {
            Some(Event { name, data }) if name == "fanfare" => match serde_json::from_str(&data) {
                Ok(notice) => notice,
                Err(error) => panic!("{data} is not JSON: {error}"),
            },
            other => panic!("a notice was expected, and {other:?} came"),
        }
    }

    /// Checks that the next event is a message with this data.
    ///
    /// # Panics
    /// If it is not.
    pub async fn expect(&mut self, data: &str) {
        let expected = Event { name: "message".to_owned(), data: data.to_owned() };
        assert_eq!(self.event().await, Some(expected));
    }
}
