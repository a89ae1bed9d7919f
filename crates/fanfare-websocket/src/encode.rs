//! Frames appended to a buffer. Each function reserves once, for the whole frame.
//!
//! A server's frames carry no mask (RFC 6455 section 5.1), so the bytes are the same for every receiver and are made
//! once. [`frame`] takes any head and a masking key: for clients, and for tests of fragmentation.

use crate::close::{CloseCode, MAX_REASON, fit_reason};
use crate::deflate::Compressor;
use crate::frame::{self, FrameHead, MAX_CONTROL_PAYLOAD, MessageKind, Opcode};
use crate::mask;

/// Appends a text message.
pub fn text(out: &mut Vec<u8>, text: &str) {
    message(out, MessageKind::Text, text.as_bytes());
}

/// Appends a binary message.
pub fn binary(out: &mut Vec<u8>, payload: &[u8]) {
    message(out, MessageKind::Binary, payload);
}

/// Appends a message in one frame. The bytes of a text message must be UTF-8, which is not checked.
pub fn message(out: &mut Vec<u8>, kind: MessageKind, payload: &[u8]) {
    frame(out, FrameHead::whole(kind.into()), payload, None);
}

/// Appends a message for receivers that negotiated permessage-deflate: compressed with no earlier context, so that
/// all of them share it; or plain, where compression would not make it smaller (see [`crate::deflate`]).
pub fn compressed(out: &mut Vec<u8>, kind: MessageKind, payload: &[u8], compressor: &mut Compressor) {
    match compressor.compress(payload) {
        Some(deflated) => {
            let head = FrameHead { fin: true, compressed: true, opcode: kind.into() };
            frame(out, head, deflated, None);
        }
        None => message(out, kind, payload),
    }
}

/// Appends a ping. A payload is cut to its first 125 bytes.
pub fn ping(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, Opcode::Ping, payload);
}

/// Appends a pong. A payload is cut to its first 125 bytes; that of a ping always fits.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, Opcode::Pong, payload);
}

/// Appends a close frame. A reason longer than 123 bytes is cut at a character's boundary.
pub fn close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let mut payload = Vec::with_capacity(2 + MAX_REASON);
    payload.extend_from_slice(&code.get().to_be_bytes());
    payload.extend_from_slice(fit_reason(reason).as_bytes());
    control(out, Opcode::Close, &payload);
}

/// Appends a close frame without a code: the answer to a close frame without a code.
pub fn close_empty(out: &mut Vec<u8>) {
    control(out, Opcode::Close, &[]);
}

/// Appends any frame, masked if there is a `key` (a client must mask, with a fresh random key per frame; section 5.3).
/// The head is not checked.
pub fn frame(out: &mut Vec<u8>, head: FrameHead, payload: &[u8], key: Option<[u8; 4]>) {
    out.reserve(frame::encoded_len(payload.len(), key.is_some()));
    frame::write(out, head, payload.len(), key);
    let start = out.len();
    out.extend_from_slice(payload);
    if let (Some(key), Some(payload)) = (key, out.get_mut(start..)) {
        mask::apply(payload, key);
    }
}

fn control(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let payload = payload.get(..MAX_CONTROL_PAYLOAD).unwrap_or(payload);
    frame(out, FrameHead::whole(opcode), payload, None);
}
