//! The dialect, in either encoding.

use std::time::Duration;

use fanfare_core::{
    Answer, DeltaForms, Dialect, Disconnect, EncodingId, Goodbye, Liveness, Message, Ping, Publication, Push,
    Reply, reply::Connected,
};

use super::{delta::Form, disconnects, encoding::Encoding, replies};
use crate::encoding::{
    CENTRIFUGO_JSON, CENTRIFUGO_JSON_FULL, CENTRIFUGO_JSON_PATCH, CENTRIFUGO_PROTOBUF,
    CENTRIFUGO_PROTOBUF_PATCH,
};

static JSON_FULL: Centrifugo = Centrifugo { form: Form::Full, ..Centrifugo::json() };
static JSON_PATCH: Centrifugo = Centrifugo { form: Form::Patch, ..Centrifugo::json() };
static PROTOBUF_FULL: Centrifugo = Centrifugo { form: Form::Full, ..Centrifugo::protobuf() };
static PROTOBUF_PATCH: Centrifugo = Centrifugo { form: Form::Patch, ..Centrifugo::protobuf() };

/// The dialect; see the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct Centrifugo {
    encoding: Encoding,
    /// The form of the `data` that clients get.
    form: Form,
    /// Whether the transport has no close frames: the goodbye is a push.
    is_over_http: bool,
    /// Whether the transport has pings of its own, and the protocol's are not sent.
    has_own_pings: bool,
}

impl Centrifugo {
    /// The dialect as JSON.
    #[must_use]
    pub const fn json() -> Self {
        Self { encoding: Encoding::Json, form: Form::Plain, is_over_http: false, has_own_pings: false }
    }

    /// The dialect as Protobuf.
    #[must_use]
    pub const fn protobuf() -> Self {
        Self { encoding: Encoding::Protobuf, form: Form::Plain, is_over_http: false, has_own_pings: false }
    }

    /// The same dialect over the answer to an HTTP request, which has no close frames.
    #[must_use]
    pub const fn over_http(self) -> Self {
        Self { is_over_http: true, ..self }
    }

    /// The same dialect with the pings of the transport, in the place of the protocol's.
    #[must_use]
    pub const fn with_own_pings(self) -> Self {
        Self { has_own_pings: true, ..self }
    }
}

impl Dialect for Centrifugo {
    fn name(&self) -> &'static str {
        match self.encoding {
            Encoding::Json => "centrifugo",
            Encoding::Protobuf => "centrifugo_protobuf",
        }
    }

    fn encoding(&self) -> EncodingId {
        match (self.encoding, self.form) {
            (Encoding::Json, Form::Plain) => CENTRIFUGO_JSON,
            (Encoding::Json, Form::Full) => CENTRIFUGO_JSON_FULL,
            (Encoding::Json, Form::Patch) => CENTRIFUGO_JSON_PATCH,
            (Encoding::Protobuf, Form::Plain | Form::Full) => CENTRIFUGO_PROTOBUF,
            (Encoding::Protobuf, Form::Patch) => CENTRIFUGO_PROTOBUF_PATCH,
        }
    }

    fn publication(&self, publication: &Publication) -> Message {
        self.encoding.message(&replies::publication_push(publication, self.encoding, self.form))
    }

    fn delta(&self) -> Option<DeltaForms> {
        Some(match self.encoding {
            Encoding::Json => DeltaForms { full: &JSON_FULL, patch: &JSON_PATCH },
            Encoding::Protobuf => DeltaForms { full: &PROTOBUF_FULL, patch: &PROTOBUF_PATCH },
        })
    }

    fn reply(&self, reply: &Reply) -> Answer {
        let silent = match reply {
            Reply::Connected(connected) if self.has_own_pings => Some(without_pings(connected)),
            _ => None,
        };
        match replies::reply(silent.as_ref().unwrap_or(reply), self.encoding) {
            Ok(reply) => Answer::Send(self.encoding.message(&reply)),
            Err(disconnect) => Answer::End(disconnect),
        }
    }

    fn format(&self) -> &'static str {
        match self.encoding {
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
        if self.has_own_pings { Ping::Transport } else { Ping::Message(self.encoding.ping()) }
    }

    fn push(&self, push: &Push) -> Option<Message> {
        Some(self.encoding.message(&replies::push(push, self.encoding)))
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        match disconnects::close_frame(disconnect) {
            Some(frame) => {
                let push = || self.encoding.message(&replies::disconnect_push(frame.clone()));
                Goodbye { message: self.is_over_http.then(push), frame: Some(frame) }
            }
            None => Goodbye::default(),
        }
    }
}

/// The reply to a connect that promises no pings of the protocol.
fn without_pings(connected: &Connected) -> Reply {
    Reply::Connected(Box::new(Connected { ping_interval: Duration::ZERO, ..connected.clone() }))
}
