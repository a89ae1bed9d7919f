//! The bound of work for one connection before other connections of the thread get their turn.
//!
//! Invariant: a connection that has used up its turn steps behind the others, and behind the sockets that they wait
//! for. Tokio's own budget counts reads, and one read may bring ten thousand frames. So frames and bytes are counted
//! here.

use std::{
    pin::pin,
    task::{Context, Poll},
};

use fanfare_websocket::Event;

/// The frames of one turn: a tenth of a millisecond of pings.
const FRAMES: usize = 512;

/// The cost of a message, in frames: it is published, which takes 32 times as long as a ping.
const MESSAGE: usize = 32;

/// The bytes of one turn, counted when they are read and once more as payloads: one full read.
const BYTES: usize = 64 << 10;

/// The least cost of a read, in bytes.
const READ: usize = 4 << 10;

/// Steps behind the other connections: the task is woken after their turn, and after the sockets were polled. A task
/// that only wakes itself would run again before that, since tokio polls the sockets after 61 tasks.
pub(super) fn step_back<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
    Poll::Pending
}

/// The rest of a turn.
#[derive(Debug)]
pub(super) struct Turn {
    frames: usize,
    bytes: usize,
}

impl Turn {
    /// A whole turn.
    pub(super) fn new() -> Self {
        Self { frames: FRAMES, bytes: BYTES }
    }

    /// A read brought this many bytes.
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

    /// This many frames were skipped.
    pub(super) fn passed_over(&mut self, frames: usize) {
        self.frames = self.frames.saturating_sub(frames);
    }

    /// The number of frames that are left.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Whether the turn is used up.
    pub(super) fn is_over(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }
}
