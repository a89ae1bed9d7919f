//! Claims.

use std::time::Duration;

use fanfare_auth::{TokenError, TokenPolicy};
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn a_token_is_good_from_nbf_to_exp() {
    let table = [
        (json!({"exp": NOW + 1}), Ok(())),
        (json!({"exp": NOW - 4}), Ok(())),
        (json!({"exp": NOW as f64 - 4.5}), Ok(())),
        (json!({"exp": NOW - 5}), Err(TokenError::Expired)),
        (json!({"exp": NOW - 6}), Err(TokenError::Expired)),
        (json!({"exp": 0}), Err(TokenError::Expired)),
        (json!({"nbf": NOW + 5}), Ok(())),
        (json!({"nbf": NOW + 6}), Err(TokenError::NotYetValid)),
        (json!({"nbf": NOW as f64 + 5.5}), Err(TokenError::NotYetValid)),
        (json!({"nbf": NOW - 10, "exp": NOW + 10}), Ok(())),
        (json!({"nbf": NOW + 10, "exp": NOW - 10}), Err(TokenError::Expired)),
        (json!({}), Ok(())),
    ];
    for (claims, expected) in table {
        assert_eq!(verify(&simple(), &signed(&claims)).map(|_| ()), expected, "{claims}");
    }
    let strict = TokenPolicy { leeway: Duration::ZERO, ..simple() };
    let token = signed(&json!({"exp": NOW + 1}));
    let end = strict.verify(&token, at(NOW)).unwrap().expires_at.unwrap();
    assert_eq!(end, at(NOW + 1));
    assert_eq!(strict.verify(&token, end), Err(TokenError::Expired));
    assert!(strict.verify(&token, end - Duration::from_nanos(1)).is_ok());
}

#[test]
fn audience_and_issuer_are_the_configured_ones() {
    let of = |audience: Option<&str>, issuer: Option<&str>| TokenPolicy {
        audience: audience.map(str::to_owned),
        issuer: issuer.map(str::to_owned),
        ..simple()
    };
    let table = [
        (of(Some("chat"), None), json!({"aud": "chat"}), Ok(())),
        (of(Some("chat"), None), json!({"aud": ["mail", "chat"]}), Ok(())),
        (of(Some("chat"), None), json!({"aud": "Chat"}), Err(TokenError::Audience)),
        (of(Some("chat"), None), json!({"aud": []}), Err(TokenError::Audience)),
        (of(Some("chat"), None), json!({}), Err(TokenError::Audience)),
        (of(None, None), json!({"aud": "chat"}), Err(TokenError::AudienceNotConfigured)),
        (of(None, Some("idp")), json!({"iss": "idp"}), Ok(())),
        (of(None, Some("idp")), json!({"iss": "idp2"}), Err(TokenError::Issuer)),
        (of(None, Some("idp")), json!({}), Err(TokenError::Issuer)),
        (of(None, None), json!({"iss": "anybody"}), Ok(())),
    ];
    for (policy, claims, expected) in table {
        assert_eq!(verify(&policy, &signed(&claims)).map(|_| ()), expected, "{claims}");
    }
}

#[test]
fn a_claim_of_the_wrong_form_is_named() {
    let table = [
        ("sub", json!(5)),
        ("sub", json!("x".repeat(256))),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("exp", json!(NOW * 1000)),
        ("exp", json!(1e300)),
        ("nbf", json!(true)),
        ("aud", json!({})),
        ("aud", json!(["a", 5])),
        ("iss", json!(["a"])),
        ("channels", json!("chat")),
        ("channels", json!(["chat", 5])),
        ("channels", json!({"chat": true})),
        ("expire_at", json!("never")),
        ("expire_at", json!(NOW * 1000)),
        ("subs", json!(["chat"])),
        ("subs", json!({"": {}})),
        ("subs", json!({"two words": {}})),
        ("channel", json!("")),
        ("channel", json!(5)),
        ("client", json!(5)),
        ("info", json!("x".repeat(4 << 10))),
        ("b64info", json!(5)),
        ("b64info", json!("e30")),
        ("b64info", json!("bm90IEpTT04=")),
        ("b64info", json!("Iv8i")),
    ];
    let nulls = ["sub", "exp", "nbf", "aud", "iss", "channels", "expire_at", "channel", "client"]
        .map(|name| (name, Value::Null));
    for (claim, value) in table.into_iter().chain(nulls) {
        let refused = verify(&simple(), &signed(&json!({claim: value}))).unwrap_err();
        let named = matches!(refused, TokenError::Claim { name, .. } if name == claim);
        assert!(named, "{claim} {value}: {refused}");
    }
    assert_eq!(verify(&simple(), &signed(&json!({"sub": "x".repeat(255)}))).unwrap().subject.len(), 255);
    assert_eq!(verify(&simple(), &signed(&json!({}))).unwrap().subject, "");
}

#[test]
fn channels_are_granted_as_the_token_says() {
    let grants = |claims| verify(&simple(), &signed(&claims)).unwrap().channels;
    assert!(grants(json!({})).allows("chat:1"));
    assert!(!grants(json!({"channels": []})).allows("chat:1"));
    let some = grants(json!({"channels": ["chat:*", "lobby"]}));
    assert!(some.allows("chat:1") && some.allows("lobby") && !some.allows("lobby2"));
}
