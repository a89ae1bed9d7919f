//! What becomes of a message from Redis, from the socket to the node.

use std::{ops::Range, sync::Arc, task::Poll};

use fanfare_core::{
    Channel, Payload, Publication,
    broker::{BrokerEvents, ControlMessage},
};

use super::{
    chain::Arrival,
    clock::Clock,
    ear::Ear,
    link::Links,
    resp::Reader,
    stream::ReadHalf,
    table::{Table, Waiter},
};
use crate::{
    envelope::{Content, Decoded, decode},
    metrics::{Dropped, Metrics},
};

/// Hands messages to the node.
pub(crate) struct Incoming {
    pub(crate) events: Arc<dyn BrokerEvents>,
    pub(crate) metrics: Arc<Metrics>,
    /// The longest payload that is relayed.
    pub(crate) message_bytes: usize,
    pub(crate) clock: Arc<Clock>,
}

impl Incoming {
    /// Waits until the node has room, then for bytes. Cancel-safe.
    pub(crate) async fn read(
        &self,
        ear: &mut Ear,
        links: &Links,
        reader: &mut Reader,
        from: &mut ReadHalf<'_>,
    ) -> std::io::Result<()> {
        let room = std::future::poll_fn(|cx| {
            let room = self.events.poll_ready(cx);
            match room {
                Poll::Ready(()) => ear.reads(|| links.canary(|canary| canary.number())),
                Poll::Pending => ear.blocked(),
            }
            room
        });
        room.await;
        let read = reader.fill(from).await?;
        self.metrics.redis.bytes_received.inc_by(read as u64);
        Ok(())
    }

    /// A message on one of the node's channels; `payload` is where its bytes are in `reader`.
    pub(crate) fn data<W: Waiter>(
        &self,
        channel: Channel,
        reader: &mut Reader,
        payload: Range<usize>,
        table: &mut Table<W>,
    ) {
        let (publication, previous) = match self.publication(channel, reader, payload) {
            Ok(decoded) => decoded,
            Err(why) => return self.metrics.dropped(why),
        };
        if let Some(origin) = &publication.origin {
            match table.arrived(&publication.channel, origin, previous) {
                Arrival::InOrder => {}
                Arrival::AfterGap => self.events.missed(&publication.channel),
                Arrival::Stale => return self.metrics.out_of_order.inc(),
            }
        }
        self.metrics.received.inc();
        self.events.publication(publication);
    }

    /// A message on a control channel.
    pub(crate) fn control(&self, reader: &mut Reader, payload: Range<usize>) {
        match decode(reader.bytes(payload.clone())) {
            Ok(Decoded::Envelope { content: Content::Control { from }, body_at }) => {
                let body = reader.take(payload.start + body_at..payload.end);
                self.events.control(ControlMessage { from, body });
            }
            Ok(_) => self.metrics.dropped(Dropped::Misplaced),
            Err(error) => self.metrics.dropped(Dropped::Envelope(error)),
        }
    }

    fn publication(
        &self,
        channel: Channel,
        reader: &mut Reader,
        payload: Range<usize>,
    ) -> Result<(Publication, Option<u64>), Dropped> {
        let (body, header) = match decode(reader.bytes(payload.clone())).map_err(Dropped::Envelope)? {
            Decoded::Foreign => (payload, None),
            Decoded::Envelope {
                content: Content::Publication { payload: kind, origin, time, previous, trace },
                body_at,
            } => (payload.start + body_at..payload.end, Some((kind, origin, time, previous, trace))),
            Decoded::Envelope { .. } => return Err(Dropped::Misplaced),
        };
        if body.len() > self.message_bytes {
            return Err(Dropped::TooLong);
        }
        let bytes = reader.take(body);
        let Some((kind, origin, time, previous, trace)) = header else {
            self.metrics.foreign.inc();
            return Ok((Publication::new(channel, Payload::guess(bytes), None), None));
        };
        let payload = Payload::checked(kind, bytes).ok_or(Dropped::NotUtf8)?;
        let published = time.and_then(|time| self.clock.published(&origin, time));
        let publication = Publication::new(channel, payload, Some(origin)).published_at(published);
        Ok((publication.traced(trace), previous))
    }
}
