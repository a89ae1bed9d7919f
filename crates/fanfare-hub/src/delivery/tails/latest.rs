//! The publication to which the next one may be a difference.
//!
//! Invariant: a publication follows another ([`Publication::follow`]) only where every subscriber of this node that got
//! the later one, and has joined before the earlier one, got both, and nothing between them.

use fanfare_core::{Payload, Position, Publication, SessionId};

/// The newest publication that all subscribers got; `None`: some did not get it, or something came after it that is not
/// in the history.
#[derive(Default)]
pub(crate) struct Latest(Option<(Position, Payload)>);

impl Latest {
    /// A publication goes to all subscribers but these.
    pub(crate) fn pass(&mut self, publication: &Publication, except: [Option<SessionId>; 2]) {
        if publication.is_notice() {
            return;
        }
        let before = self.0.take();
        let Some(at) = publication.position else { return };
        if let Some((before, payload)) = before
            && before.epoch == at.epoch
            && before.offset + 1 == at.offset
        {
            publication.follow(payload);
        }
        if except == [None; 2] {
            self.0 = Some((at, publication.payload.clone()));
        }
    }

    /// Forgets the publication: the next one is whole.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}
