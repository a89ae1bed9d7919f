//! The framing of messages by a WebSocket.
//!
//! The frames of a server carry no mask, so one encoding serves every connection of the same framing.

use std::cell::RefCell;

use fanfare_core::{CloseFrame, FramingId, Message, Transport};
use fanfare_websocket::{CloseCode, MessageKind, deflate::Compressor, encode};

/// RFC 6455 frames.
pub(crate) static PLAIN: WebSocket = WebSocket { framing: FramingId(0) };

/// RFC 6455 frames with permessage-deflate (RFC 7692), without context takeover: compressed once, shared by all.
pub(crate) static DEFLATE: WebSocket = WebSocket { framing: FramingId(1) };

thread_local! {
    /// A compressor takes some hundred kilobytes, so all connections of a thread share one.
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new());
}

/// The WebSocket as a transport.
#[derive(Debug)]
pub(crate) struct WebSocket {
    framing: FramingId,
}

impl Transport for WebSocket {
    fn framing(&self) -> FramingId {
        self.framing
    }

    fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        let (kind, payload) = match message {
            Message::Text(bytes) => (MessageKind::Text, bytes),
            Message::Binary(bytes) => (MessageKind::Binary, bytes),
        };
        if self.framing == DEFLATE.framing {
            COMPRESSOR.with_borrow_mut(|compressor| encode::compressed(out, kind, payload, compressor));
        } else {
            encode::message(out, kind, payload);
        }
    }

    fn ping(&self, out: &mut Vec<u8>) {
        encode::ping(out, &[]);
    }

    fn pong(&self, payload: &[u8], out: &mut Vec<u8>) {
        encode::pong(out, payload);
    }

    fn close(&self, frame: &CloseFrame, out: &mut Vec<u8>) {
        match CloseCode::new(frame.code) {
            Some(code) => encode::close(out, code, &frame.reason),
            None => encode::close_empty(out),
        }
    }
}
