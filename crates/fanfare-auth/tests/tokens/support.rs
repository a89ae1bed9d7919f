//! An issuer of tokens, with keys that stand in the open in `tests/keys`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fanfare_auth::{
    Claims, HmacAlgorithm, HmacSecret, PublicKey, RsaAlgorithm, TokenError, TokenKey, TokenKeys, TokenPolicy,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

pub(crate) const SECRET: &str = "a secret for tests, of more than sixty-four bytes, known to everybody";
pub(crate) const NEXT_SECRET: &str =
    "the next secret for tests, of more than sixty-four bytes, known as well";

/// The time of every test, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../keys/", $name, ".pem"))
    };
}
pub(crate) use pem;

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn policy(keys: Vec<TokenKey>) -> TokenPolicy {
    TokenPolicy { keys: TokenKeys::new(keys), audience: None, issuer: None, leeway: Duration::from_secs(5) }
}

pub(crate) fn secret_key(algorithm: HmacAlgorithm, secret: &str) -> TokenKey {
    TokenKey::hmac(algorithm, &HmacSecret::new(secret).unwrap()).unwrap()
}

pub(crate) fn public_key(pem: &str) -> TokenKey {
    rsa_key(pem, RsaAlgorithm::default())
}

pub(crate) fn rsa_key(pem: &str, algorithm: RsaAlgorithm) -> TokenKey {
    TokenKey::public(PublicKey::from_pem(pem.as_bytes()).unwrap(), algorithm)
}

/// A policy of one HS256 key, [`SECRET`].
pub(crate) fn simple() -> TokenPolicy {
    policy(vec![secret_key(HmacAlgorithm::Hs256, SECRET)])
}

/// A token for [`simple`].
pub(crate) fn signed(claims: &Value) -> String {
    issue(Algorithm::HS256, None, claims)
}

/// A token of any algorithm, signed with the key of `tests/keys` for it, or [`SECRET`].
pub(crate) fn issue(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    issue_with(&signing_key(algorithm), algorithm, kid, claims)
}

pub(crate) fn issue_with(
    key: &EncodingKey,
    algorithm: Algorithm,
    kid: Option<&str>,
    claims: &Value,
) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn signing_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(pem!("test-p256.private").as_bytes()).unwrap(),
        Algorithm::ES384 => EncodingKey::from_ec_pem(pem!("test-p384.private").as_bytes()).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem!("test-ed25519.private").as_bytes()).unwrap(),
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET.as_bytes()),
        _ => EncodingKey::from_rsa_pem(pem!("test-rsa.private").as_bytes()).unwrap(),
    }
}

/// A token of these parts as they are, for what no library would issue.
pub(crate) fn raw(header: &str, claims: &str, secret: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// Verifies at [`NOW`].
pub(crate) fn verify(policy: &TokenPolicy, token: &str) -> Result<Claims, TokenError> {
    policy.verify(token, at(NOW))
}
