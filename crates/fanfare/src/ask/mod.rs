//! Questions to nodes over HTTP, for `fanfare health` and `fanfare top`.
//!
//! - `target`: the URL of a question; `local`: those of this machine's node
//! - `asker`: sends a question, within a timeout; `error`: why it has no answer
//! - `trust`: the certificates that are accepted

mod asker;
mod error;
mod local;
mod target;
mod trust;

pub use self::{
    asker::{Answer, Asker},
    error::NoAnswer,
    local::local_targets,
    target::{METRICS_PATH, Target},
    trust::Trust,
};
