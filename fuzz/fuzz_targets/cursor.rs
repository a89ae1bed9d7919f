//! A text that is not a cursor is refused, and a cursor is written as it was read.
#![no_main]

use fanfare_core::{Channel, Cursor};
use libfuzzer_sys::fuzz_target;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bits of a cursor, as base64url: so most inputs get behind it.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect()
}

fuzz_target!(|input: (&str, &[u8])| {
    let channel = Channel::new("a").unwrap();
    for text in [input.0.to_owned(), text(input.1)] {
        let Ok(cursor) = text.parse::<Cursor>() else { continue };
        assert_eq!(cursor.to_string(), text);
        let mut newer = cursor.clone();
        newer.update(&cursor);
        assert_eq!(newer, cursor);
        if let Some(position) = cursor.get(&channel) {
            newer.set(&channel, position);
            assert_eq!(newer, cursor);
        }
    }
});
