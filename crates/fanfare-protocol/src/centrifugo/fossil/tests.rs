//! Vectors of npm's `fossil-delta` 2.0.0, and deltas by chance that are applied.

use proptest::prelude::*;

use super::{DIGITS, checksum, delta};

/// A text: each part as often as its number says.
type Parts = &'static [(&'static str, usize)];

fn text(parts: Parts) -> String {
    parts.iter().map(|(part, times)| part.repeat(*times)).collect()
}

/// Applies a delta, as clients do.
pub(in crate::centrifugo) fn applied(source: &[u8], delta: &[u8]) -> Vec<u8> {
    let mut rest = delta.iter().copied();
    let mut number = || {
        let (mut number, mut end) = (0, None);
        for byte in rest.by_ref() {
            match DIGITS.iter().position(|digit| *digit == byte) {
                Some(digit) => number = number << 6 | digit,
                None => {
                    end = Some(byte);
                    break;
                }
            }
        }
        let inserts = end == Some(b':');
        let inserted = if inserts { rest.by_ref().take(number).collect() } else { Vec::new() };
        (number, end.unwrap(), inserted)
    };
    let mut target = Vec::new();
    let (length, end, _) = number();
    assert_eq!(end, b'\n');
    loop {
        match number() {
            (count, b'@', _) => {
                let (offset, end, _) = number();
                assert_eq!(end, b',');
                target.extend_from_slice(&source[offset..offset + count]);
            }
            (_, b':', inserted) => target.extend(inserted),
            (sum, b';', _) => {
                assert_eq!((length, sum), (target.len(), checksum(&target) as usize));
                return target;
            }
            (_, other, _) => panic!("no command: {other}"),
        }
    }
}

#[test]
fn deltas_are_those_of_others() {
    let vectors: &[(Parts, Parts, &[u8])] = &[
        (&[("", 0)], &[("", 0)], b"0\n0:0;"),
        (&[("", 0)], &[("abc", 1)], b"3\n3:abc1XObC0;"),
        (&[("abc", 1)], &[("", 0)], b"0\n0:0;"),
        (&[("0123456789abcdef", 1)], &[("0123456789abcdef", 1)], b"G\nG:0123456789abcdef12xn;"),
        (&[("0123456789abcdefg", 1)], &[("0123456789abcdefg", 1)], b"H\nH@0,1c12xn;"),
        (
            &[("{\"a\":1,\"b\":2,\"text\":\"the same text in both\",\"c\":1}", 1)],
            &[("{\"a\":1,\"b\":3,\"text\":\"the same text in both\",\"c\":2}", 1)],
            b"n\nC:{\"a\":1,\"b\":3_@C,2:2}JxMEB;",
        ),
        (
            &[("Lorem ipsum dolor sit amet, ", 9)],
            &[("Lorem ipsum dolor sit amet, ", 3), ("changed", 1), ("Lorem ipsum dolor sit amet, ", 9)],
            b"5N\n1K@1l,7:changed3x@0,3Pi2lk;",
        ),
        (
            &[("Lorem ipsum dolor sit amet, ", 90), ("end", 1)],
            &[("x", 1), ("Lorem ipsum dolor sit amet, ", 200), ("y", 1)],
            b"1NY\n1:xcO@0,cO@0,8l@Tl,1:y5GPIW;",
        ),
        (&[("a", 300)], &[("a", 299), ("b", 1), ("a", 40)], b"5K\n4g@0,1:bd@40,1LLLKr;"),
        (
            &[("abcdefghij", 30), ("0123456789", 30)],
            &[("0123456789", 29), ("-", 2), ("abcdefghij", 31)],
            b"9Q\n4O@50,C:0123456789--4h@0,A:abcdefghij38Nak3;",
        ),
        (&[("ä€", 9)], &[("ä€", 7), ("o", 1), ("ä€", 5)], b"y\nZ@0,1:oP@0,vCSwc;"),
    ];
    for (source, target, wanted) in vectors {
        let (source, target) = (text(source), text(target));
        let made = delta(source.as_bytes(), target.as_bytes());
        assert_eq!(made, *wanted, "{source} {target}");
        assert_eq!(applied(source.as_bytes(), &made), target.as_bytes());
    }
}

proptest! {
    #[test]
    fn any_delta_applies(source: Vec<u8>, target: Vec<u8>) {
        prop_assert_eq!(applied(&source, &delta(&source, &target)), target);
    }

    /// Targets of parts of the source.
    #[test]
    fn a_delta_of_shuffled_parts_applies(
        source in prop::collection::vec(0_u8..4, 0..400),
        parts in prop::collection::vec((0_usize..400, 0_usize..100, any::<u8>()), 0..8),
    ) {
        let mut target = Vec::new();
        for (at, length, byte) in parts {
            target.extend(source.iter().skip(at).take(length));
            target.push(byte);
        }
        prop_assert_eq!(applied(&source, &delta(&source, &target)), target);
    }
}
