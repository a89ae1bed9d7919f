//! Cursors: the positions of a client in all channels of its stream, as one text that means nothing to the client.
//!
//! A cursor is base64url of its entries, one behind the other. An entry is 4 bytes of a hash of the channel's name, 8
//! bytes of epoch, and the offset as a varint (LEB128).
//!
//! Invariants
//! - A cursor that was written is read as the same. Any other text is refused, or is another cursor: never a panic.
//! - A text has no two entries of one channel.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;

use crate::{Channel, Epoch, Position};

/// The bits of a byte of a varint that are part of the number. The other says that a byte follows.
const BITS: u32 = 7;

/// See the head of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(SmallVec<[Entry; 1]>);

/// A position in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    channel: u32,
    position: Position,
}

impl Cursor {
    /// A cursor of one channel.
    #[must_use]
    pub fn of(channel: &Channel, position: Position) -> Self {
        let mut cursor = Self::default();
        cursor.set(channel, position);
        cursor
    }

    /// Whether it names no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The position in a channel, where the cursor names it.
    #[must_use]
    pub fn get(&self, channel: &Channel) -> Option<Position> {
        let channel = hash(channel);
        self.0.iter().find(|entry| entry.channel == channel).map(|entry| entry.position)
    }

    /// Sets the position in a channel.
    pub fn set(&mut self, channel: &Channel, position: Position) {
        self.put(Entry { channel: hash(channel), position });
    }

    /// Takes the positions of another cursor, in the place of its own.
    pub fn update(&mut self, newer: &Self) {
        newer.0.iter().for_each(|entry| self.put(*entry));
    }

    fn put(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|found| found.channel == entry.channel) {
            Some(found) => *found = entry,
            None => self.0.push(entry),
        }
    }

    /// Whether a cursor cannot tell two of these channels apart.
    #[must_use]
    pub fn confuses(channels: &[Channel]) -> bool {
        let mut hashes: Vec<_> = channels.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.windows(2).any(|two| matches!(two, [one, other] if one == other))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = SmallVec::<[u8; 32]>::new();
        for Entry { channel, position } in &self.0 {
            bytes.extend_from_slice(&channel.to_be_bytes());
            bytes.extend_from_slice(&position.epoch.0.to_be_bytes());
            let mut offset = position.offset;
            while offset >> BITS != 0 {
                bytes.push((offset & 0x7f) as u8 | 0x80);
                offset >>= BITS;
            }
            bytes.push(offset as u8);
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (mut rest, mut cursor) = (&*bytes, Self::default());
        while !rest.is_empty() {
            let entry = take_entry(&mut rest).ok_or(CursorError)?;
            if cursor.0.iter().any(|found| found.channel == entry.channel) {
                return Err(CursorError);
            }
            cursor.0.push(entry);
        }
        Ok(cursor)
    }
}

fn take_entry(bytes: &mut &[u8]) -> Option<Entry> {
    let channel = u32::from_be_bytes(*bytes.split_off(..4)?.as_array()?);
    let epoch = Epoch(u64::from_be_bytes(*bytes.split_off(..8)?.as_array()?));
    let mut offset = 0;
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        let byte = *bytes.split_off_first()?;
        let part = u64::from(byte & 0x7f);
        if part.leading_zeros() < shift {
            return None;
        }
        offset |= part << shift;
        if byte & 0x80 == 0 {
            // A number is written in one way.
            let is_shortest = byte != 0 || shift == 0;
            return is_shortest.then_some(Entry { channel, position: Position { epoch, offset } });
        }
    }
    None
}

/// FNV-1a, which every node and every version computes alike.
fn hash(channel: &Channel) -> u32 {
    channel
        .as_str()
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this server gave: send the last one unchanged, or begin anew without")]
pub struct CursorError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    fn at(epoch: u64, offset: u64) -> Position {
        Position { epoch: Epoch(epoch), offset }
    }

    #[test]
    fn a_cursor_has_a_position_for_each_channel() {
        let (a, b) = (channel("a"), channel("b"));
        let mut cursor = Cursor::of(&a, at(1, 7));
        cursor.set(&b, at(2, 300));
        cursor.update(&Cursor::of(&a, at(1, 8)));
        let read: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!((read.get(&a), read.get(&b)), (Some(at(1, 8)), Some(at(2, 300))));
        assert_eq!((read.get(&channel("c")), read), (None, cursor));
        assert!("".parse::<Cursor>().unwrap().is_empty());
    }

    #[test]
    fn an_entry_is_the_same_everywhere() {
        // FNV-1a of "a" is e40c292c.
        let cursor = Cursor::of(&channel("a"), at(0xC0_FFEE, 300));
        assert_eq!(cursor.to_string(), "5AwpLAAAAAAAwP_urAI");
    }

    #[test]
    fn a_damaged_cursor_is_refused() {
        let good = Cursor::of(&channel("a"), at(1, 300)).to_string();
        let twice = URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(&good).unwrap().repeat(2));
        let bytes = |last: &[u8]| URL_SAFE_NO_PAD.encode([&[0; 12], last].concat());
        let unending = bytes(&[0xff; 10]);
        let (too_large, too_long) = (bytes(&[[0xff; 9].as_slice(), &[2]].concat()), bytes(&[0x80, 0]));
        let short = &good[..good.len() - 2];
        for wrong in ["x", "a b", "é", "5AwpLA==", short, &twice, &unending, &too_large, &too_long] {
            assert_eq!(wrong.parse::<Cursor>(), Err(CursorError), "{wrong}");
        }
    }

    #[test]
    fn channels_of_one_hash_are_confused() {
        // Two names with the same FNV-1a.
        let same = ["costarring", "liquid"].map(channel);
        assert!(Cursor::confuses(&same));
        assert!(!Cursor::confuses(&["a", "b"].map(channel)));
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_written(entries in prop::collection::hash_map("[a-z]{1,9}", any::<(u64, u64)>(), 0..9)) {
            let mut cursor = Cursor::default();
            for (name, (epoch, offset)) in &entries {
                cursor.set(&channel(name), at(*epoch, *offset));
            }
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn anything_is_refused_or_written_the_same(text in ".{0,99}", bytes in any::<Vec<u8>>()) {
            for text in [text, URL_SAFE_NO_PAD.encode(&bytes)] {
                if let Ok(cursor) = text.parse::<Cursor>() {
                    prop_assert_eq!(cursor.to_string(), text);
                }
            }
        }
    }
}
