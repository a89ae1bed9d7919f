//! How connections ended.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{client::Ended, clock::nanos};

/// The ends of connections that a server closed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ends {
    /// Counts by the reason, in words.
    pub kinds: BTreeMap<String, u64>,
    /// Counts by tenths of a second since the server was told to close.
    pub tenths: BTreeMap<u64, u64>,
}

impl Ends {
    pub(super) fn add(&mut self, after: Duration, how: &Ended) {
        *self.kinds.entry(how.to_string()).or_default() += 1;
        *self.tenths.entry(nanos(after) / 100_000_000).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (tenth, count) in other.tenths {
            *self.tenths.entry(tenth).or_default() += count;
        }
    }
}
