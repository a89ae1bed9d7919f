//! Questions over HTTP: to nodes, for `fanfare health` and `fanfare top`, and to the operator's backend.
//!
//! - `target`: the URL of a question; `local`: those of this machine's node
//! - `asker`: sends a question, within a timeout; `error`: why it has no answer
//! - `poster`: sends questions to the operator's backend, over connections that are kept
//! - `trust`: the certificates that are accepted

mod asker;
mod error;
mod local;
mod poster;
mod target;
mod trust;

pub use self::{
    asker::{Answer, Asker},
    error::NoAnswer,
    local::local_targets,
    poster::Poster,
    target::{METRICS_PATH, Target},
    trust::Trust,
};
