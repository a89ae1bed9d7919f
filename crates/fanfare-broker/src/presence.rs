//! The common parts of the drivers of presence.

use std::collections::HashSet;

use fanfare_core::presence::{PresenceEntry, PresenceStats};

/// The numbers of clients and users among entries.
pub(crate) fn stats<'a>(entries: impl Iterator<Item = &'a PresenceEntry>) -> PresenceStats {
    let (mut clients, mut users) = (0, HashSet::new());
    for entry in entries {
        clients += 1;
        users.insert(entry.user.as_deref());
    }
    PresenceStats { clients, users: users.len() as u64 }
}
