//! The rules of frames, of the order of commands, and of what a command may say.

use fanfare_core::{Command, Dialect, Disconnect, Message, Payload, Request};

use super::{
    CONNECT, CentrifugoDecoder, JSON, channel, close_code, command, decode, error_code, json, protobuf, text,
};

const PRESENCE: &str = r#"{"id":2,"presence":{"channel":"a"}}"#;

fn presence() -> Request {
    Request::Command(Command::Presence { id: 2, channel: channel("a") })
}

/// The close code by which a frame ends a session that has not connected.
fn first_close_code(frame: &str) -> u16 {
    let (requests, end) = decode(&mut CentrifugoDecoder::json(), text(frame));
    assert_eq!(requests, [], "{frame}");
    JSON.goodbye(&end.unwrap()).frame.unwrap().code
}

#[test]
fn a_frame_has_several_commands() {
    let frame = format!("{PRESENCE}\n{PRESENCE}");
    assert_eq!(json(&frame), (vec![presence(), presence()], None));
    assert_eq!(json(&format!("{frame}\n")), (vec![presence(), presence()], None));
    assert_eq!(protobuf("07080242030a0161").0, [presence()]);
    assert_eq!(protobuf("07080242030a016107080242030a0161"), (vec![presence(), presence()], None));
}

#[test]
fn a_frame_without_a_command_ends() {
    for frame in ["", "\n", "{}\n\n", "\n{}", "{}\n\n{}", " "] {
        assert_eq!(close_code(frame), 3501, "{frame:?}");
    }
    assert!(protobuf("").1.is_some());
}

#[test]
fn what_precedes_a_mistake_is_valid() {
    let (requests, end) = json(&format!("{PRESENCE}\nnonsense"));
    assert_eq!(requests, [presence()]);
    assert!(matches!(end, Some(Disconnect::BadRequest(_))));
    // The second command is shorter than its length says.
    let (requests, end) = protobuf("07080242030a0161070802");
    assert_eq!(requests, [presence()]);
    assert!(matches!(end, Some(Disconnect::BadRequest(_))));
}

#[test]
fn json_may_come_in_binary_frames() {
    let mut decoder = CentrifugoDecoder::json();
    let frame = Message::Binary(CONNECT.into());
    let (requests, end) = decode(&mut decoder, frame);
    assert_eq!((requests.len(), end), (1, None));
}

#[test]
fn unknown_keys_are_ignored() {
    let frame = r#"{"x":[{}],"id":2,"presence":{"channel":"a","y":null},"z":"\u0000"}"#;
    assert_eq!(json(frame), (vec![presence()], None));
    // Field 99 of the command, and of its request.
    assert_eq!(protobuf("0d080242060a0161980601980601"), (vec![presence()], None));
}

#[test]
fn what_is_not_a_command_ends() {
    for frame in [
        r#"{"id":"2","presence":{"channel":"a"}}"#,
        r#"{"id":-1,"presence":{"channel":"a"}}"#,
        r#"{"id":4294967296,"presence":{"channel":"a"}}"#,
        r#"{"id":2,"presence":{"channel":1}}"#,
        r#"{"id":2}"#,
        r#"{"id":2,"presence":null}"#,
        r#"{"id":2,"later_method":{}}"#,
        "[]",
        "1",
        "{",
        "{}{}",
    ] {
        assert_eq!(close_code(frame), 3501, "{frame}");
    }
    // A length without an end; a varint of eleven bytes; a text that is not UTF-8.
    for frame in ["80", "ffffffffffffffffffffff01", "07080242030a01ff"] {
        let (requests, end) = protobuf(frame);
        assert_eq!(requests, [], "{frame}");
        assert!(matches!(end, Some(Disconnect::BadRequest(_))), "{frame}");
    }
}

