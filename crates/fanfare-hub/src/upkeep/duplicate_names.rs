//! Duplicate node names: other live nodes that have this node's name.
//!
//! Invariant: a node counts only after it was seen to renew its entry twice. An earlier run that was killed leaves its
//! entry behind until it expires, and renews it no more. But a Redis that was frozen meanwhile may find renewals in a
//! dead connection, and carry them out at once. Another node may take the name of a node that leaves.

use std::collections::{HashMap, hash_map::Entry};

use fanfare_core::NodeInfo;

/// The nodes that have one node's name, by incarnation, for as long as they are listed.
#[derive(Default)]
pub(crate) struct DuplicateNames {
    seen: HashMap<String, Seen>,
}

/// The number of renewals that show that a node lives.
const LIVE: u8 = 2;

/// The last announcement that was seen, and the number of renewals, up to [`LIVE`].
struct Seen {
    announcements: u64,
    renewals: u8,
}

impl DuplicateNames {
    /// Takes the nodes that are listed now. The incarnations that turned out to live beside `me`.
    pub(crate) fn look<'n>(&mut self, me: &NodeInfo, nodes: &'n [NodeInfo]) -> Vec<&'n str> {
        let is_other = |node: &&NodeInfo| node.name == me.name && node.incarnation != me.incarnation;
        let others = || nodes.iter().filter(is_other).filter(|other| !(other.leaving || me.leaving));
        self.seen.retain(|incarnation, _| others().any(|node| node.incarnation == *incarnation));
        let mut found = Vec::new();
        for node in others() {
            match self.seen.entry(node.incarnation.clone()) {
                Entry::Vacant(new) => {
                    new.insert(Seen { announcements: node.announcements, renewals: 0 });
                }
                Entry::Occupied(mut seen) => {
                    let seen = seen.get_mut();
                    if seen.renewals < LIVE && node.announcements > seen.announcements {
                        seen.announcements = node.announcements;
                        seen.renewals += 1;
                        if seen.renewals == LIVE {
                            found.push(node.incarnation.as_str());
                        }
                    }
                }
            }
        }
        found
    }

    /// The number of nodes that live beside this one.
    pub(crate) fn live(&self) -> usize {
        self.seen.values().filter(|seen| seen.renewals == LIVE).count()
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::Incarnation;

    use super::*;

    fn node(name: &str, incarnation: u64, announcements: u64) -> NodeInfo {
        NodeInfo { announcements, ..NodeInfo::first(Incarnation(incarnation), name, 1) }
    }

    #[test]
    fn a_duplicate_is_told_once_each_time() {
        let me = node("a", 1, 1);
        let mut duplicate_names = DuplicateNames::default();
        assert!(duplicate_names.look(&me, &[me.clone(), node("a", 2, 7), node("b", 3, 1)]).is_empty());
        assert!(duplicate_names.look(&me, &[me.clone(), node("a", 2, 7), node("b", 3, 2)]).is_empty());
        assert!(duplicate_names.look(&me, &[node("a", 1, 2), node("a", 2, 8)]).is_empty());
        assert_eq!(duplicate_names.live(), 0);
        assert_eq!(
            duplicate_names.look(&me, &[node("a", 1, 3), node("a", 2, 9)]),
            [Incarnation(2).to_string()]
        );
        assert!(duplicate_names.look(&me, &[me.clone(), node("a", 2, 10)]).is_empty());
        assert_eq!(duplicate_names.live(), 1);
        assert!(duplicate_names.look(&me, &[]).is_empty());
        assert_eq!(duplicate_names.live(), 0);
        for turn in 11..13 {
            assert!(duplicate_names.look(&me, &[node("a", 2, turn)]).is_empty());
        }
        assert_eq!(duplicate_names.look(&me, &[node("a", 2, 13)]), [Incarnation(2).to_string()]);
    }

    #[test]
    fn an_entry_of_an_earlier_run_is_ignored() {
        let mut duplicate_names = DuplicateNames::default();
        // Redis, frozen at first, then carries out the waiting commands.
        for (turn, left) in [(1, 40), (2, 43), (3, 43), (4, 43)] {
            let me = node("a", 2, turn);
            assert!(duplicate_names.look(&me, &[node("a", 1, left), me.clone()]).is_empty());
        }
        assert_eq!(duplicate_names.live(), 0);
    }
}
