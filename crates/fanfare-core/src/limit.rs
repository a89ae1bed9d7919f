//! The limits that a node counts.

use crate::{Disconnect, Rate, labels};

labels! {
    /// A limit that a client reached: the label is its key under `[limits]`, where it has one.
    pub enum Limit {
        /// Connections of the node.
        Connections = "connections",
        /// Connections of one address.
        ConnectionsPerAddress = "connections_per_address",
        /// New connections in a second.
        ConnectionsPerSecond = "connections_per_second",
        /// Descriptors: a connection that had asked for nothing was evicted.
        Descriptors = "descriptors",
        /// The time of a handshake: its header, the PROXY header before it, or the body of a request.
        Handshake = "handshake",
        /// The number of headers.
        HeaderCount = "header_count",
        /// The bytes of the headers.
        HeaderBytes = "header_bytes",
        /// The bytes of a channel's name.
        ChannelName = "channel_name",
        /// The bytes of a message, or of a body of the API.
        MessageBytes = "message_bytes",
        /// The time of a message, from its first byte to its last.
        MessageTime = "message_time",
        /// The memory of all messages that came in part.
        IncompleteTotalBytes = "incomplete_total_bytes",
        /// Frames of one connection in a second.
        FramesPerSecond = "frames_per_second",
        /// Bytes of one connection in a second.
        BytesPerSecond = "bytes_per_second",
        /// Channels of one connection.
        ChannelsPerConnection = "channels_per_connection",
        /// Unanswered publishes of one connection, or their bytes: it was not read for a while.
        UnansweredPublishes = "unanswered_publishes",
        /// Bytes that wait for one connection's socket.
        OutboundBytes = "outbound_bytes",
    }
}

impl Limit {
    /// The limit that ended a session, if one did.
    #[must_use]
    pub fn of(disconnect: &Disconnect) -> Option<Self> {
        match disconnect {
            Disconnect::MessageTooBig { .. } => Some(Self::MessageBytes),
            Disconnect::MessageGaveWay => Some(Self::IncompleteTotalBytes),
            Disconnect::MessageTooSlow { .. } => Some(Self::MessageTime),
            Disconnect::RateLimited(Rate::Frames(_)) => Some(Self::FramesPerSecond),
            Disconnect::RateLimited(Rate::Bytes(_)) => Some(Self::BytesPerSecond),
            Disconnect::Slow => Some(Self::OutboundBytes),
            _ => None,
        }
    }
}
