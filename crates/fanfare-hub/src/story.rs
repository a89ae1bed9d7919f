//! What is said of a connection when it is over: one line of the log.
//!
//! Invariants
//! - It is said when the last who held the session let it go: its reader has ended and its queue is flushed or given
//!   up, so nothing can be added to what is said.
//! - It holds no payload, no token, no channel, and no word of the client's: of its goodbye only the code.

use fanfare_core::{CloseFrame, Disconnect};

use crate::session::Session;

/// How a session ended.
pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    /// The code that was said, by whoever closed it.
    pub(crate) code: Option<u16>,
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
        Self { disconnect, code }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A process that ends at once takes its sessions with it; what it says of them is how many they were.
        let Some(end) = self.subscriptions.get_mut().ended.take() else { return };
        let Some(lasted) = self.tally.lasted() else { return };
        let (received, sent) = (self.received(), self.sent());
        tracing::info!(
            target: "fanfare::access",
            session = self.id.0,
            dialect = self.dialect().name(),
            client = self.client().map(tracing::field::display),
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
