//! The dialects.

use crate::{centrifugo::Centrifugo, relay::Relay};

/// The plain WebSocket.
pub static RELAY: Relay = Relay;
/// The client protocol of Centrifugo, as JSON.
pub static CENTRIFUGO_JSON: Centrifugo = Centrifugo::json();
/// The client protocol of Centrifugo, as Protobuf.
pub static CENTRIFUGO_PROTOBUF: Centrifugo = Centrifugo::protobuf();
