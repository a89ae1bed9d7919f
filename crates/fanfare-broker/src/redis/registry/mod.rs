//! Which nodes there are.
//!
//! - `nodes`: their list in Redis
//! - `agreed_version`: the envelope version that all nodes read

pub(super) mod agreed_version;
pub(super) mod nodes;
