//! Signatures of tokens.

use fanfare_auth::{ChannelGrants, Claims, HmacAlgorithm, RsaAlgorithm, TokenError, TokenKey, TokenPolicy};
use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

fn everything() -> Vec<(Algorithm, TokenKey)> {
    let rsa = |algorithm| rsa_key(pem!("test-rsa.public"), algorithm);
    let hmac = |algorithm| secret_key(algorithm, SECRET);
    vec![
        (Algorithm::HS256, hmac(HmacAlgorithm::Hs256)),
        (Algorithm::HS384, hmac(HmacAlgorithm::Hs384)),
        (Algorithm::HS512, hmac(HmacAlgorithm::Hs512)),
        (Algorithm::RS256, rsa(RsaAlgorithm::Rs256)),
        (Algorithm::RS384, rsa(RsaAlgorithm::Rs384)),
        (Algorithm::RS512, rsa(RsaAlgorithm::Rs512)),
        (Algorithm::PS256, rsa(RsaAlgorithm::Ps256)),
        (Algorithm::PS384, rsa(RsaAlgorithm::Ps384)),
        (Algorithm::PS512, rsa(RsaAlgorithm::Ps512)),
        (Algorithm::ES256, public_key(pem!("test-p256.public"))),
        (Algorithm::ES384, public_key(pem!("test-p384.public"))),
        (Algorithm::EdDSA, public_key(pem!("test-ed25519.public"))),
    ]
}

#[test]
fn a_key_opens_only_tokens_of_its_algorithm() {
    let claims = json!({"sub": "ada", "exp": NOW + 60});
    let granted = Claims {
        subject: "ada".into(),
        expires_at: Some(at(NOW + 65)),
        channels: ChannelGrants::all(),
        subscriptions: vec![],
        info: None,
        id: None,
        issued_at: None,
    };
    for (algorithm, key) in everything() {
        let policy = policy(vec![key]);
        for (other, _) in everything() {
            let expected =
                if other == algorithm { Ok(granted.clone()) } else { Err(TokenError::AlgorithmNotAllowed) };
            assert_eq!(
                verify(&policy, &issue(other, None, &claims)),
                expected,
                "{other:?} for {algorithm:?}"
            );
        }
    }
    let all = policy(everything().into_iter().map(|(_, key)| key).collect());
    for (algorithm, _) in everything() {
        assert_eq!(verify(&all, &issue(algorithm, None, &claims)), Ok(granted.clone()), "{algorithm:?}");
    }
}

#[test]
fn tokens_of_another_library_are_good() {
    // Made with openssl: HMAC-SHA256 of the first two parts, with SECRET.
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJjaGFubmVscyI6WyJjaGF0OioiXX0.fcLsp9uCSa28mIkAxqZkv92unFS7lI34XxY_hnilTbA";
    let claims = verify(&simple(), token).unwrap();
    assert_eq!((claims.subject.as_str(), claims.expires_at), ("ada", None));
    assert_eq!(claims.channels, ChannelGrants::only(vec!["chat:*".into()]));
}

#[test]
fn two_keys_open_during_a_rotation() {
    let [old, new] = [SECRET, NEXT_SECRET].map(|secret| secret_key(HmacAlgorithm::Hs256, secret));
    let claims = json!({"sub": "ada"});
    let issue = |secret: &str, kid| {
        issue_with(&EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256, kid, &claims)
    };
    let both = policy(vec![old.clone(), new.clone()]);
    for (secret, kid) in [(SECRET, None), (NEXT_SECRET, None), (NEXT_SECRET, Some("any"))] {
        assert!(verify(&both, &issue(secret, kid)).is_ok(), "{secret} {kid:?}");
    }
    let after = policy(vec![new]);
    assert_eq!(verify(&after, &issue(SECRET, None)), Err(TokenError::BadSignature));

    let rsa = [pem!("test-rsa.public"), pem!("test-rsa-next.public")].map(public_key);
    let next = EncodingKey::from_rsa_pem(pem!("test-rsa-next.private").as_bytes()).unwrap();
    let token = issue_with(&next, Algorithm::RS256, None, &claims);
    assert!(verify(&policy(rsa.to_vec()), &token).is_ok());
    assert_eq!(verify(&policy(rsa[..1].to_vec()), &token), Err(TokenError::BadSignature));
}

