//! The payloads of TLS records: a write, cut to the size of a record and gathered from its slices.

use std::io::IoSlice;

use super::records::FRAGMENT;

/// The next payload of a record: the bytes of the slices from `from` on, gathered where they are in several slices.
pub(super) fn fragment<'a>(
    slices: &'a [IoSlice<'_>],
    mut from: usize,
    gathered: &'a mut Vec<u8>,
) -> &'a [u8] {
    let mut parts = slices.iter().filter_map(|slice| {
        let part = slice.get(from..);
        from = from.saturating_sub(slice.len());
        part.filter(|part| !part.is_empty())
    });
    let first = parts.next().unwrap_or_default();
    if let Some(record) = first.get(..FRAGMENT) {
        return record;
    }
    let Some(second) = parts.next() else { return first };
    gathered.clear();
    for part in [first, second].into_iter().chain(parts) {
        let room = FRAGMENT - gathered.len();
        gathered.extend_from_slice(part.get(..room).unwrap_or(part));
        if gathered.len() == FRAGMENT {
            break;
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_filled_from_any_byte_on() {
        let (a, b, c) = (vec![1; 10], vec![2; FRAGMENT], vec![3; 10]);
        let slices = [&a, &b, &c].map(|bytes| IoSlice::new(bytes));
        let all = [a.as_slice(), &b, &c].concat();
        for from in [0, 1, 9, 10, 11, 25, FRAGMENT + 10, FRAGMENT + 19] {
            let mut gathered = Vec::new();
            let expected = &all[from..all.len().min(from + FRAGMENT)];
            let found = fragment(&slices, from, &mut gathered);
            assert_eq!(found, expected, "{from}");
        }
        assert!(fragment(&slices, all.len(), &mut Vec::new()).is_empty());
    }
}
