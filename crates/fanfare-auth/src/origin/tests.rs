use http::HeaderValue;

use super::*;

fn headers(origin: Option<&str>, host: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(header::ORIGIN, origin), (header::HOST, host)] {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
    }
    headers
}

fn allow(entries: &[&str]) -> Vec<AllowedOrigin> {
    entries.iter().map(|entry| entry.parse().unwrap()).collect()
}

#[test]
fn without_a_list_only_the_same_origin_passes() {
    let policy = OriginPolicy::default();
    let table = [
        ("https://app.example", "app.example", true),
        ("http://app.example", "app.example", true),
        ("https://App.Example", "aPP.eXAMPLE", true),
        ("https://app.example", "app.example:443", true),
        ("https://app.example:443", "app.example", true),
        ("http://app.example", "app.example:80", true),
        ("http://app.example:8080", "app.example:8080", true),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
        ("http://[::1]:8080", "[::1]:8080", true),
        ("http://[0:0:0:0:0:0:0:1]", "[::1]:80", true),
        ("https://app.example", "app.example:80", false),
        ("http://app.example", "app.example:443", false),
        ("http://app.example:8081", "app.example:8080", false),
        ("http://app.example:8080", "app.example", false),
        ("https://evil.example", "app.example", false),
        ("https://app.example.evil", "app.example", false),
        ("https://evilapp.example", "app.example", false),
        ("http://localhost:3000", "localhost:8080", false),
        ("http://[::1]:8080", "127.0.0.1:8080", false),
        ("chrome-extension://app.example", "app.example", false),
        ("null", "app.example", false),
    ];
    for (origin, host, passes) in table {
        let answer = policy.check(&headers(Some(origin), Some(host)));
        assert_eq!(answer.is_ok(), passes, "{origin} at {host}: {answer:?}");
    }
}

#[test]
fn a_request_without_an_origin_passes() {
    assert_eq!(OriginPolicy::default().check(&headers(None, Some("app.example"))), Ok(()));
    assert_eq!(OriginPolicy::default().check(&headers(None, None)), Ok(()));
}

#[test]
fn the_list_allows_only_its_origins() {
    let policy = OriginPolicy::new(allow(&[
        "https://app.example",
        "https://*.example.com",
        "http://*.dev.example:8080",
        "http://[::1]:3000",
        "capacitor://localhost",
    ]));
    let table = [
        ("https://app.example", true),
        ("https://APP.example:443", true),
        ("http://app.example", false),
        ("https://app.example:8443", false),
        ("https://a.example.com", true),
        ("https://a.b.example.com", true),
        ("https://example.com", false),
        ("https://.example.com", false),
        ("https://evilexample.com", false),
        ("https://example.com.evil", false),
        ("https://a.example.com.evil", false),
        ("http://a.example.com", false),
        ("https://a.example.com:8443", false),
        ("http://x.dev.example:8080", true),
        ("http://x.dev.example", false),
        ("http://[0::1]:3000", true),
        ("http://[::2]:3000", false),
        ("capacitor://localhost", true),
        ("capacitor://localhost/", true),
        ("https://app.example/", true),
        ("https://app.example//", false),
        ("https://app.example/x", false),
        ("null", false),
        ("file://", false),
    ];
    for (origin, passes) in table {
        let answer = policy.check(&headers(Some(origin), Some("server.test")));
        assert_eq!(answer.is_ok(), passes, "{origin}: {answer:?}");
    }
}

#[test]
fn a_star_allows_every_origin() {
    let policy = OriginPolicy::new(allow(&["*"]));
    for origin in ["https://evil.example", "null", "file://", "http://localhost:1"] {
        assert_eq!(policy.check(&headers(Some(origin), Some("server.test"))), Ok(()));
    }
}

