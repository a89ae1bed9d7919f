//! The meaning of a path: a channel, or a path of the server.
//!
//! `/ws/{channel}` and the bare `/{channel}` mean the same; `/` is the channel [`LOBBY`]. A first path segment that the
//! server keeps is not a channel on a bare path. A channel of that name is behind `/ws/`.
//!
//! Invariant: a bare path that differs from a path of the server only in case or in doubled slashes is not a channel. A
//! client that asks for it means the server's, and must not join a channel instead.

use fanfare_core::{Channel, ChannelError};
use percent_encoding::percent_decode_str;

/// The channel of the path `/`.
pub(crate) const LOBBY: &str = "lobby";

/// Why a path is not a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// The server keeps the first segment.
    #[error("/{0} is kept by the server and is not a channel; every channel is at /ws/CHANNEL")]
    Kept(String),
    /// The path begins with two slashes.
    #[error("the path begins with two slashes, which is not a channel: send one slash")]
    TwoSlashes,
    /// The name is not a channel name.
    #[error(transparent)]
    Name(#[from] ChannelError),
}

/// The channel of `/ws/{channel}`, from the percent-encoded rest of the path behind `/ws/`.
///
/// # Errors
/// It is not a channel name.
pub(crate) fn channel(encoded: &str) -> Result<Channel, PathError> {
    let name: Vec<u8> = percent_decode_str(encoded).collect();
    Ok(Channel::from_utf8(&name)?)
}

/// The channel of a bare path, percent-encoded, with its first slash.
///
/// # Errors
/// Its first segment is kept or empty, or it is not a channel name.
pub(crate) fn bare_channel(path: &str, is_kept: impl Fn(&str) -> bool) -> Result<Channel, PathError> {
    let encoded = path.strip_prefix('/').unwrap_or(path);
    let channel = channel(if encoded.is_empty() { LOBBY } else { encoded })?;
    let first = channel.as_str().split('/').next().unwrap_or_default();
    if first.is_empty() {
        return Err(PathError::TwoSlashes);
    }
    if is_kept(first) {
        return Err(PathError::Kept(first.to_owned()));
    }
    Ok(channel)
}

/// Whether the path is one of the API, or answers as the API does.
pub(crate) fn is_of_api(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/publish/")
}

/// The call of the API that a path outside of the API was probably meant for.
pub(crate) fn near_api(path: &str) -> Option<&'static str> {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let segments: Vec<_> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        [.., "publish"] => Some("POST /api/publish"),
        [.., "api", "cluster"] => Some("GET /api/cluster"),
        ["api", ..] => Some("POST /api/publish or GET /api/cluster"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_path_is_a_channel_unless_kept() {
        let is_kept =
            |first: &str| ["api", "ws", "socket.io", "live"].contains(&&*first.to_ascii_lowercase());
        let name = |path| bare_channel(path, is_kept).map(|channel| channel.to_string());
        assert_eq!(name("/").as_deref(), Ok(LOBBY));
        assert_eq!(name("/chat").as_deref(), Ok("chat"));
        assert_eq!(name("/rooms/1").as_deref(), Ok("rooms/1"));
        assert_eq!(name("/r%C3%A4ume").as_deref(), Ok("räume"));
        assert_eq!(name("/apiary").as_deref(), Ok("apiary"));
        for path in
            ["/api", "/api/publish", "/%61pi", "/API/publish", "/Ws/chat", "/ws", "/socket.io/x", "/live"]
        {
            assert!(matches!(name(path), Err(PathError::Kept(_))), "{path}");
        }
        assert_eq!(name("//chat"), Err(PathError::TwoSlashes));
        assert_eq!(name("/chat//1").as_deref(), Ok("chat//1"));
        assert_eq!(name("/a%20b"), Err(ChannelError::Invisible { found: ' ', at: 1 }.into()));
        assert_eq!(name("/%ff"), Err(ChannelError::NotUtf8.into()));
    }

    #[test]
    fn behind_ws_every_name_is_a_channel() {
        assert_eq!(channel("api").map(|channel| channel.to_string()).as_deref(), Ok("api"));
        assert_eq!(channel(""), Err(ChannelError::Empty.into()));
    }

    #[test]
    fn a_near_miss_of_the_api_is_known() {
        for path in
            ["//api/publish", "/publish", "/API/publish", "/api/Publish/", "/v1/publish", "/%61pi//publish"]
        {
            assert_eq!(near_api(path), Some("POST /api/publish"), "{path}");
        }
        assert_eq!(near_api("//api/cluster"), Some("GET /api/cluster"));
        assert_eq!(near_api("/Api"), Some("POST /api/publish or GET /api/cluster"));
        for path in ["", "*", "/", "/chat", "/cluster", "/publishers", "/publish/1"] {
            assert_eq!(near_api(path), None, "{path}");
        }
    }
}
