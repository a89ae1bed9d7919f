//! What can be sent to a session.

use bytes::Bytes;
use fanfare_core::{Channel, Message, Transport};

/// What can be sent, whether there is a transport or not.
pub trait Outgoing {
    /// Its bytes on a transport.
    fn framed(&mut self, transport: &'static dyn Transport) -> Bytes;

    /// How many messages it is; what belongs to the transport is none.
    fn count(&self) -> u32;

    /// Its messages, to be framed once there is a transport.
    fn messages(&mut self, hold: &mut dyn FnMut(Message));

    /// The channel of which a newer publication may take its place, where it has to wait. `None`: it must arrive.
    fn replaceable(&self) -> Option<Channel> {
        None
    }

    /// The same bytes, message by message.
    fn frames(&mut self, transport: &'static dyn Transport, each: &mut dyn FnMut(Bytes)) {
        each(self.framed(transport));
    }
}

impl Outgoing for Message {
    fn framed(&mut self, transport: &'static dyn Transport) -> Bytes {
        let mut framed = Vec::new();
        transport.frame(self, &mut framed);
        framed.into()
    }

    fn count(&self) -> u32 {
        1
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        hold(self.clone());
    }
}
