//! Good requests, and every mistake in one.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use proptest::prelude::*;

use super::{Accepted, Options, Refusal, accept, accept_value, is_upgrade};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// The request of section 1.3, without its extras.
fn good() -> HeaderMap {
    headers(&[
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ])
}

fn judge(headers: &HeaderMap, deflate: bool) -> Result<Accepted, Refusal> {
    accept(&Method::GET, Version::HTTP_11, headers, Options { deflate, ..Options::default() })
}

/// The good request with one header set to something else, or removed.
fn judge_with(name: &'static str, value: Option<&'static str>) -> Result<Accepted, Refusal> {
    let mut headers = good();
    headers.remove(name);
    if let Some(value) = value {
        headers.insert(name, HeaderValue::from_static(value));
    }
    judge(&headers, false)
}

fn offer(extensions: &[&'static str]) -> Result<Accepted, Refusal> {
    let mut headers = good();
    for value in extensions {
        headers.append("sec-websocket-extensions", HeaderValue::from_static(value));
    }
    judge(&headers, true)
}

/// The answer to an offer, and whether shared compressed messages may follow.
fn answer(extensions: &[&'static str]) -> Option<(String, bool)> {
    let accepted = offer(extensions).unwrap();
    let answer = accepted.headers().get("sec-websocket-extensions").map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(answer.is_some(), accepted.deflate);
    answer.map(|answer| (answer, accepted.send_compressed))
}

const NO_CONTEXT: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

#[test]
fn the_example_of_section_1_3_is_answered() {
    let mut request = good();
    request.insert("sec-websocket-protocol", HeaderValue::from_static("chat, superchat"));
    let accepted = judge(&request, false).unwrap();
    let expected = headers(&[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ]);
    assert_eq!(accepted.headers(), expected);
    assert!(!accepted.deflate && !accepted.send_compressed);
    assert_eq!(accepted.accept, accept_value(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")));
}

#[test]
fn names_are_found_in_lists_whatever_their_case() {
    assert!(judge_with("connection", Some("keep-alive, UPGRADE")).is_ok());
    assert!(judge_with("upgrade", Some("h2c, WebSocket")).is_ok());
    let mut request = good();
    request.insert("connection", HeaderValue::from_static("keep-alive"));
    request.append("connection", HeaderValue::from_static("upgrade"));
    assert!(judge(&request, false).is_ok());
}

#[test]
fn an_upgrade_is_told_from_a_page_visit() {
    assert!(is_upgrade(&good()));
    assert!(!is_upgrade(&headers(&[("host", "server.example.com"), ("accept", "text/html")])));
    assert!(!is_upgrade(&headers(&[("upgrade", "h2c"), ("connection", "upgrade")])));
}

#[test]
fn a_handshake_is_a_modern_get() {
    let refusal = accept(&Method::POST, Version::HTTP_11, &good(), Options::default()).unwrap_err();
    assert_eq!((refusal, refusal.status()), (Refusal::Method, StatusCode::METHOD_NOT_ALLOWED));
    assert_eq!(refusal.headers(), headers(&[("allow", "GET")]));
    let refusal = accept(&Method::GET, Version::HTTP_10, &good(), Options::default()).unwrap_err();
    assert_eq!((refusal, refusal.status()), (Refusal::HttpVersion, StatusCode::HTTP_VERSION_NOT_SUPPORTED));
}

#[test]
fn a_request_without_upgrade_is_told_to_upgrade() {
    for value in [None, Some("h2c"), Some("websocket2"), Some("")] {
        let refusal = judge_with("upgrade", value).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Upgrade, StatusCode::UPGRADE_REQUIRED));
        let expected =
            headers(&[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]);
        assert_eq!(refusal.headers(), expected);
    }
    for value in [None, Some("keep-alive"), Some("close")] {
        let refusal = judge_with("connection", value).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Connection, StatusCode::BAD_REQUEST));
        assert!(refusal.headers().is_empty());
    }
}

#[test]
fn a_key_is_sixteen_bytes_in_base64() {
    assert_eq!(judge_with("sec-websocket-key", None), Err(Refusal::KeyMissing));
    let wrong = [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "dGhlIHNhbXBsZSBub25jZSEh",
        "dGhlIHNhbXBsZSBub25jZSEhISEhISEhISEh",
        "dGhlIHNh XBsZSBub25jZQ==",
        "dGhlIHNh_XBsZSBub25jZQ==",
    ];
    for key in wrong {
        assert_eq!(judge_with("sec-websocket-key", Some(key)), Err(Refusal::Key), "{key}");
    }
    let mut twice = good();
    twice.append("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(judge(&twice, false), Err(Refusal::Key));
    // Four bits of the last character are unused.
    assert!(judge_with("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZf==")).is_ok());
}

