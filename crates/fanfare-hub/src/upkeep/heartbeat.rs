//! Pings clients, and ends the sessions of those that do not answer, are idle, or have an expired token.
//!
//! Invariants
//! - Each shard's wheel makes one turn a second. A turn that comes late does not count, so that what clients sent
//!   meanwhile is read before they are judged: no client is judged for what a frozen or starved node missed.
//! - A sign of life is anything that is read from a client, or the answer to a ping alone, as its dialect wants
//!   ([`Liveness`]), and so is a full socket that takes bytes again. A client that sends nothing
//!   by its dialect is pinged, and not judged: the end of its transport ends it, or bytes that it does not take.
//! - A client that this node chooses not to read at the moment is not judged: it may have answered.
//! - A session whose client's token expired, by the wall clock, ends within a second or two.
//! - A session without a transport is not pinged, and not judged. Nor is one whose client did not connect yet, in a
//!   dialect with a connect command: it ends where the client takes longer than [`Limits::handshake`], and so does one
//!   whose connect failed.
//!
//! [`Limits::handshake`]: fanfare_core::Limits::handshake

use std::{sync::Arc, time::Duration};

use fanfare_core::{Disconnect, Liveness};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    delivery::shard::Shard,
    ending::{drain::Drain, goodbye::Goodbyes},
    session::{
        phase::Phase, renewing::Renewals, state::Session, subscriptions::Subscriptions, writer::Writer,
    },
    upkeep::{
        message_bounds::MessageBounds,
        slow::SlowClients,
        wheel::{Beat, Verdict},
    },
};

/// A turn that comes later than this finds a node that was frozen or starved.
const LATE: Duration = Duration::from_secs(1);

/// Looks between which other tasks get their turn.
const LOOKS_PER_TURN: usize = 256;

/// Turns the shards' wheels.
pub(crate) struct Heartbeats {
    pub(crate) writer: Arc<Writer>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) renewals: Arc<Renewals>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) message_bounds: Arc<MessageBounds>,
    pub(crate) slow_clients: Arc<SlowClients>,
}

impl Heartbeats {
    /// Turns one shard's wheel for as long as the node lives.
    pub(crate) async fn run(self: Arc<Self>, shard: Arc<Shard>) {
        let mut second = interval(Duration::from_secs(1));
        // A turn that comes late is one turn, not many.
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        second.tick().await;
        loop {
            let is_late = second.tick().await.elapsed() > LATE;
            shard.progress.wheel();
            shard.wake();
            if is_late {
                continue;
            }
            for (count, beat) in shard.wheel.turn().into_iter().enumerate() {
                self.look(&shard, beat);
                if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
                    tokio::task::yield_now().await;
                }
            }
            self.message_bounds.turn(&shard);
            self.slow_clients.turn(&shard).await;
        }
    }

    fn look(&self, shard: &Shard, mut beat: Beat) {
        let Some(session) = shard.session(beat.session) else { return };
        let now = shard.now();
        if let Some(by) = beat.connects_by() {
            return self.look_for_connect(shard, &session, beat, by);
        }
        if session.last_activity.is_unread() {
            session.last_activity.message(now);
        } else if !session.outbound.is_attached() || session.phase() != Phase::Connected {
            // Without a transport, or before it connects, the client counts as just heard and pinged.
            session.last_activity.heard(now);
            beat.ping_at = beat.ping_at.max(now + 1);
        }
        if session.may_expire() && self.look_for_expiry(&session) {
            return;
        }
        if beat.is_for_expiry() {
            return;
        }
        let due = match beat.judge(now, &session.last_activity, &session.kind.heartbeat) {
            Verdict::Wait(due) => due,
            Verdict::Ping(due) => {
                self.writer.ping(&session);
                if session.dialect().liveness() == Liveness::AnyWrite {
                    session.last_activity.heard(now);
                }
                due
            }
            // Behind its answers: the client may have published as long ago.
            Verdict::End(Disconnect::Idle) => return self.goodbyes.end_later(session, Disconnect::Idle),
            Verdict::End(disconnect) => {
                return match self.drain.goodbye() {
                    Some(goodbye) => self.goodbyes.end_later(session, goodbye.clone()),
                    None => self.goodbyes.end(&session, &disconnect),
                };
            }
        };
        shard.wheel.put(beat, shard.wheel.no_later_than_expiry(&session, due));
    }

    /// Ends a session whose client's token expired, and subscriptions whose time is over, or asks the backend about them.
    /// Whether the session ended.
    fn look_for_expiry(&self, session: &Arc<Session>) -> bool {
        if session.expires_in() == Some(Duration::ZERO) {
            self.goodbyes.end(session, &Disconnect::Expired);
            return true;
        }
        self.subscriptions.expire(session);
        self.renewals.look(session);
        false
    }

    /// Ends a session whose client did not connect in time. A connect that is under way has bounds of its own.
    fn look_for_connect(&self, shard: &Shard, session: &Arc<Session>, beat: Beat, by: u32) {
        match session.phase() {
            Phase::Connected => {}
            Phase::New | Phase::Failed if shard.now() >= by => self.goodbyes.end(session, &Disconnect::Stale),
            Phase::New | Phase::Failed => shard.wheel.put(beat, by),
            Phase::Connecting => shard.wheel.put(beat, shard.now() + 1),
        }
    }
}
