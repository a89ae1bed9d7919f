//! How a session ends.
//!
//! Invariants
//! - [`Goodbyes::end`] ends a session, once, and is the only function that does.
//! - The queue of a session goes out before its goodbye. A transport that does not take it is given up after
//!   [`Limits::goodbye`].
//! - A client that is sent away ([`Disconnect::sends_away`]) may have sent publishes before it saw the goodbye. They
//!   are published, if they are read before its transport is given up. From any other client nothing is taken after its
//!   session ended.

use std::{future::poll_fn, sync::Arc};

use arc_swap::ArcSwap;
use fanfare_core::{Disconnect, Limits};
use tokio::time::timeout;

use crate::{
    delivery::dispatcher::Dispatcher,
    metrics::HubMetrics,
    session::{
        attendance::Attendance,
        end::{End, is_silent},
        flusher::Flusher,
        interest::Interest,
        link::{Finish, Sent},
        state::Session,
    },
    upkeep::budget::Budget,
};

/// Ends sessions.
pub struct Goodbyes {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) interest: Arc<Interest>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) attendance: Arc<Attendance>,
}

impl Goodbyes {
    /// Ends a session and tells its client so in the dialect's words. Nothing is delivered to it any more, and only
    /// from a client that is sent away publishes are taken, until its transport ends. Its queue still goes out,
    /// within [`Limits::goodbye`].
    pub fn end(&self, session: &Arc<Session>, disconnect: &Disconnect) {
        let (joined, goodbye) = {
            let mut channels = session.channels.lock();
            // Also where the flow of a session that had ended was closed: its reader must not wait for ever.
            if channels.reason().unwrap_or(disconnect).sends_away() {
                session.flow_or_new().ended();
            } else if let Some(flow) = session.flow() {
                flow.over();
            }
            if channels.ended.is_some() {
                return;
            }
            let goodbye = session.dialect().goodbye(disconnect);
            let mut end = End::new(disconnect.clone(), &goodbye);
            if session.is_connection() {
                self.metrics.connection_ended(session.dialect(), session.kind.transport, &end);
                let client = self.attendance.client(session);
                self.attendance.events.ended(client, session, &end, goodbye.frame.as_ref());
            }
            let joined = std::mem::take(&mut channels.joined);
            end.channels.clone_from(&joined);
            channels.ended = Some(Box::new(end));
            (joined, goodbye)
        };
        for channel in &joined {
            self.dispatcher.leave(channel, session);
            self.interest.release(channel);
        }
        self.attendance.ended(&joined, session);
        if let Some(shard) = self.dispatcher.shard_of(session) {
            shard.remove(session);
            shard.incomplete.ends(session);
        }
        if is_silent(disconnect, &goodbye) {
            return session.abort();
        }
        let finish = if disconnect.sends_away() { Finish::WhenAnswered } else { Finish::AtOnce };
        let sent = session.outbound.close(&goodbye, finish, &self.budget);
        if matches!(disconnect, Disconnect::ByClient(_)) && session.outbound.is_finished() {
            return;
        }
        self.see_off(session, sent);
    }

    /// Ends a session once its commands are carried out and its publishes are answered (within [`Limits::goodbye`]), and behind what is queued for it.
    /// Until then nothing more is read from it. So its client is told of a failure, and still sees what it sent, as
    /// far as the broker delivers before it answers: the memory broker does; Redis answers on one connection and
    /// delivers on another.
    pub async fn end_after_answers(&self, session: &Arc<Session>, disconnect: Disconnect) {
        let flow = session.flow_or_new();
        let goodbye = self.limits.load().goodbye;
        if let Some(pending) = session.pending() {
            drop(timeout(goodbye, poll_fn(|cx| pending.poll_below(1, cx))).await);
        }
        if !flow.close() {
            drop(timeout(goodbye, poll_fn(|cx| flow.poll_answered(cx))).await);
        }
        match self.dispatcher.shard_of(session) {
            Some(shard) => shard.push_goodbye(session.clone(), disconnect),
            None => self.end(session, &disconnect),
        }
    }

    /// [`Goodbyes::end_after_answers`] in a task of its own.
    pub(crate) fn end_later(self: &Arc<Self>, session: Arc<Session>, disconnect: Disconnect) {
        let goodbyes = self.clone();
        let ending = async move { goodbyes.end_after_answers(&session, disconnect).await };
        self.flusher.tasks.spawn(ending);
    }

    /// Gives the transport of a session that has ended the time of a goodbye, then ends it.
    fn see_off(&self, session: &Arc<Session>, sent: Sent) {
        let goodbye = self.limits.load().goodbye;
        if sent == Sent::NeedsFlush {
            self.flusher.flush(session, Some(goodbye));
        }
        // Not tracked: a shutdown waits for transports, not for this timer.
        let session = Arc::downgrade(session);
        tokio::spawn(async move {
            tokio::time::sleep(goodbye).await;
            if let Some(session) = session.upgrade() {
                session.abort();
            }
        });
    }
}
