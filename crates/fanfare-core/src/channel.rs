//! Channel names.
//!
//! Invariant: a [`Channel`] is 1 to [`Channel::MAX_BYTES`] bytes of UTF-8 without control characters and
//! without white space. Whatever passed [`Channel::new`] may be put behind a Redis prefix, into a log line
//! or into a URL (percent-encoded) without a further check.

use std::{borrow::Borrow, fmt, sync::Arc};

/// The name of a channel; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

/// Why a string is no channel name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Nothing was given.
    #[error("a channel name must not be empty")]
    Empty,
    /// More than [`Channel::MAX_BYTES`].
    #[error("a channel name has at most {max} bytes, this one has {0}", max = Channel::MAX_BYTES)]
    TooLong(usize),
    /// A control character or white space.
    #[error("a channel name has visible characters only, this one has {found:?} at byte {at}")]
    Invisible {
        /// The first such character.
        found: char,
        /// Where it begins.
        at: usize,
    },
    /// Not UTF-8.
    #[error("a channel name must be UTF-8")]
    NotUtf8,
}

impl Channel {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// A [`ChannelError`] that says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() {
            return Err(ChannelError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(ChannelError::TooLong(name.len()));
        }
        match name.char_indices().find(|(_, c)| c.is_control() || c.is_whitespace()) {
            Some((at, found)) => Err(ChannelError::Invisible { found, at }),
            None => Ok(Self(name.into())),
        }
    }

    /// As [`Channel::new`], from bytes that should be UTF-8.
    ///
    /// # Errors
    /// A [`ChannelError`] that says what is wrong with it.
    pub fn from_utf8(name: &[u8]) -> Result<Self, ChannelError> {
        std::str::from_utf8(name).map_err(|_| ChannelError::NotUtf8).and_then(Self::new)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `:`, the name of its namespace: `chat:room-1` is in `chat`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.split_once(':').map(|(namespace, _)| namespace)
    }
}

impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_and_short() {
        assert_eq!(Channel::new(""), Err(ChannelError::Empty));
        assert_eq!(Channel::new("a b"), Err(ChannelError::Invisible { found: ' ', at: 1 }));
        assert_eq!(Channel::new("a\0"), Err(ChannelError::Invisible { found: '\0', at: 1 }));
        assert_eq!(Channel::new(&"x".repeat(256)), Err(ChannelError::TooLong(256)));
        assert_eq!(Channel::from_utf8(b"\xff"), Err(ChannelError::NotUtf8));
        assert!(Channel::new(&"x".repeat(255)).is_ok());
        assert!(Channel::new("räume/東京:1#?%").is_ok());
    }

    #[test]
    fn the_namespace_ends_at_the_first_colon() {
        let namespace = |name| Channel::new(name).unwrap().namespace().map(str::to_owned);
        assert_eq!(namespace("chat:room:1").as_deref(), Some("chat"));
        assert_eq!(namespace("lobby"), None);
        assert_eq!(namespace(":x").as_deref(), Some(""));
    }
}
