//! Sends the past of a channel to a session that joined it held.
//!
//! Invariants
//! - The past is sent before what was held since, and nothing overtakes.
//! - A long past does not make its client a slow one: the next part is sent when the client has read the last.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use fanfare_core::{Channel, Publication, TagFilter};
use tokio::time::sleep;

use crate::{
    delivery::{batch::Batch, filters::passes, membership::View},
    session::{state::Session, subscriptions::Subscriptions},
};

/// The time between two looks whether a client has read the last part of its past.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The bytes beside its payload that a publication takes on its way, about.
const FRAME_BYTES: usize = 32;

/// A session that joined and waits for its past. It leaves if nobody waits any more.
pub(super) struct Waiting<'a> {
    pub(super) subscriptions: &'a Subscriptions,
    pub(super) session: &'a Session,
    pub(super) channel: &'a Channel,
    pub(super) is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.subscriptions.unsubscribe(self.session, self.channel);
        }
    }
}

impl Subscriptions {
    /// Sends the past of a channel that was joined by [`Subscriptions::recover_held`], then what was held since; what
    /// comes from now on is live. Nothing overtakes. A long past is sent as the client reads it. If the future is
    /// dropped, the session leaves the channel.
    pub async fn release_past(&self, session: &Arc<Session>, channel: &Channel, past: Vec<Arc<Publication>>) {
        let mut leaving = Waiting { subscriptions: self, session, channel, is_over: false };
        let mut past: VecDeque<_> = self.meant_for(session, channel, None, past).into();
        let most = self.writer.budget.per_session() / 4;
        let is_sent_as_read = session.outbound.is_attached();
        while is_sent_as_read && !session.has_ended() {
            let part = take_part(&mut past, most);
            if past.is_empty() {
                past = part.into();
                break;
            }
            self.writer.send_batch(session, &mut Batch::of(part.into_iter()));
            while session.queued() > most {
                sleep(BETWEEN_LOOKS).await;
            }
        }
        leaving.is_over = true;
        if let Some(held) = session.held() {
            held.release(channel, |since| {
                self.writer.send_batch(session, &mut Batch::of(past.into_iter().chain(since)));
            });
        }
        self.dispatcher.change_view(channel, session, View::Verbatim);
    }

    /// Sends a part of the past of a channel that was joined by [`Subscriptions::recover_held`] and is not released: to a
    /// session that gets nothing else.
    pub fn send_past(&self, session: &Arc<Session>, channel: &Channel, past: Vec<Arc<Publication>>) {
        let past = self.meant_for(session, channel, None, past);
        self.writer.send_batch(session, &mut Batch::of(past.into_iter()));
    }

    /// The publications of a past that a session with this filter gets. They count as delivered.
    pub(crate) fn meant_for(
        &self,
        session: &Session,
        channel: &Channel,
        filter: Option<&TagFilter>,
        mut past: Vec<Arc<Publication>>,
    ) -> Vec<Arc<Publication>> {
        let echo = self.dispatcher.namespaces().of(channel).echo;
        past.retain(|publication| {
            !self.dispatcher.except(publication, echo).contains(&Some(session.id))
                && filter.is_none_or(|filter| passes(filter, publication))
        });
        self.metrics.deliveries.inc_by(past.len() as u64);
        past
    }
}

/// Takes the first publications: at least one, and no more than `most` bytes of others.
fn take_part(past: &mut VecDeque<Arc<Publication>>, most: usize) -> Vec<Arc<Publication>> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while let Some(next) = past.front() {
        bytes += next.payload.len() + FRAME_BYTES;
        if !part.is_empty() && bytes > most {
            break;
        }
        part.extend(past.pop_front());
    }
    part
}
