//! Bad input of any kind: the client gets the reason, the server counts it, and other clients notice nothing.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test says by a panic what is wrong")]

mod api;
mod bodies;
mod floods;
mod frames;
mod http;
mod names;
mod rates;
mod storms;
mod support;
