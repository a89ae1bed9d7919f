//! The limits of a connection, and of a node.

use std::time::Duration;

/// The bounds that a node keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest message of a client, and the largest payload relayed, in bytes.
    pub message_bytes: usize,
    /// The time from a message's first byte to its last. Checked once a second.
    pub message_time: Duration,
    /// The memory of unfinished messages of all clients, in bytes. Past it the clients that hold most for longest are
    /// closed.
    pub incomplete_total_bytes: usize,
    /// The frames that one connection may send in a second, pings and fragments included; 0: any number.
    pub frames_per_second: usize,
    /// The bytes that one connection may send in a second; 0: any number. One message may come at once, of any size.
    pub bytes_per_second: usize,
    /// The channels that one connection may join.
    pub channels_per_connection: usize,
    /// The unanswered publishes of one connection, past which it is not read.
    pub unanswered_publishes: usize,
    /// Their bytes, past which it is not read.
    pub unanswered_bytes: usize,
    /// The bytes that may wait for one connection's socket; more than half of them for no longer than a second. An
    /// empty queue always takes one message.
    pub outbound_bytes: usize,
    /// The bytes that may wait for all sockets of the node. Past it the slowest clients are closed. A message counts
    /// for each session that it waits for, though they share its memory.
    pub outbound_total_bytes: usize,
    /// The bytes that may wait between the broker and the shards.
    pub inbound_bytes: usize,
    /// The bytes of publications that the node keeps for channels with history. Past it the least used go first: they
    /// are read from the broker again where they are needed. With a broker in memory they are lost.
    pub history_bytes: usize,
    /// The time of a handshake, the broker's confirmation included.
    pub handshake: Duration,
    /// The time of a closing connection to read what is queued for it and to close.
    pub goodbye: Duration,
    /// The time that a publish may wait before it is written to the broker. Then it is refused.
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
            history_bytes: 64 << 20,
            handshake: Duration::from_secs(5),
            goodbye: Duration::from_secs(5),
            publish_wait: Duration::from_secs(2),
        }
    }
}

/// How the sessions of one dialect are kept alive, and given up. In whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The time between pings. The first ping comes at random within it.
    pub ping_interval: Duration,
    /// The time in which a client must send something after a ping.
    pub pong_timeout: Duration,
    /// The time that a session may pass without a message in either direction; zero: for ever. Pings are not messages.
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
