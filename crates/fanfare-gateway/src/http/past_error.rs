//! Why a client does not get the past that it asks for.

use fanfare_core::position::PositionError;

/// The most publications of the past.
pub(crate) const MOST: usize = 10_000;

/// Why a client does not get the past that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PastError {
    /// Not a number of publications.
    #[error("last must be a number from 1 to {MOST}: `?last=20` sends the newest 20 messages first")]
    Last,
    /// Not a position.
    #[error("since is not a position: {0}")]
    Since(#[from] PositionError),
    /// Both, or one of them twice.
    #[error("last and since exclude each other, and come once: send one of them")]
    Several,
    /// The namespace keeps nothing.
    #[error(
        "channels of this namespace have no history: set history_size in its [[namespace]], or ask without {0}"
    )]
    NoHistory(&'static str),
}
