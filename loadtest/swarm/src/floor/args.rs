//! The flags of a floor's server.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};

/// The work of a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// For each frame from its first socket, it sends a frame of the same payload length to each of its sockets, with
    /// `batch` frames in one `send`. It does not look at the bytes that it reads.
    Send,
    /// It accepts, reads the request, writes the 101, and passes messages on to all clients of the same path: one `send`
    /// to each client for each read. Without limits and a second thread; with `redis` through that Redis and back.
    Relay,
    /// It pings each socket once in `interval`, a part of them each second, and reads the pongs.
    Ping,
}

/// The flags of a floor's server.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// The work
    #[arg(long, value_enum)]
    pub kind: Kind,
    /// Sockets to accept
    #[arg(long)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// Frames of one `send`
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// Seconds between two pings of one socket
    #[arg(long, default_value_t = 25)]
    pub interval: u64,
    /// The Redis through which a relay passes messages
    #[arg(long)]
    pub redis: Option<SocketAddr>,
}

impl FloorArgs {
    /// A floor that sends.
    #[must_use]
    pub const fn send(subscribers: usize, bytes: usize, batch: usize) -> Self {
        Self { kind: Kind::Send, subscribers, bytes, batch, interval: 0, redis: None }
    }

    /// A floor that relays, directly or through this Redis.
    #[must_use]
    pub const fn relay(subscribers: usize, redis: Option<SocketAddr>) -> Self {
        Self { kind: Kind::Relay, subscribers, bytes: 0, batch: 1, interval: 0, redis }
    }

    /// A floor that pings.
    #[must_use]
    pub const fn ping(subscribers: usize, interval: Duration) -> Self {
        Self { kind: Kind::Ping, subscribers, bytes: 0, batch: 1, interval: interval.as_secs(), redis: None }
    }
}

/// The payload for floor and server.
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}
