//! Messages that lie whole in what was read, found without a copy: nearly all of them. Everything else is the decoder's:
//! fragments, what is cut, control frames, and what is wrong.

use fanfare_websocket::MessageKind;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// The lengths that announce a longer one (RFC 6455 section 5.2); above them is the bit of a mask.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// A message as its frame has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole<'a> {
    pub(super) kind: MessageKind,
    /// permessage-deflate: the payload is to be inflated.
    pub(super) compressed: bool,
    /// That of a text was not looked at: whoever needs it to be UTF-8 looks.
    pub(super) payload: &'a [u8],
    /// What the frame takes.
    pub(super) length: usize,
}

/// The message that `input` begins with, in one frame and all of it there; else `None`.
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
            // A length that should have been said shorter is for the decoder to find wrong.
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
    fn a_message_is_whole_from_its_last_byte_on_and_ends_where_the_next_begins() {
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
    fn what_is_not_a_whole_message_is_left_to_the_decoder() {
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
    fn a_compressed_message_says_so() {
        let head = FrameHead { compressed: true, ..FrameHead::whole(Opcode::Text) };
        assert!(whole(&frame(head, 5, None)).unwrap().compressed);
    }
}
