//! The backend is a small server of the test.

use std::time::Duration;

use fanfare_core::{Action, Allowance, ClientId, Incarnation, SessionId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    config::tests::load_file,
    hooks::testing::{Backend, Does},
};

/// Hooks that ask this address, and the metrics.
fn hooks(address: &str, timeout: &str) -> HttpHooks {
    let text = format!("[hooks]\nrpc = \"http://{address}/rpc\"\ntimeout = \"{timeout}\"\nconcurrency = 1\n");
    let config = load_file(&text).unwrap().config.hooks.unwrap();
    HttpHooks::new(config, HookMetrics::register(&prometheus::Registry::new()).unwrap())
}

fn ann() -> HookClient {
    HookClient {
        client: ClientId { node: Incarnation(7), session: SessionId(1) },
        transport: "uni_sse",
        protocol: "json",
        user: "ann".into(),
        meta: None,
        headers: [("cookie".to_owned(), "a=1".to_owned())].into(),
    }
}

/// A backend that answers every question with this status and body. Its address, and the questions.
async fn backend(answer: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (send, questions) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut question = Vec::new();
            while !question.ends_with(b"}") {
                let mut part = [0; 4096];
                let read = socket.read(&mut part).await.unwrap();
                question.extend(&part[..read]);
            }
            send.send(String::from_utf8(question).unwrap()).unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, questions)
}

async fn call(hooks: &HttpHooks) -> Result<Option<Payload>, HookRefusal> {
    hooks.rpc(ann(), "add".into(), Some(Payload::json("[1]"))).await
}

#[tokio::test]
async fn a_question_is_answered() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"result\":{\"data\":2}}";
    let (address, mut questions) = backend(answer).await;
    assert_eq!(call(&hooks(&address, "10s")).await, Ok(Some(Payload::json("2"))));
    let question = questions.recv().await.unwrap();
    let (head, body) = question.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /rpc HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("cookie: a=1") && head.contains("content-type: application/json"), "{head}");
    let expected = serde_json::json!({
        "client": "0000000000000007-1", "transport": "uni_sse", "protocol": "json", "encoding": "json",
        "user": "ann", "method": "add", "data": [1],
    });
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn what_cannot_be_read_permits_nothing() {
    for answer in [
        "HTTP/1.1 500 No\r\ncontent-length: 13\r\n\r\n{\"result\":{}}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"disconnect\":{\"code\":1000}}",
        "nonsense",
    ] {
        let (address, _questions) = backend(answer).await;
        assert_eq!(call(&hooks(&address, "10s")).await, Err(HookRefusal::Unavailable), "{answer}");
    }
}

#[tokio::test]
async fn a_silent_backend_costs_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = hooks(&address, "100ms");
    assert_eq!(call(&silent).await, Err(HookRefusal::Unavailable));
    drop(listener);
    for _ in 0..5 {
        assert_eq!(call(&silent).await, Err(HookRefusal::Unavailable));
    }
    assert!(silent.0.breakers.iter().any(Breaker::is_open));
    assert_eq!(silent.0.config.timeout, Duration::from_millis(100));
}

const ANSWER: &str = r#"{"result":{"data":2}}"#;

#[tokio::test]
async fn connections_are_kept() {
    let mut backend = Backend::that(|_| Does::Answers(200, ANSWER)).await;
    let hooks = hooks(&backend.address, "10s");
    for _ in 0..3 {
        assert_eq!(call(&hooks).await, Ok(Some(Payload::json("2"))));
        assert_eq!(backend.requests.recv().await.unwrap().connection, 0);
    }
}

#[tokio::test]
async fn a_kept_connection_that_ended_costs_nothing() {
    let mut backend = Backend::that(|_| Does::AnswersAndLeaves(200, ANSWER)).await;
    let hooks = hooks(&backend.address, "10s");
    for connection in 0..3 {
        assert_eq!(call(&hooks).await, Ok(Some(Payload::json("2"))));
        assert_eq!(backend.requests.recv().await.unwrap().connection, connection);
    }
}

#[tokio::test]
async fn only_a_connection_that_fails_is_made_again() {
    let backend = Backend::that(|_| Does::Leaves).await;
    let connections = || backend.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(call(&hooks(&backend.address, "10s")).await, Err(HookRefusal::Unavailable));
    assert_eq!(connections(), 1, "the backend may have read it");
    let leaves = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = leaves.local_addr().unwrap();
    let text = format!("[hooks]\nrpc = \"https://{address}/\"\ntimeout = \"10s\"");
    let config = load_file(&text).unwrap().config.hooks.unwrap();
    let hooks = HttpHooks::new(config, HookMetrics::register(&prometheus::Registry::new()).unwrap());
    let accept = async {
        // TLS needs an answer, so the connection cannot be made.
        drop(leaves.accept().await.unwrap());
        drop(leaves.accept().await.unwrap());
        leaves.accept().await.map(drop)
    };
    tokio::select! {
        answer = call(&hooks) => assert_eq!(answer, Err(HookRefusal::Unavailable)),
        _ = accept => panic!("a third connection"),
    }
}

