//! The dialects.

use crate::{centrifugo::Centrifugo, relay::Relay};

/// The plain WebSocket.
pub static RELAY: Relay = Relay;
/// The client protocol of Centrifugo, as JSON.
pub static CENTRIFUGO_JSON: Centrifugo = Centrifugo::json();
/// The client protocol of Centrifugo, as Protobuf.
pub static CENTRIFUGO_PROTOBUF: Centrifugo = Centrifugo::protobuf();
/// [`CENTRIFUGO_JSON`] over the answer to an HTTP request.
pub static CENTRIFUGO_JSON_OVER_HTTP: Centrifugo = Centrifugo::json().over_http();
/// [`CENTRIFUGO_PROTOBUF`] over the answer to an HTTP request.
pub static CENTRIFUGO_PROTOBUF_OVER_HTTP: Centrifugo = Centrifugo::protobuf().over_http();
