//! How a session ends.
//!
//! Invariants
//! - [`Hub::end`] ends a session, once, and is the only function that does.
//! - What is queued for a session goes out before its goodbye; a transport that does not take it is given up after
//!   [`Limits::goodbye`](fanfare_core::Limits::goodbye).
//! - What a client that is sent away ([`Disconnect::sends_away`]) had sent before it heard of it is published, as far
//!   as it is read before its transport is given up. From any other nothing is taken once its session has ended.

use std::{future::poll_fn, sync::Arc, time::Duration};

use fanfare_core::Disconnect;
use tokio::time::timeout;

use crate::{
    hub::Hub,
    session::{
        access_log::End,
        outbound::{Finish, Sent},
        state::Session,
    },
};

impl Hub {
    /// Ends a session and says so in its dialect's words: nothing is delivered to it any more, and only from one that
    /// is sent away publications are taken until its transport ends. What is queued for it still goes out, for as long
    /// as [`Limits::goodbye`](fanfare_core::Limits::goodbye).
    pub fn end(self: &Arc<Self>, session: &Arc<Session>, disconnect: &Disconnect) {
        let (channels, frame) = {
            let mut subscriptions = session.subscriptions.lock();
            // Also where somebody closed the flow of a session that had ended: its reader must not wait for ever.
            if subscriptions.reason().unwrap_or(disconnect).sends_away() {
                session.flow_or_new().ended();
            } else if let Some(flow) = session.flow() {
                flow.over();
            }
            if subscriptions.ended.is_some() {
                return;
            }
            let frame = session.dialect().close(disconnect);
            let mut end = End::new(disconnect.clone(), frame.as_ref());
            if session.is_connection() {
                self.metrics().connection_ended(session.dialect(), &end);
            }
            let channels = std::mem::take(&mut subscriptions.channels);
            end.channels.clone_from(&channels);
            subscriptions.ended = Some(Box::new(end));
            (channels, frame)
        };
        for channel in &channels {
            self.dispatcher().leave(channel, session);
            self.interest.release(channel);
        }
        if let Some(shard) = self.dispatcher().shard_of(session) {
            shard.remove(session);
            shard.incomplete.ends(session);
        }
        if matches!(disconnect, Disconnect::Lost | Disconnect::NoPong) {
            return session.abort();
        }
        let finish = if disconnect.sends_away() { Finish::WhenAnswered } else { Finish::AtOnce };
        let sent = session.outbound.close(frame.as_ref(), finish, self.budget());
        if matches!(disconnect, Disconnect::ByClient(_)) && session.outbound.is_finished() {
            return;
        }
        self.see_off(session, sent);
    }

    /// Ends a session once its publications are answered (within [`Limits::goodbye`](fanfare_core::Limits::goodbye)), and behind what is queued for
    /// it; until then nothing more is read from it. So its client is told of a failure, and still sees what it sent, as
    /// far as the broker delivers before it answers: the memory broker does; Redis answers on one connection and
    /// delivers on another.
    pub async fn end_after_answers(self: &Arc<Self>, session: &Arc<Session>, disconnect: Disconnect) {
        let flow = session.flow_or_new();
        if !flow.close() {
            drop(timeout(self.limits().goodbye, poll_fn(|cx| flow.poll_answered(cx))).await);
        }
        match self.dispatcher().shard_of(session) {
            Some(shard) => shard.push_goodbye(session.clone(), disconnect),
            None => self.end(session, &disconnect),
        }
    }

    /// The same, in a task of its own.
    pub(crate) fn end_later(self: &Arc<Self>, session: Arc<Session>, disconnect: Disconnect) {
        let hub = self.clone();
        self.tasks.spawn(async move { hub.end_after_answers(&session, disconnect).await });
    }

    /// Ends once every transport and every flush is over. New ones may come meanwhile, and are waited for too.
    pub(crate) async fn transports_ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives an ended session's transport the time of a goodbye, then ends it.
    fn see_off(self: &Arc<Self>, session: &Arc<Session>, sent: Sent) {
        let goodbye = self.limits().goodbye;
        if sent == Sent::NeedsFlush {
            self.flush_within(session, Some(goodbye));
        }
        // Not tracked: a shutdown waits for the transports, not for the patience with them.
        let session = Arc::downgrade(session);
        tokio::spawn(async move {
            tokio::time::sleep(goodbye).await;
            if let Some(session) = session.upgrade() {
                session.abort();
            }
        });
    }

    /// Flushes a session in a task of its own.
    pub(crate) fn flush_later(self: &Arc<Self>, session: &Arc<Session>) {
        self.flush_within(session, None);
    }

    fn flush_within(self: &Arc<Self>, session: &Arc<Session>, limit: Option<Duration>) {
        self.watch(session);
        let (hub, session) = (self.clone(), session.clone());
        self.tasks.spawn(async move {
            let flushed = poll_fn(|cx| {
                let before = session.outbound.queued();
                let flushed = session.outbound.poll_flush(cx, hub.budget());
                if session.outbound.queued() < before {
                    session.last_activity.took(hub.now(&session));
                }
                flushed
            });
            match limit {
                Some(limit) => drop(timeout(limit, flushed).await),
                None => drop(flushed.await),
            }
        });
    }
}
