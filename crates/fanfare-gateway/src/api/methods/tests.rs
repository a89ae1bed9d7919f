//! Calls, as JSON in and JSON out.

use fanfare_core::{ClientId, Incarnation, SessionId, presence::PresenceEntry};
use serde_json::{Value, json};

use super::{
    METHODS,
    batch::Batch,
    broadcast::Broadcast,
    disconnect::Disconnect,
    history::History,
    history_remove::HistoryRemove,
    info::Info,
    presence::Presence,
    presence_stats::PresenceStats,
    publish::Publish,
    refresh::Refresh,
    subscribe::{Subscribe, Unsubscribe},
};
use crate::api::{
    error::PATHS,
    testing::{EPOCH, Scene},
};

#[test]
fn a_lost_caller_is_shown_every_path() {
    for path in METHODS.iter().flat_map(|method| method.endpoint.paths) {
        assert!(PATHS.contains(path), "{path}");
    }
}

fn at(offset: u64) -> Value {
    json!({"offset": offset, "epoch": EPOCH.to_string()})
}

/// Checks the number, the word and the sentence of an error.
fn is_error(answer: &Value, code: u16, reason: &str, words: &str) {
    assert_eq!((&answer["code"], &answer["reason"]), (&json!(code), &json!(reason)), "{answer}");
    assert!(answer["message"].as_str().is_some_and(|message| message.contains(words)), "{answer}");
}

