//! The seam to revoked tokens.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

/// Tokens that are not good any more, though they have not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The tokens.
    pub tokens: Tokens,
    /// When all of them have expired, and the revocation can be forgotten.
    pub until: SystemTime,
}

/// Some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tokens {
    /// Those of a user that were issued (`iat`) up to this moment, and those that do not say when they were issued.
    OfUser {
        /// The subject of the tokens (`sub`).
        user: String,
        /// The last moment.
        issued_until: SystemTime,
    },
    /// The token of this id (`jti`).
    WithId(String),
}

impl Revocation {
    /// The longest time that a revocation is kept.
    pub const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 60 * 60);
}

/// Keeps revocations, for all nodes.
///
/// # Guarantees
/// - A revocation whose [`Revocations::add`] has ended is in every later answer of [`Revocations::all`], on every node,
///   until its time is over. A node that starts later gets it too, as far as the broker keeps its memory.
/// - The number of revocations is bounded: one more is an error, and is not kept.
pub trait Revocations: Send + Sync + 'static {
    /// Keeps a revocation. A later one of the same user, or of the same id, replaces it.
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()>;

    /// All revocations whose time is not over.
    fn all(&self) -> RevocationFuture<Vec<Revocation>>;
}

/// The most revocations at a time.
pub const MAX_REVOCATIONS: usize = 100_000;

/// The future that the methods of [`Revocations`] return.
pub type RevocationFuture<T> = Pin<Box<dyn Future<Output = Result<T, RevocationError>> + Send>>;

/// A revocation was not kept, or not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// There are as many as there may be.
    #[error(
        "there are {MAX_REVOCATIONS} revocations already: this one was not kept; wait until some are over"
    )]
    TooMany,
    /// The broker cannot be reached.
    #[error("revocations cannot be kept at this moment: {0}")]
    Unavailable(String),
}

/// Revocations of a broker that keeps none: every call is an error.
#[derive(Debug, Clone, Copy)]
pub struct NoRevocations;

impl NoRevocations {
    fn error<T: Send + 'static>() -> RevocationFuture<T> {
        let error = RevocationError::Unavailable("this broker keeps none".to_owned());
        Box::pin(std::future::ready(Err(error)))
    }
}

impl Revocations for NoRevocations {
    fn add(&self, _: &Revocation) -> RevocationFuture<()> {
        Self::error()
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        Self::error()
    }
}
