//! An API listener that asks its callers for certificates.

use fanfare_testkit::{Authority, KEY, RawClient, Setup, Validity};
use tokio_rustls::TlsConnector;

use crate::HOST;

#[tokio::test]
async fn the_api_wants_certificate_and_key() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.issue("server", &[HOST], Validity::Current);
    let toml = format!(
        "[api]\nlisten = [\"127.0.0.1:0\"]\n{}client_ca = \"{}\"\n",
        server.toml("tls_cert", "tls_key"),
        authority.ca().display()
    );
    let node = Setup::memory().toml(&toml).start().await;
    let api = node.addresses().api[0];
    let connector = |shows| TlsConnector::from(authority.client(shows));
    let caller = authority.issue("caller", &["backend"], Validity::Current);
    let mut good = RawClient::connect(api).await.secure(&connector(Some(&caller)), HOST).await;
    let body = br#"{"channel":"chat","data":"hello"}"#;
    let mut client = node.connect("/chat").await;
    let answer = good.request("POST", "/api/publish", &[], body).await;
    assert_eq!(answer.status, 401, "a certificate is not a key: {}", answer.text());
    let answer = good.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    client.expect("hello").await;

    let stranger = other.issue("caller", &["backend"], Validity::Current);
    let expired = authority.issue("late", &["backend"], Validity::Expired);
    for (shows, result) in
        [(None, "no_certificate"), (Some(&stranger), "bad_certificate"), (Some(&expired), "bad_certificate")]
    {
        let series = format!("fanfare_tls_handshakes_total{{result=\"{result}\"}}");
        let before = node.metric(&series).await;
        // With TLS 1.3 the client's handshake ends before the server checks its certificate.
        let mut bad = RawClient::connect(api).await.secure(&connector(shows), HOST).await;
        bad.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let error = bad.good_end().await.unwrap_err().to_string();
        assert!(error.contains("alert"), "{error}");
        assert!(node.metric(&series).await > before, "{result}");
    }
}