#[tokio::test]
async fn a_publish_is_kept_unless_skipped() {
    let scene = Scene::new();
    let publish = async |body: &str| scene.call::<Publish>(body).await;
    assert_eq!(publish(r#"{"channel":"a","data":"x"}"#).await, json!({}));
    assert_eq!(publish(r#"{"channel":"kept:a","data":"x"}"#).await, at(1));
    assert_eq!(publish(r#"{"channel":"kept:a","data":"x","skip_history":true}"#).await, json!({}));
    assert_eq!(publish(r#"{"channel":"kept:a","data":"x","skip_history":false}"#).await, at(2));
}

#[tokio::test]
async fn a_key_publishes_once() {
    let scene = Scene::new();
    let body = r#"{"channel":"kept:a","data":"x","idempotency_key":"k"}"#;
    assert_eq!(scene.call::<Publish>(body).await, at(1));
    let mut again = at(1);
    again["duplicate"] = json!(true);
    assert_eq!(scene.call::<Publish>(body).await, again);
    let plain = r#"{"channel":"kept:a","data":"x"}"#;
    assert_eq!(scene.call_with::<Publish>(plain, Some("k")).await, again);
    let other = scene.call_with::<Publish>(body, Some("other")).await;
    assert_eq!(other, again, "the body's key counts");
    assert_eq!(scene.taking.published.lock().len(), 1);
}

#[tokio::test]
async fn a_wrong_publish_gets_its_reason() {
    let scene = Scene::new();
    let tags = format!(r#"{{"channel":"a","data":1,"tags":{{"t":"{}"}}}}"#, "x".repeat(16 << 10));
    let large = format!(r#"{{"channel":"a","data":"{}"}}"#, "x".repeat(1025));
    for (body, code, reason, words) in [
        (r#"{"channel":"a"}"#, 107, "bad_request", "neither data nor b64data"),
        (r#"{"channel":"a","data":1,"b64data":""}"#, 107, "bad_request", "exclude each other"),
        (r#"{"channel":"a","b64data":"?"}"#, 107, "bad_request", "not base64"),
        (r#"{"channel":"a","dat":1}"#, 107, "bad_request", "unknown field `dat`"),
        (r#"{"data":1}"#, 107, "bad_request", "missing field `channel`"),
        ("hello", 107, "bad_request", "what /api/publish takes"),
        (r#"{"channel":1,"data":1}"#, 107, "bad_request", "expected a string"),
        (r#" ["a","hello",null]"#, 107, "bad_request", "must be an object"),
        (r#"{"channel":"a","data":1,"idempotency_key":""}"#, 107, "bad_request", "1 to 256"),
        (r#"{"channel":"a","data":1,"event":""}"#, 107, "bad_request", "event has 0 bytes"),
        (r#"{"channel":"a","data":1,"tags":{"a":1}}"#, 107, "bad_request", "expected a string"),
        (r#"{"channel":"a","data":1,"skip_history":1}"#, 107, "bad_request", "expected a boolean"),
        (&tags, 106, "too_large", "may have 16384"),
        (&large, 106, "too_large", "at most 1024"),
        (r#"{"channel":"refused","data":1}"#, 100, "refused", "did not take it"),
    ] {
        is_error(&scene.call::<Publish>(body).await, code, reason, words);
    }
    assert!(scene.taking.published.lock().is_empty());
}

#[tokio::test]
async fn a_broadcast_has_results_in_order() {
    let scene = Scene::new();
    let body = r#"{"channels":["kept:a","refused","b c","b","kept:a"],"data":"x"}"#;
    let answer = scene.call::<Broadcast>(body).await;
    let responses = answer["responses"].as_array().unwrap();
    assert_eq!(responses[0], json!({"result": at(1)}));
    is_error(&responses[1]["error"], 100, "refused", "did not take it");
    is_error(&responses[2]["error"], 107, "bad_request", "visible characters");
    assert_eq!((&responses[3], &responses[4]), (&json!({"result": {}}), &json!({"result": at(2)})));
    assert_eq!(responses.len(), 5);
    assert_eq!(scene.taking.together.load(std::sync::atomic::Ordering::Relaxed), 4, "handed over together");
}

#[tokio::test]
async fn a_broadcast_is_bounded() {
    let scene = Scene::new();
    let body = |count: usize| json!({"channels": vec!["a"; count], "data": 1}).to_string();
    assert_eq!(scene.call::<Broadcast>(&body(1000)).await["responses"].as_array().unwrap().len(), 1000);
    for count in [0, 1001] {
        is_error(&scene.call::<Broadcast>(&body(count)).await, 107, "bad_request", "must be 1 to 1000");
    }
}

#[tokio::test]
async fn a_history_is_told_as_published() {
    let scene = Scene::new();
    for data in [
        r#""data":"hi","tags":{"b":"1","a":"2"},"event":"greeting""#,
        r#""data":{"b" : 1.0}"#,
        r#""b64data":"/wA=""#,
    ] {
        scene.call::<Publish>(&format!(r#"{{"channel":"kept:a",{data}}}"#)).await;
    }
    let read = async |more: &str| scene.call::<History>(&format!(r#"{{"channel":"kept:a"{more}}}"#)).await;
    let all = [
        json!({"offset": 1, "data": "hi", "event": "greeting", "tags": {"b": "1", "a": "2"}}),
        json!({"offset": 2, "data": {"b": 1.0}}),
        json!({"offset": 3, "b64data": "/wA="}),
    ];
    let told = |publications: &[&Value]| json!({"publications": publications, "offset": 3, "epoch": EPOCH.to_string()});
    assert_eq!(read("").await, told(&[&all[0], &all[1], &all[2]]));
    assert_eq!(read(r#","limit":0"#).await, told(&[]));
    assert_eq!(read(r#","limit":1,"reverse":true"#).await, told(&[&all[2]]));
    assert_eq!(read(r#","since":{"offset":2,"epoch":""}"#).await, told(&[&all[2]]));
    let since = format!(r#","since":{{"offset":2,"epoch":"{EPOCH}"}},"reverse":true"#);
    assert_eq!(read(&since).await, told(&[&all[0]]));
    let lost = read(r#","since":{"offset":2,"epoch":"0000000000000001"}"#).await;
    is_error(&lost, 112, "unrecoverable_position", "began anew");
    is_error(
        &read(r#","since":{"offset":2,"epoch":"1"}"#).await,
        107,
        "bad_request",
        "16 hexadecimal digits",
    );
    assert_eq!(read(r#","limit":-1"#).await, told(&[&all[0], &all[1], &all[2]]));
    is_error(&read(r#","limit":-2"#).await, 107, "bad_request", "a whole number");
    is_error(&read(r#","limit":10001"#).await, 107, "bad_request", "limit must be 0 to 10000");
}

/// Libraries for Centrifugo send fields that this API does not have.
#[tokio::test]
async fn fields_of_centrifugo_may_be_empty() {
    let scene = Scene::new();
    let empty = r#"{"channel":"a","data":1,"delta":false,"version":0,"version_epoch":""}"#;
    assert_eq!(scene.call::<Publish>(empty).await, json!({}));
    let differing = r#"{"channel":"a","data":1,"delta":true}"#;
    assert_eq!(scene.call::<Publish>(differing).await, json!({}));
    let versioned = r#"{"channels":["a"],"data":1,"delta":true,"version":7}"#;
    is_error(&scene.call::<Broadcast>(versioned).await, 107, "bad_request", "`version` is not supported");
    let empty =
        r#"{"user":"ada","channel":"a","info":null,"override":{},"recover_since":{"offset":0,"epoch":""}}"#;
    assert_eq!(scene.call::<Subscribe>(empty).await, json!({"num_clients": 0}));
    let everybody = r#"{"channel":"a","all_users":true}"#;
    is_error(&scene.call::<Subscribe>(everybody).await, 107, "bad_request", "`all_users` is not supported");
    let frame = r#"{"user":"ada","whitelist":[],"disconnect":{"code":0,"reason":""}}"#;
    assert_eq!(scene.call::<Disconnect>(frame).await, json!({"num_clients": 0}));
    let frame = r#"{"user":"ada","disconnect":{"code":7,"reason":""}}"#;
    is_error(&scene.call::<Disconnect>(frame).await, 107, "bad_request", "must be 3000 to 4999");
    let spared = r#"{"user":"ada","whitelist":["x"]}"#;
    is_error(&scene.call::<Disconnect>(spared).await, 107, "bad_request", "a client is `node-number`");
    let empty = r#"{"user":"ada","client":null,"session":null,"expired":null,"expire_at":null,"info":null}"#;
    assert_eq!(scene.call::<Refresh>(empty).await, json!({"num_clients": 0}));
}

#[tokio::test]
async fn a_call_about_clients_names_some() {
    let scene = Scene::new();
    for nobody in ["{}", r#"{"user":""}"#, r#"{"session":""}"#] {
        is_error(&scene.call::<Refresh>(nobody).await, 107, "bad_request", "names no clients");
    }
    for some in [r#"{"user":"a"}"#, r#"{"session":"a","user":""}"#] {
        assert_eq!(scene.call::<Refresh>(some).await, json!({"num_clients": 0}));
    }
    let all = r#"{"user":"ada","channel":""}"#;
    assert_eq!(scene.call::<Unsubscribe>(all).await, json!({"num_clients": 0}));
    is_error(&scene.call::<Subscribe>(all).await, 107, "bad_request", "");
    let long = format!(r#"{{"user":"ada","info":"{}"}}"#, "x".repeat(4 << 10));
    is_error(&scene.call::<Refresh>(&long).await, 107, "bad_request", "may have 4096");
    let late = r#"{"user":"ada","expire_at":-1}"#;
    is_error(&scene.call::<Refresh>(late).await, 107, "bad_request", "a whole number");
}

#[tokio::test]
async fn a_subscription_s_terms_are_checked() {
    let scene = Scene::new();
    let subscribe = async |terms: &str| {
        scene.call::<Subscribe>(&format!(r#"{{"user":"ada","channel":"a",{terms}}}"#)).await
    };
    for right in [
        r#""info":{"a":1},"data":"hi","expire_at":7,"recover_since":{"offset":1,"epoch":"00000000000000ab"}"#,
        r#""b64info":"MQ==","b64data":"/wA=","override":{"presence":{"value":true}}"#,
        r#""b64info":"","b64data":"","override":{"force_push_join_leave":{"value":true}},"expire_at":0"#,
        r#""info":null,"data":null,"recover_since":null,"override":null"#,
    ] {
        assert_eq!(subscribe(right).await, json!({"num_clients": 0}), "{right}");
    }
    let long = format!(r#""info":"{}""#, "x".repeat(4 << 10));
    let large = format!(r#""data":"{}""#, "x".repeat(1025));
    for (wrong, code, reason, words) in [
        (r#""info":1,"b64info":"MQ==""#, 107, "bad_request", "exclude each other"),
        (r#""b64info":"/wA=""#, 107, "bad_request", "not JSON in base64"),
        (r#""data":1,"b64data":"MQ==""#, 107, "bad_request", "exclude each other"),
        (r#""b64data":"?""#, 107, "bad_request", "not base64"),
        (r#""override":{"force_push_join_leave":{"value":1}}"#, 107, "bad_request", "true or false"),
        (r#""override":[null]"#, 107, "bad_request", "expected a map"),
        (r#""recover_since":{"offset":1,"epoch":"x"}"#, 107, "bad_request", "16 hexadecimal digits"),
        (r#""expire_at":-1"#, 107, "bad_request", "a whole number"),
        (&long, 107, "bad_request", "may have 4096"),
        (&large, 106, "too_large", "at most 1024"),
    ] {
        is_error(&subscribe(wrong).await, code, reason, words);
    }
}

#[tokio::test]
async fn a_removed_history_is_empty() {
    let scene = Scene::new();
    scene.call::<Publish>(r#"{"channel":"kept:a","data":1}"#).await;
    assert_eq!(scene.call::<HistoryRemove>(r#"{"channel":"kept:a"}"#).await, json!({}));
    let told = scene.call::<History>(r#"{"channel":"kept:a"}"#).await;
    assert_eq!(told["publications"], json!([]));
}

#[tokio::test]
async fn a_channel_without_history_says_so() {
    let scene = Scene::new();
    let body = r#"{"channel":"a"}"#;
    is_error(&scene.call::<History>(body).await, 108, "not_available", "set history_size");
    is_error(&scene.call::<HistoryRemove>(body).await, 108, "not_available", "set history_size");
    is_error(&scene.call::<Presence>(body).await, 108, "not_available", "track_presence = true");
    is_error(&scene.call::<PresenceStats>(body).await, 108, "not_available", "track_presence = true");
}

#[tokio::test]
async fn the_clients_of_a_channel_are_listed() {
    let scene = Scene::new();
    let client = |session| ClientId { node: Incarnation(1), session: SessionId(session) };
    let anonymous = PresenceEntry { client: client(7), user: None, client_info: None, channel_info: None };
    let known = PresenceEntry {
        client: client(8),
        user: Some("ada".into()),
        client_info: Some(r#"{"a":1}"#.into()),
        channel_info: Some("no JSON".into()),
    };
    scene.listed.0.lock().extend([anonymous, known]);
    let body = r#"{"channel":"kept:a"}"#;
    let told = scene.call::<Presence>(body).await;
    let expected = json!({"presence": {
        "0000000000000001-7": {"client": "0000000000000001-7", "user": ""},
        "0000000000000001-8": {"client": "0000000000000001-8", "user": "ada", "conn_info": {"a": 1}},
    }});
    assert_eq!(told, expected);
    assert_eq!(scene.call::<PresenceStats>(body).await, json!({"num_clients": 2, "num_users": 1}));
}

#[tokio::test]
async fn info_lists_the_nodes() {
    let scene = Scene::new();
    let told = scene.call::<Info>("{}").await;
    let node = &told["nodes"][0];
    assert_eq!(
        (&node["name"], &node["num_clients"], &node["leaving"]),
        (&json!("north"), &json!(0), &json!(false))
    );
    assert!(node["uptime"].is_u64() && node["uid"] == "0000000000000001", "{told}");
    is_error(&scene.call::<Info>(r#"{"a":1}"#).await, 107, "bad_request", "unknown field `a`");
}

#[tokio::test]
async fn a_batch_replies_in_order() {
    let scene = Scene::new();
    for parallel in [false, true] {
        let commands = json!({"parallel": parallel, "commands": [
            {"publish": {"channel": "kept:a", "data": {"b": 1.5}}},
            {"broadcast": {"channels": ["refused"], "data": 1}},
            {"publish": {"channel": "refused", "data": 1}},
            {"presence_stats": {"channel": "kept:a"}},
            {"history_remove": {"channel": "kept:a"}},
            {"info": {}},
        ]});
        let answer = scene.call::<Batch>(&commands.to_string()).await;
        let replies = answer["replies"].as_array().unwrap();
        assert_eq!(replies[0], json!({"publish": at(1)}));
        is_error(&replies[1]["broadcast"]["responses"][0]["error"], 100, "refused", "");
        is_error(&replies[2]["error"], 100, "refused", "did not take it");
        assert_eq!(replies[3], json!({"presence_stats": {"num_clients": 0, "num_users": 0}}));
        assert_eq!(replies[4], json!({"history_remove": {}}));
        assert_eq!(replies[5]["info"]["nodes"][0]["name"], json!("north"));
        let together = scene.taking.together.swap(0, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(together, if parallel { 3 } else { 1 });
    }
}

#[tokio::test]
async fn a_wrong_batch_does_nothing() {
    let scene = Scene::new();
    let publish = r#"{"publish":{"channel":"a","data":1}}"#;
    for (body, words) in [
        (r#"{"commands":[]}"#.to_owned(), "must be 1 to 1000"),
        (format!(r#"{{"commands":[{}]}}"#, vec![publish; 1001].join(",")), "there are 1001 commands"),
        (format!(r#"{{"commands":[{publish},{{"publis":{{}}}}]}}"#), "unknown variant `publis`"),
        (
            format!(r#"{{"commands":[{publish},{{"publish":{{"channel":"a","dat":1}}}}]}}"#),
            "unknown field `dat`",
        ),
        (format!(r#"{{"commands":[{publish},{{"batch":{{"commands":[]}}}}]}}"#), "unknown variant `batch`"),
        ("{}".to_owned(), "missing field `commands`"),
    ] {
        is_error(&scene.call::<Batch>(&body).await, 107, "bad_request", words);
    }
    let body = format!(r#"{{"commands":[{publish}]}}"#);
    is_error(&scene.call_with::<Batch>(&body, Some("k")).await, 107, "bad_request", "for one publish");
    assert!(scene.taking.published.lock().is_empty());
}
