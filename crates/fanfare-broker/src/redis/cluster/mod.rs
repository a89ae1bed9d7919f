//! Redis Cluster: where the slot of each partition is.
//!
//! A Cluster is used as a fixed number of partitions. Each is a Redis of its own to the rest of this crate: its names
//! have one hash tag, so all of them are in one slot, and its connections lead to the master that has the slot. Few
//! partitions with two connections each are what makes order and the fence provable: all that a partition writes goes
//! one way. So there are 16 by default and 64 at most, not one for each slot or some hundreds.
//!
//! - `slots`: the slot of a name, and the tags of the partitions
//! - `nodes`: the answer to CLUSTER NODES
//! - `table`: the answers of several nodes as one table
//! - [`topology`]: asks the nodes, and tells partitions of a new owner

mod nodes;
pub(crate) mod slots;
mod table;
pub(crate) mod topology;
