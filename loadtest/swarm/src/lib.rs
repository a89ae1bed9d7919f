//! A load generator and delivery checker for WebSocket relays. Linux only: it reads `/proc`.
//!
//! - [`cli`]: the command line.
//! - [`client`]: a lean WebSocket client; [`crowd`]: many of them; [`flock`]: several processes of them;
//!   [`sources`]: the addresses they come from.
//! - [`process`]: CPU and memory of a process; [`machine`]: where the figures were made; [`clock`], [`latency`].
//! - [`fanout`]: CPU per delivery and latency, closed loop; [`rooms`]: the same open loop, in many channels.
//! - [`idle`]: memory and heartbeats per connection; [`storm`]: many connect at once; [`drain`]: many are sent away.
//! - [`verify`]: whether every client saw every message once, in order, unharmed; [`rolling`]: whether clients that
//!   come back missed exactly what was published while they were away.
//! - [`slow`]: what one slow reader costs the others.
//! - [`floor`]: servers that do only what no server can do without.
//! - [`bench`](mod@bench): first figures of a server of its own, beside their floor; [`suite`]: all of them, beside
//!   their budgets; [`report`]: what `suite` wrote as tables and figures.
//! - [`output`]: tables for people, JSON for programs; [`chart`]: figures drawn; [`mod@median`].

pub mod bench;
pub mod chart;
pub mod cli;
pub mod client;
pub mod clock;
pub mod crowd;
pub mod drain;
pub mod fanout;
pub mod flock;
pub mod floor;
pub mod idle;
pub mod latency;
pub mod machine;
pub mod median;
pub mod output;
pub mod process;
pub mod report;
pub mod rolling;
pub mod rooms;
pub mod slow;
pub mod sources;
pub mod storm;
pub mod suite;
pub mod verify;
