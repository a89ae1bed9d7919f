//! Bytes that nobody planned.

use fanfare_core::{Attributes, Decoder, Dialect, Message, Payload, PayloadKind};
use proptest::prelude::*;

use super::super::{CentrifugoUnidirectional, CentrifugoUnidirectionalDecoder};
use super::{CONNECT, CentrifugoDecoder, JSON, PROTOBUF, binary, decode, publication, text};

proptest! {
    #[test]
    fn bytes_never_panic(bytes: Vec<u8>) {
        for mut decoder in [CentrifugoDecoder::json(), CentrifugoDecoder::protobuf()] {
            decode(&mut decoder, Message::Binary(bytes.clone().into()));
        }
        let _ = CentrifugoUnidirectionalDecoder::default().decode(Message::Binary(bytes.into()), &mut Vec::new());
    }

    /// As far into a command as bytes by chance do not come.
    #[test]
    fn requests_never_panic(tag in 0_u8..16, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut decoder = CentrifugoDecoder::protobuf();
        decode(&mut decoder, binary("0408012200"));
        let length = u8::try_from(bytes.len()).unwrap();
        let mut frame = vec![length + 4, 8, 2, tag << 3 | 2, length];
        frame.extend(&bytes);
        decode(&mut decoder, Message::Binary(frame.into()));
    }

    #[test]
    fn json_requests_never_panic(method in "[a-z_]{3,11}", value in r#"\{("(channel|data|since|type)":[0-9"{}\[a\]\\]{0,9},?){0,4}\}"#) {
        let mut decoder = CentrifugoDecoder::json();
        decode(&mut decoder, text(CONNECT));
        decode(&mut decoder, text(&format!(r#"{{"id":2,"{method}":{value}}}"#)));
    }

    /// Whatever is published: JSON is one line and well-formed, Protobuf has the bytes.
    #[test]
    fn every_publication_is_one_line(bytes: Vec<u8>, kind in 0..3_usize, tag: String) {
        let kind = [PayloadKind::Text, PayloadKind::Json, PayloadKind::Binary][kind];
        let payload = Payload::checked(kind, bytes.clone().into()).unwrap_or(Payload::binary(bytes));
        let attributes = Attributes { tags: vec![(tag.clone(), tag)], ..Attributes::default() };
        let publication = publication(payload, None, Some(attributes));
        let message = JSON.publication(&publication);
        let line = std::str::from_utf8(message.bytes()).unwrap();
        prop_assert!(!line.contains('\n'));
        let reply: serde_json::Value = serde_json::from_str(line).unwrap();
        prop_assert!(reply["push"]["pub"].is_object());
        let bare = CentrifugoUnidirectional::over_http().publication(&publication);
        let push: serde_json::Value = serde_json::from_slice(bare.bytes()).unwrap();
        prop_assert_eq!(&push, &reply["push"]);
        PROTOBUF.publication(&publication);
    }
}
