//! A lean client, of WebSockets and of plain HTTP: a task for each connection, a read buffer for each thread, and an idle connection has nothing
//! else on the heap.
//!
//! Invariant: only the connection's own task writes to its socket. So frames never interleave, and a connection that
//! waits to write still reads.

mod centrifugo;
mod frames;
mod handshake;
mod plain;
mod stream;
mod target;
mod tls;

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    net::IpAddr,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use fanfare_websocket::{CloseFrame, Config, Decoder, Event, FrameHead, MessageKind, Opcode, Role, encode};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
};

use self::stream::Stream;
pub use self::{
    handshake::HandshakeError,
    target::{Manner, Plain, Target},
    tls::Tls,
};
use crate::clock::Moment;

/// The size of the read buffer, in bytes.
const READ_BYTES: usize = 64 << 10;

/// The largest accepted message, in bytes.
const MAX_MESSAGE: usize = 64 << 20;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    static READ_AT: Cell<u64> = const { Cell::new(0) };
}

/// The moment of this thread's last read from a socket: in `on_message`, the moment that the message came. The clock is
/// read once for each read, not for each message.
#[must_use]
pub fn read_at() -> Moment {
    Moment(READ_AT.get())
}

/// The reason that a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The server sent a close frame.
    #[error("the server closed the connection{}", describe(.0.as_ref()))]
    Closed(Option<CloseFrame>),
    /// The server ended its answer, over plain HTTP.
    #[error("the answer ended after {0} messages")]
    Answered(usize),
    /// The connection ended without a close frame.
    #[error("the connection ended without a close frame")]
    Eof,
    /// An error of the kernel.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The server broke the WebSocket protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] fanfare_websocket::ProtocolError),
}

impl Ended {
    /// Whether the server sent this close code.
    #[must_use]
    pub fn is_closed_with(&self, code: u16) -> bool {
        matches!(self, Self::Closed(Some(frame)) if frame.code.get() == code)
    }
}

fn describe(frame: Option<&CloseFrame>) -> String {
    frame.map_or_else(String::new, |frame| format!(" with {} {:?}", frame.code.get(), frame.reason))
}

/// An open connection. It reads and writes while [`run`](Connection::run) is polled.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    decoder: Decoder,
    /// permessage-deflate was negotiated.
    deflate: bool,
    /// TLS still has bytes that the socket did not accept.
    is_flushing: bool,
    /// Compressed messages are inflated. Otherwise `on_message` gets the compressed payload.
    inflates: bool,
    /// The bytes that the server sent right after its 101.
    early: Vec<u8>,
    cookie: Option<Box<str>>,
    recovered: Option<bool>,
    /// It speaks Centrifugo's protocol.
    centrifugo: bool,
    /// It reads the answer to a request of plain HTTP.
    plain: Option<Box<plain::Body>>,
    outbox: Arc<Mutex<Outbox>>,
}

/// Sends on a connection, and wakes its task. Clones send on the same connection.
#[derive(Debug, Clone)]
pub struct Sender {
    outbox: Arc<Mutex<Outbox>>,
}

#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// The connection's task, while it waits.
    task: Option<Waker>,
}

impl Connection {
    /// Connects and upgrades.
    ///
    /// # Errors
    /// The connection failed, or the answer is not a valid 101.
    pub async fn open(target: &Target) -> Result<Self, HandshakeError> {
        Self::open_from(target, None).await
    }

    /// As [`open`](Self::open), from this address of the machine.
    ///
    /// # Errors
    /// As for [`Connection::open`], or the address is not the machine's.
    pub async fn open_from(target: &Target, source: Option<IpAddr>) -> Result<Self, HandshakeError> {
        let mut stream = stream::open(target, source).await?;
        if target.is_plain() {
            let early = plain::ask(&mut stream, target).await?;
            return Ok(Self { plain: Some(Box::default()), ..Self::new(stream, early, false) });
        }
        let welcome = handshake::upgrade(&mut stream, target).await?;
        let cookie = welcome.cookie.map(String::into_boxed_str);
        let recovered = welcome.recovered;
        let mut opened = Self { cookie, recovered, ..Self::new(stream, welcome.early, target.deflate()) };
        if let Some(greeting) = target.greeting() {
            opened.subscribe(&greeting).await?;
        }
        Ok(opened)
    }

    /// Connects without TLS and upgrades, with a receive buffer of this size: without reads, the socket is full soon. The
    /// caller reads the frames undecoded.
    ///
    /// # Errors
    /// As for [`Connection::open`].
    pub async fn open_narrow(target: &Target, receive_buffer: u32) -> Result<TcpStream, HandshakeError> {
        let address = target.address();
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(receive_buffer)?;
        let mut stream = socket.connect(address).await?;
        handshake::upgrade(&mut stream, target).await?;
        Ok(stream)
    }

    /// A connection without a handshake, or after it; `early` came right after it.
    #[must_use]
    pub fn upgraded(stream: TcpStream, early: Vec<u8>) -> Self {
        Self::new(Stream::Left(stream), early, false)
    }

    fn new(stream: Stream, early: Vec<u8>, deflate: bool) -> Self {
        let (decoder, outbox) = (Decoder::new(), Arc::default());
        let (is_flushing, inflates) = (false, true);
        let (cookie, recovered, centrifugo, plain) = (None, None, false, None);
        Self {
            stream,
            decoder,
            deflate,
            is_flushing,
            inflates,
            early,
            cookie,
            recovered,
            centrifugo,
            plain,
            outbox,
        }
    }

