//! The binary: command line, configuration, telemetry, composition root.
//!
//! - [`cli`]: what can be asked of the binary
//! - [`config`]: what a node runs with, and every mistake in it

pub mod cli;
pub mod config;
