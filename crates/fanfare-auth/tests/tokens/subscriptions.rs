//! The claims of clients that the server subscribes, or that show a token for each channel.

use std::time::{Duration, SystemTime};

use fanfare_auth::{TokenError, TokenPolicy};
use fanfare_core::{
    AuthError, Authenticator, Channel, Payload,
    identity::{SubscriptionGrant, SubscriptionTerms},
};
use serde_json::{Value, json};

use crate::support::*;

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

fn authorize(policy: &TokenPolicy, claims: &Value) -> Result<SubscriptionGrant, AuthError> {
    policy.authorize(&signed(claims), at(NOW))
}

#[test]
fn a_subscription_token_grants_its_channel() {
    let all = json!({
        "sub": "ada", "channel": "chat:1", "client": "c-1", "exp": NOW + 60, "info": {"role": "host"}, "jti": "x",
    });
    let granted = SubscriptionGrant {
        channel: channel("chat:1"),
        user: Some("ada".into()),
        client: Some("c-1".into()),
        terms: SubscriptionTerms {
            info: Some(r#"{"role":"host"}"#.into()),
            expires_at: Some(at(NOW + 65)),
            ..SubscriptionTerms::default()
        },
    };
    assert_eq!(authorize(&simple(), &all), Ok(granted));
    let least = SubscriptionGrant {
        channel: channel("chat:1"),
        user: None,
        client: None,
        terms: SubscriptionTerms::default(),
    };
    for claims in [json!({"channel": "chat:1"}), json!({"channel": "chat:1", "client": "", "sub": ""})] {
        assert_eq!(authorize(&simple(), &claims), Ok(least.clone()), "{claims}");
    }
}

#[test]
fn each_kind_of_token_is_only_that() {
    let refused = verify(&simple(), &signed(&json!({"sub": "ada", "channel": "chat:1"})));
    assert_eq!(refused, Err(TokenError::OfSubscription));
    let refused = authorize(&simple(), &json!({"sub": "ada", "channels": ["chat:1"]})).unwrap_err();
    assert!(refused.reason.contains("`channel`") && !refused.is_expired, "{refused}");
}

#[test]
fn a_subscription_token_is_checked_like_others() {
    let table = [
        (json!({"exp": NOW - 6}), TokenError::Expired),
        (json!({"expire_at": NOW - 6}), TokenError::Expired),
        (json!({"nbf": NOW + 6}), TokenError::NotYetValid),
        (json!({"aud": "chat"}), TokenError::AudienceNotConfigured),
    ];
    for (mut claims, expected) in table {
        claims["channel"] = json!("chat:1");
        let refused = authorize(&simple(), &claims).unwrap_err();
        assert_eq!(refused, expected.into(), "{claims}");
        assert_eq!(refused.is_expired, expected == TokenError::Expired);
    }
    let strict = TokenPolicy { issuer: Some("idp".into()), ..simple() };
    assert_eq!(authorize(&strict, &json!({"channel": "a"})), Err(TokenError::Issuer.into()));
    let foreign = policy(vec![secret_key(Default::default(), NEXT_SECRET)]);
    assert_eq!(authorize(&foreign, &json!({"channel": "a"})), Err(TokenError::BadSignature.into()));
    let long = simple().authorize(&"x".repeat(TokenPolicy::MAX_BYTES + 1), at(NOW));
    assert_eq!(long, Err(TokenError::TooLong(TokenPolicy::MAX_BYTES + 1).into()));
}

#[test]
fn expire_at_is_the_end_instead_of_exp() {
    let end = |claims: Value| -> Result<Option<SystemTime>, TokenError> {
        let connected = verify(&simple(), &signed(&claims)).map(|claims| claims.expires_at);
        let mut claims = claims;
        claims["channel"] = json!("chat:1");
        let subscribed = authorize(&simple(), &claims).map(|grant| grant.terms.expires_at);
        assert_eq!(connected.map_err(AuthError::from), subscribed);
        connected
    };
    let later = |seconds| Ok(Some(at(NOW + seconds) + Duration::from_secs(5)));
    assert_eq!(end(json!({"exp": NOW + 10, "expire_at": NOW + 60})), later(60));
    assert_eq!(end(json!({"exp": NOW + 60, "expire_at": NOW + 10})), later(10));
    assert_eq!(end(json!({"exp": NOW + 60, "expire_at": 0})), Ok(None));
    assert_eq!(end(json!({"expire_at": NOW + 10})), later(10));
    assert_eq!(end(json!({"exp": NOW - 60, "expire_at": 0})), Err(TokenError::Expired));
    assert_eq!(end(json!({"exp": NOW + 60, "expire_at": NOW - 6})), Err(TokenError::Expired));
}

#[test]
fn info_may_be_json_or_base64() {
    let info = |claims| verify(&simple(), &signed(&claims)).map(|claims| claims.info);
    assert_eq!(info(json!({"b64info": "eyJhIjogMX0="})), Ok(Some(r#"{"a": 1}"#.into())));
    assert_eq!(info(json!({"info": 1, "b64info": ""})), Ok(Some("1".into())));
    assert_eq!(info(json!({"b64info": null})), Ok(None));
    let both = info(json!({"info": 1, "b64info": "MQ=="})).unwrap_err();
    assert!(matches!(both, TokenError::Claim { name: "b64info", .. }), "{both}");
}

#[test]
fn a_token_subscribes_to_what_it_names() {
    let identity = |claims| simple().authenticate(&signed(&claims), at(NOW)).unwrap();
    let table = [
        (json!({}), vec![]),
        (json!({"channels": []}), vec![]),
        (json!({"channels": ["chat:*", "*", "lobby", "two words", "", "lobby"]}), vec!["lobby"]),
        (json!({"subs": {"b": {"info": {}}, "a": {}}}), vec!["a", "b"]),
        (json!({"channels": ["b", "c"], "subs": {"b": {}, "a*": null}}), vec!["a*", "b", "c"]),
    ];
    for (claims, expected) in table {
        let expected: Vec<_> = expected.into_iter().map(channel).collect();
        assert_eq!(identity(claims.clone()).subscriptions(), expected, "{claims}");
    }
    let some = identity(json!({"channels": ["chat:*"], "subs": {"a*": {}}}));
    for (name, may) in [("chat:1", true), ("a*", true), ("ab", false), ("b", false)] {
        assert_eq!(some.may_use(&channel(name)), may, "{name}");
    }
}

#[test]
fn a_token_says_the_terms_of_subscriptions() {
    let options = json!({
        "info": {"role": "host"}, "data": {"a": 1}, "other": 1,
        "override": {"force_push_join_leave": {"value": true}, "presence": {"value": false}},
    });
    let terms = SubscriptionTerms {
        info: Some(r#"{"role":"host"}"#.into()),
        data: Some(Payload::json(r#"{"a":1}"#)),
        joins: true,
        ..SubscriptionTerms::default()
    };
    let identity =
        simple().authenticate(&signed(&json!({"subs": {"a": options, "b": {}}})), at(NOW)).unwrap();
    assert_eq!(identity.terms_of(&channel("a")), terms);
    assert_eq!(identity.terms_of(&channel("b")), SubscriptionTerms::default());
    let mut claims = options;
    claims["channel"] = json!("a");
    assert_eq!(authorize(&simple(), &claims).unwrap().terms, terms);
}

#[test]
fn data_may_be_json_or_base64() {
    let data = |options: Value| {
        let identity = simple().authenticate(&signed(&json!({"subs": {"a": options}})), at(NOW))?;
        Ok::<_, AuthError>(identity.terms_of(&channel("a")).data)
    };
    for (options, expected) in [
        (json!({"data": "hi"}), Some(Payload::text("hi"))),
        (json!({"data": [1]}), Some(Payload::json("[1]"))),
        (json!({"data": null}), None),
        (json!({"b64data": "eyJhIjogMX0="}), Some(Payload::json(r#"{"a": 1}"#))),
        (json!({"b64data": "Imhp Ig==".replace(' ', "")}), Some(Payload::text("hi"))),
        (json!({"b64data": "/wA="}), Some(Payload::binary(&b"\xff\0"[..]))),
        (json!({"data": 1, "b64data": ""}), Some(Payload::json("1"))),
    ] {
        assert_eq!(data(options.clone()), Ok(expected), "{options}");
    }
    for wrong in [
        json!({"b64data": "?"}),
        json!({"b64data": 1}),
        json!({"data": 1, "b64data": "MQ=="}),
        json!({"override": 1}),
        json!({"override": {"force_push_join_leave": {"value": 1}}}),
        json!(1),
    ] {
        assert!(data(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_connection_has_no_data_of_a_channel() {
    let claims = json!({"sub": "ada", "data": 1, "b64data": "?", "override": 1});
    assert!(verify(&simple(), &signed(&claims)).is_ok(), "they are somebody else's");
}
