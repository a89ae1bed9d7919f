//! Calls about clients, wherever they are: each is asked of all nodes, or of the client's own.
//!
//! - [`call`]: the calls and their answers, as they go from node to node
//! - [`gather`]: asks the nodes, and gathers their answers
//! - `local`: carries out a call on this node

pub mod call;
pub mod gather;
pub(crate) mod local;
