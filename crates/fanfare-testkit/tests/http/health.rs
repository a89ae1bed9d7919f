//! Health and readiness: the node's own answers, and `fanfare health` in the node's container.

use std::{net::SocketAddr, process::Output};

use fanfare_testkit::{Endpoint, Process, Setup, TestNode, redis_server};
use serde_json::{Value, json};

/// `ok`, and each check's name, state and whether it is ok.
fn said(health: &Value) -> Value {
    let check = |check: &Value| {
        let since = check["since"].as_str().unwrap();
        assert!(since.ends_with('Z') && check["seconds"].is_u64(), "{check}");
        json!([check["name"], check["state"], check["ok"]])
    };
    let checks: Vec<_> = health["checks"].as_array().unwrap().iter().map(check).collect();
    json!([health["ok"], checks])
}

/// `fanfare health` with these words: whether it exits with 0, and its output.
async fn asked(words: &[&str], toml: &str) -> (bool, String) {
    let words = [&["health"], words].concat();
    let Output { status, stdout, stderr } = Process::once(&words, toml, &[]).await;
    assert!(status.code().is_some_and(|code| code < 2), "{status}");
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_broker_is_alive_but_unready() {
    let mut redis = redis_server().await;
    let node = Process::start("a", &redis.url()).await;
    let at = format!("listen = [\"{}\"]", node.address());
    assert_eq!(
        said(&node.get("/readyz").await.json()),
        json!([true, [["broker", "up", true], ["node", "serving", true]]])
    );
    let (ok, text) = asked(&[], &at).await;
    assert!(ok && text.starts_with("a is ready\n  broker  up "), "{text}");

    redis.kill().await.unwrap();
    node.is_unready().await;
    let ready = node.get("/readyz").await.json();
    assert_eq!(said(&ready), json!([false, [["broker", "away", false], ["node", "serving", true]]]));
    assert_eq!(said(&node.get("/healthz").await.json()), json!([true, [["shards", "running", true]]]));
    let (ok, text) = asked(&[], &at).await;
    assert!(
        !ok && text.contains("a is not ready: broker away since 20") && !text.contains("serving"),
        "{text}"
    );
    let (ok, text) = asked(&["--live"], &at).await;
    assert!(ok && text.starts_with("a is alive\n  shards  running "), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_redis_is_for_operators() {
    let redis = redis_server().await;
    let own = "metrics.listen = [\"127.0.0.1:0\"]";
    let node = Setup::redis(&redis.url()).toml(own).start().await;
    let [metrics] = node.addresses().metrics[..] else { panic!("{:?}", node.addresses()) };
    let (metrics, server) = (Endpoint::new(metrics), json!(format!("127.0.0.1:{}", redis.port())));
    assert_eq!(metrics.get("/readyz").await.json()["checks"][0]["server"], server);
    assert_eq!(metrics.get("/api/cluster").await.json()["server"], server);
    assert_eq!(node.get("/readyz").await.json()["checks"][0].get("server"), None);
    assert_eq!(node.get("/api/cluster").await.json().get("server"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_node_is_unready() {
    let redis = redis_server().await;
    let node = Process::start_with("a", &redis.url(), &[("FANFARE_DRAIN__GRACE", "20s")]).await;
    node.terminate();
    node.is_unready().await;
    let ready = node.get("/readyz").await.json();
    assert_eq!(said(&ready), json!([false, [["broker", "up", true], ["node", "draining", false]]]));
    let (ok, text) = asked(&[&node.url()], "").await;
    assert!(!ok && text.contains("node draining since"), "{text}");
}

/// A node on this machine, and the configuration that finds it: the node's own, with the real port.
fn node(listen: &str, toml: &str) -> (TestNode, String) {
    let node = Setup::memory().listen(listen).toml(toml).start_unready();
    let [address, ..] = node.addresses().clients[..] else { panic!("it listens nowhere") };
    let file = format!("listen = [\"{address}\"]\n{toml}");
    (node, file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_finds_the_nodes_own_listener() {
    let proxies = "proxies.trusted = [\"127.0.0.0/8\"]\nproxies.protocol = \"proxy\"";
    let of_pods = "open = true\nproxies.trusted = [\"10.0.0.0/8\"]\nproxies.protocol = \"proxy\"";
    let mut places = vec![
        ("127.0.0.1:0", ""),
        ("127.0.0.1:0", proxies),
        ("0.0.0.0:0", "open = true"),
        ("0.0.0.0:0", of_pods),
    ];
    let loopback: SocketAddr = "[::1]:0".parse().unwrap();
    if std::net::TcpListener::bind(loopback).is_ok() {
        places.extend([("[::1]:0", ""), ("[::]:0", "open = true")]);
    }
    for (listen, toml) in places {
        let (_node, file) = node(listen, toml);
        let (ok, text) = asked(&[], &file).await;
        assert!(ok && text.starts_with("test is ready"), "{listen} {toml}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_names_every_address_it_asked() {
    let (node, file) = node("127.0.0.1:0", "");
    node.stop().await;
    let (ok, text) = asked(&[], &file).await;
    assert!(!ok && text.contains("/readyz: connection refused"), "{text}");
    let (ok, text) = asked(&[], "listen = [\"127.0.0.1:0\"]").await;
    assert!(!ok && text.contains("port 0 only: name the URL"), "{text}");
    let (ok, text) = asked(&["ftp://localhost"], "").await;
    assert!(!ok && text.contains("only http:// and https:// are asked"), "{text}");
}
