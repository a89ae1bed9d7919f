//! The partition of a channel, by the names of the servers. No I/O.
//!
//! Each server has a weight for each channel, and the heaviest has the channel (rendezvous hashing, Thaler and
//! Ravishankar, 1998). So the order in which servers are listed does not matter, and a server that is added or removed
//! moves only the channels that it gets or had: 1 of n + 1. A jump hash would need numbers for the servers, and a new name
//! in the middle of the sorted ones would move half of the channels.
//!
//! Invariant: all nodes of all releases compute the same. The test has values that must never change.

use fanfare_core::{Channel, Partition};

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Placement {
    /// The seeds of the servers, in the order of the partitions.
    seeds: Vec<u64>,
}

impl Placement {
    /// For servers of these names.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { seeds: names.into_iter().map(|name| mixed(fnv(name.as_bytes()))).collect() }
    }

    /// The partition of a channel.
    pub(crate) fn of(&self, channel: &Channel) -> Partition {
        let hash = fnv(channel.as_str().as_bytes());
        let weights = self.seeds.iter().map(|seed| mixed(hash ^ seed)).zip(0..);
        Partition(weights.max().map_or(0, |(_, partition)| partition))
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of splitmix64.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNELS: usize = 30_000;

    fn channels() -> impl Iterator<Item = Channel> {
        (0..CHANNELS).map(|number| Channel::new(&format!("chat:room-{number}")).unwrap())
    }

    /// The names of the servers of all channels.
    fn placed<'a>(names: &[&'a str]) -> Vec<&'a str> {
        let placement = Placement::new(names.iter().copied());
        channels().map(|channel| names[usize::from(placement.of(&channel).0)]).collect()
    }

    #[test]
    fn the_placement_never_changes() {
        let placement = Placement::new(["a:6379", "b:6379", "c:6379"]);
        let of = |name: &str| placement.of(&Channel::new(name).unwrap()).0;
        let placed = ["lobby", "chat:1", "chat:2", "chat:3", "räume", "x"].map(of);
        assert_eq!(placed, [1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn servers_have_about_the_same() {
        let placed = placed(&["a:6379", "b:6379", "c:6379"]);
        for name in ["a:6379", "b:6379", "c:6379"] {
            let has = placed.iter().filter(|server| **server == name).count();
            assert!(has.abs_diff(CHANNELS / 3) < CHANNELS / 60, "{name}: {has}");
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter() {
        assert_eq!(placed(&["a:1", "b:1", "c:1"]), placed(&["c:1", "a:1", "b:1"]));
    }

    #[test]
    fn a_new_server_moves_its_share_only() {
        let before = placed(&["a:1", "b:1", "d:1"]);
        let after = placed(&["a:1", "b:1", "c:1", "d:1"]);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert!(moved.iter().all(|(_, after)| **after == "c:1"));
        assert!(moved.len().abs_diff(CHANNELS / 4) < CHANNELS / 60, "{}", moved.len());
    }
}
