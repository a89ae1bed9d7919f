//! Which nodes there are.
//!
//! - `nodes`: their list in Redis; `pool`: the connections that it is read and written on
//! - `agreed_version`: the envelope version that all of them read

pub(super) mod agreed_version;
pub(super) mod nodes;
pub(super) mod pool;
