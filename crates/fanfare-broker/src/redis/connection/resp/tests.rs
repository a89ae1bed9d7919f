use proptest::prelude::*;

use super::*;

/// A frame with its bytes, for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>, Vec<u8>),
    TooLong,
    Subscribed(Vec<u8>),
    Unsubscribed(Vec<u8>),
    Reply(Value),
}

const MAX_BULK: usize = 20_000;

/// Reads `bytes`, given in pieces that end at `cuts`.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Seen>, Malformed> {
    let mut reader = Reader::new(MAX_BULK);
    let mut seen = Vec::new();
    let mut start = 0;
    for &end in cuts.iter().chain([&bytes.len()]) {
        reader.release();
        reader.buffer.extend_from_slice(&bytes[start..end]);
        start = end;
        while let Some(frame) = reader.next()? {
            let owned = |range| reader.bytes(range).to_vec();
            seen.push(match frame {
                Frame::Subscribed { channel } => Seen::Subscribed(owned(channel)),
                Frame::Unsubscribed { channel } => Seen::Unsubscribed(owned(channel)),
                Frame::Reply(value) => Seen::Reply(value),
                Frame::TooLong => Seen::TooLong,
                Frame::Message { channel, payload } => {
                    let channel = owned(channel);
                    Seen::Message(channel, reader.take(payload).to_vec())
                }
            });
        }
    }
    Ok(seen)
}

fn message(channel: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = b">3\r\n$7\r\nmessage\r\n".to_vec();
    for part in [channel, payload] {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn text(text: &'static str) -> Value {
    Value::Text(Bytes::from_static(text.as_bytes()))
}

fn mixture() -> (Vec<u8>, Vec<Seen>) {
    let big = vec![b'b'; COPY_BELOW + 100];
    let huge = vec![b'h'; MAX_BULK + 1];
    let bytes = [
        &b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"[..],
        &message(b"a", b"one"),
        &message(b"a", b""),
        b"-NOPERM this user has no permissions\r\n",
        &message(b"a", &huge),
        b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
        &message(b"a", &big),
        b">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n",
        b":-12\r\n+OK\r\n$-1\r\n_\r\n$3\r\na\r\n\r\n=7\r\ntxt:id=\r\n",
        b"%2\r\n$2\r\nid\r\n:7\r\n$7\r\nmodules\r\n*1\r\n~1\r\n#t\r\n",
        &message(b"b", b"\r\n\xff"),
    ]
    .concat();
    let a = || b"a".to_vec();
    let frames = vec![
        Seen::Subscribed(a()),
        Seen::Message(a(), b"one".to_vec()),
        Seen::Message(a(), Vec::new()),
        Seen::Reply(Value::Error(Bytes::from_static(b"NOPERM this user has no permissions"))),
        Seen::TooLong,
        Seen::Message(a(), big),
        Seen::Unsubscribed(a()),
        Seen::Reply(Value::Int(-12)),
        Seen::Reply(text("OK")),
        Seen::Reply(Value::Null),
        Seen::Reply(Value::Null),
        Seen::Reply(text("a\r\n")),
        Seen::Reply(text("id=")),
        Seen::Reply(Value::List(vec![
            text("id"),
            Value::Int(7),
            text("modules"),
            Value::List(vec![Value::List(vec![text("t")])]),
        ])),
        Seen::Message(b"b".to_vec(), b"\r\n\xff".to_vec()),
    ];
    (bytes, frames)
}

#[test]
fn each_kind_of_frame_is_read() {
    let (bytes, frames) = mixture();
    assert_eq!(read(&bytes, &[]).unwrap(), frames);
}

#[test]
fn a_message_past_the_bound_is_never_held() {
    let mut reader = Reader::new(10);
    reader.buffer.extend_from_slice(b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$536870912\r\nx");
    assert_eq!(reader.next(), Ok(Some(Frame::TooLong)));
    for _ in 0..100 {
        reader.buffer.extend_from_slice(&[b'x'; 1000]);
        assert_eq!(reader.next(), Ok(None));
        assert!(reader.buffer.is_empty());
    }
}

#[test]
fn bytes_that_are_not_resp3_are_refused() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b":1x\r\n",
        b":\r\n",
        b":99999999999999999999\r\n",
        b":1\n",
        b"$3\r\nabcd\r\n",
        b"$20001\r\n",
        b"*4097\r\n",
        b"*-2\r\n",
        b">3\r\n$7\r\nmessage\r\n:1\r\n",
        b">3\r\n$7\r\nmessage\r\n$30000\r\n",
        &b"*1\r\n".repeat(10),
        &[b'+'; MAX_LINE + 1],
    ] {
        assert!(read(bytes, &[]).is_err(), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn only_small_payloads_are_copied() {
    let bytes = [message(b"a", &[b'b'; COPY_BELOW]), message(b"a", b"small")].concat();
    let mut reader = Reader::new(MAX_BULK);
    reader.buffer.extend_from_slice(&bytes);
    let range = reader.buffer.as_ptr_range();
    let mut places = Vec::new();
    while let Some(Frame::Message { payload, .. }) = reader.next().unwrap() {
        places.push(range.contains(&reader.take(payload).as_ptr()));
    }
    assert_eq!(places, [true, false]);
}

proptest! {
    #[test]
    fn split_bytes_make_the_same_frames(cuts in prop::collection::vec(0usize..60_000, 0..40)) {
        let (bytes, frames) = mixture();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut < bytes.len()).collect();
        cuts.sort_unstable();
        prop_assert_eq!(read(&bytes, &cuts).unwrap(), frames);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, cut: prop::sample::Index) {
        let cut = cut.index(bytes.len() + 1);
        prop_assert_eq!(read(&bytes, &[cut]), read(&bytes, &[]));
    }

    #[test]
    fn nothing_like_resp3_panics(bytes in "[$:>*%_+=-][0-9]{0,3}(\r\n)?[$:>*a-z]{0,4}(\r\n)?[0-9$]{0,3}(\r\n){0,2}") {
        let every: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(read(bytes.as_bytes(), &every), read(bytes.as_bytes(), &[]));
    }
}
