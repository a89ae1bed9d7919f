//! The access log: one line for each connection, when it is over.
//!
//! Invariants
//! - The line is written when the last owner of the session drops it. By then its reader has ended and its queue is
//!   flushed or given up, so no count can change.
//! - The line holds no payload, no part of a token but its subject, and no text of the client: of its close frame only
//!   the code.
//! - The length of the line is bounded, however many channels the session had.

use std::fmt;

use fanfare_core::Channel;

use crate::session::state::Session;

/// The number of channels that are named.
const NAMED: usize = 8;

/// Names of channels with a space between, which no name contains. Behind [`NAMED`] names, a count of the others.
struct Names<'a>(&'a [Channel]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, channel) in self.0.iter().take(NAMED).enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{channel}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " +{more}"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A process that ends at once drops sessions that have not ended: its log tells only their number.
        let Some(end) = self.channels.get_mut().ended.take() else { return };
        let Some(lasted) = self.traffic.lasted() else { return };
        let (received, sent) = (self.received(), self.sent());
        let identity = self.identity();
        tracing::info!(
            target: "fanfare::access",
            session = self.id.0,
            dialect = self.dialect().name(),
            transport = self.kind.transport,
            client = self.address().map(tracing::field::display),
            subject = identity.as_ref().and_then(|identity| identity.subject()),
            channel = (!end.channels.is_empty()).then(|| tracing::field::display(Names(&end.channels))),
            seconds = lasted.as_secs_f64(),
            messages_received = received.messages,
            bytes_received = received.bytes,
            messages_sent = sent.messages,
            bytes_sent = sent.bytes,
            code = end.code,
            reason = end.disconnect.name(),
            detail = end.disconnect.rule(),
            "connection ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_channels_are_summed_up() {
        let channels: Vec<_> = (0..11).map(|number| Channel::new(&format!("c{number}")).unwrap()).collect();
        let said = |count: usize| Names(channels.get(..count).unwrap()).to_string();
        assert_eq!(said(0), "");
        assert_eq!(said(2), "c0 c1");
        assert_eq!(said(8), "c0 c1 c2 c3 c4 c5 c6 c7");
        assert_eq!(said(11), "c0 c1 c2 c3 c4 c5 c6 c7 +3");
    }
}
