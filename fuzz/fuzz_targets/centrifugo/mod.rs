//! The rules for whatever a client of the Centrifugo protocol sends.

use fanfare_core::{Command, Decoder, Dialect, Message, Publication, Request};
use fanfare_protocol::{
    CentrifugoDecoder,
    dialect::{CENTRIFUGO_JSON, CENTRIFUGO_PROTOBUF},
};

/// Decodes frames as one session, behind its connect. A publish comes out of both dialects again.
pub fn session(mut decoder: CentrifugoDecoder, connect: &'static [u8], frames: Vec<Vec<u8>>) {
    let mut requests = Vec::new();
    decoder.decode(Message::Binary(connect.into()), &mut requests).unwrap();
    assert_eq!(requests.len(), 1);
    for frame in frames {
        if let Err(disconnect) = decoder.decode(Message::Binary(frame.into()), &mut requests) {
            let close = CENTRIFUGO_JSON.goodbye(&disconnect).frame.unwrap();
            assert!((1..=123).contains(&close.reason.len()), "{close:?}");
            break;
        }
    }
    for request in requests {
        match request {
            Request::Answer(message) => assert!(!message.bytes().is_empty()),
            Request::Command(Command::Publish { channel, payload, .. }) => {
                let publication = Publication::new(channel, payload, None);
                let line = CENTRIFUGO_JSON.publication(&publication);
                assert!(!line.bytes().contains(&b'\n'));
                assert!(
                    line.bytes().starts_with(br#"{"push":"#) && std::str::from_utf8(line.bytes()).is_ok()
                );
                assert!(CENTRIFUGO_PROTOBUF.publication(&publication).bytes().len() > 1);
            }
            Request::Command(_) | Request::Pong => {}
        }
    }
}
