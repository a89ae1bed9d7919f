//! Tokens that this program issues: for tests, scripts, and backends without a JWT library.
//!
//! Invariant: no type of this file prints a key or a token.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::{
    algorithm::{HmacAlgorithm, RsaAlgorithm},
    key::HmacSecret,
};

/// A key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
    id: Option<String>,
}

/// The claims of a new token. An absent claim is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The bearer.
    #[serde(rename = "sub", skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The channels, with a trailing `*` for all names with that prefix; absent: every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// The audience.
    #[serde(rename = "aud", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The issuer.
    #[serde(rename = "iss", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// When it was issued, in seconds since 1970.
    #[serde(rename = "iat")]
    pub issued: u64,
    /// When it expires, in seconds since 1970; absent: never.
    #[serde(rename = "exp", skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Why a token cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a private key for tokens; an RSA, P-256, P-384 or Ed25519 key in PEM (PKCS #8) is")]
pub struct SigningKeyError;

impl SigningKey {
    /// A secret that the server has too.
    #[must_use]
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        Self { key: EncodingKey::from_secret(secret.bytes()), algorithm: algorithm.into(), id: None }
    }

    /// The private key of a pair, in PEM. Only RSA keys leave a choice of algorithm; a curve has one.
    ///
    /// # Errors
    /// No algorithm of tokens signs with the key.
    pub fn private(pem: &[u8], rsa: RsaAlgorithm) -> Result<Self, SigningKeyError> {
        let rsa_key = EncodingKey::from_rsa_pem(pem).map(|key| (key, Algorithm::from(rsa)));
        let curve = |algorithm| EncodingKey::from_ec_pem(pem).map(|key| (key, algorithm));
        let edwards = || EncodingKey::from_ed_pem(pem).map(|key| (key, Algorithm::EdDSA));
        [rsa_key, curve(Algorithm::ES256), curve(Algorithm::ES384), edwards()]
            .into_iter()
            .flatten()
            .map(|(key, algorithm)| Self { key, algorithm, id: None })
            // A key of another kind fails when it signs.
            .find(|key| key.sign(&Grant::default()).is_ok())
            .ok_or(SigningKeyError)
    }

    /// Names the key (`kid`) in its tokens.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// The token with these claims.
    ///
    /// # Errors
    /// The key does not fit its algorithm.
    pub fn sign(&self, grant: &Grant) -> Result<String, SigningKeyError> {
        let header = Header { kid: self.id.clone(), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, grant, &self.key).map_err(|_| SigningKeyError)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SigningKey");
        shown.field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Grant {
    /// A grant with nothing but times: issued now, and valid for this lifetime, or for ever.
    #[must_use]
    pub fn from(now: SystemTime, lifetime: Option<Duration>) -> Self {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = lifetime.map(|lifetime| issued.saturating_add(lifetime.as_secs()));
        Self { issued, expires, ..Self::default() }
    }
}
