//! The publications of channels whose history was not sent yet.
//!
//! Invariant: a session gets a channel's history, then the held publications, then the new ones. The first two are sent
//! under the lock under which publications are held, so a new publication cannot overtake them.

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

/// The result of [`Held::hold`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// The publications are held.
    Held,
    /// The publications exceed the bound.
    Overflow,
    /// The channel was released: its publications are not held any more.
    Released,
}

impl Held {
    /// From now on the publications of a channel are held.
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

    /// Ends the holding of a channel. `send` gets the held publications.
    pub(crate) fn release(&self, channel: &Channel, send: impl FnOnce(Vec<Arc<Publication>>)) {
        let mut channels = self.0.lock();
        if let Some(waiting) = channels.remove(channel) {
            send(waiting.publications);
            give_back(&mut channels);
        }
    }

    /// Ends the holding of several channels. `send` gets the held publications of each that was held.
    pub(crate) fn release_all<T>(
        &self,
        released: &[Channel],
        send: impl FnOnce(Vec<Vec<Arc<Publication>>>) -> T,
    ) -> T {
        let mut channels = self.0.lock();
        let held = released.iter().filter_map(|channel| channels.remove(channel));
        let sent = send(held.map(|waiting| waiting.publications).collect());
        give_back(&mut channels);
        sent
    }
}

/// Gives memory back where no channel is held any more.
fn give_back(channels: &mut HashMap<Channel, Waiting>) {
    if channels.is_empty() {
        *channels = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back() {
        let channel = |number: usize| Channel::new(&number.to_string()).unwrap();
        let (held, all) = (Held::default(), (0..100).map(channel).collect::<Vec<_>>());
        for release in [
            |held: &Held, all: &[Channel]| drop(held.release_all(all, |held| held)),
            |held: &Held, all: &[Channel]| {
                all.iter().for_each(|channel| held.release(channel, drop));
            },
        ] {
            all.iter().for_each(|channel| held.begin(channel.clone()));
            release(&held, &all);
            assert_eq!(held.0.lock().capacity(), 0);
        }
    }
}
