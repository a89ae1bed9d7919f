//! The decoder: bytes read from a connection become events.
//!
//! Invariants:
//! - `partial` is `Some` only while a frame or a fragmented message is incomplete; between messages a decoder holds
//!   nothing on the heap.
//! - Memory grows with the bytes that came, never with a declared length.
//! - Any split of the same bytes gives the same events and the same error.
//! - A frame gives one event, when it is whole. So the number of events is the number of frames.

mod message;
mod partial;

use std::ops::ControlFlow;

use bytes::Bytes;

use self::message::Message;
use self::partial::{Frame, FrameKind, Partial};
use crate::close_frame::CloseFrame;
use crate::config::Config;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::{self, MessageKind, Opcode};

/// The progress of [`Decoder::skip`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The bytes that were consumed.
    pub bytes: usize,
    /// The frames that ended in them.
    pub frames: usize,
    /// Whether the last of them is the peer's close frame.
    pub is_closed: bool,
}

/// One connection's decoder: 16 bytes, and nothing on the heap between messages.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    ended: bool,
}

impl Decoder {
    /// A decoder for a connection whose handshake has just ended.
    #[must_use]
    pub const fn new() -> Self {
        Self { partial: None, ended: false }
    }

    /// Decodes `input`, the next bytes of the connection, and calls `on_event` for each event in order.
    ///
    /// Payloads are unmasked in place, so consumed bytes of `input` are useless afterwards. Returns the number of
    /// consumed bytes: all of them, unless `on_event` broke off. Then the rest is untouched, and is to be fed again
    /// later. After a [`Close`](Event::Close) or an error the bytes of the connection have no meaning: they are
    /// consumed and ignored.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol: fail the connection with the error's [`close_code`](ProtocolError::close_code).
    /// Events before the mistake were given.
    pub fn feed(
        &mut self,
        input: &mut [u8],
        config: &Config,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<usize, ProtocolError> {
        let total = input.len();
        let mut rest = input;
        while !rest.is_empty() && !self.ended {
            let step = self.step(&mut rest, config).inspect_err(|_| self.end())?;
            let Some(event) = step else { continue };
            if matches!(event, Event::Close(_)) {
                self.end();
            }
            if on_event(event).is_break() && !self.ended {
                return Ok(total - rest.len());
            }
        }
        Ok(total)
    }

    /// Skips `input`, the next bytes of the connection, up to the peer's close frame and over `most` frames at most:
    /// for a connection that was closed, where only the close frame matters. Payloads are not read. A message that came
    /// in part is dropped, also where `input` is empty. From then on the decoder can only skip.
    ///
    /// # Errors
    ///
    /// A header breaks the protocol, so no close frame can be found behind it. All of `input` is consumed.
    pub fn skip(&mut self, input: &mut [u8], config: &Config, most: usize) -> Result<Skipped, ProtocolError> {
        self.forget();
        let total = input.len();
        let mut rest = input;
        let mut skipped = Skipped { bytes: total, frames: 0, is_closed: false };
        while !rest.is_empty() && !self.ended {
            if skipped.frames == most {
                skipped.bytes = total - rest.len();
                break;
            }
            let Some(kind) = self.skip_frame(&mut rest, config).inspect_err(|_| self.end())? else {
                continue;
            };
            skipped.frames += 1;
            if matches!(kind, FrameKind::Control(Opcode::Close)) {
                skipped.is_closed = true;
                self.end();
            }
        }
        Ok(skipped)
    }

    /// Whether a close frame or an error ended the stream of events.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a frame or a fragmented message is incomplete, so that memory is held for it.
    #[must_use]
    pub const fn is_mid_message(&self) -> bool {
        self.partial.is_some()
    }

    /// Whether a frame or a message has become incomplete since the last call: `true` once for each of them. A caller
    /// that bounds the time of a message needs it.
    pub fn has_begun(&mut self) -> bool {
        self.partial.as_mut().is_some_and(|partial| !std::mem::replace(&mut partial.told, true))
    }

    /// The memory that incomplete frames and messages take, in bytes, at most.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.held())
    }

    fn end(&mut self) {
        self.ended = true;
        self.partial = None;
    }

