//! The traffic of all connections of the node, in one direction.
//!
//! Bytes and messages count as they do for one [session](crate::session::traffic).

use fanfare_metrics::Registrar;
use prometheus::{IntCounter, Registry};

use crate::session::traffic::Traffic;

/// Two counters. A tick adds to them once for all that it sent; others once a read or a write.
pub struct TrafficTotals {
    messages: IntCounter,
    bytes: IntCounter,
}

impl TrafficTotals {
    pub(crate) fn received(registry: &Registry) -> prometheus::Result<Self> {
        Self::register(
            registry,
            (
                "fanfare_messages_received_total",
                "Messages that clients sent, counted once they came whole; without pings and closes",
            ),
            (
                "fanfare_wire_received_bytes_total",
                "Bytes that clients sent over their connections: frames with their headers, pings and closes among \
                 them, without the handshake and without TLS",
            ),
        )
    }

    pub(crate) fn sent(registry: &Registry) -> prometheus::Result<Self> {
        Self::register(
            registry,
            (
                "fanfare_messages_sent_total",
                "Messages sent to clients, counted once the kernel took them whole; without pings and closes",
            ),
            (
                "fanfare_wire_sent_bytes_total",
                "Bytes for clients that the kernel took: frames with their headers, pings and closes among them, \
                 without the handshake and without TLS",
            ),
        )
    }

    fn register(
        registry: &Registry,
        messages: (&str, &str),
        bytes: (&str, &str),
    ) -> prometheus::Result<Self> {
        let counter = |(name, help): (&str, &str)| Registrar(registry).counter(name, help);
        Ok(Self { messages: counter(messages)?, bytes: counter(bytes)? })
    }

    pub(crate) fn add(&self, Traffic { messages, bytes }: Traffic) {
        for (counter, more) in [(&self.messages, messages), (&self.bytes, bytes)] {
            // An atomic addition costs; other threads use the counter too.
            if more > 0 {
                counter.inc_by(more);
            }
        }
    }

    /// The totals until now.
    #[must_use]
    pub fn get(&self) -> Traffic {
        Traffic { messages: self.messages.get(), bytes: self.bytes.get() }
    }
}
