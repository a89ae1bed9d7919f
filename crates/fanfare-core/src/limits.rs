//! How much one connection, and one node, may hold.

use std::time::Duration;

/// The bounds a node keeps. Nothing grows past them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest message of a client, and the largest payload relayed, in bytes.
    pub message_bytes: usize,
    /// How long a message may take from its first byte to its last. Looked at once a second.
    pub message_time: Duration,
    /// How much memory messages of this node's clients may take that came in part, in bytes; past it those that hold
    /// most for longest give way.
    pub incomplete_total_bytes: usize,
    /// How many frames of a transport one connection may send in a second, pings and fragments among them; 0: any.
    pub frames_per_second: usize,
    /// How many bytes; 0: any. One message may come at once, however large.
    pub bytes_per_second: usize,
    /// How many channels one connection may hold.
    pub channels_per_connection: usize,
    /// How many publications of one connection may be unanswered before no more is read from it.
    pub unanswered_publishes: usize,
    /// How many bytes of them.
    pub unanswered_bytes: usize,
    /// How many bytes may wait for one connection's socket; half of it for no longer than a second. An empty queue
    /// always takes one message.
    pub outbound_bytes: usize,
    /// How many bytes may wait for the sockets of this node in all; past it the slowest go first. A message counts
    /// for each session that it waits for, though they share its memory.
    pub outbound_total_bytes: usize,
    /// How many bytes may wait between the broker and the shards.
    pub inbound_bytes: usize,
    /// How long a handshake may take, the broker's confirmation included.
    pub handshake: Duration,
    /// How long a closing connection may take to read what is queued for it and to say goodbye.
    pub goodbye: Duration,
    /// How long a publication may wait before it is written to the broker; then it is refused.
    pub publish_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 10,
            message_time: Duration::from_secs(64),
            incomplete_total_bytes: 256 << 20,
            frames_per_second: 0,
            bytes_per_second: 0,
            channels_per_connection: 128,
            unanswered_publishes: 64,
            unanswered_bytes: 256 << 10,
            outbound_bytes: 1 << 20,
            outbound_total_bytes: 256 << 20,
            inbound_bytes: 16 << 20,
            handshake: Duration::from_secs(5),
            goodbye: Duration::from_secs(5),
            publish_wait: Duration::from_secs(2),
        }
    }
}

/// How the sessions of one dialect are kept alive, and given up. Whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often a client is pinged. The first time is at random within it.
    pub ping_interval: Duration,
    /// How long after a ping a client may show no sign of life.
    pub pong_timeout: Duration,
    /// How long a session may pass without a message in either direction; zero: for ever. Pings are none.
    pub idle_timeout: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30 * 60),
        }
    }
}
