//! The fields of one channel that are to be written.

use bytes::Bytes;
use fanfare_core::{Channel, ClientId};

use super::pending::Stored;

/// The fields of one channel to write.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Change {
    pub(in super::super) channel: Channel,
    pub(in super::super) fields: Vec<Field>,
    /// Whether the node occupies the channel; `None`: the channel makes no events.
    pub(in super::super) is_occupied: Option<bool>,
}

/// The field of one client.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Field {
    pub(in super::super) client: ClientId,
    /// Its entry; `None` for one that left.
    pub(in super::super) entry: Option<Bytes>,
    /// The state in Redis before it.
    pub(in super::super) stored: Stored,
}

impl Change {
    /// Redis refused a part of the change: these are its answers for each field, whether it took it. The rest stays, and
    /// entries do too: it may be their expiry that was refused.
    pub(in super::super) fn keep_refused(&mut self, mut taken: impl Iterator<Item = bool>) {
        self.fields.retain_mut(|field| {
            let is_taken = taken.next() == Some(true);
            if is_taken {
                field.stored = Stored::Maybe;
            }
            !is_taken || field.entry.is_some()
        });
    }

    /// It is not known whether Redis took the change.
    pub(in super::super) fn doubt(&mut self) {
        self.fields.iter_mut().for_each(|field| field.stored = field.stored.max(Stored::Maybe));
    }
}
