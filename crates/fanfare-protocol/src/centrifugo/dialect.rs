//! The dialect, in either encoding.

use fanfare_core::{
    Answer, Dialect, Disconnect, EncodingId, Goodbye, Liveness, Message, Ping, Publication, Push, Reply,
};

use super::{disconnects, encoding::Encoding, replies};
use crate::encoding::{CENTRIFUGO_JSON, CENTRIFUGO_PROTOBUF};

/// The dialect; see the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct Centrifugo(Encoding);

impl Centrifugo {
    /// The dialect as JSON.
    #[must_use]
    pub const fn json() -> Self {
        Self(Encoding::Json)
    }

    /// The dialect as Protobuf.
    #[must_use]
    pub const fn protobuf() -> Self {
        Self(Encoding::Protobuf)
    }
}

impl Dialect for Centrifugo {
    fn name(&self) -> &'static str {
        match self.0 {
            Encoding::Json => "centrifugo",
            Encoding::Protobuf => "centrifugo_protobuf",
        }
    }

    fn encoding(&self) -> EncodingId {
        match self.0 {
            Encoding::Json => CENTRIFUGO_JSON,
            Encoding::Protobuf => CENTRIFUGO_PROTOBUF,
        }
    }

    fn publication(&self, publication: &Publication) -> Message {
        self.0.message(&replies::publication_push(publication, self.0))
    }

    fn reply(&self, reply: &Reply) -> Answer {
        match replies::reply(reply, self.0) {
            Ok(reply) => Answer::Send(self.0.message(&reply)),
            Err(disconnect) => Answer::End(disconnect),
        }
    }

    fn format(&self) -> &'static str {
        match self.0 {
            Encoding::Json => "json",
            Encoding::Protobuf => "protobuf",
        }
    }

    fn names_publisher(&self) -> bool {
        true
    }

    fn liveness(&self) -> Liveness {
        Liveness::Pong
    }

    fn ping(&self) -> Ping {
        Ping::Message(self.0.ping())
    }

    fn push(&self, push: &Push) -> Option<Message> {
        Some(self.0.message(&replies::push(push, self.0)))
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        Goodbye { message: None, frame: disconnects::close_frame(disconnect) }
    }
}
