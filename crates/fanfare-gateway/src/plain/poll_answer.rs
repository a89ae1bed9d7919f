//! The answer to a poll: a one-shot sink at the side of the session, and a body at the side of HTTP.
//!
//! Invariants
//! - The cursor of the answer covers the messages in it, and no other. What comes behind them is for the next poll.
//! - A gap is before the first message of an answer: an answer ends before a gap that is behind a message, and the next
//!   poll finds it.

use std::{
    io::{self, ErrorKind, IoSlice},
    task::{Context, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use fanfare_core::{Cursor, Sink};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The beginning of an item, before its cursor.
const BEFORE: &[u8] = b"{\"cursor\":\"";

/// The bytes between the cursor of an item and its next field.
const BEHIND: &[u8] = b"\",";

/// The first field of a notice. The only one that comes is a gap.
const NOTICE: &[u8] = b"\"type\":";

/// The messages of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// A list of items, without the brackets around it.
    items: Vec<u8>,
    /// The position of the last message of each of their channels.
    cursor: Cursor,
    /// Whether messages are missing before them.
    has_gap: bool,
}

impl Messages {
    /// The messages of these lines, each with its cursor.
    fn of(slices: &[IoSlice<'_>]) -> Self {
        let mut messages = Self::default();
        let lines: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        while lines.next().is_some_and(|line| messages.takes(line)) {}
        messages
    }

    /// Takes a line, if it belongs to this answer.
    fn takes(&mut self, line: &[u8]) -> bool {
        let (cursor, fields) = parts(line);
        let is_gap = fields.starts_with(NOTICE);
        if is_gap && !self.items.is_empty() {
            return false;
        }
        self.cursor.update(&cursor);
        if is_gap {
            self.has_gap = true;
            return true;
        }
        if !self.items.is_empty() {
            self.items.push(b',');
        }
        self.items.push(b'{');
        self.items.extend_from_slice(fields);
        true
    }

    /// The body of an answer to a client that had `cursor` before.
    pub(super) fn body(self, mut cursor: Cursor, is_recovered: bool) -> Bytes {
        cursor.update(&self.cursor);
        let is_recovered = is_recovered && !self.has_gap;
        let mut body = b"{\"messages\":[".to_vec();
        body.extend_from_slice(&self.items);
        body.extend_from_slice(
            format!("],\"cursor\":\"{cursor}\",\"recovered\":{is_recovered}}}\n").as_bytes(),
        );
        body.into()
    }
}

/// The cursor of a line, and its other fields behind the brace. A message that is not kept has no cursor.
fn parts(line: &[u8]) -> (Cursor, &[u8]) {
    let end = |fields: &[u8]| fields.windows(BEHIND.len()).position(|window| window == BEHIND);
    match line.strip_prefix(BEFORE).and_then(|behind| behind.split_at_checked(end(behind)?)) {
        None => (Cursor::default(), line.get(1..).unwrap_or_default()),
        Some((cursor, fields)) => {
            let cursor = std::str::from_utf8(cursor).ok().and_then(|cursor| cursor.parse().ok());
            (cursor.unwrap_or_default(), fields.get(BEHIND.len()..).unwrap_or_default())
        }
    }
}

/// An answer with this body.
pub(super) fn answer(body: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (headers, body.into()).into_response()
}

/// The side of the session.
pub(super) struct PollSink(Mutex<Option<oneshot::Sender<Messages>>>);

/// A sink, and what it will bring. A sink that brings nothing is dropped.
pub(super) fn poll_sink() -> (PollSink, oneshot::Receiver<Messages>) {
    let (answer, answered) = oneshot::channel();
    (PollSink(Mutex::new(Some(answer))), answered)
}

impl Sink for PollSink {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = slices.iter().map(|slice| slice.len()).sum();
        if written == 0 {
            return Ok(0);
        }
        let answer = self.0.lock().take().ok_or(ErrorKind::BrokenPipe)?;
        // An empty list is an answer, too: the session ended.
        answer.send(Messages::of(slices)).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(written)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_one_shot(&self) -> bool {
        true
    }

    fn finish(&self) {
        self.0.lock().take();
    }

    fn abort(&self) {
        self.0.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Channel, Epoch, Position};

    use super::*;

    fn at(name: &str, offset: u64) -> Cursor {
        Cursor::of(&Channel::new(name).unwrap(), Position { epoch: Epoch(1), offset })
    }

    fn text(messages: Messages, cursor: Cursor, is_recovered: bool) -> String {
        String::from_utf8(messages.body(cursor, is_recovered).to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_covers_its_messages() {
        let (sink, answered) = poll_sink();
        let first = format!("{{\"cursor\":\"{}\",\"channel\":\"a\",\"data\":1}}\n", at("a", 2));
        let second = format!("{{\"cursor\":\"{}\",\"channel\":\"a\",\"data\":\"\\\",\"}}\n", at("a", 3));
        let loose = "{\"channel\":\"a\",\"data\":3}\n";
        let lines = [first.as_bytes(), second.as_bytes(), loose.as_bytes()];
        let written = sink.try_write(&lines.map(IoSlice::new)).unwrap();
        assert_eq!(written, first.len() + second.len() + loose.len());
        assert!(sink.try_write(&[IoSlice::new(b"more\n")]).is_err());
        let mut before = at("b", 7);
        before.update(&at("a", 1));
        let body = text(answered.await.unwrap(), before, true);
        let mut cursor = at("b", 7);
        cursor.update(&at("a", 3));
        assert_eq!(
            body,
            format!(
                "{{\"messages\":[{{\"channel\":\"a\",\"data\":1}},{{\"channel\":\"a\",\"data\":\"\\\",\"}},\
                 {{\"channel\":\"a\",\"data\":3}}],\
                 \"cursor\":\"{cursor}\",\"recovered\":true}}\n"
            )
        );
    }

    #[tokio::test]
    async fn a_gap_is_before_the_first_message() {
        let message =
            |number| format!("{{\"cursor\":\"{}\",\"channel\":\"a\",\"data\":1}}\n", at("a", number));
        let gap =
            |number| format!("{{\"cursor\":\"{}\",\"type\":\"gap\",\"channel\":\"a\"}}\n", at("a", number));
        let (first, last) = (message(2), message(8));
        for (lines, items, cursor, is_recovered) in [
            ([gap(7), last.clone()].concat(), "{\"channel\":\"a\",\"data\":1}", 8, false),
            ([first, gap(7), last].concat(), "{\"channel\":\"a\",\"data\":1}", 2, true),
            (gap(7), "", 7, false),
        ] {
            let (sink, answered) = poll_sink();
            sink.try_write(&[IoSlice::new(lines.as_bytes())]).unwrap();
            let body = text(answered.await.unwrap(), at("a", 1), true);
            let cursor = at("a", cursor);
            assert_eq!(
                body,
                format!("{{\"messages\":[{items}],\"cursor\":\"{cursor}\",\"recovered\":{is_recovered}}}\n")
            );
        }
    }

    #[tokio::test]
    async fn a_poll_without_messages_keeps_its_cursor() {
        let (sink, answered) = poll_sink();
        sink.finish();
        let messages = answered.await.unwrap_or_default();
        let body = text(messages, at("a", 1), false);
        assert_eq!(body, format!("{{\"messages\":[],\"cursor\":\"{}\",\"recovered\":false}}\n", at("a", 1)));
    }
}
