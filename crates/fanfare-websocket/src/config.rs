//! The configuration of decoders.

/// The configuration of many connections. Pass the same one at every call for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The side of the decoder.
    pub role: Role,
    /// The largest message in bytes, after decompression. A larger one fails with
    /// [`MessageTooBig`](crate::ProtocolError::MessageTooBig) as soon as a frame declares it, before its bytes are
    /// kept.
    pub max_message: usize,
    /// Whether permessage-deflate was negotiated.
    pub deflate: bool,
}

/// The side of a decoder. It reads the frames of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads the frames of a client, which are masked.
    Server,
    /// Reads the frames of a server, which are not masked.
    Client,
}
