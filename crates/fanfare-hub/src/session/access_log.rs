//! What is said of a connection when it is over: one line of the log.
//!
//! Invariants
//! - It is said when the last who held the session let it go: its reader has ended and its queue is flushed or given
//!   up, so nothing can be added to what is said.
//! - It holds no payload, no token but its subject, and no word of the client's: of its goodbye only the code.
//! - It is of a bounded length, however many channels the session had.

use std::fmt;

use fanfare_core::{Channel, CloseFrame, Disconnect};
use smallvec::SmallVec;

use crate::session::state::Session;

/// How many channels are named.
const NAMED: usize = 8;

/// How a session ended.
pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    /// The code that was said, by whoever closed it.
    pub(crate) code: Option<u16>,
    /// The channels that it was in until then.
    pub(crate) channels: SmallVec<[Channel; 1]>,
}

impl End {
    /// `frame` is how the dialect says it.
    pub(crate) fn new(disconnect: Disconnect, frame: Option<&CloseFrame>) -> Self {
        let code = match &disconnect {
            // Nothing is said to who is not there.
            Disconnect::Lost | Disconnect::NoPong => None,
            // The answer to an empty close frame is one too.
            Disconnect::ByClient(code) => *code,
            _ => frame.map(|frame| frame.code),
        };
        Self { disconnect, code, channels: SmallVec::new() }
    }
}

/// Names of channels with a space between, which no name has; of many, the first, and how many more there are.
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
        // A process that ends at once takes its sessions with it; what it says of them is how many they were.
        let Some(end) = self.subscriptions.get_mut().ended.take() else { return };
        let Some(lasted) = self.traffic.lasted() else { return };
        let (received, sent) = (self.received(), self.sent());
        tracing::info!(
            target: "fanfare::access",
            session = self.id.0,
            dialect = self.dialect().name(),
            client = self.address().map(tracing::field::display),
            subject = self.subject(),
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
