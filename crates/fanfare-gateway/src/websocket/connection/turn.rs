//! How much one connection is read before the others of its thread get their turn.
//!
//! Invariant: tokio's own budget counts reads, of which one may bring ten thousand frames. So frames and bytes are
//! counted here, and a connection that has used up its turn steps behind the others, and behind what they wait for.

use std::{
    pin::pin,
    task::{Context, Poll},
};

use fanfare_websocket::Event;

/// Frames of one turn: a tenth of a millisecond of pings.
const FRAMES: usize = 512;

/// What a message costs, in frames: it is published, which takes so many times as long as a ping.
const MESSAGE: usize = 32;

/// Bytes of one turn, as they come from the socket and once more as payloads: one full read.
const BYTES: usize = 64 << 10;

/// What a read costs, however little it brings.
const READ: usize = 4 << 10;

/// The others come first: the task is woken when they had their turn, and the sockets were asked what is new. A task
/// that just woke itself would be run again before that: tokio asks the sockets after 61 tasks.
pub(super) fn step_back<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
    Poll::Pending
}

/// What is left of a turn.
#[derive(Debug)]
pub(super) struct Turn {
    frames: usize,
    bytes: usize,
}

impl Turn {
    /// A whole one.
    pub(super) fn new() -> Self {
        Self { frames: FRAMES, bytes: BYTES }
    }

    /// A read brought so many bytes.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes.max(READ));
    }

    /// A frame ended, and maybe a message.
    pub(super) fn frame(&mut self, event: &Event) {
        let (frames, payload) = match event {
            Event::Text(bytes) | Event::Binary(bytes) => (MESSAGE, bytes.len()),
            Event::Ping(bytes) | Event::Pong(bytes) => (1, bytes.len()),
            Event::Fragment | Event::Close(_) => (1, 0),
        };
        self.frames = self.frames.saturating_sub(frames);
        self.bytes = self.bytes.saturating_sub(payload);
    }

    /// So many frames were passed over.
    pub(super) fn passed_over(&mut self, frames: usize) {
        self.frames = self.frames.saturating_sub(frames);
    }

    /// How many frames it has yet.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Whether it is used up.
    pub(super) fn is_over(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }
}
