//! `--dev` lets local pages in, on this machine only; without it, only pages of the same origin come in.

use fanfare_testkit::{Setup, TestNode};

/// A node under `--dev` that answers browsers like other clients.
async fn dev() -> TestNode {
    Setup::memory().dev().toml("browser_errors = false").start().await
}

async fn status(node: &TestNode, headers: &[(&str, &str)]) -> u16 {
    let [upgrade, ws] = [node.upgrade("/chat", headers).await, node.upgrade("/ws/chat", headers).await];
    assert_eq!(upgrade.status, ws.status, "both paths are judged alike");
    upgrade.status
}

/// The answer of `POST /api/publish` to a page.
async fn api_status(node: &TestNode, headers: &[(&str, &str)]) -> u16 {
    let body = r#"{"channel": "chat", "data": 1}"#;
    node.request("POST", "/api/publish", headers, body).await.status
}

#[tokio::test]
async fn dev_is_for_loopback_only() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let mistakes = Setup::memory().dev().listen(address).load().unwrap_err().to_string();
        assert!(mistakes.contains("loopback addresses only, under --dev"), "{address}: {mistakes}");
        let open = Setup::memory().dev().listen(address).toml("open = true").load().unwrap_err().to_string();
        assert!(open.contains("loopback addresses only, under --dev"), "{address}: {open}");
    }
    for address in ["127.0.0.1:0", "[::1]:0", "localhost:0", "127.0.0.2:0"] {
        assert!(Setup::memory().dev().listen(address).load().is_ok(), "{address}");
    }
}

#[tokio::test]
async fn a_public_node_must_say_open() {
    let mistakes = Setup::memory().listen("0.0.0.0:0").load().unwrap_err().to_string();
    assert!(mistakes.contains("open = true"), "{mistakes}");
    assert!(Setup::memory().listen("0.0.0.0:0").toml("open = true").load().is_ok());
}

#[tokio::test]
async fn under_dev_local_pages_come_in() {
    let node = dev().await;
    for origin in [
        "null",
        "file://",
        "http://localhost:3000",
        "http://localhost",
        "http://localhost/",
        "http://127.0.0.1:5173",
        "http://[::1]:1",
    ] {
        assert_eq!(status(&node, &[("Origin", origin)]).await, 101, "{origin}");
        // A sandboxed frame of a foreign page has the same origin, and its POST works without reading the answer.
        let is_let_in = if ["null", "file://"].contains(&origin) { 403 } else { 200 };
        assert_eq!(api_status(&node, &[("Origin", origin)]).await, is_let_in, "{origin}");
    }
    assert_eq!(status(&node, &[]).await, 101, "not a browser");
}

#[tokio::test]
async fn under_dev_foreign_pages_stay_out() {
    let node = dev().await;
    for origin in
        ["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example:80"]
    {
        assert_eq!(status(&node, &[("Origin", origin)]).await, 403, "{origin}");
        assert_eq!(api_status(&node, &[("Origin", origin)]).await, 403, "{origin}");
    }
}

#[tokio::test]
async fn under_dev_the_host_must_be_local() {
    let node = dev().await;
    let port = node.address().port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "192.0.2.1".to_owned()] {
        let same = format!("http://{host}");
        for headers in [&[("Host", host.as_str())][..], &[("Host", host.as_str()), ("Origin", same.as_str())]]
        {
            assert_eq!(status(&node, headers).await, 403, "{headers:?}");
            assert_eq!(api_status(&node, headers).await, 403, "{headers:?}");
        }
        let sentence = "under --dev the host must be localhost";
        node.upgrade("/chat", &[("Host", &host)]).await.is(403, sentence);
        for path in [
            "/",
            "/chat",
            "/ws/chat",
            "/healthz",
            "/readyz",
            "/health",
            "/metrics",
            "/api/cluster",
            "/api/publish",
            "/assets/page.js",
            "/nothing/at/all",
            "/admin",
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let answer =
                    node.request(method, path, &[("Host", &host), ("Connection", "close")], "").await;
                assert_eq!(answer.status, 403, "{method} {path} for {host}");
            }
            node.request("GET", path, &[("Host", &host)], "").await.is(403, sentence);
        }
    }
    let target = format!("http://evil.example:{port}/healthz");
    node.get(&target).await.is(403, "under --dev");
    for host in ["localhost".to_owned(), format!("localhost:{port}"), "[::1]:80".to_owned()] {
        assert_eq!(status(&node, &[("Host", &host)]).await, 101, "{host}");
    }
}

#[tokio::test]
async fn pages_without_origin_need_their_name() {
    let mistakes = Setup::memory().toml("origins.allow = [\"file\"]").load().unwrap_err().to_string();
    assert!(mistakes.contains("\"file://\" for pages from disk"), "{mistakes}");
    for name in ["null", "file://"] {
        let line = format!("origins.allow = [\"{name}\"]");
        let refusing = Setup::memory().start().await;
        refusing.upgrade("/chat", &[("Origin", name)]).await.is(403, &line);
        let node = Setup::memory().toml(&line).start().await;
        for origin in ["null", "file://"] {
            let expected = if origin == name { 101 } else { 403 };
            assert_eq!(status(&node, &[("Origin", origin)]).await, expected, "{origin}, where {name} may");
        }
    }
}

#[tokio::test]
async fn without_dev_only_allowed_origins_come_in() {
    let node = Setup::memory().toml("origins.allow = [\"https://app.example\"]").start().await;
    let own = node.url();
    let host = ("Host", "chat.example");
    for headers in [
        &[][..],
        &[("Origin", own.as_str())],
        &[("Origin", "https://app.example")],
        &[("Origin", "https://app.example/")],
        &[host, ("Origin", "https://chat.example")],
        &[host, ("Origin", "http://chat.example")],
    ] {
        assert_eq!(status(&node, headers).await, 101, "{headers:?}");
    }
    for headers in [
        &[("Origin", "null")][..],
        &[("Origin", "http://localhost:3000")],
        &[("Origin", "http://app.example")],
        &[host, ("Origin", own.as_str())],
        &[host, ("Origin", "https://chat.example:8443")],
        &[host, ("Origin", "https://evil.example")],
    ] {
        assert_eq!(status(&node, headers).await, 403, "{headers:?}");
    }
}
