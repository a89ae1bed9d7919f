//! Why a command is not carried out.

use fanfare_core::{CommandError, Disconnect, Reply, command::RequestId};

/// Why a command is not carried out.
pub(crate) enum Refusal {
    /// The client is told.
    Fails(CommandError),
    /// The session ends.
    Ends(Disconnect),
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::Fails(error)
    }
}

impl Refusal {
    /// The answer to the command of this number.
    pub(crate) fn answer(self, id: RequestId) -> Result<Reply, Disconnect> {
        match self {
            Self::Fails(error) => Ok(Reply::Failed { id, error }),
            Self::Ends(disconnect) => Err(disconnect),
        }
    }
}