#[test]
fn a_token_is_tried_only_with_its_key() {
    let [a, b] = [(SECRET, "a"), (NEXT_SECRET, "b")]
        .map(|(secret, id)| secret_key(HmacAlgorithm::Hs256, secret).with_id(id));
    let token = |kid| issue(Algorithm::HS256, kid, &json!({"sub": "ada"}));
    let named = policy(vec![a.clone(), b.clone()]);
    assert!(verify(&named, &token(Some("a"))).is_ok());
    assert!(verify(&named, &token(None)).is_ok());
    assert_eq!(verify(&named, &token(Some("b"))), Err(TokenError::BadSignature));
    assert_eq!(verify(&named, &token(Some("c"))), Err(TokenError::UnknownKey));
    // A key without a name may be the one.
    let unnamed = policy(vec![b, secret_key(HmacAlgorithm::Hs256, SECRET)]);
    assert!(verify(&unnamed, &token(Some("c"))).is_ok());
    // A name never leads to another algorithm.
    let other = policy(vec![public_key(pem!("test-p256.public")).with_id("a")]);
    assert_eq!(verify(&other, &token(Some("a"))), Err(TokenError::AlgorithmNotAllowed));
}

#[test]
fn nobody_signs_without_a_secret() {
    let claims = r#"{"sub":"eve"}"#;
    let everything = policy(everything().into_iter().map(|(_, key)| key).collect());
    for alg in ["none", "None", "NONE", "nOnE", "", "ES512", "HS1", "hs256"] {
        let token = raw(&format!(r#"{{"alg":"{alg}"}}"#), claims, SECRET.as_bytes());
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        for token in [token, unsigned] {
            assert_eq!(verify(&everything, &token), Err(TokenError::AlgorithmNotAllowed), "{alg}");
        }
    }

    let header = r#"{"alg":"HS256"}"#;
    let public = [
        pem!("test-rsa.public"),
        pem!("test-rsa.pkcs1"),
        pem!("test-p256.public"),
        pem!("test-p384.public"),
        pem!("test-ed25519.public"),
    ];
    let asymmetric = policy(public.into_iter().map(public_key).collect());
    for pem in public {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for secret in [pem, pem.trim_end(), &body] {
            let token = raw(header, claims, secret.as_bytes());
            assert_eq!(verify(&asymmetric, &token), Err(TokenError::AlgorithmNotAllowed));
            assert_eq!(verify(&everything, &token), Err(TokenError::BadSignature));
        }
    }
    // A key that the token brings along is nobody's.
    let own = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"ZXZl"},"jku":"https://eve.example/keys"}"#;
    assert_eq!(verify(&simple(), &raw(own, claims, b"eve")), Err(TokenError::BadSignature));
    assert_eq!(verify(&policy(vec![]), &signed(&json!({}))), Err(TokenError::AlgorithmNotAllowed));
}

#[test]
fn a_changed_token_is_refused() {
    let token = signed(&json!({"sub": "ada", "channels": []}));
    let parts: Vec<&str> = token.split('.').collect();
    let richer = signed(&json!({"sub": "ada"}));
    let body = richer.split('.').nth(1).unwrap();
    let swapped = format!("{}.{body}.{}", parts[0], parts[2]);
    assert_eq!(verify(&simple(), &swapped), Err(TokenError::BadSignature));
    let cut = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(verify(&simple(), &cut), Err(TokenError::BadSignature));
}

