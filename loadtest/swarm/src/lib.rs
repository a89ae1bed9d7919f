//! A load generator and delivery checker for WebSocket relays. Linux only: it reads `/proc`.
//!
//! - [`cli`]: the command line
//! - `api`: the HTTP API; [`position`]: a place in a history
//! - [`client`]: a lean WebSocket client; [`connect`]: many of them; [`connection_pool`]: several processes of them, and
//!   [`worker`]: one of these; [`sources`]: their addresses
//! - [`process`]: CPU and memory of a process; [`machine`]; [`clock`]; [`latency`]; [`mod@median`]
//! - [`fanout`]: CPU per delivery and latency, closed loop; [`rooms`]: the same, open loop, in many channels
//! - [`idle`]: memory and heartbeats per connection; [`storm`]: many connect at once; [`drain`]: many are closed
//! - [`verify`]: checks that every client saw every message once, in order, unchanged; [`rolling`]: checks that clients
//!   missed only messages that were published while they were away
//! - [`slow`]: the cost of a slow reader for the others
//! - [`floor`]: servers that do only what every server must do; `servers`: Fanfare and Redis
//! - [`bench`](mod@bench): first figures, beside their floor, in [`rounds`]; [`suite`]: all figures, beside their budgets;
//!   [`report`]: the page with these
//! - [`output`]: [tables](table) for people, JSON for programs; [`chart`]: charts; [`number`]: numbers as text

mod api;
pub mod bench;
pub mod chart;
pub mod cli;
pub mod client;
pub mod clock;
pub mod connect;
pub mod connection_pool;
pub mod drain;
pub mod fanout;
pub mod floor;
pub mod idle;
pub mod latency;
pub mod machine;
pub mod median;
pub mod number;
pub mod output;
pub mod position;
pub mod process;
pub mod report;
pub mod rolling;
pub mod rooms;
pub mod rounds;
mod sequence;
mod servers;
pub mod slow;
pub mod sources;
pub mod storm;
pub mod suite;
pub mod table;
pub mod verify;
pub mod worker;
