//! The bytes for clients that only listen, and the pings of the transport.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Answer, CloseFrame, Command, CommandError, Decoder, Dialect, Disconnect, Goodbye, Liveness, Message,
    Payload, Ping, Push, Reply, Request, SubscribeError,
    command::{ClientToken, Connect, ResumeEpoch, ResumeFrom},
    dialect::Unsubscribed,
    hooks::HookError,
    reply::{Connected, Recovered, Subscription},
};

use super::super::{CentrifugoUnidirectional, CentrifugoUnidirectionalDecoder};
use super::{JSON, PROTOBUF, at, channel, client, publication, said, text};

const STREAM: CentrifugoUnidirectional = CentrifugoUnidirectional::over_http();
const SOCKET: CentrifugoUnidirectional = CentrifugoUnidirectional::over_websocket();

fn connected(subscriptions: Vec<(fanfare_core::Channel, Subscription)>) -> Reply {
    Reply::Connected(Box::new(Connected {
        id: 0,
        client: client(),
        expires_in: None,
        ping_interval: Duration::from_secs(25),
        subscriptions,
        fed_as: Some("secret".into()),
        data: None,
    }))
}

fn answer(dialect: &dyn Dialect, reply: &Reply) -> String {
    let Answer::Send(message) = dialect.reply(reply) else { panic!("{reply:?}") };
    said(&message)
}

