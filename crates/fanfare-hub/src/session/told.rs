//! The channels of one session whose client was told that they lost publications, until it subscribes again.

use fanfare_core::Channel;
use parking_lot::Mutex;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<Channel>>);

impl Told {
    /// The client is told of a channel. At most `most` are kept: the first ones go.
    pub(crate) fn add(&self, channel: &Channel, most: usize) {
        let mut channels = self.0.lock();
        channels.retain(|told| told != channel);
        if channels.len() >= most && !channels.is_empty() {
            channels.remove(0);
        }
        channels.push(channel.clone());
    }

    /// Whether the client was told of this channel: `true` once.
    pub(crate) fn take(&self, channel: &Channel) -> bool {
        let mut channels = self.0.lock();
        let before = channels.len();
        channels.retain(|told| told != channel);
        let is_told = channels.len() < before;
        if channels.is_empty() {
            *channels = Vec::new();
        }
        is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_taken_once() {
        let channels = ["a", "b", "c"].map(|name| Channel::new(name).unwrap());
        let told = Told::default();
        for channel in channels.iter().chain(&channels) {
            told.add(channel, 2);
        }
        assert_eq!(channels.each_ref().map(|channel| told.take(channel)), [false, true, true]);
        assert!(!told.take(&channels[1]));
        assert_eq!(told.0.lock().capacity(), 0);
    }
}
