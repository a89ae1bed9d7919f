//! Deltas in the format of Fossil, as Centrifugo's clients apply them.
//!
//! A delta is the length of the target and a line end, then commands, then a checksum of the target: `N@O,` copies `N`
//! bytes at `O` of the source, `N:` inserts the `N` bytes behind it, `N;` is the checksum. Numbers have base 64.
//!
//! The algorithm is the one of Fossil, so that deltas are the same as those of its other implementations: windows of the
//! source are found in the target by a rolling hash, and a match is extended to both sides.

#[cfg(test)]
pub(super) mod tests;

/// The bytes of a window.
const WINDOW: usize = 16;

/// The most windows of the source that are compared at one place of the target.
const MOST_CANDIDATES: usize = 250;

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// The delta from a source to a target. It may be longer than the target, where the two have little in common.
#[must_use]
pub(super) fn delta(source: &[u8], target: &[u8]) -> Vec<u8> {
    let mut delta = Vec::new();
    put_number(&mut delta, target.len());
    delta.push(b'\n');
    let mut rest = target;
    if source.len() > WINDOW {
        let windows = Windows::new(source);
        while rest.len() > WINDOW {
            let Some(found) = windows.first_match(rest) else { break };
            let (literal, matched) = rest.split_at_checked(found.literal).unwrap_or((rest, &[]));
            put_literal(&mut delta, literal);
            put_number(&mut delta, found.length);
            delta.push(b'@');
            put_number(&mut delta, found.offset);
            delta.push(b',');
            rest = matched.get(found.length..).unwrap_or_default();
        }
        put_literal(&mut delta, rest);
    } else {
        put_number(&mut delta, target.len());
        delta.push(b':');
        delta.extend_from_slice(target);
    }
    put_number(&mut delta, checksum(target) as usize);
    delta.push(b';');
    delta
}

/// A part of the source that is in the target too.
struct Match {
    /// The bytes of the target before it.
    literal: usize,
    /// Its offset in the source.
    offset: usize,
    length: usize,
}

/// The windows of a source, by their hashes.
struct Windows<'a> {
    source: &'a [u8],
    /// The last window with a hash, and for each window the one before it with the same.
    last: Vec<Option<usize>>,
    before: Vec<Option<usize>>,
}

impl<'a> Windows<'a> {
    fn new(source: &'a [u8]) -> Self {
        let count = source.len().div_ceil(WINDOW);
        let (mut last, mut before) = (vec![None; count], Vec::with_capacity(count));
        // A window that ends the source is left out, as Fossil does.
        let windows = source.get(..source.len().saturating_sub(1)).unwrap_or_default().chunks_exact(WINDOW);
        for (number, window) in windows.enumerate() {
            let hash = Rolling::new(window).value() as usize % count;
            if let Some(last) = last.get_mut(hash) {
                before.push(last.replace(number));
            }
        }
        Self { source, last, before }
    }

    /// The offsets of the windows with a hash, last first.
    fn with_hash(&self, hash: u32) -> impl Iterator<Item = usize> {
        let last = self.last.get(hash as usize % self.last.len().max(1)).copied().flatten();
        let windows = std::iter::successors(last, |window| self.before.get(*window).copied().flatten());
        windows.take(MOST_CANDIDATES).map(|window| window * WINDOW)
    }

    /// The longest match at the first place of the target that has one.
    fn first_match(&self, target: &[u8]) -> Option<Match> {
        let mut hash = Rolling::new(target);
        for at in 0.. {
            if let Some(found) = self.longest_match(target, at, hash.value()) {
                return Some(found);
            }
            let (old, new) = (target.get(at)?, target.get(at + WINDOW)?);
            hash.roll(*old, *new);
        }
        None
    }

    fn longest_match(&self, target: &[u8], at: usize, hash: u32) -> Option<Match> {
        let mut best: Option<Match> = None;
        for window in self.with_hash(hash) {
            let found = self.extend(target, at, window)?;
            let is_longer = best.as_ref().is_none_or(|best| found.length > best.length);
            if found.length >= found.cost() && is_longer {
                best = Some(found);
            }
        }
        best
    }

    /// Extends a window to both sides, as far as source and target are the same.
    fn extend(&self, target: &[u8], at: usize, window: usize) -> Option<Match> {
        let (left, right) = self.source.split_at_checked(window)?;
        let (target_left, target_right) = target.split_at_checked(at)?;
        let same = |(one, other): &(&u8, &u8)| one == other;
        let forwards = right.iter().zip(target_right).take_while(same).count();
        // The first byte of the source is left out, as Fossil does.
        let left = left.get(1..).unwrap_or_default();
        let backwards = left.iter().rev().zip(target_left.iter().rev()).take_while(same).count();
        Some(Match { literal: at - backwards, offset: window - backwards, length: forwards + backwards })
    }
}

impl Match {
    /// The bytes of its commands.
    fn cost(&self) -> usize {
        digits(self.literal) + digits(self.length) + digits(self.offset) + 3
    }
}

/// The hash of a window that moves.
struct Rolling {
    sum: u16,
    weighted: u16,
}

impl Rolling {
    fn new(window: &[u8]) -> Self {
        let mut hash = Self { sum: 0, weighted: 0 };
        for byte in window.iter().take(WINDOW) {
            hash.sum = hash.sum.wrapping_add(u16::from(*byte));
            hash.weighted = hash.weighted.wrapping_add(hash.sum);
        }
        hash
    }

    fn roll(&mut self, old: u8, new: u8) {
        self.sum = self.sum.wrapping_sub(u16::from(old)).wrapping_add(u16::from(new));
        let old = u16::from(old) * WINDOW as u16;
        self.weighted = self.weighted.wrapping_sub(old).wrapping_add(self.sum);
    }

    fn value(&self) -> u32 {
        u32::from(self.sum) | u32::from(self.weighted) << 16
    }
}

/// The sum of the bytes as big-endian words.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).map(|chunk| {
        chunk.iter().zip([24, 16, 8, 0]).fold(0, |word, (byte, shift)| word | u32::from(*byte) << shift)
    });
    words.fold(0, u32::wrapping_add)
}

fn put_literal(delta: &mut Vec<u8>, literal: &[u8]) {
    if !literal.is_empty() {
        put_number(delta, literal.len());
        delta.push(b':');
        delta.extend_from_slice(literal);
    }
}

fn put_number(delta: &mut Vec<u8>, number: usize) {
    for place in (0..digits(number)).rev() {
        delta.extend(DIGITS.get(number >> (6 * place) & 63));
    }
}

/// The number of digits of a number.
fn digits(number: usize) -> usize {
    (usize::BITS - number.leading_zeros()).div_ceil(6).max(1) as usize
}
