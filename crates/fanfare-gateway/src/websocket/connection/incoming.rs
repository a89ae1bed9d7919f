//! What a connection is read from: the bare socket, or TLS.

use tokio::{io::AsyncRead, net::tcp::OwnedReadHalf};

use crate::tls::socket::{Part, TlsStream};

/// What a connection is read from.
pub(crate) trait Incoming: AsyncRead + Unpin + Send + 'static {
    /// Whether bytes came since the last call that cannot be read yet: some of a TLS record. They are a sign of life
    /// all the same.
    fn came_in_part(&self) -> bool;

    /// What came and cannot be read yet, or was not: it is kept until then.
    fn part(&self) -> Option<Part>;
}

impl Incoming for OwnedReadHalf {
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
