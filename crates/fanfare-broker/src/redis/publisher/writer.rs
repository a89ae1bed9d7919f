//! How what this node sends is written.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use fanfare_core::{Incarnation, Origin, broker::Recipient};

use super::outgoing::{Outgoing, What};
use crate::{
    envelope::Header,
    liveness::sequence::Sent,
    node::TIME_TO_LIVE,
    redis::{
        clock::offset::{Clock, Stamps},
        names::Names,
    },
};

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
}
