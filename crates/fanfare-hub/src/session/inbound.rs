//! The receiving half of one session. Its reader is the reader of a socket, or one request after the other.
//!
//! Invariants
//! - Bytes are counted against the session's rates before they are decoded. Messages are decoded, and their requests
//!   begin, in the order of arrival.
//! - After [`Next::Wait`] the reader hands over nothing before [`Inbound::poll_ready`] is ready. Nothing is taken
//!   behind the client's goodbye.
//! - The messages of one [`Inbound::receive`] are counted once and fanned out together. Its ready answers leave in one
//!   write, and so do its pongs: a flood of pings costs one write a turn, not one a ping.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use bytes::Bytes;
use fanfare_core::{Answer, Decoder, Disconnect, Liveness, Message, Reply, Request};

use crate::session::{
    incomplete::Buffered, intake::Intake, pending::MOST, rates::RateLimits, state::Session, traffic::Traffic,
};

/// The next step of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Hand over more.
    Accepted,
    /// Wait for [`Inbound::poll_ready`] first.
    Wait,
    /// Hand over nothing more: the session ends.
    Ended,
}

/// The receiving half of one session, used by one reader at a time. Its drop releases the session's transport.
pub struct Inbound {
    intake: Arc<Intake>,
    session: Arc<Session>,
    decoder: Box<dyn Decoder>,
    /// Boxed: most connections have no extras.
    extras: Option<Box<Extras>>,
    /// Whether the hub knows of bytes that the reader holds.
    is_buffering: bool,
}

#[derive(Default)]
struct Extras {
    rates: Option<RateLimits>,
    /// When this future ends, the client's goodbye is answered.
    leaving: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Inbound {
    pub(crate) fn new(intake: Arc<Intake>, session: Arc<Session>, decoder: Box<dyn Decoder>) -> Self {
        let rates = RateLimits::new(&intake.limits.load(), intake.now(&session));
        let extras = rates.map(|rates| Box::new(Extras { rates: Some(rates), leaving: None }));
        Self { intake, session, decoder, extras, is_buffering: false }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The largest message that the session may send, in bytes.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        self.intake.message_bytes
    }

    /// Whether messages are still taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.session.is_listened_to()
    }

    /// Bytes came that the reader cannot read yet.
    pub fn heard(&self) {
        self.intake.heard(&self.session, Liveness::AnyRead);
    }

    /// Counts bytes that came. More bytes than the session's rate permits end it.
    pub fn came(&mut self, bytes: usize) {
        self.heard();
        self.intake.received(&self.session, Traffic { messages: 0, bytes: bytes as u64 });
        let now = self.intake.now(&self.session);
        if let Some(rates) = self.rates()
            && let Err(rate) = rates.read(bytes, Instant::now(), now)
        {
            self.end(&Disconnect::RateLimited(rate));
        }
    }

    /// Takes the messages of one read.
    pub fn receive<T>(&mut self, take: impl FnOnce(&mut Receiving<'_>) -> T) -> T {
        let intake = self.intake.clone();
        let mut receiving = Receiving::new(self);
        let taken = intake.dispatcher.gather(|| take(&mut receiving));
        receiving.finish();
        taken
    }

    /// Takes the messages of a request, which are all there. Waits for [`Inbound::poll_ready`] between them.
    pub async fn receive_all(&mut self, messages: impl IntoIterator<Item = Message>) -> Next {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            if std::future::poll_fn(|cx| self.poll_ready(cx)).await.is_break() {
                return Next::Ended;
            }
            let next = self.receive(|receiving| {
                messages
                    .by_ref()
                    .map(|message| receiving.message(message))
                    .find(|next| *next != Next::Accepted)
            });
            if next == Some(Next::Ended) {
                return Next::Ended;
            }
        }
        Next::Accepted
    }