#[tokio::test]
async fn questions_above_the_bound_wait() {
    let mut backend = Backend::that(|number| match number {
        0 => Does::Waits,
        _ => Does::Answers(200, ANSWER),
    })
    .await;
    let hooks = hooks(&backend.address, "1m");
    let (mut first, mut second) = (Box::pin(call(&hooks)), Box::pin(call(&hooks)));
    tokio::select! {
        biased;
        _ = &mut first => panic!("it is answered"),
        _ = &mut second => panic!("it overtakes"),
        request = backend.requests.recv() => assert_eq!(request.unwrap().connection, 0),
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(backend.requests.try_recv().is_err());
    }
    drop(first);
    assert_eq!(second.await, Ok(Some(Payload::json("2"))));
}

#[tokio::test]
async fn a_question_is_signed() {
    let mut backend = Backend::that(|_| Does::Answers(200, ANSWER)).await;
    let secret = "0123456789abcdef0123456789abcdef";
    let text = format!("[hooks]\nrpc = \"http://{}/\"\nsecret = \"{secret}\"", backend.address);
    let config = load_file(&text).unwrap().config.hooks.unwrap();
    assert!(!format!("{config:?}").contains(secret));
    let hooks = HttpHooks::new(config, HookMetrics::register(&prometheus::Registry::new()).unwrap());
    assert_eq!(call(&hooks).await, Ok(Some(Payload::json("2"))));
    let request = backend.requests.recv().await.unwrap();
    let (time, tag) = request.header(SIGNATURE).unwrap().split_once(",v1=").unwrap();
    let signed = format!("{}.{}", time.strip_prefix("t=").unwrap(), request.body);
    assert_eq!(tag, fanfare_auth::HmacSecret::new(secret).unwrap().sign(signed.as_bytes()));
}

#[test]
fn terms_and_rights_are_read() {
    let result = serde_json::json!({
        "user": "ann", "channels": ["a", "b"],
        "subs": {"a": {"info": 1, "b64data": "/wA=", "expire_at": 7, "allow": ["pub", "other"],
            "override": {"force_push_join_leave": {"value": true}, "presence": {"value": false}}}, "c": null},
        "caps": [
            {"channels": ["d"], "allow": ["hst"]},
            {"channels": ["e*"], "allow": ["prs"], "match": "wildcard"},
        ],
    });
    let answer = body::connected(&result).unwrap();
    let [(_, terms), rest @ ..] = &answer.subscriptions[..] else { panic!("{answer:?}") };
    let expected = SubscriptionTerms {
        info: Some("1".into()),
        data: Some(Payload::binary(&b"\xff\0"[..])),
        expires_at: Some(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(7)),
        joins: true,
        allowance: Allowance::of(["pub"]),
    };
    assert_eq!(*terms, expected);
    let names: Vec<_> = rest.iter().map(|(channel, _)| channel.as_str()).collect();
    assert_eq!(names, ["c", "a", "b"]);
    assert!(rest.iter().all(|(_, terms)| *terms == SubscriptionTerms::default()));
    let allows = |name, action| {
        let channel = Channel::new(name).unwrap();
        answer.capabilities.iter().any(|capability| capability.allows(&channel, action))
    };
    assert!(allows("d", Action::ReadHistory) && allows("ef", Action::SeePresence));
    assert!(!allows("d", Action::SeePresence) && !allows("f", Action::SeePresence));
}

#[test]
fn wrong_terms_permit_nothing() {
    for wrong in [
        r#"{"subs": ["a"]}"#,
        r#"{"subs": {"a": 1}}"#,
        r#"{"subs": {"a b": {}}}"#,
        r#"{"subs": {"a": {"expire_at": "soon"}}}"#,
        r#"{"subs": {"a": {"allow": "pub"}}}"#,
        r#"{"subs": {"a": {"override": {"force_push_join_leave": {"value": 1}}}}}"#,
        r#"{"channels": "a"}"#,
        r#"{"caps": {}}"#,
        r#"{"caps": [{"channels": ["a"], "allow": ["sub"], "match": "regex"}]}"#,
        r#"{"caps": [{"channels": [1], "allow": ["sub"]}]}"#,
    ] {
        assert_eq!(body::connected(&serde_json::from_str(wrong).unwrap()), None, "{wrong}");
    }
}
