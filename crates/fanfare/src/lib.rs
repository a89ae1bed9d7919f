//! The binary: command line, configuration, telemetry, composition root.
//!
//! - [`cli`]: the command line; [`config`]: the configuration, and every mistake in it
//! - [`serve`]: a node, from its configuration to its end
//! - [`node`]: the composition root; `dialects`: the protocols of clients; [`listeners`]: its sockets; [`drain`]: its end
//! - [`reload`]: changes on SIGHUP, and new certificates; `tls`: TLS of the listeners
//! - `supervisor`: notifications to systemd
//! - [`descriptors`]: the limit of descriptors
//! - [`telemetry`]: the log, and its rate; [`traces`]: spans; [`scrape`]: metrics that are read at each scrape;
//!   `bounds`: limits as metrics
//! - [`token`]: issues and checks tokens; `jwks`: fetches keys for them; [`manual`]: completions for shells and manual pages
//! - [`health`], [`top`]: ask nodes that run; [`ask`]: how; [`advertise`]: where a node's metrics are
//! - `hooks`: asks the operator's backend; `events`: tells it

pub mod advertise;
pub mod ask;
mod bounds;
pub mod cli;
pub mod config;
pub mod descriptors;
mod dialects;
pub mod drain;
mod events;
pub mod health;
mod hooks;
mod jwks;
pub mod listeners;
pub mod manual;
pub mod node;
pub mod reload;
pub mod scrape;
pub mod serve;
mod supervisor;
pub mod telemetry;
mod tls;
pub mod token;
pub mod top;
pub mod traces;

pub use node::Node;