#[test]
fn version_13_is_the_only_one() {
    for (value, expected) in
        [(None, Refusal::VersionMissing), (Some("8"), Refusal::Version), (Some("13, 8"), Refusal::Version)]
    {
        let refusal = judge_with("sec-websocket-version", value).unwrap_err();
        assert_eq!((refusal, refusal.status()), (expected, StatusCode::UPGRADE_REQUIRED));
        assert_eq!(refusal.headers().get("sec-websocket-version").unwrap(), "13");
    }
}

#[test]
fn the_first_subprotocol_of_all_lines_is_chosen() {
    let mut request = good();
    request.append("sec-websocket-protocol", HeaderValue::from_static(" , graphql-ws ,mqtt"));
    request.append("sec-websocket-protocol", HeaderValue::from_static("chat"));
    assert_eq!(judge(&request, false).unwrap().protocol.unwrap(), "graphql-ws");
    assert_eq!(judge_with("sec-websocket-protocol", Some("")).unwrap().protocol, None);
    for malformed in ["two words", "chat, a/b", "chat, \"quoted\"", "a;b"] {
        let refusal = judge_with("sec-websocket-protocol", Some(malformed)).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Protocol, StatusCode::BAD_REQUEST), "{malformed}");
    }
}

#[test]
fn what_is_passed_over_is_never_answered_with() {
    let options = Options { is_secret: |offer| offer.starts_with(b"x-"), ..Options::default() };
    let protocol = |offers| {
        let mut request = good();
        request.insert("sec-websocket-protocol", HeaderValue::from_static(offers));
        accept(&Method::GET, Version::HTTP_11, &request, options).map(|accepted| accepted.protocol)
    };
    assert_eq!(protocol("x-1, chat, mqtt").unwrap().unwrap(), "chat");
    assert_eq!(protocol("x-1").unwrap(), None);
    assert_eq!(protocol("chat, x-1 2"), Err(Refusal::Protocol), "it must be a token all the same");
}

#[test]
fn deflate_is_negotiated_if_wanted_and_offered() {
    assert_eq!(answer(&[]), None);
    assert_eq!(answer(&["permessage-deflate"]), Some((NO_CONTEXT.to_owned(), true)));
    let mut request = good();
    request.insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate"));
    let accepted = judge(&request, false).unwrap();
    assert!(!accepted.deflate);
    assert_eq!(accepted.headers().get("sec-websocket-extensions"), None);
}

#[test]
fn the_offers_of_browsers_and_libraries_are_met() {
    let offers = [
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate;client_max_window_bits=\"15\"",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-bzip2; level=9, , permessage-deflate ; client_max_window_bits",
    ];
    for offer in offers {
        assert_eq!(answer(&[offer]), Some((NO_CONTEXT.to_owned(), true)), "{offer}");
    }
    assert_eq!(answer(&["foo; bar", "permessage-deflate"]), Some((NO_CONTEXT.to_owned(), true)));
}

#[test]
fn a_smaller_window_gets_plain_messages() {
    for bits in 8..=15 {
        let offer: &'static str = format!("permessage-deflate; server_max_window_bits={bits}").leak();
        let expected = (format!("{NO_CONTEXT}; server_max_window_bits={bits}"), bits == 15);
        assert_eq!(answer(&[offer]), Some(expected));
    }
}

#[test]
fn an_unknown_parameter_declines_its_offer() {
    let declined = [
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=150",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "Permessage-Deflated",
    ];
    for offer in declined {
        assert_eq!(answer(&[offer]), None, "{offer}");
        let with_fallback: &'static str = format!("{offer}, permessage-deflate").leak();
        assert_eq!(answer(&[with_fallback]), Some((NO_CONTEXT.to_owned(), true)), "{offer}");
    }
}

#[test]
fn extensions_that_break_the_grammar_are_refused() {
    let malformed = [
        "permessage-deflate;",
        "permessage-deflate; ; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate server_max_window_bits",
        "; permessage-deflate",
        "=",
    ];
    for value in malformed {
        let refusal = offer(&[value]).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Extensions, StatusCode::BAD_REQUEST), "{value}");
    }
}

proptest! {
    #[test]
    fn any_header_bytes_are_judged_without_a_panic(
        values in proptest::collection::vec((0usize..6, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        deflate: bool,
    ) {
        let names = [
            "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
            "sec-websocket-extensions",
        ];
        let mut request = good();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.append(names[name], value);
            }
        }
        match judge(&request, deflate) {
            Ok(accepted) => prop_assert!(accepted.headers().len() >= 3),
            Err(refusal) => prop_assert!(refusal.status().is_client_error()),
        }
    }
}