    /// Takes one frame, or the part of it that came, off `rest`.
    fn step(&mut self, rest: &mut &mut [u8], config: &Config) -> Result<Option<Event>, ProtocolError> {
        let Some(mut frame) = self.frame(rest, config)? else { return Ok(None) };
        let payload = frame.take_payload(rest);
        match frame.kind {
            FrameKind::Control(opcode) => self.control(frame, opcode, payload),
            FrameKind::Start { kind, compressed } => self.start(frame, kind, compressed, payload, config),
            FrameKind::Continue => self.extend(frame, payload, config),
        }
    }

    /// Drops the payloads that came so far.
    fn forget(&mut self) {
        if let Some(partial) = &mut self.partial {
            (partial.message, partial.control) = (None, Vec::new());
        }
        self.release();
    }

    /// Skips one frame, or the part of it that came. Its kind, if it ends there.
    fn skip_frame(
        &mut self,
        rest: &mut &mut [u8],
        config: &Config,
    ) -> Result<Option<FrameKind>, ProtocolError> {
        let Some(mut frame) = self.frame(rest, config)? else { return Ok(None) };
        let _payload = frame.split_payload(rest);
        if frame.remaining > 0 {
            self.partial_mut().frame = Some(frame);
            return Ok(None);
        }
        self.release();
        Ok(Some(frame.kind))
    }

    /// The frame whose payload comes next; `None` if its header is still incomplete (`rest` is empty then).
    fn frame(&mut self, rest: &mut &mut [u8], config: &Config) -> Result<Option<Frame>, ProtocolError> {
        if let Some(partial) = &mut self.partial {
            if let Some(frame) = partial.frame.take() {
                return Ok(Some(frame));
            }
            if !partial.header.is_empty() {
                return Ok(partial.header.complete(rest, config)?.map(Frame::new));
            }
        }
        if let Some((header, length)) = frame::parse(rest, config)? {
            let _header = rest.split_off_mut(..length);
            return Ok(Some(Frame::new(header)));
        }
        Ok(self.partial_mut().header.complete(rest, config)?.map(Frame::new))
    }

    fn control(
        &mut self,
        frame: Frame,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Option<Event>, ProtocolError> {
        if frame.remaining > 0 {
            let partial = self.partial_mut();
            partial.control.extend_from_slice(payload);
            partial.frame = Some(frame);
            return Ok(None);
        }
        let payload = match &mut self.partial {
            Some(partial) if !partial.control.is_empty() => {
                partial.control.extend_from_slice(payload);
                Bytes::from(std::mem::take(&mut partial.control))
            }
            _ => Bytes::copy_from_slice(payload),
        };
        self.release();
        Ok(Some(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => Event::Close(CloseFrame::parse(&payload)?),
        }))
    }

    /// Takes the first bytes of a message. Mostly they are all of it, and none is kept.
    fn start(
        &mut self,
        mut frame: Frame,
        kind: MessageKind,
        compressed: bool,
        payload: &[u8],
        config: &Config,
    ) -> Result<Option<Event>, ProtocolError> {
        if self.partial.as_ref().is_some_and(|partial| partial.message.is_some()) {
            return Err(ProtocolError::MessageUnfinished);
        }
        if frame.fin && frame.remaining == 0 {
            self.release();
            return message::whole(kind, compressed, payload, config).map(Some);
        }
        frame.kind = FrameKind::Continue;
        self.partial_mut().message = Some(Message::new(kind, compressed));
        self.extend(frame, payload, config)
    }

    /// Takes more bytes of the message in progress.
    fn extend(
        &mut self,
        frame: Frame,
        payload: &[u8],
        config: &Config,
    ) -> Result<Option<Event>, ProtocolError> {
        let Some(partial) = &mut self.partial else { return Err(ProtocolError::NothingToContinue) };
        let Some(mut message) = partial.message.take() else { return Err(ProtocolError::NothingToContinue) };
        message.append(payload, frame.remaining, frame.fin, config)?;
        if frame.fin && frame.remaining == 0 {
            self.release();
            return message.finish(config).map(Some);
        }
        partial.message = Some(message);
        if frame.remaining > 0 {
            partial.frame = Some(frame);
            return Ok(None);
        }
        Ok(Some(Event::Fragment))
    }

    fn partial_mut(&mut self) -> &mut Partial {
        self.partial.get_or_insert_default()
    }

    /// Frees the memory if nothing is in progress.
    fn release(&mut self) {
        if self.partial.as_ref().is_some_and(|partial| partial.is_idle()) {
            self.partial = None;
        }
    }
}

const _: () = assert!(size_of::<Decoder>() <= 16, "an idle connection's decoder is at most 16 bytes");
