//! The protocols of clients, and the endpoints that speak them. Only this file names them all.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Decoder, Dialect, Heartbeat};
use fanfare_gateway::{
    CommandedEndpoint, Emulated, Encoding, OverHttp, RelayEndpoint, UnidirectionalEndpoint,
};
use fanfare_hub::{ConnectRules, Kind};
use fanfare_protocol::{
    CentrifugoDecoder, CentrifugoUnidirectionalDecoder, RelayDecoder, centrifugo,
    dialect::{
        CENTRIFUGO_JSON, CENTRIFUGO_JSON_OVER_HTTP, CENTRIFUGO_JSON_WITH_OWN_PINGS, CENTRIFUGO_PROTOBUF,
        CENTRIFUGO_PROTOBUF_OVER_HTTP, CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS,
        CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET, RELAY,
    },
};

/// All of them.
pub(crate) const ALL: [&dyn Dialect; 9] = [
    &RELAY,
    &CENTRIFUGO_JSON,
    &CENTRIFUGO_JSON_OVER_HTTP,
    &CENTRIFUGO_JSON_WITH_OWN_PINGS,
    &CENTRIFUGO_PROTOBUF,
    &CENTRIFUGO_PROTOBUF_OVER_HTTP,
    &CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS,
    &CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP,
    &CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET,
];

/// As Centrifugo has it: its clients show a new token when the old one expires, so that it comes a moment later.
const EXPIRY_GRACE: Duration = Duration::from_secs(25);

fn kind(dialect: &'static dyn Dialect, connects: Option<ConnectRules>, heartbeat: &Heartbeat) -> Arc<Kind> {
    Arc::new(Kind { dialect, heartbeat: heartbeat.clone(), connects })
}

/// The plain WebSocket.
pub(crate) fn relay(heartbeat: &Heartbeat) -> RelayEndpoint {
    RelayEndpoint {
        kind: kind(&RELAY, None, heartbeat),
        decoder: |channel| Box::new(RelayDecoder::new(channel)),
    }
}

/// The protocol of Centrifugo's clients.
pub(crate) fn commanded(heartbeat: &Heartbeat) -> CommandedEndpoint {
    let rules = Some(ConnectRules { expiry_grace: EXPIRY_GRACE });
    let kind = |dialect| kind(dialect, rules, heartbeat);
    let json = Encoding {
        subprotocol: "centrifuge-json",
        format: "json",
        kind: kind(&CENTRIFUGO_JSON),
        with_own_pings: kind(&CENTRIFUGO_JSON_WITH_OWN_PINGS),
        decoder: || Box::new(CentrifugoDecoder::json()),
        over_http: OverHttp {
            is_binary: false,
            kind: kind(&CENTRIFUGO_JSON_OVER_HTTP),
            emulated: |body| centrifugo::Emulated::from_json(body).map(emulated),
        },
    };
    let protobuf = Encoding {
        subprotocol: "centrifuge-protobuf",
        format: "protobuf",
        kind: kind(&CENTRIFUGO_PROTOBUF),
        with_own_pings: kind(&CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS),
        decoder: || Box::new(CentrifugoDecoder::protobuf()),
        over_http: OverHttp {
            is_binary: true,
            kind: kind(&CENTRIFUGO_PROTOBUF_OVER_HTTP),
            emulated: |body| centrifugo::Emulated::from_protobuf(body).map(emulated),
        },
    };
    CommandedEndpoint { usual: json, others: vec![protobuf] }
}

/// The protocol of Centrifugo for clients that only listen. They cannot show a new token, but the operator's backend may
/// let them stay.
pub(crate) fn unidirectional(heartbeat: &Heartbeat) -> UnidirectionalEndpoint {
    let rules = Some(ConnectRules { expiry_grace: EXPIRY_GRACE });
    UnidirectionalEndpoint {
        over_http: kind(&CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, rules, heartbeat),
        over_websocket: kind(&CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET, rules, heartbeat),
        decoder: || -> Box<dyn Decoder> { Box::<CentrifugoUnidirectionalDecoder>::default() },
    }
}

fn emulated(found: centrifugo::Emulated) -> Emulated {
    let centrifugo::Emulated { session, node, commands } = found;
    Emulated { session, node, commands }
}
