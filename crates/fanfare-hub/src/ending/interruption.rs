//! Tells the sessions that may have missed publications.
//!
//! Invariants
//! - In a channel with history a publication is lost only when the history does not have it.
//! - Then every client that connects by a command is told: the subscription that it made ends, and it may subscribe
//!   again; with a subscription that the server made its session ends.
//! - A session whose dialect tells gaps was told in its place among the publications, and stays.
//! - Any other session is closed for a loss only in namespaces that ask for it.
//! - Sessions are told at a pace, in random order.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use fanfare_core::{Broker, Channel, Disconnect, SessionId};
use tokio::time::sleep;

use crate::{
    delivery::{
        dispatcher::Dispatcher,
        losses::Lost,
        membership::{Membership, View},
        shard::SessionById,
    },
    ending::drain::{Drain, Pace},
    session::{state::Session, subscriptions::Subscriptions},
};

/// The time between two looks whether a client has the answer to its subscribe.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Tells sessions of losses.
pub struct Interruptions {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) drain: Arc<Drain>,
}

/// A session to be told of losses.
struct Loser {
    session: Arc<Session>,
    ends: Ends,
}

enum Ends {
    Session,
    Subscriptions(Vec<(Channel, Membership)>),
}

impl Interruptions {
    /// Tells the sessions that may have missed publications, at the pace that `pace` returns each time. Runs as long as
    /// it is polled.
    pub async fn tell_sessions(self: Arc<Self>, pace: impl Fn() -> Pace) {
        loop {
            let lost = self.dispatcher.losses().next().await;
            let mut losers = self.losers(&lost);
            while !losers.is_empty() {
                let mut later = Vec::new();
                let tell = |loser| self.tell(loser, &mut later);
                self.drain.at_pace(losers, pace(), Disconnect::Interrupted.name(), tell).await;
                losers = later;
                if !losers.is_empty() {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
        }
    }

    fn losers(&self, lost: &Lost) -> Vec<Loser> {
        if lost.is_empty() {
            return Vec::new();
        }
        let mut losers: HashMap<SessionId, Loser> = HashMap::new();
        for session in self.sessions_to_close(lost) {
            losers.insert(session.id, Loser { session, ends: Ends::Session });
        }
        let shards = self.dispatcher.shards();
        for (channel, shard) in
            lost.for_good().iter().flat_map(|channel| shards.iter().map(move |shard| (channel, shard)))
        {
            let Some(members) = shard.members(channel) else { continue };
            let told = members.iter().filter(|(SessionById(session), _)| can_be_told(session));
            for (SessionById(session), membership) in told {
                note(&mut losers, session, channel, *membership);
            }
        }
        losers.into_values().collect()
    }

    fn sessions_to_close(&self, lost: &Lost) -> Vec<Arc<Session>> {
        let namespaces = self.dispatcher.namespaces();
        let heals = |channel: &Channel| self.dispatcher.tails().get(channel).is_some();
        let has_lost = |session: &Arc<Session>| {
            let can_be_told = can_be_told(session) || session.dialect().tells_gaps();
            session.has_any(|channel| lost.closes(&namespaces, &*self.broker, channel, heals, can_be_told))
        };
        self.dispatcher.sessions().into_iter().filter(has_lost).collect()
    }

    /// Whether a session was told something. What it cannot be told yet is to be told `later`.
    fn tell(&self, loser: Loser, later: &mut Vec<Loser>) -> bool {
        let Loser { session, ends } = loser;
        if session.has_ended() {
            return false;
        }
        let Ends::Subscriptions(subscriptions) = ends else {
            self.drain.goodbyes.end_later(session, Disconnect::Interrupted);
            return true;
        };
        let (mut is_told, mut waiting) = (false, Vec::new());
        for (channel, before) in subscriptions {
            let shard = self.dispatcher.shard_of(&session);
            match shard.and_then(|shard| shard.membership(&channel, &session)) {
                // Its client gets the answer to its subscribe first.
                Some(now) if is_same(now, before) && now.view() == View::Held => {
                    waiting.push((channel, before))
                }
                Some(now) if is_same(now, before) => {
                    is_told |= self.subscriptions.interrupt(&session, &channel);
                }
                // It left, or joined again.
                _ => {}
            }
        }
        if !waiting.is_empty() {
            later.push(Loser { session, ends: Ends::Subscriptions(waiting) });
        }
        is_told
    }
}

/// Whether a session's dialect has a word for the end of one subscription, upon which clients subscribe again.
fn can_be_told(session: &Session) -> bool {
    session.kind.connects.is_some()
}

/// Whether two memberships of a session in a channel are of one joining.
fn is_same(now: Membership, before: Membership) -> bool {
    now.since() == before.since()
}

/// A member of a channel that lost publications is to be told.
fn note(
    losers: &mut HashMap<SessionId, Loser>,
    session: &Arc<Session>,
    channel: &Channel,
    membership: Membership,
) {
    let loser = match losers.entry(session.id) {
        Entry::Occupied(loser) => loser.into_mut(),
        Entry::Vacant(new) => {
            new.insert(Loser { session: session.clone(), ends: Ends::Subscriptions(Vec::new()) })
        }
    };
    match &mut loser.ends {
        Ends::Session => {}
        ends if membership.is_by_server() => *ends = Ends::Session,
        Ends::Subscriptions(subscriptions) => subscriptions.push((channel.clone(), membership)),
    }
}
