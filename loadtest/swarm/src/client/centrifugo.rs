//! As much of Centrifugo's protocol, in JSON, as a client needs that subscribes to one channel and reads. Publications are
//! found by their shape, so that reading costs about as much as for a relay client. A slower reader would cost the server
//! too: its bytes would wait longer in the kernel.

use anyhow::ensure;
use memchr::{memchr, memmem};

/// The path of the endpoint.
pub(super) const PATH: &str = "/connection/websocket";

/// The ping and the pong.
pub(super) const PING: &[u8] = b"{}";

/// The number of the command that subscribes.
const SUBSCRIBED: &[u8] = b"{\"id\":2,";

/// The beginning of a push.
const PUSH: &[u8] = b"{\"push\":{\"channel\":\"";

/// A push's part between its channel and its text.
const DATA: &[u8] = b"\",\"pub\":{\"data\":\"";

/// The first frame: it connects, and subscribes with these further members of the command.
pub(super) fn greeting(channel: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    let subscribe = format!("{{\"channel\":\"{channel}\"{comma}{members}}}");
    format!("{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{subscribe}}}")
}

/// Whether a frame has the answer to the subscription.
///
/// # Errors
/// A command was refused.
pub(super) fn is_subscribed(frame: &[u8]) -> anyhow::Result<bool> {
    ensure!(memmem::find(frame, b"\"error\":").is_none(), "{}", String::from_utf8_lossy(frame));
    Ok(frame.split(|byte| *byte == b'\n').any(|line| line.starts_with(SUBSCRIBED)))
}

/// The text of each publication of a frame.
pub(super) fn publications(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let push =
                rest.strip_prefix(PUSH).and_then(|push| push.get(memchr(b'"', push)?..)?.strip_prefix(DATA));
            if let Some((text, behind)) = push.and_then(|data| data.split_at_checked(memchr(b'"', data)?)) {
                rest = next_line(behind);
                return Some(text);
            }
            rest = next_line(rest);
        }
        None
    })
}

fn next_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).and_then(|end| text.get(end + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_has_two_commands() {
        let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"";
        assert_eq!(greeting("a", ""), format!("{commands}}}}}"));
        assert_eq!(greeting("a", "\"delta\":\"fossil\""), format!("{commands},\"delta\":\"fossil\"}}}}"));
    }

    #[test]
    fn a_refusal_is_found() {
        assert!(!is_subscribed(b"{\"id\":1,\"connect\":{\"client\":\"x\"}}").unwrap());
        assert!(is_subscribed(b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{}}").unwrap());
        assert!(is_subscribed(b"{\"id\":2,\"error\":{\"code\":103}}").is_err());
    }

    #[test]
    fn publications_are_found_among_others() {
        let frame =
            b"{}\n{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"one\",\"offset\":1}}}\n{\"id\":3}\n\
            {\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"two\"}}}";
        assert_eq!(publications(frame).collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(publications(PING).count(), 0);
    }
}
