//! The clients' own counts of their connections, byte by byte.

use std::collections::BTreeMap;

use fanfare_testkit::{Endpoint, RawClient};
use fanfare_websocket::{FrameHead, Opcode, encode};

/// Connections, and the traffic on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) opened: u64,
    pub(crate) messages_received: u64,
    pub(crate) bytes_received: u64,
    pub(crate) messages_sent: u64,
    pub(crate) bytes_sent: u64,
    /// Closes, by code as a label and by reason.
    pub(crate) closed: BTreeMap<(String, String), u64>,
}

/// A client that keeps a ledger as the node should.
pub(crate) struct Member {
    raw: RawClient,
    pub(crate) ledger: Ledger,
}

impl Member {
    /// A client with its 101.
    pub(crate) async fn join(node: Endpoint, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut raw = node.raw().await;
        raw.upgrade(path, headers).await.is(101, "");
        Self { raw, ledger: Ledger { opened: 1, ..Ledger::default() } }
    }

    /// Sends a frame.
    pub(crate) async fn frame(&mut self, head: FrameHead, payload: &[u8]) {
        let mut bytes = Vec::new();
        encode::frame(&mut bytes, head, payload, Some([1, 2, 3, 4]));
        self.ledger.bytes_received += bytes.len() as u64;
        self.raw.send(&bytes).await;
    }

    /// Sends a message in this number of frames.
    pub(crate) async fn message(&mut self, opcode: Opcode, payload: &[u8], frames: usize) {
        for number in 0..frames {
            let opcode = if number == 0 { opcode } else { Opcode::Continuation };
            let head = FrameHead { fin: number + 1 == frames, compressed: false, opcode };
            self.frame(head, if number == 0 { payload } else { &[] }).await;
        }
        self.ledger.messages_received += 1;
    }

    /// Sends a text message.
    pub(crate) async fn text(&mut self, text: &str) {
        self.message(Opcode::Text, text.as_bytes(), 1).await;
    }

    /// The node's next frame apart from pings: its opcode and its payload.
    async fn next(&mut self) -> (u8, Vec<u8>) {
        loop {
            let frame = self.raw.next_frame().await;
            self.ledger.bytes_sent += frame.bytes.len() as u64;
            match frame.bytes[0] & 0x0F {
                0x9 => self.frame(FrameHead::whole(Opcode::Pong), &frame.payload).await,
                opcode => return (opcode, frame.payload),
            }
        }
    }

    /// Reads until it has this number of messages in all. Returns the number of pongs between them.
    pub(crate) async fn has(&mut self, messages: u64) -> usize {
        let mut pongs = 0;
        while self.ledger.messages_sent < messages {
            match self.next().await.0 {
                0x1 | 0x2 => self.ledger.messages_sent += 1,
                0xA => pongs += 1,
                other => panic!("an unexpected frame: {other:#x}"),
            }
        }
        pongs
    }

    /// Closes, with the payload of a close frame.
    pub(crate) async fn leaves(mut self, payload: &[u8], code: &str) -> Ledger {
        self.frame(FrameHead::whole(Opcode::Close), payload).await;
        self.is_told_goodbye(code, "client").await;
        self.ends().await
    }

    /// Ends the connection without a close. Messages on the way still count.
    pub(crate) async fn vanishes(mut self) -> Ledger {
        self.ended("none", "lost");
        self.raw.finish().await;
        self.ends().await
    }

    /// Answers the node's close, and leaves.
    pub(crate) async fn closed(mut self, code: &str, reason: &str) -> Ledger {
        self.is_told_goodbye(code, reason).await;
        self.answers().await
    }

    /// Reads the node's close frame.
    pub(crate) async fn is_told_goodbye(&mut self, code: &str, reason: &str) {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, 0x8, "a close frame");
        if reason != "client" {
            let said = payload.first_chunk().map(|code| u16::from_be_bytes(*code).to_string());
            assert_eq!(said.as_deref(), Some(code));
        }
        self.ended(code, reason);
    }

    /// Answers the node's close, and leaves.
    pub(crate) async fn answers(mut self) -> Ledger {
        self.frame(FrameHead::whole(Opcode::Close), &[]).await;
        self.raw.finish().await;
        self.ends().await
    }

    fn ended(&mut self, code: &str, reason: &str) {
        self.ledger.closed.insert((code.into(), reason.into()), 1);
    }

    async fn ends(mut self) -> Ledger {
        self.ledger.bytes_sent += self.raw.end().await.len() as u64;
        self.ledger
    }
}