#[test]
fn pages_without_a_server_need_their_name() {
    for name in ["null", "file://"] {
        let policy = OriginPolicy::new(allow(&[name]));
        for origin in ["null", "file://", "https://evil.example"] {
            let headers = headers(Some(origin), Some("app.example"));
            assert_eq!(policy.check(&headers).is_ok(), origin == name, "{origin} where {name} is allowed");
            assert_eq!(
                policy.check_call(&headers).is_ok(),
                origin == name,
                "{origin} where {name} is allowed"
            );
        }
    }
    let dev = OriginPolicy::dev(allow(&["null"]));
    assert_eq!(dev.check_call(&headers(Some("null"), Some("localhost"))), Ok(()));
}

#[test]
fn dev_allows_local_pages_and_pages_from_disk() {
    let policy = OriginPolicy::dev(allow(&["https://tools.example"]));
    let table = [
        ("null", "localhost:8080", true),
        ("file://", "localhost:8080", true),
        ("file:///", "localhost:8080", true),
        ("file://home", "localhost:8080", false),
        ("http://localhost:3000", "localhost:8080", true),
        ("http://localhost/", "localhost:8080", true),
        ("https://localhost", "127.0.0.1:8080", true),
        ("http://127.0.0.1:5173", "[::1]:8080", true),
        ("http://[::1]:5173", "localhost", true),
        ("https://tools.example", "localhost:8080", true),
        ("https://evil.example", "localhost:8080", false),
        ("http://localhost.evil.example", "localhost:8080", false),
        ("http://127.0.0.1.evil.example", "localhost:8080", false),
        ("http://evil.example:8080", "evil.example:8080", false),
        ("null", "evil.example:8080", false),
    ];
    for (origin, host, passes) in table {
        let answer = policy.check(&headers(Some(origin), Some(host)));
        assert_eq!(answer.is_ok(), passes, "{origin} at {host}: {answer:?}");
    }
    assert_eq!(policy.check(&headers(None, Some("127.0.0.1:8080"))), Ok(()));
    assert_eq!(policy.check(&headers(None, None)), Err(OriginRefusal::HostMissing));
    let call = |origin| policy.check_call(&headers(Some(origin), Some("localhost:8080")));
    assert_eq!(call("null"), Err(OriginRefusal::OfNoServer { origin: "null" }));
    assert_eq!(call("file://"), Err(OriginRefusal::OfNoServer { origin: "file://" }));
    assert_eq!(call("http://localhost:3000"), Ok(()));
}

#[test]
fn dev_refuses_a_rebound_name_always() {
    let policy = OriginPolicy::dev(allow(&["*"]));
    for origin in [None, Some("http://rebound.example:8080")] {
        assert_eq!(
            policy.check(&headers(origin, Some("rebound.example:8080"))),
            Err(OriginRefusal::HostNotLoopback { host: "rebound.example".into() })
        );
    }
}

#[test]
fn dev_judges_the_host_of_every_request() {
    let dev = OriginPolicy::dev(allow(&["*"]));
    let rebound = |host: &str| Err(OriginRefusal::HostNotLoopback { host: host.into() });
    let check = |host, target| dev.check_host(&headers(None, host), target);
    assert_eq!(check(Some("localhost:8080"), None), Ok(()));
    assert_eq!(check(None, None), Ok(()), "not a browser");
    assert_eq!(check(Some("[::1]"), Some("127.0.0.1:8080")), Ok(()));
    assert_eq!(check(Some("rebound.example"), None), rebound("rebound.example"));
    assert_eq!(check(Some("localhost"), Some("example.com:443")), rebound("example.com"));
    assert_eq!(check(Some(""), None), Err(OriginRefusal::Malformed { name: "Host", found: "".into() }));
    let everywhere = OriginPolicy::default();
    assert_eq!(everywhere.check_host(&headers(None, Some("app.example")), None), Ok(()));
}

