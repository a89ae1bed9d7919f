//! The real binary: its start, signals, configuration, and its end.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test says by a panic what is wrong"
)]

mod backend;
mod check;
mod descriptors;
mod drain;
mod events;
mod reload;
mod systemd;
mod top;
mod vanishing;
