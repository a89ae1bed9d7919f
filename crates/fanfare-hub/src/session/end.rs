//! How a session ended.

use fanfare_core::{Channel, Disconnect, Goodbye};
use smallvec::SmallVec;

/// How a session ended.
pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    /// The close code, of whichever side closed.
    pub(crate) code: Option<u16>,
    /// The channels of the session at its end.
    pub(crate) channels: SmallVec<[Channel; 1]>,
}

impl End {
    /// `goodbye` is the dialect's for `disconnect`.
    pub(crate) fn new(disconnect: Disconnect, goodbye: &Goodbye) -> Self {
        let code = match &disconnect {
            // The client is gone: nothing is sent.
            _ if is_silent(&disconnect, goodbye) => None,
            // An empty close frame is answered with an empty one.
            Disconnect::ByClient(code) => *code,
            _ => goodbye.frame.as_ref().map(|frame| frame.code),
        };
        Self { disconnect, code, channels: SmallVec::new() }
    }
}

/// Whether a session ends without a goodbye. A client that did not answer a ping may still read a message: the transport
/// of its requests may be broken, and that of its messages not.
pub(crate) fn is_silent(disconnect: &Disconnect, goodbye: &Goodbye) -> bool {
    match disconnect {
        Disconnect::Lost => true,
        Disconnect::NoPong => goodbye.message.is_none(),
        _ => false,
    }
}