#[test]
fn several_and_malformed_headers_are_refused() {
    let policy = OriginPolicy::default();
    let mut twice = headers(Some("http://a.example"), Some("a.example"));
    twice.append(header::ORIGIN, HeaderValue::from_static("http://a.example"));
    assert_eq!(policy.check(&twice), Err(OriginRefusal::Several { name: "Origin" }));
    let mut hosts = headers(Some("http://a.example"), Some("a.example"));
    hosts.append(header::HOST, HeaderValue::from_static("b.example"));
    assert_eq!(policy.check(&hosts), Err(OriginRefusal::Several { name: "Host" }));

    for origin in [
        "",
        "a.example",
        "http://",
        "http:///",
        "http://a.example//",
        "http://u@a.example",
        "http://a b",
        "NULL",
    ] {
        let refused = policy.check(&headers(Some(origin), Some("a.example")));
        let expected = OriginRefusal::Malformed { name: "Origin", found: origin.into() };
        assert_eq!(refused, Err(expected));
    }
    let mut bytes = headers(None, Some("a.example"));
    bytes.insert(header::ORIGIN, HeaderValue::from_bytes(b"http://\xff").unwrap());
    assert!(matches!(policy.check(&bytes), Err(OriginRefusal::Malformed { name: "Origin", .. })));

    let origin = Some("http://a.example");
    assert_eq!(policy.check(&headers(origin, None)), Err(OriginRefusal::HostMissing));
    let host = policy.check(&headers(origin, Some("a.example/")));
    assert_eq!(host, Err(OriginRefusal::Malformed { name: "Host", found: "a.example/".into() }));
}

#[test]
fn a_refusal_names_origin_and_remedy() {
    let refused =
        |origin| OriginPolicy::default().check(&headers(Some(origin), Some("app.example"))).unwrap_err();
    let refusal = refused("https://Other.example");
    assert_eq!(
        refusal.to_string(),
        "origin https://other.example may not use this server (app.example); to let it in, add it to the \
         configuration: origins.allow = [\"https://other.example\"]"
    );
    assert_eq!(
        refusal.in_short(),
        "origin not allowed; this lets it in: origins.allow = [\"https://other.example\"]"
    );
    for origin in ["null", "file://"] {
        let line = format!("origins.allow = [\"{origin}\"]");
        let refusal = refused(origin);
        assert!(refusal.to_string().contains(&line) && refusal.in_short().contains(&line), "{refusal}");
    }
}

#[test]
fn a_long_header_is_cut_in_the_refusal() {
    let refusal = OriginPolicy::default().check(&headers(Some(&"x".repeat(9000)), Some("a.example")));
    assert!(refusal.unwrap_err().to_string().len() < 200);
}

#[test]
fn a_wrong_entry_has_its_reason() {
    use AllowedOriginError as E;
    let table = [
        ("app.example", E::NoScheme),
        ("", E::NoScheme),
        ("://app.example", E::NoScheme),
        ("https://app.example//", E::Path { origin: "https://app.example".into() }),
        ("https://app.example/chat", E::Path { origin: "https://app.example".into() }),
        ("https://räume.example", E::NotAscii),
        ("https://*", E::Wildcard),
        ("https://app.*.example", E::Wildcard),
        ("https://*app.example", E::Wildcard),
        ("https://*.*.example", E::Wildcard),
        ("https://*.[::1]", E::Wildcard),
        ("https://", E::Host),
        ("https://*.", E::Host),
        ("https://:8080", E::Host),
        ("https://app.example:port", E::Host),
    ];
    for (entry, error) in table {
        assert_eq!(entry.parse::<AllowedOrigin>(), Err(error), "{entry}");
    }
}

#[test]
fn an_entry_prints_as_it_is_written() {
    assert_eq!("https://app.example/".parse::<AllowedOrigin>().unwrap().to_string(), "https://app.example");
    for entry in
        ["*", "null", "file://", "https://app.example", "https://*.example.com:8443", "http://[::1]:3000"]
    {
        assert_eq!(entry.parse::<AllowedOrigin>().unwrap().to_string(), entry);
    }
}
