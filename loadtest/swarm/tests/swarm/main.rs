//! The load generator against a relay with planted faults.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by a panic, as the test does"
)]

mod closed_loop;
mod faulty_relay;
mod history;
mod keeper;
mod open_loop;

use std::path::PathBuf;

use fanfare_swarm::connection_pool::origin::Origin;

fn swarm() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_swarm"))
}

fn from_two_processes() -> Origin {
    Origin { processes: Some(2), ..Origin::new(swarm()) }
}
