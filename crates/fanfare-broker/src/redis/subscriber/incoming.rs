//! A message from Redis, from the socket to the node.

use std::{ops::Range, sync::Arc, task::Poll, time::Instant};

use fanfare_core::{
    Channel, Origin, Partition, Payload, Publication,
    broker::{BrokerEvents, ControlMessage},
};

use super::{
    origin_check::{ListedNodes, OriginCheck, OriginVerdict, is_credible},
    table::{entry::Waiter, subscriptions::Table},
};
use crate::{
    control_order::ControlOrder,
    envelope::{Content, Decoded, decode},
    liveness::{deafness::DeafnessCheck, sequence::Arrival},
    metrics::{Distrusted, Dropped},
    redis::{
        clock::offset::Clock,
        connection::{links::Links, resp::Reader, stream::ReadHalf},
        metrics::RedisMetrics,
    },
};

/// Hands messages to the node.
pub(crate) struct Incoming {
    pub(crate) events: Arc<dyn BrokerEvents>,
    /// The partition that this Redis is.
    pub(crate) partition: Partition,
    pub(crate) control_order: Arc<ControlOrder>,
    pub(crate) metrics: Arc<RedisMetrics>,
    /// The longest payload that is relayed.
    pub(crate) message_bytes: usize,
    pub(crate) clock: Arc<Clock>,
    pub(crate) listed: Arc<ListedNodes>,
    pub(crate) origin_check: OriginCheck,
}

/// The claims of an envelope about its publication.
#[derive(Default)]
struct Claims {
    previous: Option<u64>,
    /// Microseconds since 1970, by the clock of Redis.
    time: Option<u64>,
}

impl Incoming {
    /// Waits until the node has room, then for bytes. Cancel-safe.
    pub(crate) async fn read(
        &self,
        deafness: &mut DeafnessCheck,
        links: &Links,
        reader: &mut Reader,
        from: &mut ReadHalf<'_>,
    ) -> std::io::Result<()> {
        let room = std::future::poll_fn(|cx| {
            let room = self.events.poll_ready(self.partition, cx);
            match room {
                Poll::Ready(()) => deafness.reads(|| links.canary(|canary| canary.number())),
                Poll::Pending => deafness.blocked(),
            }
            room
        });
        room.await;
        let read = reader.fill(from).await?;
        self.metrics.bytes_received.inc_by(read as u64);
        Ok(())
    }

    /// A message on one of the node's channels. `payload` says where its bytes are in `reader`.
    pub(crate) fn data<W: Waiter>(
        &mut self,
        channel: Channel,
        reader: &mut Reader,
        payload: Range<usize>,
        table: &mut Table<W>,
    ) {
        let now = Instant::now();
        let (publication, claims) = match self.publication(channel, reader, payload) {
            Ok(decoded) => decoded,
            Err(why) => return self.metrics.broker.dropped(why),
        };
        let Some(origin) = publication.origin else { return self.deliver(publication) };
        match self.origin_check.check(&origin, now) {
            OriginVerdict::Credible => {}
            OriginVerdict::Unlisted => {
                self.metrics.broker.distrusted(Distrusted::Origin);
                return self.deliver(publication);
            }
            OriginVerdict::Implausible => {
                self.metrics.broker.distrusted(Distrusted::Sequence);
                return self.deliver(publication);
            }
        }
        match table.arrived(&publication.channel, &origin, claims.previous) {
            Arrival::InOrder => {}
            Arrival::AfterGap => self.events.missed(&publication.channel),
            Arrival::Stale => return self.metrics.broker.out_of_order.inc(),
            Arrival::AfterForgery => {
                self.metrics.broker.distrusted(Distrusted::Sequence);
                self.origin_check.correct(&origin, now);
                self.events.missed(&publication.channel);
            }
        }
        let published = claims.time.and_then(|time| self.published(&origin, time, now));
        self.deliver(publication.published_at(published));
    }

    /// Takes the nodes that the registry listed since the last time.
    pub(crate) fn update_nodes(&mut self) {
        self.origin_check.update(&self.listed);
    }

    fn published(&self, origin: &Origin, time: u64, now: Instant) -> Option<Instant> {
        let published = self.clock.published(origin, time)?;
        let is_credible = is_credible(published, now);
        if !is_credible {
            self.metrics.broker.distrusted(Distrusted::Time);
        }
        is_credible.then_some(published)
    }

    fn deliver(&self, publication: Publication) {
        self.metrics.broker.received.inc();
        self.events.publication(publication);
    }

    /// A message on a control channel.
    pub(crate) fn control(&self, reader: &mut Reader, payload: Range<usize>) {
        match decode(reader.bytes(payload.clone())) {
            Ok(Decoded::Envelope { content: Content::Control { from, sequence }, body_at }) => {
                let body = reader.take(payload.start + body_at..payload.end);
                let pass = || self.events.control(ControlMessage { from, body });
                match sequence {
                    Some(sequence) => self.control_order.pass_next(from, sequence, pass),
                    None => pass(),
                }
            }
            Ok(_) => self.metrics.broker.dropped(Dropped::Misplaced),
            Err(error) => self.metrics.broker.dropped(Dropped::Envelope(error)),
        }
    }

    fn publication(
        &self,
        channel: Channel,
        reader: &mut Reader,
        payload: Range<usize>,
    ) -> Result<(Publication, Claims), Dropped> {
        let (body, header) = match decode(reader.bytes(payload.clone())).map_err(Dropped::Envelope)? {
            Decoded::Foreign => (payload, None),
            Decoded::Envelope {
                content:
                    Content::Publication { payload: kind, origin, time, previous, trace, attributes, position },
                body_at,
            } => {
                let header = (kind, origin, Claims { previous, time }, trace, attributes, position);
                (payload.start + body_at..payload.end, Some(header))
            }
            Decoded::Envelope { .. } => return Err(Dropped::Misplaced),
        };
        if body.len() > self.message_bytes {
            return Err(Dropped::TooLong);
        }
        let bytes = reader.take(body);
        let Some((kind, origin, claims, trace, attributes, position)) = header else {
            self.metrics.broker.foreign.inc();
            return Ok((Publication::new(channel, Payload::guess(bytes), None), Claims::default()));
        };
        let payload = Payload::checked(kind, bytes).ok_or(Dropped::NotUtf8)?;
        let publication = Publication::new(channel, payload, Some(origin));
        Ok((publication.traced(trace).with_attributes(attributes).at(position), claims))
    }
}
