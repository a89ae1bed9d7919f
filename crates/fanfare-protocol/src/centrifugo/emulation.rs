//! The requests of clients that send over HTTP, and get their replies down a stream.

use bytes::Bytes;
use prost::Message as _;

use super::wire::EmulationRequest;

/// Commands for a session, and the names by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulated {
    /// The secret name of the session.
    pub session: String,
    /// Its node.
    pub node: String,
    /// The commands, framed as over a WebSocket.
    pub commands: Bytes,
}

impl Emulated {
    /// The request in a JSON body, whose commands are a text. `None` where the body is not one.
    #[must_use]
    pub fn from_json(body: &[u8]) -> Option<Self> {
        let EmulationRequest { session, node, data } = serde_json::from_slice(body).ok()?;
        Some(Self { session, node, commands: data })
    }

    /// The request in a Protobuf body. `None` where the body is not one.
    #[must_use]
    pub fn from_protobuf(body: &[u8]) -> Option<Self> {
        let EmulationRequest { session, node, data } = EmulationRequest::decode(body).ok()?;
        Some(Self { session, node, commands: data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_carry_the_commands() {
        let names = |found: Emulated| (found.session, found.node);
        let json =
            Emulated::from_json(br#"{"session":"s","node":"n","data":"{\"id\":2}\n{}","x":1}"#).unwrap();
        assert_eq!(json.commands, "{\"id\":2}\n{}");
        assert_eq!(names(json), ("s".into(), "n".into()));
        let protobuf = Emulated::from_protobuf(b"\x0a\x01n\x12\x01s\x1a\x02\x01\xff").unwrap();
        assert_eq!(protobuf.commands, &b"\x01\xff"[..]);
        assert_eq!(names(protobuf), ("s".into(), "n".into()));
        for wrong in
            ["", "[]", "{}", r#"{"session":"s","node":"n"}"#, r#"{"session":1,"node":"n","data":""}"#]
        {
            assert_eq!(Emulated::from_json(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Emulated::from_protobuf(b"\x0a\x09s"), None);
    }
}
