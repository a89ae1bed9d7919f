//! How a session ended.

use fanfare_core::{Channel, CloseFrame, Disconnect};
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
    /// `frame` is the dialect's close frame for `disconnect`.
    pub(crate) fn new(disconnect: Disconnect, frame: Option<&CloseFrame>) -> Self {
        let code = match &disconnect {
            // The client is gone: no close frame is sent.
            Disconnect::Lost | Disconnect::NoPong => None,
            // An empty close frame is answered with an empty one.
            Disconnect::ByClient(code) => *code,
            _ => frame.map(|frame| frame.code),
        };
        Self { disconnect, code, channels: SmallVec::new() }
    }
}