#[test]
fn the_first_method_is_meant() {
    let frame = r#"{"id":2,"presence":{"channel":"a"},"subscribe":{"channel":"b"}}"#;
    assert_eq!(command(frame).channel(), Some(&channel("b")));
    let frame =
        r#"{"id":2,"sub_refresh":{"channel":"c"},"history":{"channel":"b"},"presence":{"channel":"a"}}"#;
    assert_eq!(command(frame).channel(), Some(&channel("a")));
    assert_eq!(close_code(r#"{"id":2,"subscribe":{"channel":"a"},"ping":{}}"#), 3501);
}

#[test]
fn connect_comes_first_and_once() {
    for frame in [PRESENCE, r#"{"send":{}}"#, r#"{"id":1,"ping":{}}"#, r#"{"id":1}"#] {
        assert_eq!(first_close_code(frame), 3501, "{frame}");
    }
    assert_eq!(close_code(CONNECT), 3501);
    let (requests, end) =
        decode(&mut CentrifugoDecoder::json(), text(&format!("{CONNECT}\n{PRESENCE}\n{CONNECT}")));
    assert_eq!(requests.len(), 2, "the SDKs send their subscribes with the connect");
    assert!(matches!(end, Some(Disconnect::BadRequest(_))));
}

#[test]
fn a_command_without_id_is_pong() {
    for frame in [
        "{}",
        r#"{"id":0}"#,
        r#"{"presence":{"channel":"a"}}"#,
        r#"{"ping":{}}"#,
        CONNECT.replace('1', "0").as_str(),
    ] {
        assert_eq!(json(frame), (vec![Request::Pong], None), "{frame}");
    }
    assert_eq!(protobuf("00"), (vec![Request::Pong], None));
    // Before the connect too: the hub knows that there was no ping.
    assert_eq!(decode(&mut CentrifugoDecoder::json(), text("{}")).0, [Request::Pong]);
}

#[test]
fn a_frame_has_one_pong() {
    let (requests, end) = protobuf("000000");
    assert_eq!(requests, [Request::Pong]);
    assert!(matches!(end, Some(Disconnect::BadRequest(_))));
}

#[test]
fn send_needs_no_id() {
    assert_eq!(close_code(r#"{"send":{"data":1}}"#), 3508);
    assert_eq!(close_code(r#"{"id":2,"send":{"data":1}}"#), 3508);
    assert_eq!(close_code(r#"{"send":{},"presence":{"channel":"a"}}"#), 3501);
}

#[test]
fn ping_is_for_servers() {
    assert_eq!(close_code(r#"{"id":2,"ping":{}}"#), 3501);
}

#[test]
fn each_method_needs_a_channel() {
    for method in
        ["subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "sub_refresh"]
    {
        let frame = |channel: &str| format!(r#"{{"id":2,"{method}":{{"channel":"{channel}","data":1}}}}"#);
        assert_eq!(close_code(&frame("")), 3501, "{method}");
        assert_eq!(error_code(&frame("a b")), 107, "{method}");
        assert_eq!(error_code(&frame(&"a".repeat(256))), 107, "{method}");
        assert_eq!(command(&frame("a")).id(), 2, "{method}");
    }
}

#[test]
fn delta_is_fossil() {
    assert_eq!(close_code(r#"{"id":2,"subscribe":{"channel":"a","delta":"x"}}"#), 3501);
    for (delta, wanted) in [("", false), ("fossil", true)] {
        let frame = format!(r#"{{"id":2,"subscribe":{{"channel":"a","delta":"{delta}"}}}}"#);
        let Command::Subscribe { options: Some(options), .. } = command(&frame) else { panic!("{frame}") };
        assert_eq!(options.delta, wanted);
    }
}

#[test]
fn maps_are_not_available() {
    for request in [
        r#""subscribe":{"channel":"a","type":1}"#,
        r#""publish":{"channel":"a","data":1,"type":1}"#,
        r#""publish":{"channel":"a","data":1,"key":"k"}"#,
        r#""publish":{"channel":"a","removed":true}"#,
        r#""sub_refresh":{"channel":"a","type":1}"#,
    ] {
        assert_eq!(error_code(&format!(r#"{{"id":2,{request}}}"#)), 108, "{request}");
    }
    let frame = r#"{"id":2,"subscribe":{"channel":"a","tf":null,"type":0}}"#;
    assert!(matches!(command(frame), Command::Subscribe { .. }));
}

#[test]
fn the_flag_says_must_resume() {
    for (flag, wanted) in [(0, false), (1, false), (2, true), (3, true)] {
        let frame = format!(r#"{{"id":2,"subscribe":{{"channel":"a","flag":{flag}}}}}"#);
        let Command::Subscribe { options: Some(options), .. } = command(&frame) else { panic!("{frame}") };
        assert_eq!((options.must_resume, options.resume), (wanted, None), "{flag}");
    }
}

#[test]
fn publish_needs_data() {
    assert_eq!(error_code(r#"{"id":2,"publish":{"channel":"a"}}"#), 107);
    // A publish in `a` with data of no bytes.
    let (requests, end) = protobuf("0708023a030a0161");
    assert!(matches!(requests[..], [Request::Answer(_)]) && end.is_none());
}

#[test]
fn protobuf_data_may_be_any_bytes() {
    let Request::Command(Command::Publish { payload, .. }) = &protobuf("0b08023a070a01611202ff00").0[0]
    else {
        panic!("not a publish")
    };
    assert_eq!(*payload, Payload::binary(&b"\xff\0"[..]));
}

#[test]
fn nothing_is_before_offset_zero() {
    let history = |since| format!(r#"{{"id":2,"history":{{"channel":"a",{since}"reverse":true}}}}"#);
    assert_eq!(error_code(&history(r#""since":{"epoch":"x"},"#)), 107);
    assert!(matches!(command(&history(r#""since":{"offset":1},"#)), Command::History { .. }));
    assert!(matches!(command(&history("")), Command::History { .. }));
}

#[test]
fn refresh_needs_a_token() {
    assert_eq!(close_code(r#"{"id":2,"refresh":{"token":""}}"#), 3501);
    assert_eq!(close_code(r#"{"id":2,"refresh":{}}"#), 3501);
}
