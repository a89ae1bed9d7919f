//! Sends messages to sessions.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::{Answer, Dialect, Disconnect, Message, Ping, Push, Reply};

use crate::{
    delivery::{bases, batch::Batch, membership::Membership},
    ending::goodbye::Goodbyes,
    session::{flusher::Flusher, link::Sent, state::Session},
    upkeep::budget::Budget,
};

/// Sends messages, replies, pings and pongs.
pub struct Writer {
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) budget: Arc<Budget>,
}

impl Writer {
    /// Sends one message to a session.
    pub fn send(&self, session: &Arc<Session>, mut message: Message) {
        let sent = session.outbound.send(&mut message, &self.budget, false);
        self.after_send(session, sent);
    }

    /// Sends several messages to a session, in one frame where its transport joins them.
    pub fn send_all(&self, session: &Arc<Session>, messages: Vec<Message>) {
        if let Some(sent) = self.try_send_all(session, messages) {
            self.after_send(session, sent);
        }
    }

    /// [`Writer::send_all`] for a caller that does the rest with the result: [`Writer::after_send`]. `None`: there was
    /// nothing to send.
    pub(crate) fn try_send_all(&self, session: &Session, mut messages: Vec<Message>) -> Option<Sent> {
        (!messages.is_empty()).then(|| session.outbound.send(&mut messages, &self.budget, false))
    }

    /// Sends publications to a session.
    pub(crate) fn send_batch(&self, session: &Arc<Session>, batch: &mut Batch) {
        if let Some(sent) = self.try_send_batch(session, batch) {
            self.after_send(session, sent);
        }
    }

    /// [`Writer::send_batch`], as [`Writer::try_send_all`] does it.
    pub(crate) fn try_send_batch(&self, session: &Session, batch: &mut Batch) -> Option<Sent> {
        if batch.is_empty() {
            return None;
        }
        let namespaces = self.goodbyes.dispatcher.namespaces();
        let dialect = self.form(session, batch);
        let mut share = batch.share(session.id, Membership::OF_ALL, dialect, &namespaces)?;
        Some(session.outbound.send(&mut share, &self.budget, false))
    }

    /// The form of the dialect in which a session gets publications of one channel.
    fn form(&self, session: &Session, batch: &Batch) -> &'static dyn Dialect {
        let dialect = session.dialect();
        let base = || {
            dialect.delta()?;
            let channel = &batch.publications().next()?.channel;
            self.goodbyes.dispatcher.shard_of(session)?.base(channel, session)
        };
        base().map_or(dialect, |base| bases::form(dialect, base, &bases::lowest(batch.publications())))
    }

    /// Tells a session what its client did not ask for, where its dialect has a word for it.
    pub fn push(&self, session: &Arc<Session>, push: &Push) {
        if let Some(message) = session.dialect().push(push) {
            self.send(session, message);
        }
    }

    /// Sends what the session's dialect makes of a reply.
    pub(crate) fn reply(&self, session: &Arc<Session>, reply: &Reply) {
        self.answer(session, session.dialect().reply(reply));
    }

    /// Carries out a dialect's answer.
    pub(crate) fn answer(&self, session: &Arc<Session>, answer: Answer) {
        match answer {
            Answer::Nothing => {}
            Answer::Send(message) => self.send(session, message),
            Answer::End(disconnect) => self.goodbyes.end(session, &disconnect),
        }
    }

    /// Pings a session's client.
    pub(crate) fn ping(&self, session: &Arc<Session>) {
        session.last_activity.pinged();
        match session.dialect().ping() {
            Ping::Message(message) => self.send(session, message),
            Ping::Transport => {
                let sent = session.outbound.ping(&self.budget);
                self.after_send(session, sent);
            }
        }
    }

    /// Answers pings of a session's client, all in one write.
    pub fn pong(&self, session: &Arc<Session>, payloads: &[Bytes]) {
        let sent = session.outbound.pong(payloads, &self.budget);
        self.after_send(session, sent);
    }

    /// Flushes, watches or ends a session, by the result of its [`Outbound`](crate::session::outbound::Outbound).
    #[inline]
    pub(crate) fn after_send(&self, session: &Arc<Session>, sent: Sent) {
        match sent {
            Sent::Written | Sent::Done => {}
            Sent::NeedsFlush => self.flusher.flush(session, None),
            Sent::Buffered => self.flusher.watch(session),
            Sent::Overflow => self.goodbyes.end(session, &Disconnect::Slow),
            // The sink was aborted: the session's reader sees its end, and ends the session.
            Sent::Broken => {}
        }
    }
}
