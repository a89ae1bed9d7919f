//! Inflating one message, within a limit.
//!
//! Invariants
//! - Nothing is kept of what is past the limit, so little data that inflates to much costs neither memory nor time.
//! - Time is bounded by the bytes that come and the bytes that go: a message may have few final blocks, for behind each
//!   of them all begins anew.

use std::{cell::RefCell, mem::take};

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use super::parameters::{MAX_SCRATCH, TAIL};
use crate::error::ProtocolError;

/// A message of which more bytes than this came in part is inflated as it comes: one that is costly to inflate then
/// costs its time in pieces, between which others get their turn.
pub(crate) const MAX_AT_ONCE: usize = 64 * 1024;

/// How many final blocks a message may have. A sender writes one at most; RFC 7692 section 7.2.3.4 permits more.
const MAX_FINAL_BLOCKS: u32 = 64;

/// The memory of an inflater beside its output: its window, and its tables.
const STATE_BYTES: usize = 50 << 10;

thread_local! {
    // It keeps nothing of a message that is inflated whole, so one per thread serves all (about 50 KB, made when the
    // first compressed message of the thread comes).
    static INFLATER: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// Inflates the payload of a message, to at most `limit` bytes.
pub(crate) fn inflate(payload: &[u8], limit: usize) -> Result<Bytes, ProtocolError> {
    INFLATER.with_borrow_mut(|inflater| inflater.get_or_insert_default().inflate(payload, limit))
}

/// Inflates one message after another, or one as it comes.
#[derive(Debug)]
pub(crate) struct Inflater {
    inflate: Decompress,
    out: Vec<u8>,
    /// Whether a final block ended with the last byte.
    is_at_end: bool,
    final_blocks: u32,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { inflate: Decompress::new(false), out: Vec::new(), is_at_end: false, final_blocks: 0 }
    }
}

impl Inflater {
    fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<Bytes, ProtocolError> {
        self.inflate.reset(false);
        (self.is_at_end, self.final_blocks) = (false, 0);
        let message = self.run(payload, limit).and_then(|()| self.complete(limit));
        let message = message.map(|()| Bytes::copy_from_slice(&self.out));
        self.out.clear();
        self.out.shrink_to(MAX_SCRATCH);
        message
    }

    /// The message, once all of its payload has run through.
    pub(crate) fn finish(mut self, limit: usize) -> Result<Bytes, ProtocolError> {
        self.complete(limit)?;
        Ok(Bytes::from(take(&mut self.out)))
    }

    /// Its memory in bytes, at most.
    pub(crate) fn held(&self) -> usize {
        STATE_BYTES + self.out.capacity()
    }

    /// Completes the flush behind the payload, unless a final block ended the stream with the payload.
    fn complete(&mut self, limit: usize) -> Result<(), ProtocolError> {
        if self.is_at_end { Ok(()) } else { self.run(&TAIL, limit) }
    }

    /// Inflates all of `input`, the next bytes of the payload.
    pub(crate) fn run(&mut self, mut input: &[u8], limit: usize) -> Result<(), ProtocolError> {
        if take(&mut self.is_at_end) {
            self.inflate.reset(false);
        }
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
                Status::StreamEnd => {
                    self.count_final_block()?;
                    if input.is_empty() {
                        self.is_at_end = true;
                        return Ok(());
                    }
                    // RFC 7692 section 7.2.3.4: a message may have final blocks, and blocks after them.
                    self.inflate.reset(false);
                }
                Status::Ok | Status::BufError if input.is_empty() && !full => return Ok(()),
                Status::Ok | Status::BufError if taken == 0 && self.out.len() == before_out => {
                    return Err(ProtocolError::Inflate);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    fn count_final_block(&mut self) -> Result<(), ProtocolError> {
        self.final_blocks += 1;
        if self.final_blocks > MAX_FINAL_BLOCKS { Err(ProtocolError::FinalBlocks) } else { Ok(()) }
    }

    /// Makes room by doubling, for one byte at least, and for one byte over the limit at most.
    fn make_room(&mut self, limit: usize) {
        let length = self.out.len();
        if length == self.out.capacity() {
            let most = limit.saturating_add(1) - length.min(limit);
            self.out.reserve_exact(length.max(4096).min(most));
        }
    }
}
