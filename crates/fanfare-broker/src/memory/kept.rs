//! The publications that are kept of each channel. No I/O, no lock, no clock.
//!
//! Invariants:
//! - What is kept of a channel are its newest publications, so their offsets are consecutive and end at the top.
//! - All that is kept has at most `bound` bytes. Past it the least recently used channel loses all of its publications;
//!   the only channel that keeps any loses the older half.
//! - A channel keeps its offset for [`META_TTL`] after it was used last. Channels that come after another was forgotten
//!   have another epoch: so no offset is given twice.
//! - A publish or a read costs the same however many channels there are, but for the logarithm.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use fanfare_core::{
    Channel, ChannelMap, Epoch, Position, Publication, Retention,
    history::{META_TTL, Page, Range},
};
use prometheus::IntCounter;
use tokio::time::Instant;

/// The bytes that a publication counts beside its payload and its attributes.
const OVERHEAD: usize = 256;

/// See the head of this file.
pub(super) struct Kept {
    /// The epoch of channels without an entry.
    epoch: Epoch,
    channels: ChannelMap<Entry>,
    /// The channels that keep publications, the least recently used first.
    by_use: BTreeMap<u64, Channel>,
    /// The number of uses so far.
    uses: u64,
    /// When each channel is looked at next.
    looks: BTreeSet<(Instant, Channel)>,
    /// The bytes of all that is kept.
    bytes: usize,
    bound: usize,
    /// The number of times that a channel lost publications for the bound.
    cuts: IntCounter,
}

struct Entry {
    top: Position,
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
    /// Its key in `by_use`.
    used: u64,
    /// When its publications expire.
    expires: Instant,
    /// When its offset is forgotten.
    forgotten: Instant,
    /// Its key in `looks`.
    look: Instant,
}

impl Entry {
    fn new(epoch: Epoch, now: Instant) -> Self {
        let (top, look) = (Position { epoch, offset: 0 }, now + META_TTL);
        let publications = VecDeque::new();
        Self { top, publications, bytes: 0, used: 0, expires: now, forgotten: look, look }
    }

    /// Drops the oldest publications. The number of their bytes.
    fn drop_oldest(&mut self, count: usize) -> usize {
        let bytes = self.publications.drain(..count).map(|publication| bytes(&publication)).sum();
        self.bytes -= bytes;
        bytes
    }

    /// The page of a range.
    fn page(&self, range: Range) -> Page {
        let length = self.publications.len() as u64;
        let first = self.top.offset + 1 - length;
        let behind = self.top.offset + 1;
        let (from, to) = match range {
            Range::After { offset, limit } => {
                let from = offset.saturating_add(1).clamp(first, behind);
                (from, from.saturating_add(limit as u64).min(behind))
            }
            Range::Before { offset, limit } => {
                let to = offset.unwrap_or(behind).clamp(first, behind);
                (to.saturating_sub(limit as u64).max(first), to)
            }
        };
        let index = |offset: u64| usize::try_from(offset - first).unwrap_or(usize::MAX);
        Page {
            top: self.top,
            publications: self.publications.range(index(from)..index(to)).cloned().collect(),
            continues: Vec::new(),
        }
    }
}

impl Kept {
    /// Nothing is kept yet.
    pub(super) fn new(bound: usize, cuts: IntCounter) -> Self {
        Self {
            cuts,
            epoch: Epoch(rand::random()),
            channels: ChannelMap::default(),
            by_use: BTreeMap::new(),
            uses: 0,
            looks: BTreeSet::new(),
            bytes: 0,
            bound,
        }
    }

