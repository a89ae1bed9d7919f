//! The parts of a broker that fail by themselves.

/// A part of a broker that fails by itself: one server of several, or one shard of a cluster. Counted from 0.
///
/// A channel belongs to one partition for as long as the process lives
/// ([`Broker::partition_of`](crate::Broker::partition_of)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);
