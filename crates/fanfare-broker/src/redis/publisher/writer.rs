//! Writes the commands of the publisher.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut, BytesMut};
use fanfare_core::{Incarnation, Origin, broker::Recipient};

use super::{
    command::put,
    outgoing::{Outgoing, OutgoingMessage},
    script::{Keep, Script},
};
use crate::{
    envelope::{self, Header},
    liveness::sequence::LastTaken,
    node::TIME_TO_LIVE,
    redis::{
        clock::offset::{Clock, Stamps},
        names::Names,
        pubsub::PubSub,
    },
};

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) names: Arc<Names>,
    pub(crate) node: Incarnation,
    /// The number of publications so far, in the order in which they are written.
    pub(crate) sequence: u64,
    pub(crate) last_taken: LastTaken,
    pub(crate) clock: Arc<Clock>,
    pub(crate) script: Script,
}

impl Writer {
    /// The stamps for the publications that are written from now on.
    pub(crate) fn stamps(&self) -> Stamps {
        self.clock.stamps_from(self.sequence + 1)
    }

    /// The sequence of an item that is written first now.
    pub(crate) fn next_sequence(&mut self, item: &Outgoing) -> u64 {
        if let OutgoingMessage::Publication { .. } = item.message {
            self.sequence += 1;
        }
        self.sequence
    }

    /// Appends the command that publishes `item` with this sequence, in envelope `version`. Without stamps it is not
    /// timed.
    pub(crate) fn write(
        &self,
        item: &Outgoing,
        sequence: u64,
        version: u8,
        stamps: Option<Stamps>,
        out: &mut BytesMut,
    ) {
        match &item.message {
            OutgoingMessage::Publication {
                channel, payload, session, trace, attributes, retention, ..
            } => {
                let origin = Origin { node: self.node, session: *session, sequence };
                let previous = self.last_taken.of(channel);
                let time = stamps.and_then(|stamps| stamps.of(item.since.into_std()));
                let mut header =
                    Header::publication(version, payload.kind(), &origin, time, previous, *trace);
                if let Some(attributes) = attributes {
                    header = header.with_attributes(attributes);
                }
                let [fields, more] = header.parts();
                let envelope = [fields, more, payload.bytes()];
                if !item.needs_script() {
                    return self.publish(out, &self.names.data(channel).map(str::as_bytes), &envelope);
                }
                let keep = Keep {
                    channel,
                    retention: *retention,
                    key: item.idempotency_key(),
                    node: self.node,
                    sequence,
                    seconds: seconds(stamps),
                    positioned: &envelope::positioned(version),
                    envelope,
                };
                self.script.run(&self.names, &keep, out);
            }
            OutgoingMessage::Control { to, body, sequence } => {
                let header = Header::control(version, self.node, *sequence);
                let [fields, _] = header.parts();
                match to {
                    Recipient::All => {
                        self.publish(out, &[self.names.control_all().as_bytes()], &[fields, body])
                    }
                    Recipient::Node(node) => {
                        self.publish(out, &[self.names.control_of(*node).as_bytes()], &[fields, body]);
                    }
                }
            }
        }
    }

    /// Appends the SET that says that this node lives.
    pub(crate) fn heartbeat(&self, out: &mut BytesMut) {
        out.extend_from_slice(&heartbeat(&self.names).get_packed_command());
    }

    /// Appends the EXPIRE that lets the last heartbeat count for longer. Redis permits it without free memory.
    pub(crate) fn extension(&self, out: &mut BytesMut) {
        let mut extend = redis::cmd("EXPIRE");
        extend.arg(self.names.heartbeat()).arg(TIME_TO_LIVE.as_secs());
        out.extend_from_slice(&extend.get_packed_command());
    }

    /// Appends the question for the time.
    pub(crate) fn time(out: &mut BytesMut) {
        out.extend_from_slice(b"*1\r\n$4\r\nTIME\r\n");
    }

    /// Appends the PUBLISH of a round of the canary.
    pub(crate) fn canary(&self, round: u64, out: &mut BytesMut) {
        self.publish(out, &[self.names.canary().as_bytes()], &[round.to_string().as_bytes()]);
    }

    /// Appends a PUBLISH.
    fn publish(&self, out: &mut BytesMut, channel: &[&[u8]], message: &[&[u8]]) {
        let length = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
        out.reserve(64 + length(channel) + length(message));
        out.put_slice(match self.names.pubsub() {
            PubSub::Plain => b"*3\r\n$7\r\nPUBLISH\r\n",
            PubSub::Sharded => b"*3\r\n$8\r\nSPUBLISH\r\n",
        });
        put(out, channel);
        put(out, message);
    }
}

/// The SET that says that a node lives. A replica answers READONLY.
pub(crate) fn heartbeat(names: &Names) -> redis::Cmd {
    let mut set = redis::cmd("SET");
    set.arg(names.heartbeat()).arg(1).arg("EX").arg(TIME_TO_LIVE.as_secs());
    set
}

/// The time in seconds since 1970, by the clock of Redis if it is known.
fn seconds(stamps: Option<Stamps>) -> u64 {
    let known = stamps.and_then(|stamps| stamps.of(Instant::now())).map(|micros| micros / 1_000_000);
    let own = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    known.unwrap_or_else(own)
}
