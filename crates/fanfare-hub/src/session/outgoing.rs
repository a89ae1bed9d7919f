//! The seam between messages and the bytes on a transport.

use bytes::Bytes;
use fanfare_core::{Channel, Message, Transport};

/// Something that can be sent, with a transport or without.
pub trait Outgoing {
    /// Does `act` with the bytes on a transport.
    fn framed<T>(&mut self, transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T;

    /// The number of messages. Frames of the transport's own do not count.
    fn count(&self) -> u32;

    /// The messages, to be framed once there is a transport.
    fn messages(&mut self, hold: &mut dyn FnMut(Message));

    /// The channel of which a newer publication may replace this while it waits. `None`: nothing may.
    fn replaceable(&self) -> Option<Channel> {
        None
    }

    /// The same bytes, message by message.
    fn frames(&mut self, transport: &'static dyn Transport, each: &mut dyn FnMut(Bytes)) {
        each(self.framed(transport, Bytes::clone));
    }
}

impl Outgoing for Message {
    fn framed<T>(&mut self, transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T {
        let mut framed = Vec::new();
        transport.frame(self, &mut framed);
        act(&framed.into())
    }

    fn count(&self) -> u32 {
        1
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        hold(self.clone());
    }
}

/// Messages that leave together.
impl Outgoing for Vec<Message> {
    fn framed<T>(&mut self, transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T {
        let mut framed = Vec::new();
        transport.frame_all(self, &mut framed);
        act(&framed.into())
    }

    fn count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        self.drain(..).for_each(hold);
    }
}
