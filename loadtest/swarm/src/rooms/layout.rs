//! The members of each channel. All follows from a connection's number, so that processes need not ask each other.

use serde::{Deserialize, Serialize};

/// Channels of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Channels.
    pub rooms: usize,
    /// Members of each channel.
    pub members: usize,
    /// Publishers of each channel, which publish in turns.
    pub publishers: usize,
}

/// The place of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) room: usize,
    /// The number of its node.
    pub(super) node: usize,
    /// Its number among all publishers, room by room.
    pub(super) sender: Option<usize>,
}

impl Layout {
    /// Connections in all.
    #[must_use]
    pub const fn connections(self) -> usize {
        self.rooms * self.members
    }

    /// Publishers in all.
    #[must_use]
    pub const fn senders(self) -> usize {
        self.rooms * self.publishers
    }

    /// The place of a connection: the members of a room go round the nodes, and each room begins at the next node.
    /// Publishers are spread over the members.
    pub(super) fn place(self, connection: usize, nodes: usize) -> Place {
        let members = self.members.max(1);
        let (room, member) = (connection / members, connection % members);
        // The first member of each of as many equal parts of the room.
        let part = (member * self.publishers).div_ceil(members);
        let is_first = part < self.publishers && part * members / self.publishers == member;
        let sender = is_first.then_some(room * self.publishers + part);
        Place { room, node: (room + member) % nodes.max(1), sender }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_spread_over_all_nodes() {
        for (rooms, members, publishers) in [(1, 1_000, 16), (200, 10, 1), (7, 5, 5), (3, 7, 2), (4, 1, 1)] {
            let layout = Layout { rooms, members, publishers };
            let places: Vec<_> = (0..layout.connections()).map(|number| layout.place(number, 2)).collect();
            let senders: Vec<_> = places.iter().filter_map(|place| place.sender).collect();
            assert_eq!(senders, (0..layout.senders()).collect::<Vec<_>>(), "{layout:?}");
            for room in 0..rooms {
                let count =
                    |node| places.iter().filter(|place| place.room == room && place.node == node).count();
                assert!(count(0) + count(1) == members && count(0).abs_diff(count(1)) <= 1);
            }
            assert!(
                places
                    .iter()
                    .all(|place| place.sender.is_none_or(|sender| sender / publishers == place.room))
            );
        }
    }
}