    /// Keeps one more publication of its channel. Its position.
    pub(super) fn append(
        &mut self,
        publication: Publication,
        retention: Retention,
        now: Instant,
    ) -> Position {
        let channel = publication.channel.clone();
        self.drop_expired(&channel, now);
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| {
            self.looks.insert((now + META_TTL, channel.clone()));
            Entry::new(self.epoch, now)
        });
        entry.top.offset += 1;
        let top = entry.top;
        let publication = Arc::new(publication.at(Some(top)));
        let added = bytes(&publication);
        entry.bytes += added;
        entry.publications.push_back(publication);
        let size = usize::try_from(retention.size.max(1)).unwrap_or(usize::MAX);
        let dropped = entry.drop_oldest(entry.publications.len().saturating_sub(size));
        entry.expires = now + retention.ttl;
        if entry.expires < entry.look {
            self.looks.remove(&(entry.look, channel.clone()));
            entry.look = entry.expires;
            self.looks.insert((entry.look, channel.clone()));
        }
        self.bytes = self.bytes + added - dropped;
        self.used(&channel, now);
        self.keep_bound();
        top
    }

    /// The page of a range.
    pub(super) fn read(&mut self, channel: &Channel, range: Range, now: Instant) -> Page {
        self.drop_expired(channel, now);
        self.used(channel, now);
        let nothing = || Page {
            top: Position { epoch: self.epoch, offset: 0 },
            publications: Vec::new(),
            continues: Vec::new(),
        };
        self.channels.get(channel).map_or_else(nothing, |entry| entry.page(range))
    }

    /// The newest position of a channel.
    pub(super) fn top(&mut self, channel: &Channel, now: Instant) -> Position {
        self.used(channel, now);
        self.channels.get(channel).map_or(Position { epoch: self.epoch, offset: 0 }, |entry| entry.top)
    }

    /// Drops all publications of a channel.
    pub(super) fn remove(&mut self, channel: &Channel) {
        let Some(entry) = self.channels.get_mut(channel) else { return };
        self.by_use.remove(&entry.used);
        self.bytes -= entry.drop_oldest(entry.publications.len());
        entry.publications.shrink_to_fit();
    }

    /// Drops what has expired, and forgets channels that were not used for [`META_TTL`].
    pub(super) fn sweep(&mut self, now: Instant) {
        while let Some((look, _)) = self.looks.first()
            && *look <= now
            && let Some((_, channel)) = self.looks.pop_first()
        {
            self.drop_expired(&channel, now);
            let Some(entry) = self.channels.get_mut(&channel) else { continue };
            if !entry.publications.is_empty() {
                entry.look = entry.expires;
            } else if entry.forgotten > now {
                entry.look = entry.forgotten;
            } else {
                self.channels.remove(&channel);
                self.epoch = Epoch(rand::random());
                continue;
            }
            self.looks.insert((entry.look, channel));
        }
    }

    fn drop_expired(&mut self, channel: &Channel, now: Instant) {
        if self.channels.get(channel).is_some_and(|entry| entry.expires <= now) {
            self.remove(channel);
        }
    }

    /// Notes that a channel is used.
    fn used(&mut self, channel: &Channel, now: Instant) {
        let Some(entry) = self.channels.get_mut(channel) else { return };
        entry.forgotten = now + META_TTL;
        if entry.publications.is_empty() {
            return;
        }
        self.uses += 1;
        let name = self.by_use.remove(&entry.used).unwrap_or_else(|| channel.clone());
        entry.used = self.uses;
        self.by_use.insert(self.uses, name);
    }

    fn keep_bound(&mut self) {
        while self.bytes > self.bound {
            let Some(channel) = self.by_use.values().next().cloned() else { return };
            let is_only = self.by_use.len() == 1;
            self.cuts.inc();
            match self.channels.get_mut(&channel) {
                Some(entry) if is_only && entry.publications.len() > 1 => {
                    self.bytes -= entry.drop_oldest(entry.publications.len().div_ceil(2));
                }
                _ => self.remove(&channel),
            }
        }
    }
}

