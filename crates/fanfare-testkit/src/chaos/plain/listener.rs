//! A client that listens in one channel, and goes on from its cursor.

use std::time::Duration;

use fanfare_core::{Channel, Cursor, Position};
use fanfare_swarm::{
    clock::random_below,
    position,
    verify::history::{Guests, dropped},
};
use http::Request;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::exchange::Exchange;
use crate::events::{Block, Event};

/// The seconds that a poll waits.
const POLL: u64 = 10;

/// A client waits a random part of this before it comes back, unless its node named a time.
const BEFORE_RETURN: Duration = Duration::from_secs(1);

/// The way of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `GET /sse/{channel}`, as an `EventSource` does it.
    Events,
    /// `POST /stream`.
    Lines,
    /// `GET /poll`, again and again.
    Polls,
}

/// See the head of this file.
pub(super) struct Listener {
    number: usize,
    way: Way,
    channel: Channel,
    /// The cursor with which it began.
    first: String,
    /// The last cursor that came.
    cursor: Option<String>,
    /// The time that the node named.
    retry: Option<Duration>,
    exchange: Exchange,
    guests: Guests,
}

/// A line of a stream, or a message of a poll: a message has `data`, a notice has a `type`.
#[derive(Deserialize)]
struct Item {
    cursor: Option<String>,
    data: Option<String>,
    #[serde(flatten)]
    notice: Notice,
}

/// The part of a notice that the client heeds.
#[derive(Clone, Copy, Default, Deserialize)]
struct Notice {
    #[serde(default)]
    gap: bool,
}

/// The answer to a poll.
#[derive(Deserialize)]
struct Answer {
    messages: Vec<Item>,
    cursor: String,
    recovered: bool,
}

impl Listener {
    /// A client with its place in the check.
    pub(super) fn new(number: usize, way: Way, exchange: Exchange, guests: &Guests) -> Option<Self> {
        let (channel, since) = guests.place(number)?;
        let channel = Channel::new(channel).ok()?;
        let position = Position { epoch: since.epoch.parse().ok()?, offset: since.offset };
        let first = Cursor::of(&channel, position).to_string();
        let guests = guests.clone();
        Some(Self { number, way, channel, first, cursor: None, retry: None, exchange, guests })
    }

    /// Listens for ever.
    pub(super) async fn stay(mut self) {
        let mut drops = self.guests.drops();
        loop {
            let ended = tokio::select! {
                ended = self.listen() => match ended {
                    Ok(()) => "ended".to_owned(),
                    Err(error) => error,
                },
                () = dropped(&mut drops) => "dropped by the client".to_owned(),
            };
            self.guests.ended(format!("{:?}: {ended}", self.way));
            let pause = self.retry.take().unwrap_or_else(|| random_below(BEFORE_RETURN));
            sleep(pause).await;
        }
    }

    async fn listen(&mut self) -> Result<(), String> {
        match self.way {
            Way::Events => self.events().await,
            Way::Lines => self.lines().await,
            Way::Polls => loop {
                self.poll().await?;
            },
        }
    }

    /// The address stays the same, as that of an `EventSource` does.
    async fn events(&mut self) -> Result<(), String> {
        let uri = format!("{}/sse/{}?last_event_id={}", self.exchange.entrance, self.channel, self.first);
        let mut request = Request::get(uri);
        if let Some(id) = &self.cursor {
            request = request.header("Last-Event-ID", id);
        }
        let mut blocks = self.exchange.stream(request, String::new(), b"\n\n").await?;
        while let Some(block) = blocks.next().await? {
            let Block { id, retry, event } = Block::read(&block);
            if let Some(retry) = retry {
                self.retry = Some(Duration::from_millis(retry));
            }
            match event {
                Some(Event { name, data }) if name == "fanfare" => {
                    self.notice(serde_json::from_str(&data).unwrap_or_default(), id);
                }
                Some(Event { data, .. }) => self.message(&data, id),
                None => {}
            }
        }
        Ok(())
    }

    async fn lines(&mut self) -> Result<(), String> {
        let cursor = self.cursor.as_ref().unwrap_or(&self.first);
        let body = json!({"channels": [self.channel.as_str()], "cursor": cursor}).to_string();
        let request = Request::post(format!("{}/stream", self.exchange.entrance));
        let mut lines = self.exchange.stream(request, body, b"\n").await?;
        while let Some(line) = lines.next().await? {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_str(&line) {
                Ok(Item { data: Some(data), cursor, .. }) => self.message(&data, cursor),
                Ok(Item { notice, cursor, .. }) => self.notice(notice, cursor),
                Err(error) => self.guests.wrong(format!("a line {line:?}: {error}")),
            }
        }
        Ok(())
    }

    async fn poll(&mut self) -> Result<(), String> {
        let cursor = self.cursor.as_ref().unwrap_or(&self.first);
        let (entrance, channel) = (&self.exchange.entrance, &self.channel);
        let uri = format!("{entrance}/poll?channel={channel}&cursor={cursor}&timeout={POLL}");
        let answer = self.exchange.answer(Request::get(uri), String::new()).await?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        if !answer.recovered {
            self.begin_anew(&answer.cursor, answer.messages.len() as u64);
        }
        for Item { data, .. } in answer.messages {
            self.guests.hears(self.number, &data.unwrap_or_default());
        }
        self.cursor = Some(answer.cursor);
        Ok(())
    }

    fn message(&mut self, data: &str, cursor: Option<String>) {
        if cursor.is_none() {
            self.guests.wrong(format!("{:?}: a message without a cursor", self.way));
        }
        self.guests.hears(self.number, data);
        self.cursor = cursor.or_else(|| self.cursor.take());
    }

    fn notice(&mut self, notice: Notice, cursor: Option<String>) {
        let Some(cursor) = cursor else { return };
        if notice.gap {
            self.begin_anew(&cursor, 0);
        }
        self.cursor = Some(cursor);
    }

    /// The client was told of a gap, which ends this number of messages before the cursor.
    fn begin_anew(&self, cursor: &str, before: u64) {
        match cursor.parse().ok().and_then(|cursor: Cursor| cursor.get(&self.channel)) {
            Some(Position { epoch, offset }) => {
                let offset = offset.saturating_sub(before);
                self.guests.begins_anew(self.number, position::Position { epoch: epoch.to_string(), offset });
            }
            None => self.guests.wrong(format!("{:?}: a gap without a position: {cursor:?}", self.way)),
        }
    }
}
