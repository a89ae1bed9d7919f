//! What a connection is read from: the bare socket, or TLS.

use tokio::{io::AsyncRead, net::tcp::OwnedReadHalf};

/// What a connection is read from.
pub trait Incoming: AsyncRead + Unpin + Send + 'static {
    /// Whether bytes came since the last call that cannot be read yet: some of a TLS record. They are a sign of life
    /// all the same.
    fn came_in_part(&self) -> bool;

    /// What came and cannot be read yet, or was not: it is kept until then.
    fn part(&self) -> Option<Part>;
}

/// A TLS record that is not whole, and what was decrypted and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Nobody was told of this record yet, or it is not one.
    pub is_new: bool,
    /// The memory that it takes.
    pub bytes: usize,
}

impl Incoming for OwnedReadHalf {
    fn came_in_part(&self) -> bool {
        false
    }

    fn part(&self) -> Option<Part> {
        None
    }
}
