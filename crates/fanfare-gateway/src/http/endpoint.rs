//! Endpoints: handlers at paths.
//!
//! An endpoint is declared in the file of its handler, and named once, in `routes/endpoints.rs`.

use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{MethodRouter, get},
};

use super::refusal::Refusal;
use crate::{
    gateway::Gateway,
    roles::{Role, Roles},
};

/// See the head of this file.
pub(crate) struct Endpoint {
    /// Its paths, in axum's patterns. The first segment of each is kept: it is not a channel on a bare path.
    pub(crate) paths: &'static [&'static str],
    /// The roles that serve it; a listener needs one of them.
    pub(crate) roles: &'static [Role],
    /// Its kind, by the layers around it.
    pub(crate) kind: Kind,
    /// Makes its handler, with the methods that it takes.
    pub(crate) handler: fn(&Listening<'_>) -> MethodRouter<Arc<Gateway>>,
    /// Makes the answer of listeners without its roles; `None`: they answer as at any other path.
    pub(crate) elsewhere: Option<fn() -> MethodRouter<Arc<Gateway>>>,
}

/// The kinds of endpoints, by the layers around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It answers to the last, also while the node refuses everything else.
    Probe,
    /// For browsers: pages, and streams.
    Page,
    /// For a browser's `EventSource`, which takes every status but 200 for the end: it answers by itself while the node
    /// refuses everything else.
    Events,
    /// The HTTP API: pages of other origins may call it.
    Api,
    /// It takes upgrades. At the paths of other kinds, upgrades are refused.
    Socket,
}

/// The listener that an endpoint is made for.
pub(crate) struct Listening<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) roles: Roles,
    /// The first path segments that are not channels on a bare path.
    pub(crate) kept: &'a [&'static str],
}

impl Endpoint {
    /// The handler on this listener, if the endpoint has one there.
    pub(crate) fn on(&self, listener: &Listening<'_>) -> Option<MethodRouter<Arc<Gateway>>> {
        if self.roles.iter().any(|role| listener.roles.has(*role)) {
            return Some((self.handler)(listener));
        }
        self.elsewhere.map(|elsewhere| elsewhere())
    }

    /// The first path segments that it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &'static str> {
        self.paths.iter().filter_map(|path| path.split('/').nth(1))
    }
}

/// A handler of GET and HEAD; other methods are refused.
pub(crate) fn only_get<H, T>(handler: H) -> MethodRouter<Arc<Gateway>>
where
    H: Handler<T, Arc<Gateway>>,
    T: 'static,
{
    get(handler).fallback(async || Refusal::Method)
}
