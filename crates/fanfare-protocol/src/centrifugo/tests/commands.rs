//! Each command that the hub gets, from both encodings.

use fanfare_core::{
    Command, Epoch, Payload, Request,
    command::{ClientToken, Connect, HistoryQuery, ResumeEpoch, ResumeFrom, SubscribeOptions},
};

use prost::Message as _;

use super::{super::wire::Reply, CentrifugoDecoder, binary, channel, decode, json, protobuf, text};

fn subscribe(options: SubscribeOptions) -> Command {
    Command::Subscribe { id: 2, channel: channel("a"), options: Some(Box::new(options)) }
}

fn publish(payload: Payload) -> Command {
    Command::Publish { id: 2, channel: channel("a"), payload }
}

fn history(query: HistoryQuery) -> Command {
    Command::History { id: 2, channel: channel("a"), query }
}

#[test]
fn each_command_has_its_vectors() {
    let from = |epoch, offset| Some(ResumeFrom { epoch, offset });
    let token = || ClientToken::new("t");
    for (json_frame, protobuf_frame, wanted) in [
        (
            r#"{"id":2,"subscribe":{"channel":"a"}}"#,
            "0708022a030a0161",
            subscribe(SubscribeOptions::default()),
        ),
        (
            r#"{"id":2,"subscribe":{"channel":"a","token":"t","recover":true,"epoch":"00000000000000ab","offset":7,"positioned":true,"recoverable":true,"join_leave":true,"delta":"fossil","flag":3}}"#,
            "3008022a2c0a0161120174180132103030303030303030303030303030616238074801500158016206666f7373696c7003",
            subscribe(SubscribeOptions {
                token: Some(token()),
                resume: from(ResumeEpoch::Is(Epoch(0xAB)), 7),
                must_resume: true,
                joins: true,
                delta: true,
                ..SubscribeOptions::default()
            }),
        ),
        (
            r#"{"id":2,"unsubscribe":{"channel":"a"}}"#,
            "07080232030a0161",
            Command::Unsubscribe { id: 2, channel: channel("a") },
        ),
        (
            r#"{"id":2,"publish":{"channel":"a","data":"hi"}}"#,
            "0d08023a090a0161120422686922",
            publish(Payload::text("hi")),
        ),
        (
            r#"{"id":2,"publish":{"channel":"a","data":{ "x": [1] }}}"#,
            "1508023a110a0161120c7b202278223a205b315d207d",
            publish(Payload::json(r#"{ "x": [1] }"#)),
        ),
        (
            r#"{"id":2,"publish":{"channel":"a","data":null}}"#,
            "0d08023a090a016112046e756c6c",
            publish(Payload::json("null")),
        ),
        (
            r#"{"id":2,"presence":{"channel":"a"}}"#,
            "07080242030a0161",
            Command::Presence { id: 2, channel: channel("a") },
        ),
        (
            r#"{"id":2,"presence_stats":{"channel":"a"}}"#,
            "0708024a030a0161",
            Command::PresenceStats { id: 2, channel: channel("a") },
        ),
        (
            r#"{"id":2,"history":{"channel":"a"}}"#,
            "07080252030a0161",
            history(HistoryQuery { limit: Some(0), ..Default::default() }),
        ),
        (
            r#"{"id":2,"history":{"channel":"a","limit":-1,"since":{"offset":5,"epoch":"x"},"reverse":true}}"#,
            "1b080252170a016138ffffffffffffffffff01420508051201784801",
            history(HistoryQuery { since: from(ResumeEpoch::Foreign, 5), limit: None, reverse: true }),
        ),
        (
            r#"{"id":2,"history":{"channel":"a","limit":10,"since":{}}}"#,
            "0b080252070a0161380a4200",
            history(HistoryQuery { since: from(ResumeEpoch::Any, 0), limit: Some(10), reverse: false }),
        ),
        (
            r#"{"id":2,"refresh":{"token":"t"}}"#,
            "07080272030a0174",
            Command::Refresh { id: 2, token: token() },
        ),
        (
            r#"{"id":2,"sub_refresh":{"channel":"a","token":"t"}}"#,
            "0a08027a060a0161120174",
            Command::RefreshSubscription { id: 2, channel: channel("a"), token: token() },
        ),
    ] {
        is_read(json_frame, protobuf_frame, wanted);
    }
}

#[test]
fn data_for_the_backend_has_its_vectors() {
    for (json_frame, protobuf_frame, wanted) in [
        (
            r#"{"id":2,"rpc":{"method":"m","data":1}}"#,
            "0a08026a060a013112016d",
            Command::Rpc { id: 2, method: "m".into(), data: Some(Payload::json("1")) },
        ),
        (r#"{"id":2,"rpc":{}}"#, "0408026a00", Command::Rpc { id: 2, method: String::new(), data: None }),
        (
            r#"{"id":2,"subscribe":{"channel":"a","data":1}}"#,
            "0a08022a060a0161420131",
            subscribe(SubscribeOptions { data: Some(Payload::json("1")), ..SubscribeOptions::default() }),
        ),
    ] {
        is_read(json_frame, protobuf_frame, wanted);
    }
}

#[track_caller]
fn is_read(json_frame: &str, protobuf_frame: &str, wanted: Command) {
    let wanted = (vec![Request::Command(wanted)], None);
    assert_eq!(json(json_frame), wanted, "{json_frame}");
    assert_eq!(protobuf(protobuf_frame), wanted, "{json_frame}");
}

#[test]
fn connect_has_its_vectors() {
    let connect = |id, token: Option<&str>, resume, [name, version, data]: [&str; 3]| {
        let token = token.map(ClientToken::new);
        (
            vec![Request::Command(Command::Connect(Box::new(Connect {
                id,
                token,
                resume,
                name: name.into(),
                version: version.into(),
                data: (!data.is_empty()).then(|| Payload::json(data)),
            })))],
            None,
        )
    };
    let resume = vec![(channel("a"), ResumeFrom { epoch: ResumeEpoch::Is(Epoch(0xAB)), offset: 7 })];
    for (json_frame, protobuf_frame, wanted) in [
        // As it was seen on the wire of a Centrifugo.
        (r#"{"id":1,"connect":{}}"#, "0408012200", connect(1, None, vec![], [""; 3])),
        (
            r#"{"id":1,"connect":{"name":"js"}}"#,
            "080801220422026a73",
            connect(1, None, vec![], ["js", "", ""]),
        ),
        (
            r#"{"id":2,"connect":{"token":"t","data":{"x":1},"subs":{"a":{"recover":true,"epoch":"00000000000000ab","offset":7}},"name":"js","version":"1","headers":{"k":"v"},"flag":1}}"#,
            "3e0802223a0a017412077b2278223a317d1a1b0a016112161801321030303030303030303030303030306162380722026a732a013132060a016b1201763801",
            connect(2, Some("t"), resume, ["js", "1", r#"{"x":1}"#]),
        ),
        // A token without a letter, a channel without a position, and a channel that cannot be.
        (
            r#"{"id":2,"connect":{"token":"","subs":{"":{"recover":true},"b":{}}}}"#,
            "130802220f1a050a016212001a060a0012021801",
            connect(2, None, vec![], [""; 3]),
        ),
    ] {
        assert_eq!(decode(&mut CentrifugoDecoder::json(), text(json_frame)), wanted, "{json_frame}");
        assert_eq!(
            decode(&mut CentrifugoDecoder::protobuf(), binary(protobuf_frame)),
            wanted,
            "{json_frame}"
        );
    }
}

/// The first frame of the npm SDK 5.8.0 with two subscriptions, as JSON and as Protobuf.
#[test]
fn an_sdks_first_frame_is_read() {
    let json_frame = concat!(
        r#"{"connect":{"token":"t","name":"js"},"id":1}"#,
        "\n",
        r#"{"subscribe":{"channel":"a","token":"s","recoverable":true,"join_leave":true,"flag":1,"recover":true,"offset":7,"epoch":"00000000000000ab"},"id":2}"#,
        "\n",
        r#"{"subscribe":{"channel":"b","flag":1,"delta":"fossil"},"id":3}"#,
    );
    let protobuf_frame = "0b080122070a017422026a732608022a220a01611201731801321030303030303030303030303030306162\
                          38075001580170011108032a0d0a01626206666f7373696c7001";
    let options = SubscribeOptions {
        token: Some(ClientToken::new("s")),
        resume: Some(ResumeFrom { epoch: ResumeEpoch::Is(Epoch(0xAB)), offset: 7 }),
        joins: true,
        ..SubscribeOptions::default()
    };
    let subscribe =
        |id, channel, options| Command::Subscribe { id, channel, options: Some(Box::new(options)) };
    let connect =
        Connect { id: 1, token: Some(ClientToken::new("t")), name: "js".into(), ..Connect::default() };
    let commands = [
        Command::Connect(Box::new(connect)),
        subscribe(2, channel("a"), options),
        subscribe(3, channel("b"), SubscribeOptions { delta: true, ..SubscribeOptions::default() }),
    ];
    let wanted = (commands.map(Request::Command).into(), None);
    assert_eq!(decode(&mut CentrifugoDecoder::json(), text(json_frame)), wanted);
    assert_eq!(decode(&mut CentrifugoDecoder::protobuf(), binary(protobuf_frame)), wanted);
}

/// The code and the sentence of an answer in JSON.
fn json_error(answer: &Request) -> (u32, String) {
    let Request::Answer(message) = answer else { panic!("{answer:?}") };
    let reply: serde_json::Value = serde_json::from_slice(message.bytes()).unwrap();
    (reply["error"]["code"].as_u64().unwrap() as u32, reply["error"]["message"].as_str().unwrap().to_owned())
}

/// The same in Protobuf.
fn protobuf_error(answer: &Request) -> (u32, String) {
    let Request::Answer(message) = answer else { panic!("{answer:?}") };
    let error = Reply::decode_length_delimited(message.bytes().clone()).unwrap().error.unwrap();
    (error.code, error.message)
}

#[test]
fn protobuf_mistakes_are_answered_as_in_json() {
    for (json_frame, protobuf_frame) in [
        (r#"{"id":2,"send":{"data":1}}"#, "07080262030a0131"),
        (r#"{"id":2,"ping":{}}"#, "0408025a00"),
        (r#"{"id":2,"subscribe":{"channel":"a","type":1}}"#, "0908022a050a01617801"),
        (
            r#"{"id":2,"subscribe":{"channel":"a","tf":{"op":"xor","nodes":[{"key":"k","cmp":"ex"}]}}}"#,
            "1708022a130a01616a0e0a03786f72320712016b1a026578",
        ),
        (r#"{"id":2,"subscribe":{"channel":"a","tf":{}}}"#, "0908022a050a01616a00"),
        (
            r#"{"id":2,"subscribe":{"channel":"a","tf":{"op":"not","nodes":[{"key":"k","cmp":"ex"},{"key":"k","cmp":"ex"}]}}}"#,
            "2008022a1c0a01616a170a036e6f74320712016b1a026578320712016b1a026578",
        ),
        (
            r#"{"id":2,"publish":{"channel":"a","data":1,"type":1,"key":"k","removed":true}}"#,
            "1108023a0d0a0161120131180122016b2801",
        ),
        (r#"{"id":2,"sub_refresh":{"channel":"a","type":1}}"#, "0908027a050a01611801"),
    ] {
        let ((json_requests, json_end), (requests, end)) = (json(json_frame), protobuf(protobuf_frame));
        assert_eq!(json_end, end, "{json_frame}");
        let errors: Vec<_> = requests.iter().map(protobuf_error).collect();
        assert_eq!(json_requests.iter().map(json_error).collect::<Vec<_>>(), errors, "{json_frame}");
    }
}
