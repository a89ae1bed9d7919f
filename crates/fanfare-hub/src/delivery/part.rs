//! Reads a part of a channel's history, in pages.
//!
//! Invariant: a part has at most the bytes that its reader bounds it to, and one publication in any case. A part that was
//! cut for its bytes is shorter than its limit and ends before the channel's position: a next read goes on behind it.

use std::sync::Arc;

use fanfare_core::{
    Channel, Epoch, History, Position, Publication,
    history::{HistoryError, Page, Range},
};

use crate::delivery::tails::kept::offset;

/// The part that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The most publications; 0 for the position only.
    pub limit: usize,
    /// The place behind which it begins, or before which with `reverse`. Without an epoch it counts in any.
    pub since: Option<(u64, Option<Epoch>)>,
    /// Whether the newest come first.
    pub reverse: bool,
}

impl Part {
    /// The most publications of a part.
    pub const MOST: usize = 10_000;
}

/// The bounds of a part.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most bytes of its publications.
    pub bytes: usize,
    /// The most bytes of a message. Pages are bounded even where each has as many.
    pub message_bytes: usize,
    /// The bytes that a publication counts for.
    pub cost: fn(&Publication) -> usize,
}

/// Why a part cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartError {
    /// The history cannot be read.
    History(HistoryError),
    /// The history began anew since the place that the part begins at.
    AnotherEpoch {
        /// Its epoch now.
        now: Epoch,
    },
}

/// Reads a part: the newest position of the channel, and the publications in the order that was asked for.
///
/// # Errors
/// It cannot be read, and why.
pub async fn read(
    history: &dyn History,
    channel: &Channel,
    part: Part,
    bounds: Bounds,
) -> Result<(Position, Vec<Arc<Publication>>), PartError> {
    let page_size = (bounds.bytes / bounds.message_bytes.max(1)).max(1);
    let mut found = Found { publications: Vec::new(), bytes: 0 };
    let mut behind = part.since.map(|(offset, _)| offset);
    let mut top: Option<Position> = None;
    loop {
        let wanted = (part.limit - found.publications.len()).min(page_size);
        let page = history.read(channel, part.range(behind, wanted)).await.map_err(PartError::History)?;
        if let Some((offset, Some(epoch))) = part.since
            && epoch != page.top.epoch
            && !page.knows(Position { epoch, offset })
        {
            return Err(PartError::AnotherEpoch { now: page.top.epoch });
        }
        if let Some(before) = top.filter(|before| before.epoch != page.top.epoch) {
            // It began anew between two pages: the part ends before.
            return Ok((before, found.publications));
        }
        let newest = *top.insert(page.top);
        let count = page.publications.len();
        let has_all = found.take(page, part.reverse, bounds);
        behind = found.publications.last().map(offset).or(behind);
        if !has_all || count < wanted || found.publications.len() >= part.limit {
            return Ok((newest, found.publications));
        }
    }
}

impl Part {
    fn range(&self, behind: Option<u64>, limit: usize) -> Range {
        if self.reverse {
            Range::Before { offset: behind, limit }
        } else {
            Range::After { offset: behind.unwrap_or(0), limit }
        }
    }
}

/// The publications that were read until now.
struct Found {
    publications: Vec<Arc<Publication>>,
    bytes: usize,
}

impl Found {
    /// Takes the publications of a page in their order, as long as their bytes fit. Whether all do.
    fn take(&mut self, page: Page, reverse: bool, bounds: Bounds) -> bool {
        let mut publications = page.publications;
        if reverse {
            publications.reverse();
        }
        for publication in publications {
            self.bytes += (bounds.cost)(&publication);
            if self.bytes > bounds.bytes && !self.publications.is_empty() {
                return false;
            }
            self.publications.push(publication);
        }
        true
    }
}
