//! Writes the commands of the publisher.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use fanfare_core::{Incarnation, Origin, broker::Recipient};

use super::outgoing::{Outgoing, OutgoingMessage};
use crate::{
    envelope::Header,
    liveness::sequence::LastTaken,
    node::TIME_TO_LIVE,
    redis::{
        clock::offset::{Clock, Stamps},
        names::Names,
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
}

impl Writer {
    /// The stamps for the publications that are written from now on.
    pub(crate) fn stamps(&self) -> Stamps {
        self.clock.stamps_from(self.sequence + 1)
    }

    /// Appends the PUBLISH of `item`, in envelope `version`.
    pub(crate) fn write(&mut self, item: &Outgoing, version: u8, stamps: Stamps, out: &mut BytesMut) {
        match &item.message {
            OutgoingMessage::Publication { channel, payload, session, trace, attributes, .. } => {
                self.sequence += 1;
                let origin = Origin { node: self.node, session: *session, sequence: self.sequence };
                let previous = self.last_taken.of(channel);
                let time = stamps.of(item.since.into_std());
                let mut header =
                    Header::publication(version, payload.kind(), &origin, time, previous, *trace);
                if let Some(attributes) = attributes {
                    header = header.with_attributes(attributes);
                }
                let ([prefix, name], [fields, more]) = (self.names.data(channel), header.parts());
                publish(out, &[prefix, name], &[fields, more, payload.bytes()]);
            }
            OutgoingMessage::Control { to, body } => {
                let header = Header::control(version, self.node);
                let [fields, _] = header.parts();
                match to {
                    Recipient::All => publish(out, &[self.names.control_all()], &[fields, body]),
                    Recipient::Node(node) => publish(out, &[&self.names.control_of(*node)], &[fields, body]),
                }
            }
        }
    }

    /// Appends the SET that says that this node lives.
    pub(crate) fn heartbeat(&self, out: &mut BytesMut) {
        out.extend_from_slice(&heartbeat(&self.names).get_packed_command());
    }

    /// Appends the question for the time.
    pub(crate) fn time(out: &mut BytesMut) {
        out.extend_from_slice(b"*1\r\n$4\r\nTIME\r\n");
    }

    /// Appends the PUBLISH of a round of the canary.
    pub(crate) fn canary(&self, round: u64, out: &mut BytesMut) {
        publish(out, &[self.names.canary()], &[round.to_string().as_bytes()]);
    }
}

/// The SET that says that a node lives. A replica answers READONLY.
pub(crate) fn heartbeat(names: &Names) -> redis::Cmd {
    let mut set = redis::cmd("SET");
    set.arg(names.heartbeat()).arg(1).arg("EX").arg(TIME_TO_LIVE.as_secs());
    set
}

/// Writes a PUBLISH. Both arguments come in parts, which are not put together first.
fn publish(out: &mut BytesMut, channel: &[&str], message: &[&[u8]]) {
    let channel_length = channel.iter().map(|part| part.len()).sum();
    let message_length = message.iter().map(|part| part.len()).sum();
    out.reserve(64 + channel_length + message_length);
    out.put_slice(b"*3\r\n$7\r\nPUBLISH\r\n");
    put_length(out, channel_length);
    channel.iter().for_each(|part| out.put_slice(part.as_bytes()));
    out.put_slice(b"\r\n");
    put_length(out, message_length);
    message.iter().for_each(|part| out.put_slice(part));
    out.put_slice(b"\r\n");
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
    fn a_publish_is_written_as_redis_reads_it() {
        for length in [0, 1, 9, 10, 99, 100, 12_345] {
            let body = vec![b'x'; length];
            let mut out = BytesMut::new();
            publish(&mut out, &["fanfare:", "räume"], &[b"head", b"", &body]);
            let message = [b"head", &body[..]].concat();
            let packed = redis::cmd("PUBLISH").arg("fanfare:räume").arg(message).get_packed_command();
            assert_eq!(out, packed);
        }
    }
}
