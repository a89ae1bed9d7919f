//! `[auth]`: the keys that verify clients' tokens, the claims that tokens need, and where they may be.
//!
//! Invariant: a node with a token policy has a key or a JWKS, and a namespace that asks for tokens has a policy.

pub(super) mod words;

use fanfare_auth::{RsaAlgorithm, SigningKey, TokenKey, TokenKeys, TokenPolicy, TokenSource};
use fanfare_core::Access;

use super::{
    mistake::Mistake,
    place::{Place, Sourced},
    raw::{Raw, RawNamespace},
    words::MASK,
};
use crate::ask::Target;

/// How clients show who they are.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The policy for tokens; it has a key, or there is a JWKS.
    pub tokens: TokenPolicy,
    /// Where a request carries its token.
    pub source: TokenSource,
    /// Where further keys come from.
    pub jwks: Option<Target>,
    /// The algorithm of RSA keys there that do not name one.
    pub rsa: RsaAlgorithm,
}

/// The policy for clients; `None` without a key that could verify a token.
pub(super) fn auth(raw: &Raw) -> Option<Auth> {
    let (keys, _) = keys(raw);
    let policy = |keys| TokenPolicy {
        keys: TokenKeys::new(keys),
        audience: raw.audience.value.clone(),
        issuer: raw.issuer.value.clone(),
        leeway: raw.leeway.value,
    };
    let (source, jwks) = (raw.cookie.value.clone(), raw.jwks_url.value.clone());
    let rsa = raw.rsa_algorithm.value;
    (!keys.is_empty() || jwks.is_some()).then(|| Auth { tokens: policy(keys), source, jwks, rsa })
}

/// The key that signs tokens: the first of the secrets.
pub(super) fn hmac_key(raw: &Raw) -> Option<SigningKey> {
    let secret = raw.hmac_secrets.value.first()?;
    Some(SigningKey::hmac(raw.hmac_algorithm.value, &secret.value))
}

/// The mistakes between keys of `[auth]`, and between them and the namespaces.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let (keys, mut mistakes) = keys(raw);
    let are_keys_known =
        raw.hmac_secrets.sound && raw.public_keys.sound && raw.jwks_url.sound && mistakes.is_empty();
    if are_keys_known && keys.is_empty() && raw.jwks_url.value.is_none() {
        mistakes.extend(expected_of_none("auth.audience", &raw.audience));
        mistakes.extend(expected_of_none("auth.issuer", &raw.issuer));
        for namespace in namespaces {
            mistakes.extend(token_of_none("namespace.subscribe", &namespace.subscribe));
            mistakes.extend(token_of_none("namespace.publish", &namespace.publish));
            mistakes.extend(token_of_none("namespace.history", &namespace.history));
            mistakes.extend(token_of_none("namespace.presence", &namespace.presence));
        }
    }
    mistakes
}

/// The keys, and the mistakes of secrets that are too short for their algorithm.
fn keys(raw: &Raw) -> (Vec<TokenKey>, Vec<Mistake>) {
    let (mut keys, mut mistakes) = (Vec::new(), Vec::new());
    for secret in &raw.hmac_secrets.value {
        match TokenKey::hmac(raw.hmac_algorithm.value, &secret.value) {
            Ok(key) => keys.push(key),
            Err(error) => mistakes.push(Mistake {
                place: secret.place.clone(),
                key: "auth.hmac_secrets".into(),
                found: format!("\"{MASK}\""),
                allowed: format!(
                    "at least {} bytes, for auth.hmac_algorithm (\"{}\", {})",
                    raw.hmac_algorithm.value.min_secret_bytes(),
                    raw.hmac_algorithm.value,
                    raw.hmac_algorithm.place
                ),
                hint: Some(error.to_string()),
            }),
        }
    }
    keys.extend(raw.public_keys.value.iter().map(|file| {
        let key = TokenKey::public(file.value.key.clone(), raw.rsa_algorithm.value);
        match &file.value.id {
            Some(id) => key.with_id(id),
            None => key,
        }
    }));
    (keys, mistakes)
}

/// A demand on tokens is a mistake if no key can verify them.
fn expected_of_none(key: &str, expected: &Sourced<Option<String>>) -> Option<Mistake> {
    let found = expected.value.as_ref()?;
    Some(without_keys(key, &expected.place, format!("{found:?}")))
}

fn token_of_none(key: &str, access: &Sourced<Access>) -> Option<Mistake> {
    (access.value == Access::Token).then(|| without_keys(key, &access.place, "\"token\"".into()))
}

fn without_keys(key: &str, place: &Place, found: String) -> Mistake {
    Mistake {
        place: place.clone(),
        key: key.into(),
        found,
        allowed: "that only with a key under [auth]".into(),
        hint: Some(
            "without a key no token can be verified: add hmac_secrets, public_keys or jwks_url under [auth]"
                .into(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests;
