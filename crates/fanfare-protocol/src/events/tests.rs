use std::time::Duration;

use fanfare_core::{
    Answer, Attributes, Channel, Cursor, Dialect, Disconnect, Epoch, Message, Payload, Ping, Position,
    Publication, Push, Reply,
    dialect::Unsubscribed,
    reply::{Recovered, Subscription},
};
use proptest::prelude::*;

use super::Events;

const ALL: [Events; 4] = [Events::of_one(), Events::of_several(), Events::lines(), Events::polls()];

fn channel() -> Channel {
    Channel::new("chat").unwrap()
}

fn position() -> Position {
    Position { epoch: Epoch(1), offset: 7 }
}

fn published(payload: Payload, event: Option<&str>) -> Publication {
    let attributes =
        event.map(|event| Box::new(Attributes { event: Some(event.to_owned()), ..Attributes::default() }));
    Publication::new(channel(), payload, None).with_attributes(attributes)
}

fn text(message: &Message) -> String {
    String::from_utf8(message.bytes().to_vec()).unwrap()
}

fn said(dialect: Events, publication: &Publication) -> String {
    text(&dialect.publication(publication))
}

#[test]
fn a_payload_is_the_data_of_an_event() {
    let block = |payload, event| said(Events::of_one(), &published(payload, event));
    for (payload, event, expected) in [
        (Payload::text("hi"), None, "data: hi\n\n"),
        (Payload::text(""), None, "data: \n\n"),
        (Payload::text("a\nb\r\nc\rd\n"), None, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (Payload::text("id: 1\n\nevent: x"), None, "data: id: 1\ndata: \ndata: event: x\n\n"),
        (Payload::json("{\"a\":\n1}"), None, "data: {\"a\":\ndata: 1}\n\n"),
        (Payload::binary(&b"\xff\0"[..]), None, "data: {\"b64\":\"/wA=\"}\n\n"),
        (Payload::text("hi"), Some("joke"), "event: joke\ndata: hi\n\n"),
    ] {
        assert_eq!(block(payload, event), expected);
    }
    let kept = published(Payload::text("hi"), None).at(Some(position()));
    let cursor = Cursor::of(&channel(), position());
    assert_eq!(said(Events::of_one(), &kept), format!("id: {cursor}\ndata: hi\n\n"));
}

#[test]
fn an_event_cannot_pretend_to_be_another() {
    for event in ["a\nid: 9", "a\rb", "a\0", "fanfare", "open", "error", ""] {
        let publication = published(Payload::text("x"), Some(event));
        assert_eq!(said(Events::of_one(), &publication), "data: x\n\n", "{event:?}");
    }
}

#[test]
fn an_item_names_its_channel() {
    let line = |payload, event| said(Events::lines(), &published(payload, event));
    assert_eq!(line(Payload::text("a\n\"b\""), None), r#"{"channel":"chat","data":"a\n\"b\""}"#);
    assert_eq!(line(Payload::json("{\"a\":\r\n1}"), None), r#"{"channel":"chat","data":{"a":  1}}"#);
    assert_eq!(
        line(Payload::binary("b"), Some("e")),
        r#"{"channel":"chat","event":"e","data":{"b64":"Yg=="}}"#
    );
    let tags = vec![("k".to_owned(), "v".to_owned())];
    let attributes = Attributes { tags, ..Attributes::default() };
    let tagged = published(Payload::json("1"), None).with_attributes(Some(Box::new(attributes)));
    let kept = tagged.at(Some(position()));
    let cursor = Cursor::of(&channel(), position());
    let item = r#""channel":"chat","tags":{"k":"v"},"data":1}"#;
    assert_eq!(said(Events::lines(), &kept), format!("{{\"cursor\":\"{cursor}\",{item}"));
    assert_eq!(said(Events::of_several(), &kept), format!("id: {cursor}\ndata: {{{item}\n\n"));
    assert_eq!(said(Events::polls(), &kept), said(Events::lines(), &kept));
}

#[test]
fn a_client_is_told_its_subscription() {
    let told = |dialect: Events, recovered: Option<bool>| {
        let recovered = recovered.map(|is_whole| Recovered { is_whole, since: 0, publications: Vec::new() });
        let position = Some(position());
        let subscription = Subscription { position, recovered, ..Subscription::default() };
        match dialect.reply(&Reply::Subscribed { id: 0, channel: channel(), subscription }) {
            Answer::Send(message) => text(&message),
            other => format!("{other:?}"),
        }
    };
    let cursor = Cursor::of(&channel(), position());
    assert_eq!(
        told(Events::of_one(), Some(true)),
        format!(
            "id: {cursor}\nevent: fanfare\ndata: {{\"type\":\"subscribed\",\"channel\":\"chat\",\"recovered\":true}}\n\n"
        )
    );
    assert_eq!(
        told(Events::lines(), Some(false)),
        format!(
            r#"{{"cursor":"{cursor}","type":"subscribed","channel":"chat","recovered":false,"gap":true}}"#
        )
    );
    assert!(told(Events::of_several(), None).contains("\"recovered\":false}"));
    assert_eq!(told(Events::polls(), None), "Nothing");
}

#[test]
fn a_gap_is_told_where_it_is() {
    let mark = Publication::gap(channel(), Some(position()));
    let cursor = Cursor::of(&channel(), position());
    let notice = r#""type":"gap","channel":"chat","gap":true}"#;
    for dialect in [Events::of_one(), Events::of_several()] {
        assert_eq!(said(dialect, &mark), format!("id: {cursor}\nevent: fanfare\ndata: {{{notice}\n\n"));
    }
    for dialect in [Events::lines(), Events::polls()] {
        assert_eq!(said(dialect, &mark), format!("{{\"cursor\":\"{cursor}\",{notice}"));
    }
    assert!(ALL.iter().all(Dialect::tells_gaps));
}

#[test]
fn ends_are_told_with_code_and_sentence() {
    let goodbye = Events::of_one().goodbye(&Disconnect::Expired);
    assert_eq!(
        text(&goodbye.message.unwrap()),
        "event: fanfare\ndata: {\"type\":\"disconnect\",\"code\":4001,\
         \"reason\":\"your token expired: reconnect with a new one\"}\n\n"
    );
    assert_eq!(goodbye.frame.unwrap().code, 4001);
    let poll = Events::polls().goodbye(&Disconnect::Restart);
    assert_eq!((poll.message, poll.frame.unwrap().code), (None, 1012));
    let push = Push::Unsubscribed { channel: channel(), reason: Unsubscribed::ByServer };
    assert_eq!(
        text(&Events::lines().push(&push).unwrap()),
        r#"{"type":"unsubscribed","channel":"chat","reason":"server"}"#
    );
    assert_eq!(Events::polls().push(&push), None);
    let push = Push::Refreshed { expires_in: Some(Duration::from_millis(60_900)) };
    assert_eq!(text(&Events::lines().push(&push).unwrap()), r#"{"type":"expiring","expires_in":60}"#);
}

#[test]
fn only_a_poll_has_no_ping() {
    let ping = |dialect: Events| match dialect.ping() {
        Ping::Message(message) => Some(text(&message)),
        Ping::Transport => None,
    };
    assert_eq!(ALL.map(ping), [Some(":\n\n".into()), Some(":\n\n".into()), Some(String::new()), None]);
}

proptest! {
    #[test]
    fn no_text_makes_a_line(data in any::<String>(), event in any::<String>(), tag in any::<String>()) {
        let tags = vec![(tag.clone(), tag)];
        let attributes = Attributes { event: Some(event), tags, ..Attributes::default() };
        let publication = published(Payload::text(data), None).with_attributes(Some(Box::new(attributes)));
        for dialect in [Events::of_one(), Events::of_several()] {
            let block = said(dialect, &publication);
            let lines = block.strip_suffix("\n\n").unwrap();
            prop_assert!(!lines.contains('\r'));
            let mut lines = lines.split('\n').peekable();
            lines.next_if(|line| line.starts_with("event: "));
            prop_assert!(lines.all(|line| line.starts_with("data: ")));
        }
        prop_assert!(!said(Events::lines(), &publication).contains(['\r', '\n']));
    }
}
