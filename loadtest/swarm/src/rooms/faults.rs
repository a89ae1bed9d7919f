//! Faults of messages and connections, with the warm-up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Faults of messages and connections, with the warm-up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Messages that a member never saw.
    pub lost: u64,
    /// Messages that a member saw again.
    pub doubled: u64,
    /// Messages that a member saw after a later one of the same sender.
    pub out_of_order: u64,
    /// Messages of another run or of another channel.
    pub foreign: u64,
    /// Connections that ended.
    pub ended: u64,
    /// The reasons of the first of them.
    pub why: Vec<String>,
}

impl Faults {
    /// Adds the faults of another process.
    pub(super) fn merge(&mut self, other: &Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.foreign += other.foreign;
        self.ended += other.ended;
        self.why.extend_from_slice(&other.why);
    }

    /// The number of all faults.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.lost + self.doubled + self.out_of_order + self.foreign + self.ended
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, out_of_order, foreign, ended, why } = self;
        writeln!(
            out,
            "lost {lost}, doubled {doubled}, out of order {out_of_order}, foreign {foreign}, connections ended {ended}"
        )?;
        why.iter().try_for_each(|why| writeln!(out, "    {why}"))
    }
}
