//! The state of a decoder while a frame or a message is incomplete.

use super::message::Message;
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{self, Header, MAX_HEADER, MessageKind, Opcode};
use crate::mask;

/// The incomplete frame and message.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The start of the next frame's header.
    pub(super) header: HeaderBytes,
    /// The frame whose payload is being read.
    pub(super) frame: Option<Frame>,
    /// The payload so far of a control frame, which may come between the fragments of a message.
    pub(super) control: Vec<u8>,
    /// The message so far.
    pub(super) message: Option<Message>,
    /// Whether the caller knows of it.
    pub(super) told: bool,
}

impl Partial {
    pub(super) const fn is_idle(&self) -> bool {
        self.header.is_empty() && self.frame.is_none() && self.control.is_empty() && self.message.is_none()
    }

    /// Its memory in bytes, at most.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.control.capacity() + self.message.as_ref().map_or(0, Message::held)
    }
}

/// A frame whose header is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) fin: bool,
    /// Bytes of payload that have not come yet.
    pub(super) remaining: u64,
    /// The masking key, rotated to the next byte.
    key: Option<[u8; 4]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum FrameKind {
    /// Close, ping or pong.
    Control(Opcode),
    /// The first bytes of a message.
    Start {
        /// Text or binary.
        kind: MessageKind,
        /// Whether the message is to be inflated.
        compressed: bool,
    },
    /// Later bytes of a message: a continuation frame, or the rest of a first one.
    Continue,
}

impl Frame {
    pub(super) const fn new(header: Header) -> Self {
        let Header { head, key, length } = header;
        let compressed = head.compressed;
        let kind = match head.opcode {
            Opcode::Text => FrameKind::Start { kind: MessageKind::Text, compressed },
            Opcode::Binary => FrameKind::Start { kind: MessageKind::Binary, compressed },
            Opcode::Continuation => FrameKind::Continue,
            control @ (Opcode::Close | Opcode::Ping | Opcode::Pong) => FrameKind::Control(control),
        };
        Self { kind, fin: head.fin, remaining: length, key }
    }

    /// Takes the part of the payload that came off `rest`, unmasked.
    pub(super) fn take_payload<'a>(&mut self, rest: &mut &'a mut [u8]) -> &'a mut [u8] {
        let payload = self.split_payload(rest);
        if let Some(key) = &mut self.key {
            mask::apply(payload, *key);
            if self.remaining > 0 {
                *key = mask::rotate(*key, payload.len());
            }
        }
        payload
    }

    /// Takes the part of the payload that came off `rest`, still masked. The key is wrong for the rest of the payload
    /// then.
    pub(super) fn split_payload<'a>(&mut self, rest: &mut &'a mut [u8]) -> &'a mut [u8] {
        let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
        let payload = rest.split_off_mut(..length).unwrap_or_default();
        self.remaining -= payload.len() as u64;
        payload
    }
}

/// A header that came in pieces.
#[derive(Debug, Default)]
pub(super) struct HeaderBytes {
    bytes: [u8; MAX_HEADER],
    length: u8,
}

impl HeaderBytes {
    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes bytes off `rest` until the header is complete.
    pub(super) fn complete(
        &mut self,
        rest: &mut &mut [u8],
        config: &Config,
    ) -> Result<Option<Header>, ProtocolError> {
        while let Some(byte) = rest.split_off_first_mut() {
            // Full only if `parse` asked for more than the longest header, which it does not.
            if let Some(slot) = self.bytes.get_mut(usize::from(self.length)) {
                *slot = *byte;
                self.length += 1;
            }
            let so_far = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
            if let Some((header, _)) = frame::parse(so_far, config)? {
                self.length = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}
