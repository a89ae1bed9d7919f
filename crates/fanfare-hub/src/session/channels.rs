//! The channels of one session, and its end.

use fanfare_core::{Channel, CommandError, Disconnect};
use smallvec::SmallVec;

use crate::session::end::End;

/// The channels of one session: nearly always one.
#[derive(Default)]
pub(crate) struct Channels {
    pub(crate) joined: SmallVec<[Channel; 1]>,
    /// The end of the session. An ended session joins no channel.
    pub(crate) ended: Option<Box<End>>,
}

impl Channels {
    /// The reason why the session ended, if it has.
    pub(crate) fn reason(&self) -> Option<&Disconnect> {
        self.ended.as_ref().map(|end| &end.disconnect)
    }

    /// Whether the session can join `channel`; `false` for a session that has ended.
    ///
    /// # Errors
    /// The session has joined it already, or has `most` channels.
    pub(crate) fn can_join(&self, channel: &Channel, most: usize) -> Result<bool, CommandError> {
        if self.ended.is_some() {
            return Ok(false);
        }
        if self.joined.contains(channel) {
            return Err(CommandError::AlreadySubscribed);
        }
        if self.joined.len() >= most {
            return Err(CommandError::TooManyChannels(most));
        }
        Ok(true)
    }
}
