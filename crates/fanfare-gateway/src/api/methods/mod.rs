//! The methods: for each a type for its request, whose fields are the body, and a type for its result.
//!
//! - [`publish`], [`broadcast`]; [`message`]: what both send
//! - [`history`], [`history_remove`]; [`presence`], [`presence_stats`]
//! - [`info`]: the nodes
//! - [`batch`]: several calls in one; [`items`]: one of several results
//!
//! A new method is a file here, and a line in [`METHODS`] and [`batch`].

pub(crate) mod batch;
pub(crate) mod broadcast;
pub(crate) mod history;
pub(crate) mod history_remove;
pub(crate) mod info;
mod items;
mod message;
pub(crate) mod presence;
pub(crate) mod presence_stats;
pub(crate) mod publish;
#[cfg(test)]
mod tests;

use crate::http::endpoint::Endpoint;

/// The endpoints of all methods.
pub(crate) const METHODS: &[Endpoint] = &[
    publish::ENDPOINT,
    broadcast::ENDPOINT,
    history::ENDPOINT,
    history_remove::ENDPOINT,
    presence::ENDPOINT,
    presence_stats::ENDPOINT,
    info::ENDPOINT,
    batch::ENDPOINT,
];

/// The paths of the API, for a caller that missed them.
pub(crate) fn paths() -> String {
    let posts: Vec<_> = METHODS.iter().flat_map(|method| method.paths).copied().collect();
    format!("POST {}, and GET /api/history and GET /api/cluster", posts.join(", POST "))
}
