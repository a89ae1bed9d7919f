//! One read of a channel's past, shared by all who need it.

use std::{pin::Pin, sync::Arc};

use fanfare_core::Publication;
use futures_util::future::Shared;

use super::past::Missing;

/// A read that is under way.
#[derive(Clone)]
pub(crate) struct PastRead {
    /// The publications that it reads.
    pub(crate) of: Missing,
    /// Its result. It goes on for as long as somebody waits for it.
    pub(crate) older: Shared<Pin<Box<dyn Future<Output = Arc<Older>> + Send>>>,
}

/// The publications that were read.
pub(crate) struct Older {
    /// Consecutive publications, up to the end of what was asked for.
    pub(crate) publications: Vec<Arc<Publication>>,
    /// All that was accepted behind this offset is among them.
    pub(crate) after: u64,
}

impl PastRead {
    /// Whether this read brings all of `missing`.
    pub(crate) fn covers(&self, missing: Missing) -> bool {
        self.of.epoch == missing.epoch
            && self.of.after <= missing.after
            && self.of.before >= missing.before
            && self.older.peek().is_none()
    }
}
