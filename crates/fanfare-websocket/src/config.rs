//! What a decoder is told by its caller.

/// What is common to many connections: pass the same one at every call for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Which side the decoder is.
    pub role: Role,
    /// The largest message in bytes, after decompression. A larger one fails with
    /// [`MessageTooBig`](crate::ProtocolError::MessageTooBig) as soon as a frame declares it, before its bytes are kept.
    pub max_message: usize,
    /// Whether permessage-deflate was negotiated.
    pub deflate: bool,
}

/// Which side of the connection the decoder is on; it reads the other side's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads a client's frames, which are masked.
    Server,
    /// Reads a server's frames, which are not.
    Client,
}
