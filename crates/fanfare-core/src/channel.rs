//! Channel names.
//!
//! Invariant: a [`Channel`] is 1 to [`Channel::MAX_BYTES`] bytes of UTF-8, without control characters, without white
//! space, and without characters that hide or reorder others. A name that passed [`Channel::new`] may be put after a
//! Redis prefix, into a log line or into a URL (percent-encoded) without a further check.

use std::{borrow::Borrow, collections::HashMap, fmt, sync::Arc};

/// The name of a channel; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

/// The hash of the maps that each message asks. It is seeded anew in each process, and no client learns a hash: so clients
/// cannot choose names that fall together.
pub type FastHash = foldhash::fast::RandomState;

/// A map by channel.
pub type ChannelMap<V> = HashMap<Channel, V, FastHash>;

/// Why a string is not a channel name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// An empty string.
    #[error("a channel name must not be empty")]
    Empty,
    /// More than [`Channel::MAX_BYTES`] bytes.
    #[error("a channel name has at most {max} bytes, this one has {0}", max = Channel::MAX_BYTES)]
    TooLong(usize),
    /// A control character, white space, or a character that cannot be seen.
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

    /// A channel of this name.
    ///
    /// # Errors
    /// The string is not a channel name.
    pub fn new(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() {
            return Err(ChannelError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(ChannelError::TooLong(name.len()));
        }
        match name.char_indices().find(|(_, c)| is_invisible(*c)) {
            Some((at, found)) => Err(ChannelError::Invisible { found, at }),
            None => Ok(Self(name.into())),
        }
    }

    /// [`Channel::new`], from bytes.
    ///
    /// # Errors
    /// The bytes are not a channel name.
    pub fn from_utf8(name: &[u8]) -> Result<Self, ChannelError> {
        std::str::from_utf8(name).map_err(|_| ChannelError::NotUtf8).and_then(Self::new)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its namespace, which ends at the first `:`. `chat:room-1` and `$chat:room-1` are in `chat`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let name = self.0.strip_prefix('$').unwrap_or(&self.0);
        name.split_once(':').map(|(namespace, _)| namespace)
    }
}

/// Whether a character shows nothing, or changes how others are shown. The joiners U+200C and U+200D are allowed:
/// Persian and emoji need them.
fn is_invisible(c: char) -> bool {
    let is_hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    is_hidden || c.is_control() || c.is_whitespace()
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
        assert_eq!(Channel::new("a\u{202e}b"), Err(ChannelError::Invisible { found: '\u{202e}', at: 1 }));
        assert!(Channel::new("räume/東京:1#?%").is_ok());
        assert!(Channel::new("\u{1f469}\u{200d}\u{1f680}").is_ok(), "one emoji of two");
    }

    #[test]
    fn the_namespace_ends_at_the_first_colon() {
        let namespace = |name| Channel::new(name).unwrap().namespace().map(str::to_owned);
        assert_eq!(namespace("chat:room:1").as_deref(), Some("chat"));
        assert_eq!(namespace("$chat:room").as_deref(), Some("chat"));
        assert_eq!(namespace("lobby"), None);
        assert_eq!(namespace(":x").as_deref(), Some(""));
    }
}
