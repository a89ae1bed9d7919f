//! Bodies that the API refuses. Errors in the JSON of a body: `http/api.rs`.

use fanfare_testkit::{
    Answer, KEY,
    metrics::{api_error, hit},
};

use crate::support::Scene;

async fn publish(scene: &Scene, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    let key = ("X-API-Key", KEY);
    scene.request("POST", "/api/publish", &[&[key], headers].concat(), body).await
}

/// The reason and the sentence of the error.
fn error(answer: &Answer) -> (String, String) {
    let answered = answer.json();
    let member = |name: &str| answered["error"][name].as_str().unwrap_or_default().to_owned();
    (member("reason"), member("message"))
}

#[tokio::test]
async fn a_wrong_body_gets_its_error() {
    let scene = Scene::with("").await;
    let bodies: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "it is empty"),
        (b"channel=other&data=x".to_vec(), "expected value at line 1"),
        (b"\xef\xbb\xbf{}".to_vec(), "expected value"),
        (b"{\"channel\":\"other\",\"data\":\"\xff\"}".to_vec(), "line 1"),
        (br#"{"channel":"other","data":"\ud800"}"#.to_vec(), "hex escape"),
        (br#"{"channel":"other","data":1} trailing"#.to_vec(), "trailing characters"),
        (br#"{"channel":"other","channel":"chat","data":1}"#.to_vec(), "duplicate field `channel`"),
        (br#"{"channel":"other","b64data":1}"#.to_vec(), "expected a string"),
        (br#"{"channel":"other","b64data":"@@@"}"#.to_vec(), "b64data is not base64"),
        (br#"{"channel":"other","b64data":"YQ"}"#.to_vec(), "b64data is not base64"),
        (br#"{"channel":null,"data":1}"#.to_vec(), "expected a string"),
        (br#"{"channel":"other","data":1,"exclude":"me"}"#.to_vec(), "unknown field `exclude`"),
        ([&b"{\"channel\":\"other\",\"data\":"[..], &vec![b'['; 30_000]].concat(), "line 1"),
        ([&b"{\"channel\":"[..], &b"{\"a\":".repeat(10_000)].concat(), "expected a string"),
    ];
    for (body, words) in &bodies {
        let answer = publish(&scene, &[], body).await;
        let (reason, message) = error(&answer);
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!((answer.status, reason.as_str()), (400, "bad_request"), "{shown}: {message}");
        assert!(message.contains(words), "{shown}: {message}");
        assert!(message.len() < 300, "the body is not repeated: {message}");
    }
    scene.costs_the_offender_only(&[(&api_error("bad_request"), bodies.len() as u64)]).await;
}

#[tokio::test]
async fn deep_data_is_relayed_unchanged() {
    let scene = Scene::with("").await;
    let mut reader = scene.connect("/ws/other").await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    publish(&scene, &[], format!(r#"{{"channel":"other","data":{deep}}}"#)).await.is(200, "");
    reader.expect(&deep).await;
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    let scene = Scene::with("").await;
    let mut reader = scene.connect("/ws/other").await;
    // The content type of `curl -d` for any body.
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    publish(&scene, &form, r#"{"channel":"other","data":"taken"}"#).await.is(200, "");
    reader.expect("taken").await;
    publish(&scene, &form, "channel=other&data=x").await.is(400, "is not what /api/publish takes");
    let compressed = [("Content-Encoding", "gzip")];
    publish(&scene, &compressed, b"\x1f\x8b\x08\0").await.is(415, "send the body without");
    let counted = [(&api_error("bad_request")[..], 1), (&api_error("unsupported_encoding"), 1)];
    scene.costs_the_offender_only(&counted).await;
}

#[tokio::test]
async fn too_large_a_body_is_refused() {
    let scene = Scene::with("limits.message_bytes = \"1KiB\"").await;
    let declared = [("Content-Length", "1000000000000")];
    let answer = publish(&scene, &declared, "").await;
    assert_eq!((answer.status, error(&answer).0.as_str()), (413, "too_large"), "{}", answer.text());
    let mut chunked = scene.raw().await;
    let head = format!("POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n");
    chunked.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
    // More than six bytes for each of the message, and for each of its attributes.
    for _ in 0..200 {
        chunked.send(&[b"400\r\n", &[b' '; 0x400][..], b"\r\n"].concat()).await;
    }
    let answer = chunked.answer().await;
    assert_eq!((answer.status, error(&answer).0.as_str()), (413, "too_large"), "{}", answer.text());
    let data = "x".repeat(1025);
    let answer = publish(&scene, &[], format!(r#"{{"channel":"other","data":"{data}"}}"#)).await;
    assert_eq!((answer.status, error(&answer).0.as_str()), (413, "too_large"), "{}", answer.text());
    assert!(error(&answer).1.contains("a message has at most 1024"), "{}", answer.text());
    scene.costs_the_offender_only(&[(&api_error("too_large"), 3), (&hit("message_bytes"), 3)]).await;
}
