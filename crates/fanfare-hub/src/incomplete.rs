//! Messages that came in part, and since when.
//!
//! Invariants
//! - A shard knows every session of whose client a message or a frame began and is not whole. Only these are looked at,
//!   once a turn of the shard's clock; who sends whole messages touches none of this.
//! - What is not whole after [`Limits::message_time`](fanfare_core::Limits::message_time) ends its session. So nobody
//!   keeps memory with what it sent once and leaves unfinished.
//! - The time in which this node did not read does not count.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use fanfare_core::{Disconnect, SessionId};
use parking_lot::Mutex;

use crate::{hub::Hub, session::Session, shard::Shard};

/// The sessions of a shard of which something is incomplete, each with the second in which it began.
#[derive(Default)]
pub struct Incomplete(Mutex<HashMap<SessionId, (Weak<Session>, u32)>>);

impl Incomplete {
    /// Takes out those that had more than so much time until `now`.
    fn take_late(&self, now: u32, limit: Duration) -> Vec<Arc<Session>> {
        let mut late = Vec::new();
        self.0.lock().retain(|_, (session, began)| {
            let Some(session) = session.upgrade().filter(|session| !session.has_ended()) else {
                return false;
            };
            if session.signs.is_unread() {
                *began = now;
            }
            // It began somewhere in its second.
            let is_late = Duration::from_secs(now.saturating_sub(*began).into()) > limit;
            if is_late {
                late.push(session);
            }
            !is_late
        });
        late
    }
}

impl Hub {
    /// A message, or a frame of the transport's own, began, and the rest of it did not come yet. Of one session there
    /// is one at a time.
    pub fn began(&self, session: &Arc<Session>) {
        if let Some(shard) = self.dispatcher().shard_of(session) {
            shard.incomplete.0.lock().insert(session.id, (Arc::downgrade(session), shard.now()));
        }
    }

    /// What began is whole, and nothing else is incomplete.
    pub fn whole(&self, session: &Session) {
        if let Some(shard) = self.dispatcher().shard_of(session) {
            shard.incomplete.0.lock().remove(&session.id);
        }
    }
}

/// Ends those whose messages take too long, once a turn of a shard's clock.
pub(crate) fn turn(hub: &Arc<Hub>, shard: &Shard) {
    let limit = hub.limits().message_time;
    for session in shard.incomplete.take_late(shard.now(), limit) {
        hub.end(&session, &Disconnect::MessageTooSlow { limit });
    }
}