    /// Sends the greeting of Centrifugo's protocol, and waits for the answer to its last command.
    async fn subscribe(&mut self, greeting: &str) -> Result<(), HandshakeError> {
        self.centrifugo = true;
        self.sender().message(MessageKind::Text, greeting.as_bytes());
        let refused = |why: &dyn fmt::Display| HandshakeError::NotSubscribed(why.to_string());
        let mut is_subscribed = false;
        while !is_subscribed {
            let mut frames = Vec::new();
            let step =
                std::future::poll_fn(|cx| self.poll_step(cx, &mut |_, frame| frames.push(frame.to_vec())));
            step.await.map_err(|ended| refused(&ended))?;
            for frame in frames {
                is_subscribed |= centrifugo::is_subscribed(&frame).map_err(|error| refused(&error))?;
            }
        }
        Ok(())
    }

    /// The cookie that came with the 101, `NAME=VALUE`.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Whether the server gives all since the position that was asked for; `None` where it does not say.
    #[must_use]
    pub const fn recovered(&self) -> Option<bool> {
        self.recovered
    }

    /// The sender of this connection.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender { outbox: self.outbox.clone() }
    }

    /// As [`run`](Connection::run), for a caller that only counts messages: compressed ones are not inflated.
    pub async fn count(mut self, mut on_message: impl FnMut()) -> Ended {
        self.inflates = false;
        self.run(|_, _| on_message()).await
    }

    /// Reads, answers pings and writes sent messages, until the connection ends. Each message goes to `on_message`; a text
    /// is not checked for UTF-8.
    pub async fn run(mut self, mut on_message: impl FnMut(MessageKind, &[u8])) -> Ended {
        let centrifugo = self.centrifugo.then(|| self.sender());
        let mut on_message = |kind: MessageKind, payload: &[u8]| match &centrifugo {
            None => on_message(kind, payload),
            Some(sender) if payload == centrifugo::PING => sender.message(kind, centrifugo::PING),
            Some(_) => centrifugo::publications(payload).for_each(|data| on_message(kind, data)),
        };
        let mut early = std::mem::take(&mut self.early);
        if let Err(ended) = self.take(&mut early, &mut on_message) {
            return ended;
        }
        drop(early);
        loop {
            if let Err(ended) = std::future::poll_fn(|cx| self.poll_step(cx, &mut on_message)).await {
                return ended;
            }
        }
    }

    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        on_message: &mut impl FnMut(MessageKind, &[u8]),
    ) -> Poll<Result<(), Ended>> {
        self.flush(cx)?;
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(Ended::Eof));
            }
            READ_AT.set(Moment::now().0);
            Poll::Ready(self.take(read.filled_mut(), on_message))
        })
    }

    /// Writes as much as the socket accepts, and leaves its waker for the next sender.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut outbox = self.outbox.lock();
        while !outbox.bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &outbox.bytes) {
                Poll::Ready(written) => drop(outbox.bytes.drain(..written?)),
                Poll::Pending => break,
            }
        }
        if outbox.bytes.is_empty() && outbox.bytes.capacity() > 0 {
            outbox.bytes = Vec::new();
            self.is_flushing = true;
        }
        if self.is_flushing {
            self.is_flushing = Pin::new(&mut self.stream).poll_flush(cx)?.is_pending();
        }
        if !outbox.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            outbox.task = Some(cx.waker().clone());
        }
        Ok(())
    }

    fn take(
        &mut self,
        mut input: &mut [u8],
        on_message: &mut impl FnMut(MessageKind, &[u8]),
    ) -> Result<(), Ended> {
        if let Some(body) = &mut self.plain {
            let taken = body.take(input, &mut |data| on_message(MessageKind::Text, data));
            return taken.map_err(Ended::Answered);
        }
        loop {
            if !self.decoder.is_mid_message() {
                let taken = self.whole_messages(input, on_message);
                input = input.get_mut(taken..).unwrap_or_default();
            }
            if input.is_empty() {
                return Ok(());
            }
            input = self.decode(input, on_message)?;
        }
    }

    /// Gives the whole messages at the beginning of the input to `on_message`. Returns their length.
    fn whole_messages(&self, input: &[u8], on_message: &mut impl FnMut(MessageKind, &[u8])) -> usize {
        let is_ready = |compressed: bool| !compressed || (self.deflate && !self.inflates);
        let mut rest = input;
        while let Some(message) = frames::whole(rest).filter(|message| is_ready(message.compressed)) {
            on_message(message.kind, message.payload);
            rest = rest.get(message.length..).unwrap_or_default();
        }
        input.len() - rest.len()
    }

    /// Decodes up to the next event. Returns the rest of the input.
    fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
        on_message: &mut impl FnMut(MessageKind, &[u8]),
    ) -> Result<&'a mut [u8], Ended> {
        let config = Config { role: Role::Client, max_message: MAX_MESSAGE, deflate: self.deflate };
        let mut ended = None;
        let outbox = &self.outbox;
        let taken = self.decoder.feed(input, &config, |event| {
            match event {
                Event::Text(bytes) => on_message(MessageKind::Text, &bytes),
                Event::Binary(bytes) => on_message(MessageKind::Binary, &bytes),
                Event::Ping(payload) => outbox.lock().frame(Opcode::Pong, &payload),
                Event::Pong(_) | Event::Fragment => {}
                Event::Close(frame) => ended = Some(Ended::Closed(frame)),
            }
            ControlFlow::Break(())
        })?;
        ended.map_or(Ok(input.get_mut(taken..).unwrap_or_default()), Err)
    }
}

impl Sender {
    /// Passes a message to the connection's task. The frames of one round of the runtime go out in one write.
    pub fn message(&self, kind: MessageKind, payload: &[u8]) {
        self.outbox.lock().frame(kind.into(), payload);
    }
}

impl Outbox {
    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        encode::frame(&mut self.bytes, FrameHead::whole(opcode), payload, Some(rand::random()));
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}