    /// Ready while the reader may hand over more. Breaks once the client's goodbye is answered. While the reader waits,
    /// the client is not judged.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<()>> {
        if let Some(leaving) = self.extras.as_mut().and_then(|extras| extras.leaving.as_mut()) {
            ready!(leaving.as_mut().poll(cx));
            self.extras = None;
            return Poll::Ready(ControlFlow::Break(()));
        }
        let has_too_many =
            self.session.pending().is_some_and(|pending| pending.poll_below(MOST, cx).is_pending());
        if has_too_many {
            self.pause();
            self.intake.unread(&self.session);
            return Poll::Pending;
        }
        if self.intake.poll_may_publish(&self.session, cx).is_pending() {
            self.pause();
            return Poll::Pending;
        }
        Poll::Ready(ControlFlow::Continue(()))
    }

    /// Ready once none of the session's commands waits.
    pub fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        self.session.pending().map_or(Poll::Ready(()), |pending| pending.poll_below(1, cx))
    }

    /// The reader holds these bytes until more come. When the session ends, `reader` is woken to drop them.
    pub fn buffers(&mut self, buffered: Buffered, reader: &Waker) {
        if buffered.bytes == 0 {
            return self.buffers_nothing();
        }
        self.is_buffering = true;
        self.intake.buffers(&self.session, buffered, reader);
    }

    /// The reader holds no bytes.
    pub fn buffers_nothing(&mut self) {
        if std::mem::take(&mut self.is_buffering) {
            self.intake.buffers_nothing(&self.session);
        }
    }

    /// Whether the hub knows of bytes that the reader holds.
    #[must_use]
    pub fn is_buffering(&self) -> bool {
        self.is_buffering
    }

    /// Ends the session.
    pub fn end(&self, disconnect: &Disconnect) {
        self.intake.goodbyes.end(&self.session, disconnect);
    }

    fn rates(&mut self) -> Option<&mut RateLimits> {
        self.extras.as_mut()?.rates.as_mut()
    }

    /// Until the next read the node is the cause of the wait, not the client.
    fn pause(&mut self) {
        if let Some(rates) = self.rates() {
            rates.pause();
        }
    }

    /// Ends the session behind the answers to its publishes.
    fn leave(&mut self, disconnect: Disconnect) {
        self.pause();
        self.intake.unread(&self.session);
        let (goodbyes, session) = (self.intake.goodbyes.clone(), self.session.clone());
        let leaving = async move { goodbyes.end_after_answers(&session, disconnect).await };
        self.extras.get_or_insert_default().leaving = Some(Box::pin(leaving));
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.buffers_nothing();
        self.session.let_go();
    }
}

/// The messages of one read, as they are taken.
pub struct Receiving<'a> {
    inbound: &'a mut Inbound,
    messages: u64,
    requests: Vec<Request>,
    replies: Vec<Reply>,
    answers: Vec<Message>,
    pongs: Vec<Bytes>,
    end: Option<Disconnect>,
}

impl<'a> Receiving<'a> {
    fn new(inbound: &'a mut Inbound) -> Self {
        Self {
            inbound,
            messages: 0,
            requests: Vec::new(),
            replies: Vec::new(),
            answers: Vec::new(),
            pongs: Vec::new(),
            end: None,
        }
    }

    /// A frame of the transport came. It is counted before its content is handed over.
    pub fn frame(&mut self) -> Next {
        if let Some(Err(rate)) = self.inbound.rates().map(RateLimits::frame) {
            self.end = Some(Disconnect::RateLimited(rate));
            return Next::Ended;
        }
        Next::Accepted
    }

    /// A whole message came.
    pub fn message(&mut self, message: Message) -> Next {
        self.messages += 1;
        let mut requests = std::mem::take(&mut self.requests);
        let decoded = self.inbound.decoder.decode(message, &mut requests);
        for request in requests.drain(..) {
            if self.end.is_none() {
                self.begin(request);
            }
        }
        self.requests = requests;
        if let Err(disconnect) = decoded
            && self.end.is_none()
        {
            self.end = Some(disconnect);
        }
        self.next()
    }

    /// The transport's own ping came.
    pub fn ping(&mut self, payload: Bytes) {
        self.pongs.push(payload);
    }

    /// The transport's own pong came.
    pub fn pong(&mut self) {
        self.inbound.intake.heard(&self.inbound.session, Liveness::Pong);
    }

    /// The session ends: the client said goodbye, or broke a rule.
    pub fn end(&mut self, disconnect: Disconnect) -> Next {
        self.end = Some(disconnect);
        Next::Ended
    }

    fn begin(&mut self, request: Request) {
        let Inbound { intake, session, .. } = &*self.inbound;
        match request {
            Request::Command(command) => {
                if let Err(disconnect) = intake.commands.begin(session, command, &mut self.replies) {
                    self.end = Some(disconnect);
                }
            }
            Request::Answer(message) => self.answers.push(message),
            Request::Pong if session.last_activity.is_pinged() => intake.heard(session, Liveness::Pong),
            Request::Pong => self.end = Some(Disconnect::BadRequest("a pong came without a ping".into())),
        }
        for reply in self.replies.drain(..) {
            match session.dialect().reply(&reply) {
                Answer::Nothing => {}
                Answer::Send(message) => self.answers.push(message),
                Answer::End(disconnect) => self.end = Some(disconnect),
            }
        }
    }

    fn next(&self) -> Next {
        let Inbound { intake, session, .. } = &*self.inbound;
        let has_room = session.pending().is_none_or(|pending| pending.has_room());
        match self.end {
            Some(_) => Next::Ended,
            None if has_room && intake.may_publish(session) => Next::Accepted,
            None => Next::Wait,
        }
    }

    fn finish(self) {
        let Self { inbound, messages, answers, pongs, end, .. } = self;
        let Inbound { intake, session, .. } = &*inbound;
        if messages > 0 {
            intake.received(session, Traffic { messages, bytes: 0 });
        }
        if !pongs.is_empty() {
            intake.writer.pong(session, &pongs);
        }
        if !answers.is_empty() {
            intake.writer.send_all(session, answers);
        }
        match end {
            None => {}
            Some(disconnect @ Disconnect::ByClient(_)) => inbound.leave(disconnect),
            Some(disconnect) => inbound.end(&disconnect),
        }
    }
}
