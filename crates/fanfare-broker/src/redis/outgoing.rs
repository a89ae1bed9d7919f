//! What this node sends through Redis, and how it is written.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::{BufMut, Bytes, BytesMut};
use fanfare_core::{
    Channel, Incarnation, Origin, Payload, SessionId, TraceContext,
    broker::{PublishOrder, Recipient},
};
use tokio::time::Instant;

use super::{
    chain::Sent,
    clock::{Clock, Stamps},
    names::Names,
    registry::TIME_TO_LIVE,
};
use crate::{
    envelope::Header,
    fair::{OVERHEAD, Waiting},
    ticket::Ticket,
};

/// How many bytes of what the server sends may wait for Redis, or for its answers.
const MAX_BYTES: usize = 64 << 20;

/// One thing to publish.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) what: What,
    /// When it was handed over.
    pub(crate) since: Instant,
    /// Its share of what may wait, where it is the server's.
    pub(crate) _room: Option<Room>,
}

impl Waiting for Outgoing {
    fn order(&self) -> Option<&PublishOrder> {
        match &self.what {
            What::Publication { ticket, .. } => ticket.order(),
            What::Control { .. } => None,
        }
    }

    fn cost(&self) -> usize {
        let payload = match &self.what {
            What::Publication { payload, .. } => payload.len(),
            What::Control { body, .. } => body.len(),
        };
        payload + OVERHEAD
    }

    fn since(&self) -> Instant {
        self.since
    }
}

/// What to publish.
#[derive(Debug)]
pub(crate) enum What {
    Publication {
        channel: Channel,
        payload: Payload,
        session: Option<SessionId>,
        trace: Option<TraceContext>,
        ticket: Ticket,
    },
    Control {
        to: Recipient,
        body: Bytes,
    },
}

/// How much of the server's waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog(Arc<AtomicUsize>);

/// A share of what may wait, given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    /// Room for a payload of `length` bytes, if there is any.
    pub(crate) fn room(&self, length: usize) -> Option<Room> {
        let bytes = length + OVERHEAD;
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { backlog: self.clone(), bytes };
        (before + bytes <= MAX_BYTES).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.backlog.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Who this node is, for what it writes.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) names: Arc<Names>,
    pub(crate) node: Incarnation,
    /// Counts publications, in the order they are written.
    pub(crate) sequence: u64,
    pub(crate) sent: Sent,
    pub(crate) clock: Arc<Clock>,
}

impl Writer {
    /// What times the publications that are written from now on.
    pub(crate) fn stamps(&self) -> Stamps {
        self.clock.stamps_from(self.sequence + 1)
    }

    /// Appends the PUBLISH for `item`, in envelope `version`.
    pub(crate) fn write(&mut self, item: &Outgoing, version: u8, stamps: Stamps, out: &mut BytesMut) {
        match &item.what {
            What::Publication { channel, payload, session, trace, .. } => {
                self.sequence += 1;
                let origin = Origin { node: self.node, session: *session, sequence: self.sequence };
                let previous = self.sent.last(channel);
                let time = stamps.of(item.since.into_std());
                let header = Header::publication(version, payload.kind(), &origin, time, previous, *trace);
                publish(out, self.names.data(channel), [header.as_bytes(), payload.bytes()]);
            }
            What::Control { to, body } => {
                let header = Header::control(version, self.node);
                let body = [header.as_bytes(), body];
                match to {
                    Recipient::All => publish(out, [self.names.control_all(), ""], body),
                    Recipient::Node(node) => publish(out, [&self.names.control_of(*node), ""], body),
                }
            }
        }
    }
}

impl Writer {
    /// Appends the SET that says that this node lives.
    pub(crate) fn heartbeat(&self, out: &mut BytesMut) {
        out.extend_from_slice(&heartbeat(&self.names).get_packed_command());
    }

    /// Appends the question what time it is.
    pub(crate) fn time(out: &mut BytesMut) {
        out.extend_from_slice(b"*1\r\n$4\r\nTIME\r\n");
    }

    /// Appends the PUBLISH of a round of the canary.
    pub(crate) fn canary(&self, round: u64, out: &mut BytesMut) {
        publish(out, [self.names.canary(), ""], [round.to_string().as_bytes(), b""]);
    }
}

/// The SET that says that a node lives. Redis answers READONLY where it is a replica.
pub(crate) fn heartbeat(names: &Names) -> redis::Cmd {
    let mut set = redis::cmd("SET");
    set.arg(names.heartbeat()).arg(1).arg("EX").arg(TIME_TO_LIVE.as_secs());
    set
}

/// Writes a PUBLISH of which both arguments come in two parts, without putting them together first.
fn publish(out: &mut BytesMut, channel: [&str; 2], message: [&[u8]; 2]) {
    let [channel, message] = [channel.map(str::as_bytes), message];
    out.reserve(64 + channel.iter().chain(&message).map(|part| part.len()).sum::<usize>());
    out.put_slice(b"*3\r\n$7\r\nPUBLISH\r\n");
    for [first, second] in [channel, message] {
        put_length(out, first.len() + second.len());
        out.put_slice(first);
        out.put_slice(second);
        out.put_slice(b"\r\n");
    }
}

/// `$<length>\r\n`
fn put_length(out: &mut BytesMut, length: usize) {
    let mut digits = [0; 20];
    let mut rest = length;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_u8(b'$');
    out.put_slice(digits.get(digits.len() - used..).unwrap_or_default());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_written_as_the_redis_crate_writes_it() {
        for length in [0, 1, 9, 10, 99, 100, 12_345] {
            let body = vec![b'x'; length];
            let mut out = BytesMut::new();
            publish(&mut out, ["fanfare:", "räume"], [b"head", &body]);
            let message = [b"head", &body[..]].concat();
            let packed = redis::cmd("PUBLISH").arg("fanfare:räume").arg(message).get_packed_command();
            assert_eq!(out, packed);
        }
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let backlog = Backlog::default();
        let first = backlog.room(MAX_BYTES - OVERHEAD).unwrap();
        assert!(backlog.room(0).is_none());
        drop(first);
        assert!(backlog.room(MAX_BYTES - OVERHEAD).is_some());
        assert!(backlog.room(MAX_BYTES).is_none());
    }
}
