use std::time::{Duration, SystemTime};

use fanfare_auth::TokenError;
use fanfare_core::{Access, Channel};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tempfile::NamedTempFile;

use crate::config::{
    Auth,
    tests::{load_file, places, readable},
};

const SECRET: &str = "a secret for tests, of more than sixty-four bytes: known to everybody";
const NEXT: &str = "the next secret for tests, of more than sixty-four bytes: known as well";

/// The path of a key for tests.
pub(in crate::config) fn key_file(name: &str) -> String {
    format!("{}/../fanfare-auth/tests/keys/{name}.public.pem", env!("CARGO_MANIFEST_DIR"))
}

fn private_key(name: &str) -> Vec<u8> {
    std::fs::read(key_file(name).replace("public", "private")).unwrap()
}

fn auth(file: &str) -> Option<Auth> {
    load_file(&format!("[auth]\n{file}\n")).unwrap().config.auth
}

fn issue(algorithm: Algorithm, key: &EncodingKey) -> String {
    let header = Header { kid: Some("2026".into()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &serde_json::json!({"sub": "ada", "aud": "chat", "iss": "idp"}), key)
        .unwrap()
}

fn hmac(algorithm: Algorithm, secret: &str) -> String {
    issue(algorithm, &EncodingKey::from_secret(secret.as_bytes()))
}

const EXPECTED: &str = "audience = \"chat\"\nissuer = \"idp\"\n";

#[test]
fn configured_keys_verify_tokens() {
    let tokens = [
        hmac(Algorithm::HS256, SECRET),
        hmac(Algorithm::HS256, NEXT),
        hmac(Algorithm::HS512, SECRET),
        issue(Algorithm::RS256, &EncodingKey::from_rsa_pem(&private_key("test-rsa")).unwrap()),
        issue(Algorithm::PS384, &EncodingKey::from_rsa_pem(&private_key("test-rsa")).unwrap()),
        issue(Algorithm::ES256, &EncodingKey::from_ec_pem(&private_key("test-p256")).unwrap()),
        issue(Algorithm::EdDSA, &EncodingKey::from_ed_pem(&private_key("test-ed25519")).unwrap()),
    ];
    let [rsa, p256, ed25519] = ["test-rsa", "test-p256", "test-ed25519"].map(key_file);
    let (bad, other, unknown) =
        (Err(TokenError::BadSignature), Err(TokenError::AlgorithmNotAllowed), Err(TokenError::UnknownKey));
    let table = [
        (format!("hmac_secrets = [\"{SECRET}\"]"), [Ok(()), bad, other, other, other, other, other]),
        (
            format!("hmac_secrets = [\"{SECRET}\", \"{NEXT}\"]"),
            [Ok(()), Ok(()), other, other, other, other, other],
        ),
        (
            format!("hmac_secrets = [\"{SECRET}\"]\nhmac_algorithm = \"HS512\""),
            [other, other, Ok(()), other, other, other, other],
        ),
        (
            format!("public_keys = [\"{rsa}\", \"{p256}\", \"2026={ed25519}\"]"),
            [other, other, other, Ok(()), other, Ok(()), Ok(())],
        ),
        (
            format!("public_keys = [\"{rsa}\", \"{p256}\", \"2025={ed25519}\"]\nrsa_algorithm = \"PS384\""),
            [other, other, other, other, Ok(()), Ok(()), unknown],
        ),
    ];
    for (keys, expected) in table {
        let policy = auth(&format!("{EXPECTED}{keys}")).unwrap().tokens;
        let verify = |token: &String| policy.verify(token, SystemTime::now()).map(|_| ());
        assert_eq!(tokens.each_ref().map(verify), expected, "{keys}");
    }
}

#[test]
fn claims_and_the_cookie_are_configured() {
    let keys = format!("hmac_secrets = [\"{SECRET}\"]\n");
    let token = hmac(Algorithm::HS256, SECRET);
    let verify =
        |file: &str| auth(&format!("{keys}{file}")).unwrap().tokens.verify(&token, SystemTime::now());
    assert!(verify(EXPECTED).is_ok());
    assert_eq!(verify("audience = \"mail\"").unwrap_err(), TokenError::Audience);
    assert_eq!(verify("").unwrap_err(), TokenError::AudienceNotConfigured);
    assert_eq!(verify("audience = \"\"").unwrap_err(), TokenError::AudienceNotConfigured);
    assert_eq!(verify("audience = \"chat\"\nissuer = \"me\"").unwrap_err(), TokenError::Issuer);

    let default = auth(&keys).unwrap();
    assert_eq!((default.tokens.leeway, default.source.cookie()), (Duration::from_secs(5), "fanfare_token"));
    let other = auth(&format!("{keys}leeway = \"0s\"\ncookie = \"__Host-session\"")).unwrap();
    assert_eq!((other.tokens.leeway, other.source.cookie()), (Duration::ZERO, "__Host-session"));
    assert!(auth("").is_none());
    assert!(auth("cookie = \"session\"").is_none());
}

#[test]
fn a_namespace_with_tokens_needs_a_key() {
    let namespace = "[[namespace]]\nname = \"chat\"\nsubscribe = \"token\"\npublish = \"token\"\n";
    assert_eq!(places(load_file(namespace)), ["3 namespace.subscribe", "4 namespace.publish"]);
    let file = format!("[auth]\nhmac_secrets = [\"{SECRET}\"]\n{namespace}");
    let namespaces = load_file(&file).unwrap().config.namespaces;
    let chat = namespaces.of(&Channel::new("chat:1").unwrap()).clone();
    assert_eq!((chat.subscribe, chat.publish), (Access::Token, Access::Token));
    // A key with a mistake is one mistake, not three.
    assert_eq!(places(load_file(&file.replace(SECRET, "short"))), ["2 auth.hmac_secrets"]);
}

#[test]
fn a_key_that_verifies_nothing_is_a_mistake() {
    let mut not_a_key = NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut not_a_key, b"pl4nted").unwrap();
    let not_a_key = not_a_key.path().to_str().unwrap();
    let table = [
        ("\nhmac_secrets = [\"0123456789abcdef0123456789abcde\"]".to_owned(), "3 auth.hmac_secrets"),
        (
            format!("hmac_algorithm = \"HS512\"\nhmac_secrets = [\n\"{}\"]", "x".repeat(63)),
            "4 auth.hmac_secrets",
        ),
        ("hmac_algorithm = \"HS1\"".into(), "2 auth.hmac_algorithm"),
        ("rsa_algorithm = \"ES256\"".into(), "2 auth.rsa_algorithm"),
        ("public_keys = [\n\"/nowhere/key.pem\"]".into(), "3 auth.public_keys"),
        ("public_keys = [\"/\"]".into(), "2 auth.public_keys"),
        ("public_keys = [\"\"]".into(), "2 auth.public_keys"),
        (format!("public_keys = [\"{not_a_key}\"]"), "2 auth.public_keys"),
        (format!("public_keys = [\"{}\"]", key_file("test-rsa-1024")), "2 auth.public_keys"),
        ("audience = \"chat\"".into(), "2 auth.audience"),
        ("issuer = \"idp\"".into(), "2 auth.issuer"),
        ("cookie = \"a b\"".into(), "2 auth.cookie"),
        ("leeway = \"1h\"".into(), "2 auth.leeway"),
    ];
    for (file, place) in table {
        let mistakes = load_file(&format!("[auth]\n{file}\n"));
        let shown = mistakes.as_ref().unwrap_err().to_string();
        assert!(!shown.contains("pl4nted"), "{shown}");
        assert_eq!(places(mistakes), [place], "{file}");
    }
}

#[test]
fn mistakes_with_keys_read_well() {
    let file = "[auth]\nhmac_secrets = [\"short\", \"0123456789abcdef0123456789abcdef\"]\n\
                public_keys = [\"2026=nowhere/key.pem\", \"-----BEGIN PUBLIC KEY-----\"]\n";
    let several = load_file(file).unwrap_err().to_string();
    let short = file.replace("\"short\", ", "").replace("public_keys", "hmac_algorithm = \"HS384\" #");
    let short = load_file(&short).unwrap_err().to_string();
    let none = "[auth]\naudience = \"chat\"\n[[namespace]]\nname = \"chat\"\nsubscribe = \"token\"\n";
    let none = load_file(none).unwrap_err().to_string();
    insta::assert_snapshot!(readable(&[several, short, none].join("\n\n")));
}
