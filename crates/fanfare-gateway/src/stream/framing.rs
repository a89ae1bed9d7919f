//! Messages as parts of a body.

use fanfare_core::{CloseFrame, FramingId, Message, Transport};

/// The events of a browser's `EventSource`. A message holds no line feed.
pub(super) static EVENTS: Framing = Framing { id: FramingId(2), before: b"data: ", after: b"\n\n" };

/// Lines. A message holds no line feed.
pub(crate) static LINES: Framing = Framing { id: FramingId(3), before: b"", after: b"\n" };

/// Messages that say their own length.
pub(crate) static WHOLE: Framing = Framing { id: FramingId(4), before: b"", after: b"" };

/// The bytes around each message. Pings, pongs and close frames do not exist: the dialect has messages for these.
pub(crate) struct Framing {
    id: FramingId,
    before: &'static [u8],
    after: &'static [u8],
}

impl Transport for Framing {
    fn framing(&self) -> FramingId {
        self.id
    }

    fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before);
        let begin = out.len();
        out.extend_from_slice(message.bytes());
        if !self.before.is_empty() {
            // In JSON it stands between two tokens; an EventSource takes it for the end of a line.
            let returns = out.iter_mut().skip(begin).filter(|byte| **byte == b'\r');
            returns.for_each(|byte| *byte = b' ');
        }
        out.extend_from_slice(self.after);
    }

    fn ping(&self, _out: &mut Vec<u8>) {}

    fn pong(&self, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn close(&self, _frame: &CloseFrame, _out: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_framing_has_its_bytes() {
        let framed = |framing: &Framing, text: &'static str| {
            let messages = [Message::Text(text.into()), Message::Text("{}".into())];
            let mut out = Vec::new();
            framing.frame_all(&messages, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(framed(&EVENTS, "{\"a\":\r1}"), "data: {\"a\": 1}\n\ndata: {}\n\n");
        assert_eq!(framed(&LINES, "{\"a\":1}"), "{\"a\":1}\n{}\n");
        assert_eq!(framed(&WHOLE, "\u{1}a"), "\u{1}a{}");
    }
}
