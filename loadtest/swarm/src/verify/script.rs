//! The messages of a run: known beforehand, so that received messages can be compared byte for byte.

use std::fmt::Write as _;

use fanfare_websocket::MessageKind;
use rand::{Rng as _, SeedableRng as _, distr::Alphanumeric, rngs::StdRng};

use super::checker::Sighting;

/// The longest padding in bytes: beyond 125, so that both short and 16-bit frame lengths occur.
const MAX_PADDING: usize = 200;

/// Every message of a run: `seed publisher number padding`. Every second one of a publisher is binary.
#[derive(Debug)]
pub(super) struct Script {
    seed: u64,
    /// The payloads, publisher by publisher.
    payloads: Vec<String>,
    messages: usize,
}

impl Script {
    pub(super) fn new(seed: u64, publishers: usize, messages: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut payload = |publisher, number| {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, "{seed} {publisher} {number} ");
            let padding = random.random_range(0..=MAX_PADDING);
            text.extend((&mut random).sample_iter(Alphanumeric).take(padding).map(char::from));
            text
        };
        let numbers =
            (0..publishers).flat_map(|publisher| (0..messages).map(move |number| (publisher, number)));
        let payloads = numbers.map(|(publisher, number)| payload(publisher, number)).collect();
        Self { seed, payloads, messages }
    }

    /// Messages of each publisher.
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn message(&self, publisher: usize, number: usize) -> Option<(MessageKind, &[u8])> {
        if number >= self.messages {
            return None;
        }
        let kind = if number.is_multiple_of(2) { MessageKind::Text } else { MessageKind::Binary };
        self.payloads.get(publisher * self.messages + number).map(|payload| (kind, payload.as_bytes()))
    }

    /// The publisher and number of a message, by its head.
    pub(super) fn identify(&self, kind: MessageKind, payload: &[u8]) -> Sighting {
        let Some((publisher, number)) = self.head(payload) else { return Sighting::Foreign };
        self.message(publisher, number).map_or(Sighting::Foreign, |sent| {
            let intact = sent == (kind, payload);
            Sighting::Message { publisher, number, intact }
        })
    }

    fn head(&self, payload: &[u8]) -> Option<(usize, usize)> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.splitn(4, ' ');
        if words.next()?.parse() != Ok(self.seed) {
            return None;
        }
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_script() {
        let (script, same) = (Script::new(7, 3, 10), Script::new(7, 3, 10));
        for (publisher, number) in (0..3).flat_map(|publisher| (0..10).map(move |number| (publisher, number)))
        {
            let (kind, payload) = script.message(publisher, number).unwrap();
            assert_eq!(same.message(publisher, number), Some((kind, payload)));
            let seen = script.identify(kind, payload);
            assert_eq!(seen, Sighting::Message { publisher, number, intact: true });
        }
        assert!(script.message(0, 10).is_none() && script.message(3, 0).is_none());
    }

    #[test]
    fn damaged_and_foreign_messages_are_told_apart() {
        let script = Script::new(7, 3, 10);
        let damaged = Sighting::Message { publisher: 1, number: 2, intact: false };
        let (_, payload) = script.message(1, 2).unwrap();
        assert_eq!(script.identify(MessageKind::Binary, payload), damaged);
        assert_eq!(script.identify(MessageKind::Text, &[payload, b"!"].concat()), damaged);
        for foreign in ["8 1 2 x", "7 3 0 x", "7 0 10 x", "7", "hello", ""] {
            assert_eq!(
                script.identify(MessageKind::Text, foreign.as_bytes()),
                Sighting::Foreign,
                "{foreign}"
            );
        }
    }
}
