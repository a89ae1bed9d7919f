//! What becomes of a message from Redis.

use std::{ops::Range, sync::Arc};

use fanfare_core::{
    Channel, Payload, Publication,
    broker::{BrokerEvents, ControlMessage},
};

use super::{
    chain::Arrival,
    resp::Reader,
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
}

impl Incoming {
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
        let (body, kind, origin, previous, trace) =
            match decode(reader.bytes(payload.clone())).map_err(Dropped::Envelope)? {
                Decoded::Foreign => (payload, None, None, None, None),
                Decoded::Envelope {
                    content: Content::Publication { payload: kind, origin, previous, trace, .. },
                    body_at,
                } => (payload.start + body_at..payload.end, Some(kind), Some(origin), previous, trace),
                Decoded::Envelope { .. } => return Err(Dropped::Misplaced),
            };
        if body.len() > self.message_bytes {
            return Err(Dropped::TooLong);
        }
        let bytes = reader.take(body);
        let payload = match kind {
            Some(kind) => Payload::checked(kind, bytes).ok_or(Dropped::NotUtf8)?,
            None => {
                self.metrics.foreign.inc();
                Payload::guess(bytes)
            }
        };
        Ok((Publication::new(channel, payload, origin).traced(trace), previous))
    }
}
