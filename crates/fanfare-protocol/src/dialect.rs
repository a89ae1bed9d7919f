//! The dialects.

use crate::{
    centrifugo::{Centrifugo, CentrifugoUnidirectional},
    relay::Relay,
};

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
/// [`CENTRIFUGO_JSON`] with the WebSocket's own pings.
pub static CENTRIFUGO_JSON_WITH_OWN_PINGS: Centrifugo = Centrifugo::json().with_own_pings();
/// [`CENTRIFUGO_PROTOBUF`] with the WebSocket's own pings.
pub static CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS: Centrifugo = Centrifugo::protobuf().with_own_pings();
/// The pushes of Centrifugo for clients that only listen to the answer to an HTTP request.
pub static CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP: CentrifugoUnidirectional =
    CentrifugoUnidirectional::over_http();
/// The same over a WebSocket.
pub static CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET: CentrifugoUnidirectional =
    CentrifugoUnidirectional::over_websocket();
