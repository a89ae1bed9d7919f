//! The methods: for each a type for its request, whose fields are the body, and a type for its result.
//!
//! - [`publish`], [`broadcast`]; [`message`]: what both send
//! - [`history`], [`history_remove`]; [`presence`], [`presence_stats`]
//! - [`connections`], [`channels`], [`subscribe`] (and unsubscribe), [`disconnect`], [`refresh`],
//!   [`revoke`]: clients of all nodes;
//!   [`clients`]: what these share; [`terms`]: those of a subscription
//! - [`rpc`]: refuses calls of methods of the operator's own
//! - [`info`]: the nodes
//! - [`batch`]: several calls in one; [`items`]: one of several results
//!
//! A new method is a file here, and a line in [`METHODS`] and [`batch`].

pub(crate) mod batch;
pub(crate) mod broadcast;
pub(crate) mod channels;
mod clients;
pub(crate) mod connections;
pub(crate) mod disconnect;
pub(crate) mod history;
pub(crate) mod history_remove;
pub(crate) mod info;
mod items;
pub(super) mod message;
pub(crate) mod presence;
pub(crate) mod presence_stats;
pub(crate) mod publish;
pub(crate) mod refresh;
pub(crate) mod revoke;
pub(crate) mod rpc;
pub(crate) mod subscribe;
mod terms;
#[cfg(test)]
mod tests;

use super::{call::Method, document::Document};
use crate::http::endpoint::Endpoint;

/// A method in the list of all.
pub(crate) struct Listed {
    /// Its endpoint.
    pub(crate) endpoint: Endpoint,
    /// Adds it to the OpenAPI document.
    pub(super) describe: fn(&mut Document),
}

const fn listed<M: Method>(endpoint: Endpoint) -> Listed {
    Listed { endpoint, describe: Document::method::<M> }
}

/// All methods.
pub(crate) const METHODS: &[Listed] = &[
    listed::<publish::Publish>(publish::ENDPOINT),
    listed::<broadcast::Broadcast>(broadcast::ENDPOINT),
    listed::<history::History>(history::ENDPOINT),
    listed::<history_remove::HistoryRemove>(history_remove::ENDPOINT),
    listed::<presence::Presence>(presence::ENDPOINT),
    listed::<presence_stats::PresenceStats>(presence_stats::ENDPOINT),
    listed::<connections::Connections>(connections::ENDPOINT),
    listed::<channels::Channels>(channels::ENDPOINT),
    listed::<subscribe::Subscribe>(subscribe::SUBSCRIBE),
    listed::<subscribe::Unsubscribe>(subscribe::UNSUBSCRIBE),
    listed::<disconnect::Disconnect>(disconnect::ENDPOINT),
    listed::<refresh::Refresh>(refresh::ENDPOINT),
    listed::<revoke::Revoke>(revoke::ENDPOINT),
    listed::<info::Info>(info::ENDPOINT),
    listed::<batch::Batch>(batch::ENDPOINT),
];
