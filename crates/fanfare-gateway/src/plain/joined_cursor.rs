//! The cursor of a stream of several channels.
//!
//! A message holds the cursor of its own channel, since all streams share its bytes. On the way to a client of several
//! channels, that cursor is replaced by the cursor of all: only such streams pay for it.
//!
//! Invariants
//! - A cursor is known by the line that begins with it: no text of a publisher makes a line.
//! - The cursor that a client gets covers the messages that it got before, and no other.
//! - The bytes that the body takes are whole lines, or parts of them in order: it does not matter how they are cut.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use bytes::{BufMut, BytesMut};
use fanfare_core::{Cursor, Sink};
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::stream::body::BodySink;

/// The place of the cursor in a form of stream: a line begins with `before`, and the cursor ends at `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) before: &'static [u8],
    pub(super) end: u8,
}

/// A sink that puts the cursor of the stream in the place of a channel's.
pub(super) struct JoinedCursor {
    body: BodySink,
    lines: Mutex<Lines>,
}

/// The lines on their way.
struct Lines {
    mark: Mark,
    cursor: Cursor,
    state: State,
}

/// The place in the current line.
enum State {
    /// This number of bytes was as before a cursor.
    Begins(usize),
    /// Within a cursor, which has these bytes so far.
    Cursor(SmallVec<[u8; 32]>),
    /// Behind the cursor, or in a line without.
    Rest,
}

impl JoinedCursor {
    /// A sink on this body, of a client that begins with this cursor.
    pub(super) fn new(body: BodySink, mark: Mark, cursor: Cursor) -> Self {
        Self { body, lines: Mutex::new(Lines { mark, cursor, state: State::Begins(0) }) }
    }
}

impl Sink for JoinedCursor {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut lines = self.lines.lock();
        self.body.write_by(|body, most| {
            let mut taken = 0;
            for slice in slices {
                let mut rest = &**slice;
                while !rest.is_empty() {
                    let room = most.saturating_sub(body.len());
                    if room == 0 {
                        return taken;
                    }
                    let read = lines.take(rest, room, body);
                    taken += read;
                    rest = rest.get(read..).unwrap_or_default();
                }
            }
            taken
        })
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.body.poll_writable(cx)
    }

    fn finish(&self) {
        self.body.finish();
    }

    fn abort(&self) {
        self.body.abort();
    }
}

impl Lines {
    /// Takes bytes of one line, some of `bytes` and at least one. What is copied of them has at most `room` bytes.
    fn take(&mut self, bytes: &[u8], room: usize, out: &mut BytesMut) -> usize {
        match &mut self.state {
            State::Begins(matched) => {
                let expected = self.mark.before.get(*matched..).unwrap_or_default();
                let alike = bytes.iter().zip(expected).take_while(|(one, other)| one == other).count();
                *matched += alike;
                if alike == expected.len() {
                    self.state = State::Cursor(SmallVec::new());
                } else if alike < bytes.len() {
                    out.put_slice(self.mark.before.get(..*matched).unwrap_or_default());
                    self.state = State::Rest;
                    return alike + self.take(bytes.get(alike..).unwrap_or_default(), room, out);
                }
                alike
            }
            State::Cursor(text) => {
                let end = bytes.iter().position(|byte| *byte == self.mark.end);
                text.extend_from_slice(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default());
                let Some(end) = end else { return bytes.len() };
                let of_channel = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                self.cursor.update(&of_channel.unwrap_or_default());
                out.put_slice(self.mark.before);
                out.put_slice(self.cursor.to_string().as_bytes());
                out.put_u8(self.mark.end);
                self.state = if self.mark.end == b'\n' { State::Begins(0) } else { State::Rest };
                end + 1
            }
            State::Rest => {
                let bytes = bytes.get(..room).unwrap_or(bytes);
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let line = bytes.get(..end.map_or(bytes.len(), |end| end + 1)).unwrap_or_default();
                out.put_slice(line);
                if end.is_some() {
                    self.state = State::Begins(0);
                }
                line.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Channel, Epoch, Position};

    use super::*;

    const EVENTS: Mark = Mark { before: b"id: ", end: b'\n' };
    const LINES: Mark = Mark { before: b"{\"cursor\":\"", end: b'"' };

    fn at(name: &str, offset: u64) -> Cursor {
        Cursor::of(&Channel::new(name).unwrap(), Position { epoch: Epoch(1), offset })
    }

    fn both(a: u64, b: u64) -> Cursor {
        let mut cursor = at("a", a);
        cursor.update(&at("b", b));
        cursor
    }

    /// The bytes that a client gets of `input`, written in parts of each size.
    fn got(mark: Mark, input: &str) -> String {
        let mut all = (1..=input.len()).map(|size| {
            let mut lines = Lines { mark, cursor: both(1, 1), state: State::Begins(0) };
            let mut out = BytesMut::new();
            for mut part in input.as_bytes().chunks(size) {
                while !part.is_empty() {
                    let read = lines.take(part, 3, &mut out);
                    assert!(read > 0);
                    part = &part[read..];
                }
            }
            String::from_utf8(out.to_vec()).unwrap()
        });
        let first = all.next().unwrap();
        assert!(all.all(|other| other == first));
        first
    }

    #[test]
    fn a_stream_has_the_cursor_of_all() {
        let input = format!(
            "id: {}\ndata: x\n\nid: {}\nevent: e\ndata: id: y\n\n:\n\ndata: id\n\nid\n",
            at("a", 2),
            at("b", 9)
        );
        let expected = format!(
            "id: {}\ndata: x\n\nid: {}\nevent: e\ndata: id: y\n\n:\n\ndata: id\n\nid\n",
            both(2, 1),
            both(2, 9)
        );
        assert_eq!(got(EVENTS, &input), expected);
    }

    #[test]
    fn lines_have_the_cursor_of_all() {
        let input = format!("{{\"cursor\":\"{}\",\"data\":1}}\n\n{{\"data\":2}}\n", at("b", 3));
        let expected = format!("{{\"cursor\":\"{}\",\"data\":1}}\n\n{{\"data\":2}}\n", both(1, 3));
        assert_eq!(got(LINES, &input), expected);
    }
}
