//! The header of a frame on the wire (RFC 6455 section 5.2): read and written here, nowhere else.

use crate::config::{Config, Role};
use crate::error::ProtocolError;

/// The longest payload of a control frame, in bytes (section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The longest header, in bytes: two of flags and short length, eight of long length, four of mask.
pub(crate) const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASK: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The kind of a frame (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next fragment of the message in progress.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// A question whether the peer is alive.
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 0xA,
}

impl Opcode {
    const fn from_wire(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            other => return Err(ProtocolError::ReservedOpcode(other)),
        })
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The two kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl From<MessageKind> for Opcode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

/// The first byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the message ends with this frame.
    pub fin: bool,
    /// Whether the message is compressed (RSV1, RFC 7692 section 6); set on its first frame only.
    pub compressed: bool,
    /// The kind of the frame.
    pub opcode: Opcode,
}

impl FrameHead {
    /// A frame that is a whole message or a control frame, not compressed.
    #[must_use]
    pub const fn whole(opcode: Opcode) -> Self {
        Self { fin: true, compressed: false, opcode }
    }

    const fn to_wire(self) -> u8 {
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.compressed { RSV1 } else { 0 };
        fin | rsv1 | self.opcode as u8
    }
}

/// The header of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) head: FrameHead,
    pub(crate) key: Option<[u8; 4]>,
    /// The payload's length in bytes, as the peer declares it.
    pub(crate) length: u64,
}

/// The header at the start of `bytes`, and its length in bytes; `None` while it is incomplete.
pub(crate) fn parse(bytes: &[u8], config: &Config) -> Result<Option<(Header, usize)>, ProtocolError> {
    let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let head = parse_head(first, config.deflate)?;
    let masked = second & MASK != 0;
    match (config.role, masked) {
        (Role::Server, false) => return Err(ProtocolError::NotMasked),
        (Role::Client, true) => return Err(ProtocolError::Masked),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    let short = second & !MASK;
    if head.opcode.is_control() {
        if !head.fin {
            return Err(ProtocolError::ControlFragmented);
        }
        if usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlTooLong);
        }
    }
    let Some((length, rest)) = parse_length(short, rest)? else { return Ok(None) };
    let (key, rest) = if masked {
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (Some(*key), rest)
    } else {
        (None, rest)
    };
    Ok(Some((Header { head, key, length }, bytes.len() - rest.len())))
}

fn parse_head(first: u8, deflate: bool) -> Result<FrameHead, ProtocolError> {
    let compressed = first & RSV1 != 0;
    if first & RSV2_RSV3 != 0 || (compressed && !deflate) {
        return Err(ProtocolError::ReservedBit);
    }
    let opcode = Opcode::from_wire(first & 0x0F)?;
    // RFC 7692 section 6.1: RSV1 may be set on the first fragment of a message, and never on a control frame.
    if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(ProtocolError::ReservedBit);
    }
    Ok(FrameHead { fin: first & FIN != 0, compressed, opcode })
}

fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let (length, rest, least) = match short {
        LENGTH_16 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), rest, u64::from(LENGTH_16))
        }
        LENGTH_64 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*length), rest, u64::from(u16::MAX) + 1)
        }
        length => (u64::from(length), rest, 0),
    };
    if length < least {
        return Err(ProtocolError::LengthNotMinimal);
    }
    if length > i64::MAX.unsigned_abs() {
        return Err(ProtocolError::LengthTopBit);
    }
    Ok(Some((length, rest)))
}

/// The bytes of a frame on the wire, header and payload.
pub(crate) const fn encoded_len(payload: usize, masked: bool) -> usize {
    let length = if payload < LENGTH_16 as usize {
        0
    } else if payload <= u16::MAX as usize {
        2
    } else {
        8
    };
    let mask = if masked { 4 } else { 0 };
    2 + length + mask + payload
}

/// Appends a header. The caller reserves the room.
pub(crate) fn write(out: &mut Vec<u8>, head: FrameHead, length: usize, key: Option<[u8; 4]>) {
    let mask = if key.is_some() { MASK } else { 0 };
    out.push(head.to_wire());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < LENGTH_16 => out.push(mask | short),
        (_, Ok(length)) => {
            out.push(mask | LENGTH_16);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(mask | LENGTH_64);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        out.extend_from_slice(&key);
    }
}
