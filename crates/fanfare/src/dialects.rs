//! The protocols of clients, and the endpoints that speak them. Only this file names them all.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Dialect, Heartbeat};
use fanfare_gateway::{CommandedEndpoint, Emulated, Encoding, OverHttp, RelayEndpoint};
use fanfare_hub::{ConnectRules, Kind};
use fanfare_protocol::{CentrifugoDecoder, RelayDecoder, centrifugo, dialect};

/// All of them.
pub(crate) const ALL: [&dyn Dialect; 3] =
    [&dialect::RELAY, &dialect::CENTRIFUGO_JSON, &dialect::CENTRIFUGO_PROTOBUF];

/// As Centrifugo has it: its clients show a new token when the old one expires, so that it comes a moment later.
const EXPIRY_GRACE: Duration = Duration::from_secs(25);

fn kind(dialect: &'static dyn Dialect, connects: Option<ConnectRules>, heartbeat: &Heartbeat) -> Arc<Kind> {
    Arc::new(Kind { dialect, heartbeat: heartbeat.clone(), connects })
}

/// The plain WebSocket.
pub(crate) fn relay(heartbeat: &Heartbeat) -> RelayEndpoint {
    RelayEndpoint {
        kind: kind(&dialect::RELAY, None, heartbeat),
        decoder: |channel| Box::new(RelayDecoder::new(channel)),
    }
}

/// The protocol of Centrifugo's clients.
pub(crate) fn commanded(heartbeat: &Heartbeat) -> CommandedEndpoint {
    let connects = Some(ConnectRules { expiry_grace: EXPIRY_GRACE });
    let json = Encoding {
        subprotocol: "centrifuge-json",
        format: "json",
        kind: kind(&dialect::CENTRIFUGO_JSON, connects, heartbeat),
        decoder: || Box::new(CentrifugoDecoder::json()),
        over_http: OverHttp {
            is_binary: false,
            kind: kind(&dialect::CENTRIFUGO_JSON_OVER_HTTP, connects, heartbeat),
            emulated: |body| centrifugo::Emulated::from_json(body).map(emulated),
        },
    };
    let protobuf = Encoding {
        subprotocol: "centrifuge-protobuf",
        format: "protobuf",
        kind: kind(&dialect::CENTRIFUGO_PROTOBUF, connects, heartbeat),
        decoder: || Box::new(CentrifugoDecoder::protobuf()),
        over_http: OverHttp {
            is_binary: true,
            kind: kind(&dialect::CENTRIFUGO_PROTOBUF_OVER_HTTP, connects, heartbeat),
            emulated: |body| centrifugo::Emulated::from_protobuf(body).map(emulated),
        },
    };
    CommandedEndpoint { usual: json, others: vec![protobuf] }
}

fn emulated(found: centrifugo::Emulated) -> Emulated {
    let centrifugo::Emulated { session, node, commands } = found;
    Emulated { session, node, commands }
}
