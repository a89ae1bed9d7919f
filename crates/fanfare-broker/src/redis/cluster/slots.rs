//! The slot of a name, and the hash tags of the partitions. No I/O.
//!
//! Invariant: all nodes of all releases compute the same. The tests have values that must never change.

/// The number of slots of a Cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// The place of a partition in a Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seated {
    pub(crate) slot: u16,
    /// The text between braces in all names of the partition: it alone decides on the slot.
    pub(crate) tag: String,
}

/// The partitions, even over the slots. The first slot of each range counts: so partition 0 is the same for any number,
/// and nodes with different numbers meet there and notice it.
pub(crate) fn partitions(count: u16) -> Vec<Seated> {
    let slot = |at: u16| u32::from(at) * u32::from(SLOTS) / u32::from(count.max(1));
    let slots = (0..count).filter_map(|at| u16::try_from(slot(at)).ok());
    let mut missing: Vec<_> = slots.map(|slot| (slot, None)).collect();
    let mut left = missing.len();
    for number in 0_u32.. {
        if left == 0 {
            break;
        }
        let tag = number.to_string();
        let found = slot_of(tag.as_bytes());
        if let Some((_, known @ None)) = missing.iter_mut().find(|(slot, _)| *slot == found) {
            *known = Some(tag);
            left -= 1;
        }
    }
    missing.into_iter().map(|(slot, tag)| Seated { slot, tag: tag.unwrap_or_default() }).collect()
}

/// The slot of a hash tag: CRC16 of the XMODEM kind.
fn slot_of(tag: &[u8]) -> u16 {
    let crc =
        tag.iter().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // The check value of the specification, and values of CLUSTER KEYSLOT.
        assert_eq!(slot_of(b"123456789"), 0x31c3);
        assert_eq!([slot_of(b"foo"), slot_of(b"")], [12_182, 0]);
    }

    #[test]
    fn tags_never_change() {
        let tags = |count| partitions(count).into_iter().map(|at| (at.slot, at.tag)).collect::<Vec<_>>();
        let told = tags(16).into_iter().map(|(slot, tag)| format!("{slot}:{tag}")).collect::<Vec<_>>();
        assert_eq!(
            told.join(" "),
            "0:3560 1024:22069 2048:48576 3072:11467 4096:4129 5120:130 6144:1296 7168:41342 8192:8209 9216:3706 \
             10240:2821 11264:48710 12288:356 13312:45971 14336:16248 15360:4782"
        );
        assert_eq!(tags(1), tags(64)[..1]);
        assert_eq!(tags(16)[4], tags(64)[16]);
    }

    #[test]
    fn partitions_are_even_and_different() {
        for count in 1..=64 {
            let all = partitions(count);
            assert_eq!(all.len(), usize::from(count));
            for (at, seated) in all.iter().enumerate() {
                assert_eq!(slot_of(seated.tag.as_bytes()), seated.slot);
                assert!(all[..at].iter().all(|other| other.slot < seated.slot));
            }
        }
    }
}
