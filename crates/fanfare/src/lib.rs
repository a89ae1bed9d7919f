//! The binary: command line, configuration, telemetry, composition root.
//!
//! - [`cli`]: what can be asked of the binary
//! - [`config`]: what a node runs with, and every mistake in it
//! - [`serve`]: a node from its configuration to its last goodbye
//! - [`node`]: the composition root; [`listeners`]: the sockets it listens on; [`drain`]: how it ends
//! - [`reload`]: what SIGHUP changes, and new certificates; `tls`: what listeners speak
//! - `supervisor`: what systemd is told
//! - [`descriptors`]: how many descriptors the process has
//! - [`telemetry`]: where log lines go, and how many; [`traces`]: spans, and where they go; [`scrape`]: metrics that are
//!   read when somebody asks for them; `bounds`: how high some of them may get
//! - [`token`]: issues and checks tokens
//! - [`health`], [`top`]: ask running nodes; [`ask`]: how; [`advertise`]: where they say that they are asked

pub mod advertise;
pub mod ask;
mod bounds;
pub mod cli;
pub mod config;
pub mod descriptors;
pub mod drain;
pub mod health;
pub mod listeners;
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