fn bytes(publication: &Publication) -> usize {
    let attributes = publication.attributes.as_ref().map_or(0, |attributes| attributes.bytes());
    publication.payload.len() + attributes + OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_core::Payload;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn kept(bound: usize) -> Kept {
        Kept::new(bound, IntCounter::new("cuts", "cuts").unwrap())
    }

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    fn append(kept: &mut Kept, name: &str, size: u32, now: Instant) -> Position {
        let publication = Publication::new(channel(name), Payload::text("x".repeat(744)), None);
        kept.append(publication, Retention { size, ttl: TTL }, now)
    }

    fn offsets(kept: &mut Kept, name: &str, range: Range, now: Instant) -> Vec<u64> {
        let page = kept.read(&channel(name), range, now);
        page.publications.iter().filter_map(|publication| Some(publication.position?.offset)).collect()
    }

    const ALL: Range = Range::After { offset: 0, limit: usize::MAX };

    #[test]
    fn a_range_is_cut_to_what_is_kept() {
        let (mut kept, now) = (kept(1 << 20), Instant::now());
        (0..5).for_each(|_| _ = append(&mut kept, "a", 3, now));
        for (range, expected) in [
            (ALL, &[3, 4, 5][..]),
            (Range::After { offset: 3, limit: 1 }, &[4]),
            (Range::After { offset: 5, limit: 9 }, &[]),
            (Range::After { offset: u64::MAX, limit: 9 }, &[]),
            (Range::After { offset: 0, limit: 0 }, &[]),
            (Range::Before { offset: None, limit: 2 }, &[4, 5]),
            (Range::Before { offset: Some(5), limit: 9 }, &[3, 4]),
            (Range::Before { offset: Some(3), limit: 9 }, &[]),
            (Range::Before { offset: Some(0), limit: 9 }, &[]),
            (Range::Before { offset: Some(u64::MAX), limit: 1 }, &[5]),
        ] {
            assert_eq!(offsets(&mut kept, "a", range, now), expected, "{range:?}");
        }
    }

    #[test]
    fn what_expired_is_gone_and_offsets_go_on() {
        let (mut kept, now) = (kept(1 << 20), Instant::now());
        let first = append(&mut kept, "a", 9, now);
        append(&mut kept, "a", 9, now + TTL / 2);
        kept.sweep(now + TTL);
        assert_eq!(offsets(&mut kept, "a", ALL, now + TTL), [1, 2]);
        let late = now + 2 * TTL;
        assert!(offsets(&mut kept, "a", ALL, late).is_empty());
        kept.sweep(late);
        assert_eq!((kept.bytes, kept.looks.len()), (0, 1));
        assert_eq!(append(&mut kept, "a", 9, late), Position { offset: 3, ..first });
        assert_eq!(kept.looks.first().map(|(look, _)| *look), Some(late + TTL));
        // Forgotten, and a new epoch.
        kept.sweep(late + TTL);
        kept.sweep(late + META_TTL + TTL);
        assert!(kept.channels.is_empty() && kept.looks.is_empty() && kept.by_use.is_empty());
        let again = append(&mut kept, "a", 9, late + META_TTL + TTL);
        assert!(again.offset == 1 && again.epoch != first.epoch);
    }

    #[test]
    fn the_least_used_channel_goes_first() {
        // Ten publications fit.
        let (mut kept, now) = (kept(10_000), Instant::now());
        for name in ["a", "b", "a", "b", "c"] {
            (0..2).for_each(|_| _ = append(&mut kept, name, 99, now));
        }
        assert_eq!(offsets(&mut kept, "a", ALL, now), [1, 2, 3, 4]);
        append(&mut kept, "c", 99, now);
        assert!(offsets(&mut kept, "b", ALL, now).is_empty());
        assert_eq!(offsets(&mut kept, "a", ALL, now), [1, 2, 3, 4]);
        kept.remove(&channel("a"));
        (0..8).for_each(|_| _ = append(&mut kept, "c", 99, now));
        assert_eq!(offsets(&mut kept, "c", ALL, now), [7, 8, 9, 10, 11]);
        assert_eq!(append(&mut kept, "b", 99, now).offset, 5);
        let sum: usize = kept.channels.values().map(|entry| entry.bytes).sum();
        assert_eq!(sum, kept.bytes);
    }
}
