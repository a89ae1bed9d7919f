//! `fanfare top`: the nodes of a cluster, each second.
//!
//! - `command`: the command: a screen, or one sample
//! - [`discover`]: the list of nodes, from any one of them
//! - [`board`]: a row for each node, with its work since the look before
//! - [`rounds`]: looks at all nodes, again and again
//! - [`view`]: the rows as a table; [`numbers`]: numbers as people read them
//! - [`report`]: the rows as JSON
//! - [`terminal`]: a screen, which is left as it was found

pub mod board;
mod command;
pub mod discover;
pub mod numbers;
pub mod report;
pub mod rounds;
pub mod terminal;
pub mod view;

pub use self::command::{TopError, run};
