//! What a path means: a channel, or something of the server's.
//!
//! `/ws/{channel}` and the bare `/{channel}` mean the same; `/` is the channel [`LOBBY`]. First path segments that
//! the server keeps, for now and for later, are no channels on a bare path (they are behind `/ws/`).
//!
//! Invariant: a bare path that differs from one of the server's in case or in doubled slashes only is no channel: whoever
//! asks for it means the server's, and must not be let into a channel instead.

use fanfare_core::{Channel, ChannelError};
use percent_encoding::percent_decode_str;

/// The channel of the path `/`.
pub(crate) const LOBBY: &str = "lobby";

/// Why a path means no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// The first segment is the server's.
    #[error("/{0} is kept by the server and is not a channel; a channel of that name is at /ws/{0}")]
    Kept(String),
    /// It begins with two slashes.
    #[error("the path begins with two slashes, which is not a channel: send one slash")]
    TwoSlashes,
    /// The name is no channel name.
    #[error(transparent)]
    Name(#[from] ChannelError),
}

/// The channel of `/ws/{channel}`, given what stands behind `/ws/`, percent-encoded.
///
/// # Errors
/// It is no channel name.
pub(crate) fn channel(encoded: &str) -> Result<Channel, PathError> {
    let name: Vec<u8> = percent_decode_str(encoded).collect();
    Ok(Channel::from_utf8(&name)?)
}

/// The channel of a bare path, percent-encoded, with its first slash.
///
/// # Errors
/// Its first segment is kept or empty, or it is no channel name.
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

/// Whether a path is one of the API.
pub(crate) fn is_of_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// What of the API a path that is not of the API was probably meant for.
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
    fn a_bare_path_is_a_channel_unless_its_first_segment_is_kept() {
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
