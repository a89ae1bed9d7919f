//! Requests that are not HTTP, incomplete, or too large.

use std::time::Duration;

use fanfare_testkit::{
    Answer, RawClient,
    metrics::{api_error, closed, hit, http_error},
};

use crate::support::Scene;

const SHORT: &str = "limits.handshake = \"300ms\"";

/// Sends bytes, and reads the answer and then the end of the connection.
async fn last_answer(scene: &Scene, bytes: &[u8]) -> Answer {
    let mut client = scene.raw().await;
    client.send(bytes).await;
    let answer = client.answer().await;
    assert!(client.end().await.is_empty());
    answer
}

#[tokio::test]
async fn garbage_gets_400_and_is_counted() {
    let scene = Scene::with(SHORT).await;
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /chat HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    for bytes in garbage {
        last_answer(&scene, bytes).await.is(400, "");
    }
    scene.costs_the_offender_only(&[(&http_error("parse"), garbage.len() as u64)]).await;
}

#[tokio::test]
async fn an_ambiguous_request_is_refused() {
    let scene = Scene::with("").await;
    let two: [&[u8]; 3] = [
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    ];
    for bytes in two {
        last_answer(&scene, bytes).await.is(400, "");
    }
    scene.costs_the_offender_only(&[(&http_error("parse"), two.len() as u64)]).await;
}

#[tokio::test]
async fn a_wrong_http_2_frame_ends_its_connection() {
    let scene = Scene::with("").await;
    let mut client = scene.raw().await;
    // DATA of the stream 0 (RFC 9113, section 6.1) behind the preface and the settings.
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0").await;
    let said = client.end().await;
    let goodbye = b"\0\0\x08\x07\0\0\0\0\0"; // the head of a GOAWAY
    assert!(said.windows(goodbye.len()).any(|bytes| bytes == goodbye), "{said:x?}");
    scene.costs_the_offender_only(&[(&http_error("other"), 1)]).await;
}

#[tokio::test]
async fn http_1_0_gets_a_page() {
    let scene = Scene::with("").await;
    last_answer(&scene, b"GET /healthz HTTP/1.0\r\n\r\n").await.is(200, "ok");
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn half_a_header_gets_408() {
    let scene = Scene::with(SHORT).await;
    for half in ["G", "GET /chat HTTP/1.1\r\n", "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websock"] {
        last_answer(&scene, half.as_bytes()).await.is(408, "did not come in time");
    }
    let mut second = scene.raw().await;
    second.request("GET", "/healthz", &[], b"").await.is(200, "ok");
    second.send(b"GET").await;
    second.answer().await.is(408, "did not come in time");
    // A client that sent nothing gets nothing: it could take a 408 for the answer to its next request.
    assert!(scene.raw().await.end().await.is_empty());
    scene.costs_the_offender_only(&[(&http_error("timeout"), 5), (&hit("handshake"), 5)]).await;
}

#[tokio::test]
async fn a_dripping_header_gets_408() {
    let scene = Scene::with(SHORT).await;
    let mut client = scene.raw().await;
    let header = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: {}", "x".repeat(10_000));
    let mut bytes = header.as_bytes().iter();
    while scene.metric(&http_error("timeout")).await < 1.0 {
        client.send(&[*bytes.next().expect("it is cut before its end")]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.answer().await.is(408, "did not come in time");
    scene.costs_the_offender_only(&[(&hit("handshake"), 1)]).await;
}

#[tokio::test]
async fn too_large_a_header_gets_431() {
    let scene = Scene::with("").await;
    let mut large = b"GET /chat HTTP/1.1\r\nHost: x\r\nX-Large: ".to_vec();
    large.extend([b'x'; 300 << 10]);
    let many = format!("GET /chat HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Another: header\r\n".repeat(200));
    for bytes in [&large[..], many.as_bytes()] {
        last_answer(&scene, bytes).await.is(431, "");
    }
    scene.costs_the_offender_only(&[(&http_error("too_large"), 2)]).await;
}

#[tokio::test]
async fn a_half_close_ends_after_the_answer() {
    let scene = Scene::with("").await;
    let mut mid_header = scene.raw().await;
    mid_header.send(b"GET /chat HTTP/1.1\r\nHost:").await;
    mid_header.finish().await;
    assert!(mid_header.end().await.is_empty());
    let mut after_request = scene.raw().await;
    after_request.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    after_request.finish().await;
    after_request.answer().await.is(200, "ok");
    assert!(after_request.end().await.is_empty());
    let mut after_upgrade: RawClient = scene.raw().await;
    after_upgrade
        .send(
            b"GET /ws/other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    after_upgrade.finish().await;
    after_upgrade.end().await;
    scene.costs_the_offender_only(&[(&http_error("incomplete"), 1), (&closed("lost"), 1)]).await;
}

#[tokio::test]
async fn a_cut_body_publishes_nothing() {
    let scene = Scene::with("").await;
    let mut reader = scene.connect("/ws/other").await;
    let mut client = scene.raw().await;
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 1000\r\n\r\n",
        fanfare_testkit::KEY
    );
    client.send(format!("{head}{{\"channel\":\"other\",\"data\":1}}").as_bytes()).await;
    client.finish().await;
    client.end().await;
    scene.publish("other", "the next").await;
    reader.expect("the next").await;
    scene.costs_the_offender_only(&[(&api_error("bad_request"), 1)]).await;
}
