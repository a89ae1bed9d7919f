//! The answers of several nodes as one table: who has the slots of the partitions. No I/O.
//!
//! Invariants:
//! - Where two nodes claim a slot, the one with the higher config epoch has it: a node that lost its slots, and does not
//!   know it, has the lower one.
//! - While less than half of the known nodes answer, no slot goes back to a lower epoch: the others may be cut off
//!   together with an old master. With more answers it does: somebody made the Cluster anew.

use std::collections::BTreeMap;

use super::nodes::Known;
use crate::redis::connection::place::Endpoint;

/// The owner of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) epoch: u64,
    pub(super) endpoint: Endpoint,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct SlotTable {
    /// The slots of the partitions, each with its owner.
    owners: Vec<(u16, Option<Owner>)>,
    /// The nodes of the Cluster, by their ids.
    nodes: BTreeMap<String, Endpoint>,
}

impl SlotTable {
    pub(super) fn new(slots: impl IntoIterator<Item = u16>) -> Self {
        Self { owners: slots.into_iter().map(|slot| (slot, None)).collect(), nodes: BTreeMap::new() }
    }

    /// All known nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Endpoint> {
        self.nodes.values()
    }

    /// The owners, in the order of the slots.
    pub(super) fn owners(&self) -> Vec<Option<Endpoint>> {
        self.owners.iter().map(|(_, owner)| owner.as_ref().map(|owner| owner.endpoint.clone())).collect()
    }

    /// Takes the answers of some nodes, at least one.
    pub(super) fn merge(&mut self, answers: &[Vec<Known>]) {
        let rows = || answers.iter().flatten();
        let is_most = is_most(answers, &self.nodes);
        for (slot, owner) in &mut self.owners {
            let claims = rows().filter(|row| row.has(*slot));
            let claims = claims.filter_map(|row| Some((row.epoch, row.is_myself, row.endpoint.clone()?)));
            let Some((epoch, _, endpoint)) = claims.max_by_key(|(epoch, is_myself, _)| (*epoch, *is_myself))
            else {
                continue;
            };
            if !owner.as_ref().is_some_and(|known| known.epoch > epoch && !is_most) {
                *owner = Some(Owner { epoch, endpoint });
            }
        }
        if is_most {
            // Those that nobody names any more were forgotten.
            self.nodes.clear();
        }
        let known = rows().filter_map(|row| Some((row.id.clone(), row.endpoint.clone()?)));
        self.nodes.extend(known);
    }
}

/// Whether most of the known nodes answered.
fn is_most(answers: &[Vec<Known>], nodes: &BTreeMap<String, Endpoint>) -> bool {
    let myself = |answer: &Vec<Known>| answer.iter().find(|row| row.is_myself).map(|row| row.id.clone());
    let mut answered: Vec<_> = answers.iter().filter_map(myself).collect();
    answered.sort();
    answered.dedup();
    2 * answered.len() > nodes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, epoch and slots.
    type Row<'a> = (&'a str, u64, &'a [(u16, u16)]);

    /// The answer of a node.
    fn answer(of: &str, rows: &[Row<'_>]) -> Vec<Known> {
        let row = |(id, epoch, slots): &Row<'_>| Known {
            id: (*id).to_owned(),
            endpoint: Some(Endpoint { host: (*id).to_owned(), port: 1 }),
            is_myself: *id == of,
            epoch: *epoch,
            slots: slots.to_vec(),
        };
        rows.iter().map(row).collect()
    }

    fn owners(table: &SlotTable) -> Vec<String> {
        let name = |owner: Option<Endpoint>| owner.map_or("-".to_owned(), |owner| owner.host);
        table.owners().into_iter().map(name).collect()
    }

    const ALL: &[(u16, u16)] = &[(0, 9)];

    #[test]
    fn the_highest_epoch_has_the_slot() {
        let mut table = SlotTable::new([1, 5, 20]);
        table.merge(&[answer("a", &[("a", 1, ALL), ("b", 0, &[])])]);
        assert_eq!(owners(&table), ["a", "a", "-"]);
        // The old master does not know it yet.
        table.merge(&[
            answer("a", &[("a", 1, ALL), ("b", 0, &[])]),
            answer("b", &[("a", 1, &[]), ("b", 2, ALL)]),
        ]);
        assert_eq!(owners(&table), ["b", "b", "-"]);
        // One slot went back.
        table.merge(&[answer("b", &[("a", 3, &[(5, 5)]), ("b", 2, &[(0, 4)])])]);
        assert_eq!(owners(&table), ["b", "a", "-"]);
        assert_eq!(table.nodes().count(), 2);
    }

    #[test]
    fn an_old_master_alone_is_not_believed() {
        let mut table = SlotTable::new([1]);
        let new = |of| answer(of, &[("a", 1, &[]), ("b", 2, ALL), ("c", 0, &[])]);
        table.merge(&[new("b"), new("c")]);
        table.merge(&[answer("a", &[("a", 1, ALL), ("b", 0, &[]), ("c", 0, &[])])]);
        assert_eq!(owners(&table), ["b"]);
        // The Cluster was made anew.
        let anew = |of| answer(of, &[("a", 1, ALL), ("b", 0, &[])]);
        table.merge(&[anew("a"), anew("b")]);
        assert_eq!(owners(&table), ["a"]);
        assert_eq!(table.nodes().count(), 2, "c is forgotten");
    }
}
