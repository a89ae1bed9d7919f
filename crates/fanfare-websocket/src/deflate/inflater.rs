//! Inflating one message, within a limit.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use super::{MAX_SCRATCH, TAIL};
use crate::error::ProtocolError;

thread_local! {
    // A message is inflated whole, so nothing of a connection stays in it: one per thread serves all (about 50 KB,
    // made when the thread's first compressed message comes).
    static INFLATER: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// Inflates a message's payload. Stops at the first byte over `limit`, so that little data that inflates to much
/// costs neither the memory nor the time.
pub(crate) fn inflate(payload: &[u8], limit: usize) -> Result<Bytes, ProtocolError> {
    INFLATER.with_borrow_mut(|inflater| inflater.get_or_insert_with(Inflater::new).inflate(payload, limit))
}

struct Inflater {
    inflate: Decompress,
    out: Vec<u8>,
}

impl Inflater {
    fn new() -> Self {
        Self { inflate: Decompress::new(false), out: Vec::new() }
    }

    fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<Bytes, ProtocolError> {
        self.inflate.reset(false);
        let message = self.message(payload, limit).map(|()| Bytes::copy_from_slice(&self.out));
        self.out.clear();
        self.out.shrink_to(MAX_SCRATCH);
        message
    }

    fn message(&mut self, payload: &[u8], limit: usize) -> Result<(), ProtocolError> {
        match self.run(payload, limit)? {
            // A final block ended the stream with the payload: there is no flush to complete.
            Status::StreamEnd => Ok(()),
            Status::Ok | Status::BufError => self.run(&TAIL, limit).map(drop),
        }
    }

    /// Inflates all of `input`. The status is `StreamEnd` only if a final block ended exactly with it.
    fn run(&mut self, mut input: &[u8], limit: usize) -> Result<Status, ProtocolError> {
        loop {
            self.make_room(limit);
            let (before_in, before_out) = (self.inflate.total_in(), self.out.len());
            let status = self
                .inflate
                .decompress_vec(input, &mut self.out, FlushDecompress::None)
                .map_err(|_| ProtocolError::Inflate)?;
            if self.out.len() > limit {
                return Err(ProtocolError::MessageTooBig { limit });
            }
            let taken = usize::try_from(self.inflate.total_in() - before_in).unwrap_or(usize::MAX);
            input = input.get(taken..).unwrap_or_default();
            let full = self.out.len() == self.out.capacity();
            match status {
                Status::StreamEnd if input.is_empty() => return Ok(Status::StreamEnd),
                // RFC 7692 section 7.2.3.4: a message may have final blocks, and blocks after them.
                Status::StreamEnd => self.inflate.reset(false),
                Status::Ok | Status::BufError if input.is_empty() && !full => return Ok(Status::Ok),
                Status::Ok | Status::BufError if taken == 0 && self.out.len() == before_out => {
                    return Err(ProtocolError::Inflate);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// Room for at least one byte and at most one byte over the limit, doubling.
    fn make_room(&mut self, limit: usize) {
        let length = self.out.len();
        if length == self.out.capacity() {
            let most = limit.saturating_add(1) - length.min(limit);
            self.out.reserve_exact(length.max(4096).min(most));
        }
    }
}