#[test]
fn another_text_is_malformed() {
    let good = signed(&json!({"sub": "ada"}));
    let table = [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b".into(),
        "a.b.c".into(),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        raw("[]", "{}", SECRET.as_bytes()),
        raw(r#"{"typ":"JWT"}"#, "{}", SECRET.as_bytes()),
        raw(r#"{"alg":5}"#, "{}", SECRET.as_bytes()),
        raw(r#"{"alg":"HS256","alg":"none"}"#, "{}", SECRET.as_bytes()),
        raw(r#"{"alg":"HS256"}"#, "[]", SECRET.as_bytes()),
        raw(r#"{"alg":"HS256"}"#, "nothing", SECRET.as_bytes()),
        raw(r#"{"alg":"HS256"}"#, r#"{"sub":"a","sub":"b"}"#, SECRET.as_bytes()),
        raw(r#"{"alg":"HS256"}"#, &"[".repeat(5000), SECRET.as_bytes()),
    ];
    for token in table {
        assert_eq!(verify(&simple(), &token), Err(TokenError::Malformed), "{token}");
    }
    let critical = raw(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}", SECRET.as_bytes());
    assert_eq!(verify(&simple(), &critical), Err(TokenError::Critical));
}

#[test]
fn a_token_that_is_too_long_is_refused() {
    let of = |filling: usize| signed(&json!({"x": "x".repeat(filling)}));
    let longest =
        (6000..6200).map(of).take_while(|token| token.len() <= TokenPolicy::MAX_BYTES).last().unwrap();
    assert!(verify(&simple(), &longest).is_ok());
    let garbage = "x".repeat(TokenPolicy::MAX_BYTES + 1);
    assert_eq!(verify(&simple(), &garbage), Err(TokenError::TooLong(8193)));
}

#[test]
fn errors_quote_nothing_of_the_token() {
    const PLANTED: &str = "pl4nted";
    let header = format!(r#"{{"alg":"{PLANTED}","kid":"{PLANTED}"}}"#);
    let of_header = |header: &str| raw(header, "{}", SECRET.as_bytes());
    let mut tokens = vec![
        PLANTED.to_owned(),
        format!("{PLANTED}.{PLANTED}.{PLANTED}"),
        PLANTED.repeat(2000),
        of_header(&header),
        of_header(&header.replacen(PLANTED, "HS256", 1)),
        of_header(&format!(r#"{{"alg":"HS256","jwk":"{PLANTED}"}}"#)),
        of_header(&format!(r#"{{"alg":"HS256","crit":["{PLANTED}"]}}"#)),
        raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"{PLANTED}" "#), SECRET.as_bytes()),
        raw(r#"{"alg":"HS256"}"#, &format!(r#""{PLANTED}""#), SECRET.as_bytes()),
    ];
    for claim in ["sub", "exp", "nbf", "aud", "iss", "channels"] {
        tokens.push(signed(&json!({claim: {PLANTED: PLANTED}})));
        tokens.push(signed(&json!({claim: PLANTED, "exp": 5})));
    }
    let key = secret_key(HmacAlgorithm::Hs256, SECRET).with_id("own");
    let policy =
        TokenPolicy { issuer: Some("idp".into()), audience: Some("chat".into()), ..policy(vec![key]) };
    for token in tokens {
        let error = verify(&policy, &token).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(PLANTED) && !shown.contains(&token), "{shown}");
    }
}

proptest! {
    #[test]
    fn no_garbage_panics_or_comes_in(token in "\\PC*|[A-Za-z0-9_.-]*|[a-z]{0,9}[.][a-z]{0,9}[.][a-z]{0,9}") {
        prop_assert!(verify(&simple(), &token).is_err());
    }

    #[test]
    fn no_garbage_in_signed_json_panics(claims in "\\PC*|\\{\"(sub|exp|nbf|aud|iss|channels)\":[-0-9eE.\\[\\]\"a]*\\}") {
        let token = raw(r#"{"alg":"HS256"}"#, &claims, SECRET.as_bytes());
        let _ = verify(&simple(), &token).map_err(|error| error.to_string());
    }

    #[test]
    fn no_damage_to_a_good_token_comes_in(at in 0_usize..1000, byte in "[A-Za-z0-9_-]") {
        let token = signed(&json!({"sub": "ada", "exp": NOW + 60}));
        let at = at % token.len();
        let mut changed = token.clone();
        changed.replace_range(at..=at, &byte);
        prop_assume!(changed != token);
        prop_assert!(verify(&simple(), &changed).is_err());
    }
}
