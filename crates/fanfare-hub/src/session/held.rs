//! Publications of channels whose history was not sent yet.
//!
//! Invariant: a session gets a channel's history, then what was held, then what comes. The first two are sent under the
//! lock under which publications are held, so that none overtakes.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Channel, Publication};
use parking_lot::Mutex;

/// The held publications of one session.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<Channel, Waiting>>);

#[derive(Default)]
struct Waiting {
    publications: Vec<Arc<Publication>>,
    bytes: usize,
}

/// What became of publications that may have to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    Held,
    /// Held they would pass the bound.
    Overflow,
    /// The channel was released.
    Released,
}

impl Held {
    /// From now on publications of this channel are held.
    pub(crate) fn begin(&self, channel: Channel) {
        self.0.lock().insert(channel, Waiting::default());
    }

    /// Holds publications, up to `most` bytes of payload.
    pub(crate) fn hold<'a>(
        &self,
        channel: &Channel,
        publications: impl Iterator<Item = &'a Arc<Publication>>,
        most: usize,
    ) -> Holding {
        let mut channels = self.0.lock();
        let Some(waiting) = channels.get_mut(channel) else { return Holding::Released };
        for publication in publications {
            waiting.bytes += publication.payload.len() + size_of::<Publication>();
            if waiting.bytes > most {
                return Holding::Overflow;
            }
            waiting.publications.push(publication.clone());
        }
        Holding::Held
    }

    /// Holds no more of a channel; `send` gets what was held.
    pub(crate) fn release(&self, channel: &Channel, send: impl FnOnce(Vec<Arc<Publication>>)) {
        let mut channels = self.0.lock();
        if let Some(waiting) = channels.remove(channel) {
            send(waiting.publications);
        }
    }
}
