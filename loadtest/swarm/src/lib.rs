//! A load generator and delivery checker for WebSocket relays. Linux only: it reads `/proc`.
//!
//! - [`cli`]: the command line.
//! - [`client`]: a lean WebSocket client; [`crowd`]: many of them.
//! - [`process`]: CPU and memory of a process; [`machine`]: where the figures were made.
//! - [`fanout`]: CPU per delivery and latency, closed loop; [`floor`]: the same with a bare `send` for a server.
//! - [`idle`]: memory per connection.
//! - [`verify`]: whether every client saw every message once, in order, unharmed.
//! - [`slow`]: what one slow reader costs the others.
//! - [`bench`](mod@bench): first figures of a server of its own, beside their floor.
//! - [`output`]: tables for people, JSON for programs; [`mod@median`].

pub mod bench;
pub mod cli;
pub mod client;
pub mod crowd;
pub mod fanout;
pub mod floor;
pub mod idle;
pub mod machine;
pub mod median;
pub mod output;
pub mod process;
pub mod slow;
pub mod verify;
