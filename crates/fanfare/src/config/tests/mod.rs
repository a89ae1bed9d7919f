//! - `mistakes`: each is found, at its line, with a hint
//! - `sources`: flags, the environment and the file
//! - `rules`: defaults, and rules between keys
//! - `show`: the shown configuration

mod mistakes;
mod rules;
mod show;
mod sources;
mod support;

use self::support::Given;
pub(crate) use self::support::load_file;
pub(super) use self::support::{places, readable};
