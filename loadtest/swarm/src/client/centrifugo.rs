//! As much of Centrifugo's protocol, in JSON, as a client needs that subscribes to one channel and reads. Publications are
//! found by their shape, so that reading costs about as much as for a relay client.

use anyhow::ensure;

/// The path of the endpoint.
pub(super) const PATH: &str = "/connection/websocket";

/// The ping and the pong.
pub(super) const PING: &[u8] = b"{}";

/// The number of the command that subscribes.
const SUBSCRIBED: &[u8] = b"{\"id\":2,";

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
    let lines = || frame.split(|byte| *byte == b'\n');
    ensure!(!lines().any(|line| has(line, b"\"error\":")), "{}", String::from_utf8_lossy(frame));
    Ok(lines().any(|line| line.starts_with(SUBSCRIBED)))
}

/// The text of each publication of a frame.
pub(super) fn publications(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    frame.split(|byte| *byte == b'\n').filter_map(|line| {
        let push = line.strip_prefix(b"{\"push\":{\"channel\":\"")?;
        let data = after(push, b"\"data\":\"")?;
        data.split(|byte| *byte == b'"').next()
    })
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The text behind the first of these parts.
fn after<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(part.len()).position(|window| window == part)?;
    text.get(at + part.len()..)
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
