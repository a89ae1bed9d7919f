//! Puts a command into the bytes that Redis reads. Arguments come in parts, which are not put together first.

use bytes::{BufMut, BytesMut};

/// Begins a command with that many words.
pub(super) fn put_words(out: &mut BytesMut, words: usize) {
    put_line(out, b'*', words as u64);
}

/// A word that comes in parts.
pub(super) fn put(out: &mut BytesMut, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    put_line(out, b'$', length as u64);
    parts.iter().for_each(|part| out.put_slice(part));
    out.put_slice(b"\r\n");
}

/// A word that is a number.
pub(super) fn put_number(out: &mut BytesMut, number: u64) {
    digits(number, |digits| put(out, &[digits]));
}

fn put_line(out: &mut BytesMut, kind: u8, number: u64) {
    out.put_u8(kind);
    digits(number, |digits| out.put_slice(digits));
    out.put_slice(b"\r\n");
}

fn digits(number: u64, take: impl FnOnce(&[u8])) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    take(digits.get(digits.len() - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_as_redis_reads_it() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            let body = vec![b'x'; usize::try_from(number % 20_000).unwrap()];
            let mut out = BytesMut::new();
            put_words(&mut out, 3);
            put(&mut out, &[b"SET"]);
            put(&mut out, &["räume".as_bytes(), b"", &body]);
            put_number(&mut out, number);
            let key = ["räume".as_bytes(), &body].concat();
            assert_eq!(out, redis::cmd("SET").arg(key).arg(number).get_packed_command());
        }
    }
}
