//! Publications as differences, in both encodings.

use std::sync::Arc;

use fanfare_core::{
    Answer, Attributes, Dialect, EncodingId, Payload, Publication, Reply,
    attributes::PresenceChange,
    reply::{Recovered, Subscription},
};
use serde_json::Value;

use super::{JSON, PROTOBUF, at, channel, publication, said};
use crate::centrifugo::{Centrifugo, fossil::tests::applied};

const LONG: &str = "a text that is long enough for a match";

/// A publication behind another.
fn second(before: &Payload, payload: Payload) -> Publication {
    let second = publication(payload, Some(at(2)), None);
    second.follow(before.clone());
    second
}

/// The JSON of an SDK behind the JSON `before`, and whether a difference said it.
fn taken(before: &str, publication: &Value) -> (String, bool) {
    let data = publication["data"].as_str().unwrap();
    if publication["delta"] == true {
        (String::from_utf8(applied(before.as_bytes(), data.as_bytes())).unwrap(), true)
    } else {
        (data.to_owned(), false)
    }
}

fn patch(dialect: &Centrifugo, publication: &Publication) -> String {
    said(&dialect.delta().unwrap().patch.publication(publication))
}

fn full(dialect: &Centrifugo, publication: &Publication) -> String {
    said(&dialect.delta().unwrap().full.publication(publication))
}

#[test]
fn each_form_has_its_vectors() {
    let before = Payload::json(format!(r#"{{"n":1,"text":"{LONG}"}}"#));
    let next = second(&before, Payload::json(format!(r#"{{"n":2,"text":"{LONG}"}}"#)));
    assert_eq!(
        full(&JSON, &next),
        format!(
            r#"{{"push":{{"channel":"a","pub":{{"data":"{{\"n\":2,\"text\":\"{LONG}\"}}","offset":2}}}}}}"#
        )
    );
    assert_eq!(full(&PROTOBUF, &next), said(&PROTOBUF.publication(&next)));
    let json: Value = serde_json::from_str(&patch(&JSON, &next)).unwrap();
    let said_of_it = &json["push"]["pub"];
    assert_eq!((&said_of_it["offset"], &said_of_it["delta"]), (&Value::from(2), &Value::from(true)));
    let before = std::str::from_utf8(before.bytes()).unwrap();
    assert_eq!(taken(before, said_of_it), (format!(r#"{{"n":2,"text":"{LONG}"}}"#), true));
    // Field 8 of the publication is `delta`.
    assert!(patch(&PROTOBUF, &next).ends_with("30024001"), "{}", patch(&PROTOBUF, &next));
}

#[test]
fn what_is_not_shorter_is_whole() {
    let long = "ä".repeat(40);
    for (before, payload) in [
        (Payload::text("a"), Payload::text("b")),
        (Payload::text(LONG), Payload::text("another one")),
        (Payload::text(""), Payload::text(LONG)),
        // The difference begins within a character.
        (Payload::text(format!("a{long}")), Payload::text(format!("{}bä", &long[2..]))),
        (Payload::text("x".repeat(200_000)), Payload::text("x".repeat(200_001))),
    ] {
        let next = second(&before, payload);
        let json: Value = serde_json::from_str(&patch(&JSON, &next)).unwrap();
        let (text, _) = taken(
            &String::from_utf8_lossy(&serde_json::to_vec(&*String::from_utf8_lossy(before.bytes())).unwrap()),
            &json["push"]["pub"],
        );
        let text: String = serde_json::from_str(&text).unwrap();
        assert_eq!(text.as_bytes(), &next.payload.bytes()[..]);
    }
    let next = second(&Payload::text("a"), Payload::text("b"));
    assert_eq!(patch(&JSON, &next), full(&JSON, &next));
    assert_eq!(patch(&PROTOBUF, &next), full(&PROTOBUF, &next));
    let first = publication(Payload::text(LONG), Some(at(1)), None);
    assert_eq!(patch(&JSON, &first), full(&JSON, &first));
}

#[test]
fn every_payload_becomes_a_string() {
    for (payload, wanted) in [
        (Payload::text("hi"), r#""hi""#),
        (Payload::json("{\n}"), "{\n}"),
        (Payload::json("no json"), r#""no json""#),
        (Payload::binary(&b"\xff\0"[..]), r#"{"b64":"/wA="}"#),
    ] {
        let json = full(&JSON, &publication(payload, None, None));
        assert!(!json.contains('\n'));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["push"]["pub"]["data"], wanted);
    }
}

#[test]
fn the_past_is_patched_inside() {
    let text = |n: u64| Payload::json(format!(r#"{{"n":{n},"text":"{LONG}"}}"#));
    let past = |offsets: &[u64]| -> Vec<_> {
        offsets.iter().map(|n| Arc::new(publication(text(*n), Some(at(*n)), None))).collect()
    };
    let reply = |publications| Reply::Subscribed {
        id: 2,
        channel: channel("a"),
        subscription: Subscription {
            position: Some(at(9)),
            recovered: Some(Recovered { is_whole: true, since: 3, publications }),
            delta: true,
            ..Subscription::default()
        },
    };
    for (offsets, differ) in [
        (&[4, 5, 6][..], &[false, true, true][..]),
        (&[4, 6, 7], &[false, false, true]),
        (&[9], &[false]),
        (&[], &[]),
    ] {
        let Answer::Send(message) = JSON.reply(&reply(past(offsets))) else { panic!("no answer") };
        let json: Value = serde_json::from_slice(message.bytes()).unwrap();
        let result = &json["subscribe"];
        assert_eq!(result["delta"], true);
        let (mut before, mut told) = (String::new(), Vec::new());
        for (said, offset) in result["publications"].as_array().into_iter().flatten().zip(offsets) {
            let (text_of_it, is_difference) = taken(&before, said);
            assert_eq!(text_of_it.as_bytes(), &text(*offset).bytes()[..]);
            told.push(is_difference);
            before = text_of_it;
        }
        assert_eq!(told, differ);
    }
    let Answer::Send(message) = PROTOBUF.reply(&reply(past(&[4, 5]))) else { panic!("no answer") };
    assert!(said(&message).contains("30054001"), "{}", said(&message));
}

#[test]
fn news_have_one_form() {
    let news = Attributes { presence: Some(PresenceChange::Joined), ..Attributes::default() };
    let news = publication(Payload::binary(""), None, Some(news));
    for dialect in [JSON, PROTOBUF] {
        let plain = said(&dialect.publication(&news));
        assert_eq!((full(&dialect, &news), patch(&dialect, &news)), (plain.clone(), plain));
    }
}

#[test]
fn each_form_has_an_encoding() {
    let encodings = |dialect: &Centrifugo| -> [EncodingId; 3] {
        let forms = dialect.delta().unwrap();
        [dialect.encoding(), forms.full.encoding(), forms.patch.encoding()]
    };
    let ([json, json_full, json_patch], [protobuf, protobuf_full, protobuf_patch]) =
        (encodings(&JSON), encodings(&PROTOBUF));
    assert_eq!(protobuf, protobuf_full, "the same bytes");
    let mut all = vec![json, json_full, json_patch, protobuf, protobuf_patch];
    all.sort_by_key(|id| id.0);
    all.dedup();
    assert_eq!(all.len(), 5);
}
