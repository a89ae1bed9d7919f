//! The payload of a message: its limit, its UTF-8, its decompression.

use bytes::Bytes;

use crate::config::Config;
use crate::deflate::{self, Inflater};
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::MessageKind;

/// A message that came in one piece, as most do: one copy, and nothing is kept.
pub(super) fn whole(
    kind: MessageKind,
    compressed: bool,
    payload: &[u8],
    config: &Config,
) -> Result<Event, ProtocolError> {
    check_size(payload.len() as u64, compressed, config)?;
    if compressed {
        return inflated(kind, payload, config);
    }
    check_utf8(kind, payload)?;
    Ok(Event::message(kind, Bytes::copy_from_slice(payload)))
}

/// A message of which more is to come.
#[derive(Debug)]
pub(super) struct Message {
    kind: MessageKind,
    compressed: bool,
    /// The payload so far; empty once it is inflated as it comes.
    bytes: Vec<u8>,
    /// The number of bytes that came.
    came: u64,
    /// Inflates the payload as it comes, once it is large. Boxed, since few messages have one.
    inflater: Option<Box<Inflater>>,
    /// The number of bytes that are known to be UTF-8. At most an unfinished character follows them.
    utf8: usize,
}

impl Message {
    pub(super) const fn new(kind: MessageKind, compressed: bool) -> Self {
        Self { kind, compressed, bytes: Vec::new(), came: 0, inflater: None, utf8: 0 }
    }

    /// Its memory in bytes, at most.
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity() + self.inflater.as_ref().map_or(0, |inflater| inflater.held())
    }

    /// Adds a piece of payload. The frame has `remaining` bytes more, and is the message's last if `last`.
    pub(super) fn append(
        &mut self,
        piece: &[u8],
        remaining: u64,
        last: bool,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        self.came = self.came.saturating_add(piece.len() as u64);
        check_size(self.came.saturating_add(remaining), self.compressed, config)?;
        if let Some(inflater) = &mut self.inflater {
            return inflater.run(piece, config.max_message);
        }
        self.grow(piece.len(), remaining, last);
        self.bytes.extend_from_slice(piece);
        if self.compressed && self.bytes.len() > deflate::MAX_AT_ONCE {
            let bytes = std::mem::take(&mut self.bytes);
            return self.inflater.insert(Box::default()).run(&bytes, config.max_message);
        }
        self.check_text_so_far()
    }

    pub(super) fn finish(self, config: &Config) -> Result<Event, ProtocolError> {
        if let Some(inflater) = self.inflater {
            let payload = inflater.finish(config.max_message)?;
            check_utf8(self.kind, &payload)?;
            return Ok(Event::message(self.kind, payload));
        }
        if self.compressed {
            return inflated(self.kind, &self.bytes, config);
        }
        if self.kind == MessageKind::Text && self.utf8 < self.bytes.len() {
            return Err(ProtocolError::TextNotUtf8);
        }
        Ok(Event::message(self.kind, Bytes::from(self.bytes)))
    }

    /// Grows the buffer by doubling; in the last frame never beyond the declared length, so that a large message in one
    /// frame ends in a buffer of its own size.
    fn grow(&mut self, piece: usize, remaining: u64, last: bool) {
        if self.bytes.capacity() - self.bytes.len() >= piece {
            return;
        }
        let doubled = piece.max(self.bytes.len());
        let end = piece.saturating_add(usize::try_from(remaining).unwrap_or(usize::MAX));
        self.bytes.reserve_exact(if last { doubled.min(end) } else { doubled });
    }

    /// Fails at the first byte that is not valid UTF-8, however the message is cut.
    fn check_text_so_far(&mut self) -> Result<(), ProtocolError> {
        if self.kind != MessageKind::Text || self.compressed {
            return Ok(());
        }
        let unchecked = self.bytes.get(self.utf8..).unwrap_or_default();
        match simdutf8::compat::from_utf8(unchecked) {
            Ok(_) => self.utf8 = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.utf8 += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::TextNotUtf8),
        }
        Ok(())
    }
}

fn inflated(kind: MessageKind, payload: &[u8], config: &Config) -> Result<Event, ProtocolError> {
    let payload = deflate::inflate(payload, config.max_message)?;
    check_utf8(kind, &payload)?;
    Ok(Event::message(kind, payload))
}

fn check_utf8(kind: MessageKind, payload: &[u8]) -> Result<(), ProtocolError> {
    match kind {
        MessageKind::Text if simdutf8::basic::from_utf8(payload).is_err() => Err(ProtocolError::TextNotUtf8),
        MessageKind::Text | MessageKind::Binary => Ok(()),
    }
}

/// Checks a declared length against the limit. DEFLATE makes data that cannot be compressed a little larger (5 bytes a
/// stored block, and a flush for each fragment). So a compressed message may take 1/64 and 64 bytes more than the limit
/// on the wire; its inflated payload may not.
fn check_size(declared: u64, compressed: bool, config: &Config) -> Result<(), ProtocolError> {
    let limit = config.max_message as u64;
    let on_wire = if compressed { limit.saturating_add(limit / 64 + 64) } else { limit };
    if declared > on_wire {
        return Err(ProtocolError::MessageTooBig { limit: config.max_message });
    }
    Ok(())
}
