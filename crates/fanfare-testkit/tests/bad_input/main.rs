//! Whatever a client sends: it is told what was wrong, it is counted, and nobody else notices.

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
