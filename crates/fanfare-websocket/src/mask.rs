//! Masking of a client's frames (RFC 6455 section 5.3), in whole blocks that the compiler turns into vector
//! instructions.

/// Bytes per block: two SSE2 or NEON registers, one AVX2 register.
const BLOCK: usize = 32;

/// XORs `bytes` with the repeated `key`, from the first byte of the key on. A second call gives the bytes back.
///
/// For a payload that comes in pieces, pass [`rotate`]d keys for the later pieces.
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let mut wide = [0; BLOCK];
    for four in wide.as_chunks_mut::<4>().0 {
        *four = key;
    }
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        xor(block, &wide);
    }
    let eight = u64::from_ne_bytes(doubled(key));
    let (words, rest) = rest.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ eight).to_ne_bytes();
    }
    xor(rest, &wide);
}

/// The key for the bytes that follow the first `passed` bytes of a payload.
#[inline]
#[must_use]
pub const fn rotate(mut key: [u8; 4], passed: usize) -> [u8; 4] {
    key.rotate_left(passed % 4);
    key
}

#[inline]
fn xor(bytes: &mut [u8], key: &[u8; BLOCK]) {
    for (byte, key) in bytes.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[inline]
const fn doubled([a, b, c, d]: [u8; 4]) -> [u8; 8] {
    [a, b, c, d, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect()
    }

    proptest! {
        #[test]
        fn blocks_give_what_the_naive_loop_gives(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), key: [u8; 4], start in 0usize..40,
        ) {
            let start = start.min(bytes.len());
            let mut masked = bytes[start..].to_vec();
            apply(&mut masked, key);
            prop_assert_eq!(masked, naive(&bytes[start..], key));
        }

        #[test]
        fn a_payload_is_masked_in_any_pieces(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), key: [u8; 4], cut in 0usize..200,
        ) {
            let mut pieces = bytes.clone();
            let (first, second) = pieces.split_at_mut(cut.min(bytes.len()));
            apply(first, key);
            apply(second, rotate(key, first.len()));
            prop_assert_eq!(pieces, naive(&bytes, key));
        }
    }
}
