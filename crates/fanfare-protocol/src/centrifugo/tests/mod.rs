//! Golden vectors of every message, and a test of each rule of the protocol.
//!
//! The Protobuf of the vectors was made from their JSON by the generated code of PyPI's `centrifuge-python` 0.7: other
//! code than ours, from the protocol's own definitions.

mod anything;
mod commands;
mod delta;
mod ends;
mod filters;
mod pushes;
mod replies;
mod rules;
mod unidirectional;

use bytes::Bytes;
use fanfare_core::{
    Attributes, Channel, ClientId, Command, Decoder, Dialect, Disconnect, Epoch, Incarnation, Message,
    Payload, Position, Publication, Request, SessionId, presence::PresenceEntry,
};

use super::{Centrifugo, CentrifugoDecoder};

const JSON: Centrifugo = Centrifugo::json();
const PROTOBUF: Centrifugo = Centrifugo::protobuf();
const CONNECT: &str = r#"{"id":1,"connect":{}}"#;

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

/// `00c0ffee00c0ffee-17`.
fn client() -> ClientId {
    ClientId { node: Incarnation(0xC0_FFEE_00C0_FFEE), session: SessionId(17) }
}

/// In the epoch `00000000000000ab`.
fn at(offset: u64) -> Position {
    Position { epoch: Epoch(0xAB), offset }
}

fn entry() -> PresenceEntry {
    PresenceEntry {
        client: client(),
        user: Some("u".to_owned()),
        client_info: Some(Bytes::from(r#"{"c": 1}"#)),
        channel_info: Some(Bytes::from("2")),
    }
}

fn publication(payload: Payload, position: Option<Position>, attributes: Option<Attributes>) -> Publication {
    Publication::new(channel("a"), payload, None).at(position).with_attributes(attributes.map(Box::new))
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message of a dialect, as text or in hexadecimal digits.
fn said(message: &Message) -> String {
    match message {
        Message::Text(bytes) => std::str::from_utf8(bytes).unwrap().to_owned(),
        Message::Binary(bytes) => hex(bytes),
    }
}

/// The requests of a frame, and the end of the session if it ended.
fn decode(decoder: &mut CentrifugoDecoder, frame: Message) -> (Vec<Request>, Option<Disconnect>) {
    let mut requests = Vec::new();
    let end = decoder.decode(frame, &mut requests).err();
    (requests, end)
}

/// The requests of a JSON frame, from a client that has connected.
fn json(frame: &str) -> (Vec<Request>, Option<Disconnect>) {
    let mut decoder = CentrifugoDecoder::json();
    assert_eq!(decode(&mut decoder, text(CONNECT)).1, None);
    decode(&mut decoder, text(frame))
}

/// The same in Protobuf, from hexadecimal digits.
fn protobuf(frame: &str) -> (Vec<Request>, Option<Disconnect>) {
    let mut decoder = CentrifugoDecoder::protobuf();
    assert_eq!(decode(&mut decoder, binary("0408012200")).1, None);
    decode(&mut decoder, binary(frame))
}

fn text(frame: &str) -> Message {
    Message::Text(Bytes::copy_from_slice(frame.as_bytes()))
}

fn binary(frame: &str) -> Message {
    Message::Binary(unhex(frame).into())
}

/// The only command of a JSON frame.
fn command(frame: &str) -> Command {
    match json(frame) {
        (requests, None) => match <[_; 1]>::try_from(requests) {
            Ok([Request::Command(command)]) => command,
            other => panic!("{frame}: {other:?}"),
        },
        other => panic!("{frame}: {other:?}"),
    }
}

/// The code of the error that a JSON command is answered with by the decoder.
fn error_code(frame: &str) -> u64 {
    let (requests, end) = json(frame);
    assert_eq!(end, None, "{frame}");
    let [Request::Answer(message)] = &requests[..] else { panic!("{frame}: {requests:?}") };
    let reply: serde_json::Value = serde_json::from_slice(message.bytes()).unwrap();
    assert!(reply["id"].is_u64() && !reply["error"]["message"].as_str().unwrap().is_empty(), "{reply}");
    reply["error"]["code"].as_u64().unwrap()
}

/// The close code by which a JSON frame ends the session.
fn close_code(frame: &str) -> u16 {
    let (_, end) = json(frame);
    JSON.goodbye(&end.unwrap_or_else(|| panic!("{frame} did not end the session"))).frame.unwrap().code
}
