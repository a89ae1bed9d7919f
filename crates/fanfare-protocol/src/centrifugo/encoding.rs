//! The two encodings of messages, and how several messages share a frame.

use bytes::Bytes;
use fanfare_core::Message;
use prost::Message as _;

use super::wire::{Command, Reply};

/// How messages become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// JSON objects with line ends between them.
    Json,
    /// Protobuf messages, each behind its length as a varint.
    Protobuf,
}

/// The bytes are not a command.
#[derive(Debug)]
pub(super) struct NotACommand;

impl Encoding {
    /// Takes the first command of a frame. The rest of the frame is left in `frame`, and `None` where nothing is left.
    pub(super) fn take_command(self, frame: &mut Option<&[u8]>) -> Option<Result<Command, NotACommand>> {
        let bytes = frame.take()?;
        Some(match self {
            Self::Json => take_json(bytes, frame),
            Self::Protobuf => take_protobuf(bytes, frame),
        })
    }

    /// The message of a reply.
    pub(super) fn message(self, reply: &Reply) -> Message {
        match self {
            // Nothing in a reply fails to be JSON: its keys are texts, and a payload that is not JSON becomes a text.
            Self::Json => Message::Text(serde_json::to_vec(reply).unwrap_or_default().into()),
            Self::Protobuf => Message::Binary(reply.encode_length_delimited_to_vec().into()),
        }
    }

    /// The message that asks for a sign of life: a reply without anything in it.
    pub(super) fn ping(self) -> Message {
        match self {
            Self::Json => Message::Text(Bytes::from_static(b"{}")),
            Self::Protobuf => Message::Binary(Bytes::from_static(&[0])),
        }
    }
}

/// One line end after the last command is allowed. A frame without a command is not.
fn take_json<'a>(bytes: &'a [u8], rest: &mut Option<&'a [u8]>) -> Result<Command, NotACommand> {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    *rest = parts.next().filter(|rest| !rest.is_empty());
    // serde takes arrays for structs too.
    let is_object = line.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(line).ok()).flatten().ok_or(NotACommand)
}

fn take_protobuf<'a>(mut bytes: &'a [u8], rest: &mut Option<&'a [u8]>) -> Result<Command, NotACommand> {
    let length = prost::decode_length_delimiter(&mut bytes).map_err(|_| NotACommand)?;
    let (command, after) = bytes.split_at_checked(length).ok_or(NotACommand)?;
    *rest = Some(after).filter(|after| !after.is_empty());
    // From a slice rather than from `Bytes`: a payload that is kept must not hold the whole frame in memory.
    Command::decode(command).map_err(|_| NotACommand)
}
