//! Errors of commands, and ends of connections.

use std::{collections::BTreeMap, time::Duration};

use fanfare_core::{
    Action, Answer, CloseFrame, CommandError, Dialect, Disconnect, Goodbye, PublishError, Rate, Reply,
    SubscribeError,
};

use super::super::Centrifugo;
use super::{JSON, PROTOBUF, said};

#[test]
fn each_error_has_its_code() {
    for (error, code, temporary) in [
        (PublishError::Refused("away".into()).into(), 100, true),
        (PublishError::Unknown.into(), 100, false),
        (PublishError::Forbidden("ACL".into()).into(), 103, false),
        (SubscribeError::Unavailable.into(), 100, true),
        (SubscribeError::Busy.into(), 100, true),
        (SubscribeError::Misconfigured("ACL".into()).into(), 100, true),
        (SubscribeError::Forbidden("ACL".into()).into(), 103, false),
        (CommandError::Unavailable("away".into()), 100, true),
        (CommandError::NotPermitted(Action::Publish), 103, false),
        (CommandError::NeedsToken(Action::Subscribe), 103, false),
        (CommandError::NeedsSubscription(Action::ReadHistory), 103, false),
        (CommandError::NotGranted(Action::SeePresence), 103, false),
        (CommandError::BadToken("for another channel".into()), 103, false),
        (CommandError::AlreadySubscribed, 105, false),
        (CommandError::TooManyChannels(128), 106, false),
        (CommandError::BadRequest("no"), 107, false),
        (CommandError::NotAvailable("history", "history_size"), 108, false),
        (CommandError::TokenExpired, 109, false),
        (CommandError::Unrecoverable, 112, false),
    ] {
        let message = error.to_string();
        let Answer::Send(answer) = JSON.reply(&Reply::Failed { id: 3, error }) else { panic!("{message}") };
        let temporary = if temporary { r#","temporary":true"# } else { "" };
        let message = serde_json::to_string(&message).unwrap();
        let wanted = format!(r#"{{"id":3,"error":{{"code":{code},"message":{message}{temporary}}}}}"#);
        assert_eq!(said(&answer), wanted);
    }
}

#[test]
fn a_missing_token_ends_the_connection() {
    for dialect in [JSON, PROTOBUF] {
        let answer = dialect.reply(&Reply::Failed { id: 1, error: CommandError::NeedsTokenToConnect });
        let Answer::End(disconnect) = answer else { panic!("{answer:?}") };
        assert_eq!(dialect.goodbye(&disconnect).frame.unwrap().code, 3501);
    }
}

#[test]
fn each_end_has_its_code() {
    let codes: BTreeMap<_, _> = Disconnect::one_of_each()
        .filter_map(|disconnect| Some((disconnect.name(), JSON.goodbye(&disconnect).frame?.code)))
        .collect();
    let wanted = [
        ("bad_request", 3501),
        ("bad_token", 3500),
        ("expired", 3005),
        ("subscription_expired", 3006),
        ("idle", 3000),
        ("interrupted", 3010),
        ("message_gave_way", 3013),
        ("message_too_big", 1009),
        ("message_too_slow", 3013),
        ("no_pong", 3012),
        ("not_available", 3508),
        ("not_permitted", 3507),
        ("protocol", 1007),
        ("publish_refused", 3004),
        ("publish_unknown", 3004),
        ("rate_limited", 3013),
        ("restart", 3001),
        ("server", 0),
        ("slow", 3008),
        ("stale", 3502),
        ("too_many_channels", 3505),
        ("unavailable", 3004),
    ];
    assert_eq!(codes, BTreeMap::from(wanted));
}

/// An SDK that gets a code without a reason connects again, whatever the code.
#[test]
fn every_reason_is_short_and_there() {
    let longest = [
        Disconnect::MessageTooBig { limit: usize::MAX },
        Disconnect::MessageTooSlow { limit: Duration::from_secs(86_400) },
        Disconnect::TooManyChannels { limit: usize::MAX },
        Disconnect::RateLimited(Rate::Frames(usize::MAX)),
        Disconnect::RateLimited(Rate::Bytes(usize::MAX)),
        Disconnect::TurnedAway(CloseFrame::new(3501, "")),
    ];
    for disconnect in Disconnect::one_of_each().chain(longest) {
        let Some(frame) = JSON.goodbye(&disconnect).frame else { continue };
        assert!((1..=123).contains(&frame.reason.len()), "{disconnect:?}: {frame:?}");
    }
}

#[test]
fn the_operators_end_is_said_verbatim() {
    let frame = CloseFrame::new(4000, "go away");
    assert_eq!(JSON.goodbye(&Disconnect::ByServer(frame.clone())).frame, Some(frame));
}

#[test]
fn a_client_that_closes_is_answered() {
    let close = |code| JSON.goodbye(&Disconnect::ByClient(code)).frame.unwrap();
    assert_eq!(close(Some(1000)), CloseFrame::new(1000, ""));
    assert_eq!(close(None), CloseFrame::new(1005, ""));
    assert_eq!(JSON.goodbye(&Disconnect::Lost).frame, None);
}

#[test]
fn over_http_the_goodbye_is_a_push() {
    let said_by = |dialect: Centrifugo| {
        let goodbye =
            dialect.over_http().goodbye(&Disconnect::ByServer(CloseFrame::new(3501, "bad request")));
        // Streams have no close frames; the log says its code.
        assert_eq!(goodbye.frame.unwrap().code, 3501);
        goodbye.message.unwrap()
    };
    let json = r#"{"push":{"disconnect":{"code":3501,"reason":"bad request"}}}"#;
    assert_eq!(said(&said_by(JSON)), json);
    let protobuf = said_by(PROTOBUF);
    assert_eq!(protobuf.bytes()[..8], [0x14, 0x22, 0x12, 0x5a, 0x10, 0x08, 0xad, 0x1b]);
    assert_eq!(JSON.over_http().goodbye(&Disconnect::Lost), Goodbye::default());
}
