//! The evidence of a run.

use std::ops::Range;

use super::{
    interruptions::Interruption,
    record::{Record, Time},
};

/// The evidence of a run.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The notes of the clients.
    pub record: &'a Record,
    /// The faults, each from its beginning until all was well again.
    pub faults: &'a [Range<Time>],
    /// The interruptions that nodes counted. The nodes' numbers are those of the entrances.
    pub interruptions: &'a [Interruption],
}
