//! Finds whole messages in the read buffer without a copy: nearly all messages. The decoder gets the rest: fragments,
//! incomplete frames, control frames and errors.

use fanfare_websocket::MessageKind;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// The lengths that announce a longer length field (RFC 6455 section 5.2). Larger values have the mask's bit.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The message of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole<'a> {
    pub(super) kind: MessageKind,
    /// Whether the payload is compressed (permessage-deflate).
    pub(super) compressed: bool,
    /// The payload. The UTF-8 of a text is not checked.
    pub(super) payload: &'a [u8],
    /// The length of the frame.
    pub(super) length: usize,
}

/// The message at the beginning of `input`, if it is one complete frame.
pub(super) fn whole(input: &[u8]) -> Option<Whole<'_>> {
    let (&[first, second], rest) = input.split_first_chunk()?;
    let kind = match first & !COMPRESSED {
        text if text == FIN | TEXT => MessageKind::Text,
        binary if binary == FIN | BINARY => MessageKind::Binary,
        _ => return None,
    };
    let (payload, rest) = match second {
        LENGTH_16 => {
            let (length, rest) = rest.split_first_chunk()?;
            // A length that fits a shorter field is an error, which the decoder finds.
            let length = u16::from_be_bytes(*length);
            rest.split_at_checked(usize::from(length)).filter(|_| length >= u16::from(LENGTH_16))?
        }
        LENGTH_64.. => return None,
        length => rest.split_at_checked(usize::from(length))?,
    };
    let length = input.len() - rest.len();
    Some(Whole { kind, compressed: first & COMPRESSED != 0, payload, length })
}

#[cfg(test)]
mod tests {
    use fanfare_websocket::{FrameHead, Opcode, encode};

    use super::*;

    fn frame(head: FrameHead, bytes: usize, key: Option<[u8; 4]>) -> Vec<u8> {
        let mut out = Vec::new();
        encode::frame(&mut out, head, &vec![b'x'; bytes], key);
        out
    }

    #[test]
    fn a_message_is_whole_from_its_last_byte() {
        for bytes in [0, 1, 125, 126, 128, 65_535] {
            for (opcode, kind) in [(Opcode::Text, MessageKind::Text), (Opcode::Binary, MessageKind::Binary)] {
                let one = frame(FrameHead::whole(opcode), bytes, None);
                assert_eq!(whole(&one[..one.len() - 1]), None);
                let two = one.repeat(2);
                let found = whole(&two).unwrap();
                assert_eq!((found.kind, found.payload.len(), found.length), (kind, bytes, one.len()));
            }
        }
    }

    #[test]
    fn the_decoder_gets_all_other_frames() {
        let text = FrameHead::whole(Opcode::Text);
        for other in [
            frame(FrameHead { fin: false, ..text }, 5, None),
            frame(FrameHead::whole(Opcode::Continuation), 5, None),
            frame(FrameHead::whole(Opcode::Ping), 5, None),
            frame(FrameHead::whole(Opcode::Close), 0, None),
            frame(text, 5, Some([1, 2, 3, 4])),
            vec![0xC1 | 0x20, 0],
            vec![0x81, 126, 0, 5, 0, 0, 0, 0, 0],
            Vec::new(),
        ] {
            assert_eq!(whole(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_compressed_message_is_marked() {
        let head = FrameHead { compressed: true, ..FrameHead::whole(Opcode::Text) };
        assert!(whole(&frame(head, 5, None)).unwrap().compressed);
    }
}
