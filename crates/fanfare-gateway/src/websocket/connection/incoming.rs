//! The reading side of a socket: bare, or TLS.

use tokio::io::AsyncRead;

use crate::{
    tls::socket::{Part, TlsStream},
    websocket::socket::SocketReader,
};

/// The reading side of a socket.
pub(crate) trait Incoming: AsyncRead + Unpin + Send + 'static {
    /// Whether bytes came since the last call that cannot be read yet: a part of a TLS record. They are a sign of life
    /// too.
    fn came_in_part(&self) -> bool;

    /// The bytes that came and were not read, if any. They are kept until they are read.
    fn part(&self) -> Option<Part>;
}

impl Incoming for SocketReader {
    fn came_in_part(&self) -> bool {
        false
    }

    fn part(&self) -> Option<Part> {
        None
    }
}

impl Incoming for TlsStream {
    fn came_in_part(&self) -> bool {
        self.came_in_part()
    }

    fn part(&self) -> Option<Part> {
        self.part()
    }
}
