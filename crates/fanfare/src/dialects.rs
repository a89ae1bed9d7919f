//! The protocols of clients, and the endpoints that speak them. Only this file names them all.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Decoder, Dialect, Heartbeat};
use fanfare_gateway::{
    CommandedEndpoint, Emulated, Encoding, OverHttp, PlainEndpoints, RelayEndpoint, UnidirectionalEndpoint,
};
use fanfare_hub::{ConnectRules, Kind};
use fanfare_protocol::{
    CentrifugoDecoder, CentrifugoUnidirectionalDecoder, RelayDecoder, centrifugo,
    dialect::{
        CENTRIFUGO_JSON, CENTRIFUGO_JSON_OVER_HTTP, CENTRIFUGO_JSON_WITH_OWN_PINGS, CENTRIFUGO_PROTOBUF,
        CENTRIFUGO_PROTOBUF_OVER_HTTP, CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS,
        CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET, EVENTS_OF_ONE,
        EVENTS_OF_SEVERAL, LINES, POLLS, RELAY,
    },
};

/// All of them, each with its transports.
pub(crate) const ALL: [(&dyn Dialect, &[&str]); 13] = [
    (&RELAY, &["websocket"]),
    (&CENTRIFUGO_JSON, &["websocket"]),
    (&CENTRIFUGO_JSON_OVER_HTTP, &["http_stream", "sse"]),
    (&CENTRIFUGO_JSON_WITH_OWN_PINGS, &["websocket"]),
    (&CENTRIFUGO_PROTOBUF, &["websocket"]),
    (&CENTRIFUGO_PROTOBUF_OVER_HTTP, &["http_stream", "sse"]),
    (&CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS, &["websocket"]),
    (&CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, &["uni_http_stream", "uni_sse"]),
    (&CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET, &["uni_websocket"]),
    (&EVENTS_OF_ONE, &["sse"]),
    (&EVENTS_OF_SEVERAL, &["sse"]),
    (&LINES, &["http_stream"]),
    (&POLLS, &["poll"]),
];

/// As Centrifugo has it: its clients show a new token when the old one expires, so that it comes a moment later.
const EXPIRY_GRACE: Duration = Duration::from_secs(25);

/// The longest time between two comments in a stream of plain HTTP.
const QUIET: Duration = Duration::from_secs(20);

/// Makes the kinds of sessions of one protocol.
fn kinds(
    connects: Option<ConnectRules>,
    heartbeat: &Heartbeat,
) -> impl Fn(&'static dyn Dialect, &'static str) -> Arc<Kind> {
    move |dialect, transport| Arc::new(Kind { dialect, heartbeat: heartbeat.clone(), transport, connects })
}

/// Clients of this protocol show a token when they connect.
const CONNECTS: Option<ConnectRules> = Some(ConnectRules { expiry_grace: EXPIRY_GRACE });

/// The plain WebSocket.
pub(crate) fn relay(heartbeat: &Heartbeat) -> RelayEndpoint {
    RelayEndpoint {
        kind: kinds(None, heartbeat)(&RELAY, "websocket"),
        decoder: |channel| Box::new(RelayDecoder::new(channel)),
    }
}

/// The protocol of Centrifugo's clients.
pub(crate) fn commanded(heartbeat: &Heartbeat) -> CommandedEndpoint {
    let kind = kinds(CONNECTS, heartbeat);
    let json = Encoding {
        subprotocol: "centrifuge-json",
        format: "json",
        kind: kind(&CENTRIFUGO_JSON, "websocket"),
        with_own_pings: kind(&CENTRIFUGO_JSON_WITH_OWN_PINGS, "websocket"),
        decoder: || Box::new(CentrifugoDecoder::json()),
        over_http: OverHttp {
            is_binary: false,
            http_stream: kind(&CENTRIFUGO_JSON_OVER_HTTP, "http_stream"),
            sse: kind(&CENTRIFUGO_JSON_OVER_HTTP, "sse"),
            emulated: |body| centrifugo::Emulated::from_json(body).map(emulated),
        },
    };
    let protobuf = Encoding {
        subprotocol: "centrifuge-protobuf",
        format: "protobuf",
        kind: kind(&CENTRIFUGO_PROTOBUF, "websocket"),
        with_own_pings: kind(&CENTRIFUGO_PROTOBUF_WITH_OWN_PINGS, "websocket"),
        decoder: || Box::new(CentrifugoDecoder::protobuf()),
        over_http: OverHttp {
            is_binary: true,
            http_stream: kind(&CENTRIFUGO_PROTOBUF_OVER_HTTP, "http_stream"),
            sse: kind(&CENTRIFUGO_PROTOBUF_OVER_HTTP, "sse"),
            emulated: |body| centrifugo::Emulated::from_protobuf(body).map(emulated),
        },
    };
    CommandedEndpoint { usual: json, others: vec![protobuf] }
}

/// The protocol of Centrifugo for clients that only listen. They cannot show a new token, but the operator's backend may
/// let them stay.
pub(crate) fn unidirectional(heartbeat: &Heartbeat) -> UnidirectionalEndpoint {
    let kind = kinds(CONNECTS, heartbeat);
    UnidirectionalEndpoint {
        sse: kind(&CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, "uni_sse"),
        http_stream: kind(&CENTRIFUGO_UNIDIRECTIONAL_OVER_HTTP, "uni_http_stream"),
        websocket: kind(&CENTRIFUGO_UNIDIRECTIONAL_OVER_WEBSOCKET, "uni_websocket"),
        decoder: || -> Box<dyn Decoder> { Box::<CentrifugoUnidirectionalDecoder>::default() },
    }
}

/// The dialects of plain HTTP. Proxies cut off streams that are quiet for a minute, some sooner.
pub(crate) fn plain(heartbeat: &Heartbeat) -> PlainEndpoints {
    let ping_interval = heartbeat.ping_interval.min(QUIET);
    let heartbeat = Heartbeat { ping_interval, ..heartbeat.clone() };
    let kind = kinds(None, &heartbeat);
    PlainEndpoints {
        events_of_one: kind(&EVENTS_OF_ONE, "sse"),
        events_of_several: kind(&EVENTS_OF_SEVERAL, "sse"),
        lines: kind(&LINES, "http_stream"),
        polls: kind(&POLLS, "poll"),
    }
}

fn emulated(found: centrifugo::Emulated) -> Emulated {
    let centrifugo::Emulated { session, node, commands } = found;
    Emulated { session, node, commands }
}
