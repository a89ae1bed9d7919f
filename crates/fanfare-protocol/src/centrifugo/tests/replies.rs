//! Each reply, in both encodings.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Answer, CommandError, Dialect, Payload, Publication, Reply,
    hooks::HookError,
    presence::PresenceStats,
    reply::{Connected, Recovered, Subscription},
};

use super::{JSON, PROTOBUF, at, channel, client, entry, publication, said};

fn listed() -> Vec<Arc<Publication>> {
    [1, 2]
        .map(|offset| Arc::new(publication(Payload::json(offset.to_string()), Some(at(offset)), None)))
        .into()
}

fn check(reply: &Reply, json: &str, protobuf: &str) {
    let answer = |dialect: &dyn Dialect| match dialect.reply(reply) {
        Answer::Send(message) => said(&message),
        other => panic!("{other:?}"),
    };
    assert_eq!(answer(&JSON), json);
    assert_eq!(answer(&PROTOBUF), protobuf, "{json}");
}

#[test]
fn each_reply_has_its_vectors() {
    let stats = PresenceStats { clients: 2, users: 1 };
    let (id, client, channel) = (2, client(), channel("a"));
    let refused = HookError { code: 400, message: "no".into(), is_temporary: true };
    let day = Some(Duration::from_secs(86_400));
    for (reply, json, protobuf) in [
        (Reply::Unsubscribed { id, channel }, r#"{"id":2,"unsubscribe":{}}"#, "0408023a00"),
        (Reply::Published { id }, r#"{"id":2,"publish":{}}"#, "0408024200"),
        (
            Reply::History { id, top: at(2), publications: listed() },
            r#"{"id":2,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"epoch":"00000000000000ab","offset":2}}"#,
            "2608025a220a0522013130010a0522013230021210303030303030303030303030303061621802",
        ),
        (
            Reply::History { id, top: at(0), publications: vec![] },
            r#"{"id":2,"history":{"publications":[],"epoch":"00000000000000ab","offset":0}}"#,
            "1608025a12121030303030303030303030303030306162",
        ),
        (
            Reply::Presence { id, entries: vec![entry()] },
            r#"{"id":2,"presence":{"presence":{"00c0ffee00c0ffee-17":{"user":"u","client":"00c0ffee00c0ffee-17","conn_info":{"c": 1},"chan_info":2}}}}"#,
            "4208024a3e0a3c0a13303063306666656530306330666665652d313712250a01751213303063306666656530306330666665652d31371a087b2263223a20317d220132",
        ),
        (Reply::Presence { id, entries: vec![] }, r#"{"id":2,"presence":{"presence":{}}}"#, "0408024a00"),
        (
            Reply::PresenceStats { id, stats },
            r#"{"id":2,"presence_stats":{"num_clients":2,"num_users":1}}"#,
            "080802520408021001",
        ),
        (
            Reply::PresenceStats { id, stats: PresenceStats::default() },
            r#"{"id":2,"presence_stats":{"num_clients":0,"num_users":0}}"#,
            "0408025200",
        ),
        (
            Reply::Refreshed { id, client, expires_in: day },
            r#"{"id":2,"refresh":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","expires":true,"ttl":86400}}"#,
            "28080272240a13303063306666656530306330666665652d3137120746616e6661726518012080a305",
        ),
        (
            Reply::Refreshed { id, client, expires_in: None },
            r#"{"id":2,"refresh":{"client":"00c0ffee00c0ffee-17","version":"Fanfare"}}"#,
            "220802721e0a13303063306666656530306330666665652d3137120746616e66617265",
        ),
        (
            Reply::SubscriptionRefreshed { id, expires_in: day },
            r#"{"id":2,"sub_refresh":{"expires":true,"ttl":86400}}"#,
            "0a08027a0608011080a305",
        ),
        (Reply::SubscriptionRefreshed { id, expires_in: None }, r#"{"id":2,"sub_refresh":{}}"#, "0408027a00"),
        (
            Reply::Rpc { id, data: Some(Payload::json(r#"{"a":1}"#)) },
            r#"{"id":2,"rpc":{"data":{"a":1}}}"#,
            "0d08026a090a077b2261223a317d",
        ),
        (Reply::Rpc { id, data: None }, r#"{"id":2,"rpc":{}}"#, "0408026a00"),
        (
            Reply::Failed { id, error: CommandError::NoCalls },
            r#"{"id":2,"error":{"code":108,"message":"this server answers no remote procedure calls: publish, or call your backend"}}"#,
            "5408021250086c124c746869732073657276657220616e7377657273206e6f2072656d6f74652070726f6365647572652063616c6c733a207075626c6973682c206f722063616c6c20796f7572206261636b656e64",
        ),
        (
            Reply::Failed { id, error: refused.into() },
            r#"{"id":2,"error":{"code":400,"message":"no","temporary":true}}"#,
            "0d0802120908900312026e6f1801",
        ),
        (
            Reply::Failed { id, error: fanfare_core::PublishError::Refused("away".into()).into() },
            r#"{"id":2,"error":{"code":100,"message":"the message broker did not take it: away","temporary":true}}"#,
            "320802122e08641228746865206d6573736167652062726f6b657220646964206e6f742074616b652069743a20617761791801",
        ),
    ] {
        check(&reply, json, protobuf);
    }
}

#[test]
fn each_subscription_has_its_vectors() {
    let recovered = |is_whole, since, publications| Some(Recovered { is_whole, since, publications });
    let kept = Subscription { position: Some(at(2)), ..Subscription::default() };
    for (subscription, json, protobuf) in [
        (Subscription::default(), r#"{"id":2,"subscribe":{}}"#, "0408023200"),
        (
            Subscription { expires_in: Some(Duration::from_millis(1500)), ..Subscription::default() },
            r#"{"id":2,"subscribe":{"expires":true,"ttl":2}}"#,
            "080802320408011002",
        ),
        (
            Subscription { data: Some(Payload::json("1")), ..Subscription::default() },
            r#"{"id":2,"subscribe":{"data":1}}"#,
            "07080232035a0131",
        ),
        (
            Subscription { position: Some(at(0)), ..Subscription::default() },
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"00000000000000ab","positioned":true}}"#,
            "1a0802321618013210303030303030303030303030303061625001",
        ),
        (
            kept.clone(),
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"00000000000000ab","offset":2,"positioned":true}}"#,
            "1c08023218180132103030303030303030303030303030616248025001",
        ),
        // From the start: the offset of the request is 0, and left out.
        (
            Subscription { recovered: recovered(true, 0, listed()), ..kept.clone() },
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"00000000000000ab","publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"recovered":true,"positioned":true,"was_recovering":true}}"#,
            "2c0802322818013210303030303030303030303030303061623a0522013130013a052201323002400150016001",
        ),
        (
            Subscription { recovered: recovered(true, 2, vec![]), ..kept.clone() },
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"00000000000000ab","recovered":true,"offset":2,"positioned":true,"was_recovering":true}}"#,
            "200802321c18013210303030303030303030303030303061624001480250016001",
        ),
        // Not whole: the current offset, and nothing of the past.
        (
            Subscription { recovered: recovered(false, 9, vec![]), ..kept.clone() },
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"00000000000000ab","offset":2,"positioned":true,"was_recovering":true}}"#,
            "1e0802321a1801321030303030303030303030303030306162480250016001",
        ),
        (
            Subscription { recovered: recovered(false, 0, vec![]), ..Subscription::default() },
            r#"{"id":2,"subscribe":{"was_recovering":true}}"#,
            "06080232026001",
        ),
    ] {
        check(&Reply::Subscribed { id: 2, channel: channel("a"), subscription }, json, protobuf);
    }
}

#[test]
fn connected_has_its_vectors() {
    let connected = Connected {
        id: 1,
        client: client(),
        expires_in: None,
        ping_interval: Duration::from_secs(25),
        subscriptions: vec![],
        fed_as: None,
        data: None,
    };
    let all = Connected {
        expires_in: Some(Duration::from_nanos(1)),
        ping_interval: Duration::from_millis(1001),
        subscriptions: vec![
            (channel("a"), Subscription { position: Some(at(2)), ..Subscription::default() }),
            (channel("b"), Subscription::default()),
        ],
        ..connected.clone()
    };
    let without_pings = Connected { ping_interval: Duration::ZERO, ..connected.clone() };
    let over_http = Connected { fed_as: Some("secret".into()), ..without_pings.clone() };
    for (connected, json, protobuf) in [
        (
            connected,
            r#"{"id":1,"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","ping":25,"pong":true}}"#,
            "2608012a220a13303063306666656530306330666665652d3137120746616e6661726538194001",
        ),
        (
            all,
            r#"{"id":1,"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","expires":true,"ttl":1,"subs":{"a":{"recoverable":true,"epoch":"00000000000000ab","offset":2,"positioned":true},"b":{}},"ping":2,"pong":true}}"#,
            "5008012a4c0a13303063306666656530306330666665652d3137120746616e6661726518012001321d0a0161121818013210303030303030303030303030303061624802500132050a0162120038024001",
        ),
        (
            over_http,
            r#"{"id":1,"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","session":"secret","node":"00c0ffee00c0ffee"}}"#,
            "3c08012a380a13303063306666656530306330666665652d3137120746616e666172654a06736563726574521030306330666665653030633066666565",
        ),
        (
            Connected { data: Some(Payload::text("hi")), ..without_pings.clone() },
            r#"{"id":1,"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare","data":"hi"}}"#,
            "2808012a240a13303063306666656530306330666665652d3137120746616e666172652a0422686922",
        ),
        (
            without_pings,
            r#"{"id":1,"connect":{"client":"00c0ffee00c0ffee-17","version":"Fanfare"}}"#,
            "2208012a1e0a13303063306666656530306330666665652d3137120746616e66617265",
        ),
    ] {
        check(&Reply::Connected(Box::new(connected)), json, protobuf);
    }
}
