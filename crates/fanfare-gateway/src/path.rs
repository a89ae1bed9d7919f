//! Which channel a path means.
//!
//! `/ws/{channel}` and the bare `/{channel}` mean the same; `/` is the channel [`LOBBY`]. First path segments that
//! the server keeps, for now and for later, are no channels on a bare path (they are behind `/ws/`).

use fanfare_core::{Channel, ChannelError};
use percent_encoding::percent_decode_str;

/// The channel of the path `/`.
pub const LOBBY: &str = "lobby";

/// First path segments that are kept from bare channels.
pub const KEPT: &[&str] = &[
    "api",
    "ws",
    "app",
    "apps",
    "connection",
    "emulation",
    "socket.io",
    "sockjs",
    "signalr",
    "sse",
    "admin",
    "healthz",
    "readyz",
    "metrics",
    "assets",
];

/// Why a path means no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The first segment is the server's.
    #[error("/{0} is kept by the server and is no channel; a channel of that name is at /ws/{0}")]
    Kept(String),
    /// The name is no channel name.
    #[error(transparent)]
    Name(#[from] ChannelError),
}

/// The channel of `/ws/{channel}`, given what stands behind `/ws/`, percent-encoded.
///
/// # Errors
/// It is no channel name.
pub fn channel(encoded: &str) -> Result<Channel, PathError> {
    let name: Vec<u8> = percent_decode_str(encoded).collect();
    Ok(Channel::from_utf8(&name)?)
}

/// The channel of a bare path, percent-encoded, with its first slash.
///
/// # Errors
/// Its first segment is kept, or it is no channel name.
pub fn bare_channel(path: &str) -> Result<Channel, PathError> {
    let encoded = path.strip_prefix('/').unwrap_or(path);
    let channel = channel(if encoded.is_empty() { LOBBY } else { encoded })?;
    let first = channel.as_str().split('/').next().unwrap_or_default();
    if KEPT.contains(&first) {
        return Err(PathError::Kept(first.to_owned()));
    }
    Ok(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_path_is_a_channel_unless_its_first_segment_is_kept() {
        let name = |path| bare_channel(path).map(|channel| channel.to_string());
        assert_eq!(name("/").as_deref(), Ok(LOBBY));
        assert_eq!(name("/chat").as_deref(), Ok("chat"));
        assert_eq!(name("/rooms/1").as_deref(), Ok("rooms/1"));
        assert_eq!(name("/r%C3%A4ume").as_deref(), Ok("räume"));
        assert_eq!(name("/apiary").as_deref(), Ok("apiary"));
        for path in ["/api", "/api/publish", "/%61pi", "/ws", "/socket.io/x"] {
            assert!(matches!(name(path), Err(PathError::Kept(_))), "{path}");
        }
        assert_eq!(name("/a%20b"), Err(ChannelError::Invisible { found: ' ', at: 1 }.into()));
        assert_eq!(name("/%ff"), Err(ChannelError::NotUtf8.into()));
    }

    #[test]
    fn behind_ws_every_name_is_a_channel() {
        assert_eq!(channel("api").map(|channel| channel.to_string()).as_deref(), Ok("api"));
        assert_eq!(channel(""), Err(ChannelError::Empty.into()));
    }
}
