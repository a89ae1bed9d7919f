//! Each push, in both encodings.

use fanfare_core::{
    Attributes, Dialect, Payload, Ping, Publication, Push, attributes::PresenceChange, dialect::Unsubscribed,
};

use super::{JSON, PROTOBUF, at, channel, entry, publication, said};

#[test]
fn each_publication_has_its_vectors() {
    let tags = vec![("k".to_owned(), "v".to_owned())];
    let tagged = Attributes { tags: tags.clone(), publisher: Some(entry()), ..Attributes::default() };
    let event = Attributes { event: Some("e".to_owned()), tags, ..Attributes::default() };
    let unknown = Attributes {
        publisher: Some(fanfare_core::presence::PresenceEntry {
            user: None,
            client_info: None,
            channel_info: None,
            ..entry()
        }),
        ..Attributes::default()
    };
    for (publication, json, protobuf) in [
        (
            publication(Payload::json(r#"{"x" : 1}"#), None, None),
            r#"{"push":{"channel":"a","pub":{"data":{"x" : 1}}}}"#,
            "122210120161220b22097b227822203a20317d",
        ),
        (
            publication(Payload::text("hi"), None, None),
            r#"{"push":{"channel":"a","pub":{"data":"hi"}}}"#,
            "0d220b1201612206220422686922",
        ),
        (
            publication(Payload::json("{}"), Some(at(1)), None),
            r#"{"push":{"channel":"a","pub":{"data":{},"offset":1}}}"#,
            "0d220b120161220622027b7d3001",
        ),
        (
            publication(Payload::json("{}"), Some(at(2)), Some(tagged)),
            r#"{"push":{"channel":"a","pub":{"data":{},"info":{"user":"u","client":"00c0ffee00c0ffee-17","conn_info":{"c": 1},"chan_info":2},"offset":2,"tags":{"k":"v"}}}}"#,
            "3c223a120161223522027b7d2a250a01751213303063306666656530306330666665652d31371a087b2263223a20317d22013230023a060a016b120176",
        ),
        (
            publication(Payload::json("{}"), None, Some(event)),
            r#"{"push":{"channel":"a","pub":{"data":{},"tags":{"event":"e","k":"v"}}}}"#,
            "1f221d120161221822027b7d3a0a0a056576656e741201653a060a016b120176",
        ),
        (
            publication(Payload::json("{}"), None, Some(unknown)),
            r#"{"push":{"channel":"a","pub":{"data":{},"info":{"user":"","client":"00c0ffee00c0ffee-17"}}}}"#,
            "222220120161221b22027b7d2a151213303063306666656530306330666665652d3137",
        ),
    ] {
        assert_eq!(said(&JSON.publication(&publication)), json);
        assert_eq!(said(&PROTOBUF.publication(&publication)), protobuf, "{json}");
    }
}

#[test]
fn news_of_clients_have_their_vectors() {
    let news = |presence, publisher| -> Publication {
        let attributes = Attributes { presence: Some(presence), publisher, ..Attributes::default() };
        publication(Payload::binary(""), None, Some(attributes))
    };
    for (publication, json, protobuf) in [
        (
            news(PresenceChange::Joined, Some(entry())),
            r#"{"push":{"channel":"a","join":{"info":{"user":"u","client":"00c0ffee00c0ffee-17","conn_info":{"c": 1},"chan_info":2}}}}"#,
            "2e222c1201612a270a250a01751213303063306666656530306330666665652d31371a087b2263223a20317d220132",
        ),
        (
            news(PresenceChange::Left, Some(entry())),
            r#"{"push":{"channel":"a","leave":{"info":{"user":"u","client":"00c0ffee00c0ffee-17","conn_info":{"c": 1},"chan_info":2}}}}"#,
            "2e222c12016132270a250a01751213303063306666656530306330666665652d31371a087b2263223a20317d220132",
        ),
        // SDKs read the info without asking whether it is there.
        (
            news(PresenceChange::Left, None),
            r#"{"push":{"channel":"a","leave":{"info":{"user":"","client":""}}}}"#,
            "09220712016132020a00",
        ),
    ] {
        assert_eq!(said(&JSON.publication(&publication)), json);
        assert_eq!(said(&PROTOBUF.publication(&publication)), protobuf, "{json}");
    }
}

#[test]
fn bytes_are_an_object_in_json() {
    let publication = publication(Payload::binary(&b"\xff\0"[..]), None, None);
    assert_eq!(
        said(&JSON.publication(&publication)),
        r#"{"push":{"channel":"a","pub":{"data":{"b64":"/wA="}}}}"#
    );
    assert_eq!(said(&PROTOBUF.publication(&publication)), "0b220912016122042202ff00");
}

/// SDKs split messages at line ends.
#[test]
fn json_has_no_line_ends() {
    let publication = publication(Payload::json("{\n\"x\": \"\\n\"\r\n}"), None, None);
    let wanted = "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{ \"x\": \"\\n\"\r }}}}";
    assert_eq!(said(&JSON.publication(&publication)), wanted);
}

#[test]
fn broken_json_is_a_text() {
    let publication = publication(Payload::json("{\"x\""), None, None);
    let wanted = r#"{"push":{"channel":"a","pub":{"data":"{\"x\""}}}"#;
    assert_eq!(said(&JSON.publication(&publication)), wanted);
}

#[test]
fn each_push_has_its_vectors() {
    let unsubscribed = |reason| Push::Unsubscribed { channel: channel("a"), reason };
    for (push, json, protobuf) in [
        (
            Push::Subscribed { channel: channel("a"), position: None, data: None },
            r#"{"push":{"channel":"a","subscribe":{}}}"#,
            "0722051201614a00",
        ),
        (
            Push::Subscribed { channel: channel("a"), position: None, data: Some(Payload::json("[1]")) },
            r#"{"push":{"channel":"a","subscribe":{"data":[1]}}}"#,
            "0c220a1201614a053a035b315d",
        ),
        (
            Push::Subscribed { channel: channel("a"), position: Some(at(7)), data: None },
            r#"{"push":{"channel":"a","subscribe":{"recoverable":true,"epoch":"00000000000000ab","offset":7,"positioned":true}}}"#,
            "1f221d1201614a18080122103030303030303030303030303030616228073001",
        ),
        (
            unsubscribed(Unsubscribed::ByServer),
            r#"{"push":{"channel":"a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#,
            "1e221c1201613a1710d00f1a1273657276657220756e737562736372696265",
        ),
        (
            unsubscribed(Unsubscribed::Interrupted),
            r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
            "1e221c1201613a1710c4131a12696e73756666696369656e74207374617465",
        ),
        (
            unsubscribed(Unsubscribed::Expired),
            r#"{"push":{"channel":"a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#,
            "20221e1201613a1910c5131a14737562736372697074696f6e2065787069726564",
        ),
        (
            Push::Message(Payload::text("hi")),
            r#"{"push":{"message":{"data":"hi"}}}"#,
            "0a220842060a0422686922",
        ),
    ] {
        assert_eq!(said(&JSON.push(&push).unwrap()), json);
        assert_eq!(said(&PROTOBUF.push(&push).unwrap()), protobuf, "{json}");
    }
}

#[test]
fn a_ping_is_an_empty_reply() {
    let ping = |dialect: &dyn Dialect| match dialect.ping() {
        Ping::Message(message) => said(&message),
        Ping::Transport => panic!("not a message"),
    };
    assert_eq!((ping(&JSON).as_str(), ping(&PROTOBUF).as_str()), ("{}", "00"));
}
