//! Keys from another server (`auth.jwks_url`): they are used, replaced, and kept while the server is away.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fanfare_testkit::{Setup, TestNode, assert_eventually};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server of keys; without a document it answers with an error.
struct Provider {
    url: String,
    document: Arc<Mutex<Option<Value>>>,
    asked: Arc<Mutex<usize>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (document, asked) = (Arc::<Mutex<Option<Value>>>::default(), Arc::<Mutex<usize>>::default());
        let (told, counted) = (document.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte @ 0..) = socket.read_u8().await else { break };
                    request.push(byte);
                }
                *counted.lock() += 1;
                let (status, body) = match &*told.lock() {
                    Some(document) => ("200 OK", document.to_string()),
                    None => ("503 Service Unavailable", String::new()),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, document, asked }
    }

    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        *self.document.lock() = Some(json!({"keys": keys}));
    }

    fn asked(&self) -> usize {
        *self.asked.lock()
    }

    async fn node(&self) -> TestNode {
        let toml = format!("[auth]\njwks_url = \"{}\"\n[[namespace]]\nsubscribe = \"token\"", self.url);
        Setup::memory().toml(&toml).start().await
    }
}

/// A key of the provider.
struct Key {
    name: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(name: &'static str) -> Self {
        Self { name, pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    fn public(&self) -> Value {
        let (_, point) = self.pair.public_key_raw().split_at(1);
        let (x, y) = point.split_at(32);
        let [x, y] = [x, y].map(|half| BASE64_URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name, "x": x, "y": y})
    }

    /// The value of `Authorization` with a token that this key signed.
    fn bearer(&self) -> String {
        let header = Header { kid: Some(self.name.into()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        format!("Bearer {}", encode(&header, &json!({"sub": "me"}), &key).unwrap())
    }
}

async fn status(node: &TestNode, key: &Key) -> u16 {
    node.upgrade("/chat", &[("Authorization", &key.bearer())]).await.status
}

#[tokio::test]
async fn a_key_of_the_provider_lets_in() {
    let (provider, first, other) = (Provider::start().await, Key::new("first"), Key::new("other"));
    provider.publish(&[&first]);
    let node = provider.node().await;
    assert_eventually!(status(&node, &first).await == 101, "the key is fetched");
    node.upgrade("/chat", &[("Authorization", &other.bearer())]).await.is(401, "jwks_url");
    let forged = Key { name: "first", ..other };
    node.upgrade("/chat", &[("Authorization", &forged.bearer())]).await.is(401, "signature is wrong");
}

#[tokio::test]
async fn unknown_keys_ask_the_provider_rarely() {
    let (provider, first, other) = (Provider::start().await, Key::new("first"), Key::new("other"));
    provider.publish(&[&first]);
    let node = provider.node().await;
    assert_eventually!(status(&node, &first).await == 101, "the key is fetched");
    for _ in 0..20 {
        assert_eq!(status(&node, &other).await, 401);
    }
    assert!(provider.asked() <= 2, "{} fetches", provider.asked());
    assert!(node.metric("fanfare_jwks_fetches_total{result=\"success\"}").await >= 1.0);
}

#[tokio::test]
async fn a_client_waits_for_the_first_keys() {
    let (provider, first) = (Provider::start().await, Key::new("first"));
    provider.publish(&[&first]);
    // Ready or not: the node may not have fetched anything yet.
    let node = provider.node().await;
    assert_eq!(status(&node, &first).await, 101);
}

#[tokio::test]
async fn a_provider_that_is_away_is_counted() {
    let (provider, first) = (Provider::start().await, Key::new("first"));
    let node = provider.node().await;
    assert_eventually!(
        node.metric("fanfare_jwks_fetches_total{result=\"failure\"}").await >= 1.0,
        "the fetch fails"
    );
    node.upgrade("/chat", &[("Authorization", &first.bearer())])
        .await
        .is(401, "no key for the token's algorithm");
}
