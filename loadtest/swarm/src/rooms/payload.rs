//! The head of a message: the run, the sender, the number, and the moment that it was due. Binary, because that costs
//! almost nothing to read.

use crate::clock::Moment;

/// The bytes of the head: the least that a payload can have.
pub const HEADER: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) run: u32,
    pub(super) sender: u32,
    pub(super) number: u32,
    pub(super) due: Moment,
}

impl Head {
    /// Writes the head over the beginning of a payload.
    pub(super) fn write(self, payload: &mut [u8]) {
        let fields = [&self.run.to_le_bytes()[..], &self.sender.to_le_bytes(), &self.number.to_le_bytes()];
        let bytes = fields.into_iter().flatten().copied().chain(self.due.0.to_le_bytes());
        payload.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (run, rest) = payload.split_first_chunk()?;
        let (sender, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let due = Moment(u64::from_le_bytes(*rest.first_chunk()?));
        let [run, sender, number] = [run, sender, number].map(|bytes| u32::from_le_bytes(*bytes));
        Some(Self { run, sender, number, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_head_is_read_back() {
        let head = Head { run: 1, sender: 2 << 20, number: u32::MAX, due: Moment(u64::MAX - 5) };
        let mut payload = [9; HEADER + 3];
        head.write(&mut payload);
        assert_eq!(Head::read(&payload), Some(head));
        assert_eq!(&payload[HEADER..], [9; 3]);
        assert_eq!(Head::read(&payload[..HEADER - 1]), None);
    }
}
