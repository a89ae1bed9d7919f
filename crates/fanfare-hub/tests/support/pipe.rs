//! A transport without WebSocket: frames in memory, from which a client reads as much as it likes.
//!
//! A frame is a letter for its kind (`t`ext, `b`inary, `p`ong, `c`lose) and a body, either ended by a newline or
//! behind its length.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_core::{CloseFrame, FramingId, Message, Sink, Transport};
use fanfare_hub::Traffic;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How frames are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Newline,
    Prefixed,
}

impl Framing {
    fn put(self, kind: u8, body: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Newline => out.extend([&[kind], body, b"\n"].concat()),
            Self::Prefixed => {
                let length = u32::try_from(body.len()).unwrap();
                out.extend([&length.to_be_bytes(), &[kind][..], body].concat());
            }
        }
    }

    /// The first frame, and how many bytes it took; `None` where it is not whole.
    fn get(self, bytes: &[u8]) -> Option<(String, usize)> {
        let (frame, taken) = match self {
            Self::Newline => {
                let end = bytes.iter().position(|byte| *byte == b'\n')?;
                (&bytes[..end], end + 1)
            }
            Self::Prefixed => {
                let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
                (bytes.get(4..5 + length)?, 5 + length)
            }
        };
        let (kind, body) = frame.split_first().unwrap();
        let body = std::str::from_utf8(body).unwrap();
        let shown = match kind {
            b't' => body.to_owned(),
            b'b' => format!("binary {body}"),
            b'i' => "transport's ping".into(),
            b'p' => format!("pong {body}"),
            b'c' => format!("close {body}"),
            other => panic!("not the begin of a frame: {other}"),
        };
        Some((shown, taken))
    }
}

impl Transport for Framing {
    fn framing(&self) -> FramingId {
        match self {
            Self::Newline => FramingId(200),
            Self::Prefixed => FramingId(201),
        }
    }

    fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        match message {
            Message::Text(body) => self.put(b't', body, out),
            Message::Binary(body) => self.put(b'b', body, out),
        }
    }

    fn ping(&self, out: &mut Vec<u8>) {
        self.put(b'i', b"", out);
    }

    fn pong(&self, payload: &[u8], out: &mut Vec<u8>) {
        self.put(b'p', payload, out);
    }

    fn close(&self, frame: &CloseFrame, out: &mut Vec<u8>) {
        self.put(b'c', format!("{} {}", frame.code, frame.reason).as_bytes(), out);
    }
}

/// The client's end.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Shared>);

struct Shared {
    framing: Framing,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// All that was written, ever.
    bytes: Vec<u8>,
    /// How much of it the client read, and how much of that it understood.
    read: usize,
    understood: usize,
    /// How many unread bytes there may be, and how many one write takes.
    capacity: usize,
    per_write: usize,
    writes: usize,
    /// One, as with a socket: who asks last is woken.
    writer: Option<Waker>,
    finished: usize,
    aborted: bool,
}

impl Pipe {
    /// A pipe that takes everything.
    pub(crate) fn open(framing: Framing) -> Self {
        Self::bounded(framing, usize::MAX)
    }

    /// A pipe that holds at most `capacity` unread bytes.
    pub(crate) fn bounded(framing: Framing, capacity: usize) -> Self {
        let state = State { capacity, per_write: usize::MAX, ..State::default() };
        Self(Arc::new(Shared { framing, state: Mutex::new(state), changed: Notify::new() }))
    }

    pub(crate) fn framing(&self) -> &'static Framing {
        match self.0.framing {
            Framing::Newline => &Framing::Newline,
            Framing::Prefixed => &Framing::Prefixed,
        }
    }

    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(PipeSink(self.0.clone()))
    }

    /// Lets every write block its thread, until the other end of `released` is dropped. The caller blocks too.
    pub(crate) fn jam(&self, jammed: impl FnOnce(), released: &std::sync::mpsc::Receiver<()>) {
        let _held = self.0.state.lock();
        jammed();
        assert!(released.recv().is_err());
    }

    /// Lets one write take at most `bytes` bytes.
    pub(crate) fn take_per_write(&self, bytes: usize) {
        self.0.state.lock().per_write = bytes;
    }

    /// From now on the client reads whatever comes.
    pub(crate) fn widen(&self) {
        self.change(|state| state.capacity = usize::MAX);
    }

    /// Raises the number of bytes that may be unread.
    pub(crate) fn widen_by(&self, bytes: usize) {
        self.change(|state| state.capacity += bytes);
    }

    /// The client reads `bytes` bytes, or fewer if there are fewer.
    pub(crate) fn read(&self, bytes: usize) {
        self.change(|state| state.read = state.bytes.len().min(state.read.saturating_add(bytes)));
    }

    /// The client reads all bytes. The whole frames since the last call.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.read(usize::MAX);
        let mut state = self.0.state.lock();
        let mut lines = Vec::new();
        while let Some((line, taken)) = self.0.framing.get(&state.bytes[state.understood..state.read]) {
            state.understood += taken;
            lines.push(line);
        }
        lines
    }

    /// How many writes brought bytes.
    pub(crate) fn writes(&self) -> usize {
        self.0.state.lock().writes
    }

    /// All that was ever written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.state.lock().bytes.clone()
    }

    /// All that was ever written, as it should be counted.
    pub(crate) fn traffic(&self) -> Traffic {
        let bytes = self.bytes();
        let (mut messages, mut at) = (0, 0);
        while let Some((line, taken)) = self.0.framing.get(&bytes[at..]) {
            at += taken;
            let is_message =
                !["transport's ping", "pong ", "close "].iter().any(|word| line.starts_with(word));
            messages += u64::from(is_message);
        }
        Traffic { messages, bytes: bytes.len() as u64 }
    }

    /// How often it was told that no more comes.
    pub(crate) fn finished(&self) -> usize {
        self.0.state.lock().finished
    }

    /// The connection breaks.
    pub(crate) fn abort(&self) {
        self.change(|state| state.aborted = true);
    }

    /// Whether the node still has its end.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.0.state.lock().aborted
    }

    /// Whether no more bytes can come.
    pub(crate) fn is_over(&self) -> bool {
        self.finished() > 0 || self.is_aborted()
    }

    /// Ends once no more bytes can come.
    pub(crate) async fn ended(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.is_over() {
                return;
            }
            changed.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.change(change);
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let writer = if state.room() > 0 || state.aborted { state.writer.take() } else { None };
        drop(state);
        self.changed.notify_waiters();
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

impl State {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len() - self.read)
    }
}

struct PipeSink(Arc<Shared>);

impl Sink for PipeSink {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.aborted {
            return Err(ErrorKind::BrokenPipe.into());
        }
        assert_eq!(state.finished, 0, "written to after its end");
        let most = state.room().min(state.per_write);
        if most == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.writes += 1;
        let before = state.bytes.len();
        for slice in slices {
            let left = most - (state.bytes.len() - before);
            state.bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        Ok(state.bytes.len() - before)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.room() > 0 || state.aborted {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn finish(&self) {
        self.0.change(|state| state.finished += 1);
    }

    fn abort(&self) {
        self.0.change(|state| state.aborted = true);
    }
}
