//! The configuration: from flags, the environment and a file to the values that a node runs with.
//!
//! A flag beats the environment, which beats the file, which beats the default. Every mistake of all sources is reported
//! at once. A node starts without mistakes or not at all.
//!
//! - [`raw`]: every key, once; [`declare`]: the macro that makes names, reading and showing of it
//! - [`shape`]: the forms of values; `choices`, `words`: words, addresses, names and secrets
//! - `file` with `syntax`, `env`: the sources (flags come from [`crate::cli`]); `facts`: the machine, for defaults; `load`: all of them
//! - `auth`, [`tls`], `tracing`: keys and rules of `[auth]`, of TLS and of `[tracing]`; `listeners`: rules about addresses
//! - `broker`: its URLs; `sentinels`: the login for Sentinels; `cluster`: the prefix in a Redis Cluster
//! - `validate`: rules between keys; `node_config`, `log`: the values that a node runs with
//! - [`reload`]: the changes of another reading, for a node that runs
//! - [`mistake`], [`place`]: a mistake, and where it is
//! - [`show`]: the output of `fanfare config`; [`markdown`]: docs/configuration.md; [`schema`]: a JSON Schema for editors

mod auth;
mod broker;
mod choices;
mod cluster;
pub mod declare;
mod env;
mod facts;
mod file;
mod hooks;
mod listeners;
mod load;
mod log;
pub mod markdown;
pub mod mistake;
mod node_config;
pub mod place;
pub mod raw;
pub mod reload;
pub mod schema;
mod sentinels;
pub mod shape;
pub mod show;
mod syntax;
pub mod tls;
mod tracing;
mod validate;
mod words;

#[cfg(test)]
pub(crate) mod tests;

pub use self::{
    auth::{Auth, words::PublicKeyFile},
    facts::Facts,
    hooks::{EventConfig, HookConfig},
    load::{Loaded, Sources, load},
    log::{Log, LogFormat},
    mistake::{Mistake, Mistakes},
    node_config::{Config, Drain, ListenerConfig, Runtime},
    show::Show,
    tracing::{Endpoint, Tracing, TracingHeader, TracingProtocol},
    words::Listen,
};