#[test]
fn a_listener_learns_of_its_connect() {
    let recovered = Recovered {
        is_whole: true,
        since: 7,
        publications: vec![Arc::new(publication(Payload::json("{ }"), Some(at(8)), None))],
    };
    let subscription =
        Subscription { position: Some(at(8)), recovered: Some(recovered), ..Subscription::default() };
    let reply = connected(vec![(channel("a"), subscription)]);
    let stream = concat!(
        r#"{"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","subs":{"a":{"recoverable":true,"#,
        r#""epoch":"00000000000000ab","publications":[{"data":{ },"offset":8}],"recovered":true,"offset":7,"#,
        r#""positioned":true,"was_recovering":true}},"ping":25,"session":"secret"}}"#
    );
    assert_eq!(answer(&STREAM, &reply), stream);
    assert_eq!(answer(&SOCKET, &reply), stream.replace(r#""ping":25,"#, ""));
}

#[test]
fn pushes_to_a_listener_are_bare() {
    let message = STREAM.publication(&publication(Payload::text("hi"), Some(at(2)), None));
    assert_eq!(said(&message), r#"{"channel":"a","pub":{"data":"hi","offset":2}}"#);
    let push = |push| said(&STREAM.push(&push).unwrap());
    assert_eq!(
        push(Push::Subscribed { channel: channel("a"), position: Some(at(2)), data: None }),
        r#"{"channel":"a","subscribe":{"recoverable":true,"epoch":"00000000000000ab","offset":2,"positioned":true}}"#
    );
    assert_eq!(
        push(Push::Unsubscribed { channel: channel("a"), reason: Unsubscribed::ByServer }),
        r#"{"channel":"a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}"#
    );
    assert_eq!(push(Push::Message(Payload::json("1"))), r#"{"message":{"data":1}}"#);
    assert_eq!(STREAM.encoding(), SOCKET.encoding());
    assert_ne!(STREAM.encoding(), JSON.encoding());
}

#[test]
fn only_streams_have_messages_for_pings_and_goodbyes() {
    assert_eq!((STREAM.ping(), STREAM.liveness()), (Ping::Message(text("{}")), Liveness::AnyWrite));
    assert_eq!((SOCKET.ping(), SOCKET.liveness()), (Ping::Transport, Liveness::AnyRead));
    let disconnect = Disconnect::ByServer(CloseFrame::new(3503, "force disconnect"));
    let said_by_stream = said(&STREAM.goodbye(&disconnect).message.unwrap());
    assert_eq!(said_by_stream, r#"{"disconnect":{"code":3503,"reason":"force disconnect"}}"#);
    assert_eq!(SOCKET.goodbye(&disconnect), Goodbye::from(CloseFrame::new(3503, "force disconnect")));
    assert_eq!(STREAM.goodbye(&Disconnect::Lost), Goodbye::default());
}

#[test]
fn a_failed_connect_ends_a_listener() {
    let backends = |code| HookError { code, message: "no".to_owned(), is_temporary: false };
    for (error, code, reason) in [
        (CommandError::TokenExpired, 3005, "expired"),
        (backends(110).into(), 3005, "expired"),
        (backends(111).into(), 3013, "server"),
        (backends(400).into(), 3004, "server"),
        (backends(103).into(), 3507, "not_permitted"),
        (SubscribeError::Forbidden("ACL".into()).into(), 3507, "not_permitted"),
        (SubscribeError::Unavailable.into(), 3004, "unavailable"),
        (CommandError::Unavailable("away".into()), 3004, "unavailable"),
        (CommandError::NeedsTokenToConnect, 3501, "bad_request"),
    ] {
        let Answer::End(disconnect) = SOCKET.reply(&Reply::Failed { id: 0, error }) else { panic!("{code}") };
        let frame = SOCKET.goodbye(&disconnect).frame.unwrap();
        assert_eq!((frame.code, disconnect.name(), frame.reason.is_empty()), (code, reason, false));
    }
    assert_eq!(STREAM.reply(&Reply::Published { id: 0 }), Answer::Nothing);
}

fn decode(messages: &[&str]) -> (Vec<Request>, Option<Disconnect>) {
    let mut decoder = CentrifugoUnidirectionalDecoder::default();
    let mut requests = Vec::new();
    let ends = messages.iter().map(|message| decoder.decode(text(message), &mut requests).err());
    let end = ends.last().flatten();
    (requests, end)
}

#[test]
fn a_listener_sends_a_connect_request() {
    let request = concat!(
        r#" {"token":"t","data":{"x":1},"subs":{"a":{"recover":true,"epoch":"00000000000000ab","offset":7},"b":{}},"#,
        r#""name":"js","version":"1","headers":{"k":"v"}} "#
    );
    let connect = Connect {
        token: Some(ClientToken::new("t")),
        data: Some(Payload::json(r#"{"x":1}"#)),
        resume: vec![(
            channel("a"),
            ResumeFrom { epoch: ResumeEpoch::Is(fanfare_core::Epoch(0xAB)), offset: 7 },
        )],
        name: "js".to_owned(),
        version: "1".to_owned(),
        ..Connect::default()
    };
    let command = |connect| Request::Command(Command::Connect(Box::new(connect)));
    assert_eq!(decode(&[request]), (vec![command(connect)], None));
    for nothing in ["", " ", "{}"] {
        assert_eq!(decode(&[nothing]), (vec![command(Connect::default())], None));
    }
}

#[test]
fn a_listener_sends_nothing_else() {
    for wrong in ["[]", "xx", "null", "1", r#"{"token":1}"#, "{}\n{}"] {
        let (requests, end) = decode(&[wrong]);
        assert!(requests.is_empty() && matches!(end, Some(Disconnect::BadRequest(_))), "{wrong}");
    }
    let (requests, end) = decode(&["", "{}"]);
    assert!(requests.len() == 1 && matches!(end, Some(Disconnect::BadRequest(_))));
}

#[test]
fn own_pings_are_not_promised() {
    for dialect in [JSON, PROTOBUF] {
        let with_own = dialect.with_own_pings();
        assert_eq!((with_own.ping(), with_own.liveness()), (Ping::Transport, Liveness::Pong));
        assert_eq!(with_own.encoding(), dialect.encoding());
    }
    assert_eq!(
        answer(&JSON.with_own_pings(), &connected(Vec::new())),
        r#"{"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","session":"secret","node":"00c0ffee00c0ffee"}}"#
    );
    let Ping::Message(Message::Text(ping)) = JSON.ping() else { panic!("a message") };
    assert_eq!(ping, "{}");
}
