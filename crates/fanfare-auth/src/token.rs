//! The identity of clients: signed tokens (JWT, RFC 7519), verified without a request to another server for each.
//!
//! - `algorithm`, `key`: keys, each with its one algorithm
//! - [`jwks`]: keys in JSON; [`remote`]: keys that come from another server
//! - `form`: the claims of a token, each checked for its form; `terms`: those about subscriptions
//! - `claims`: the grants of a token that connects its bearer
//! - `error`: why a token is refused
//! - `issue`: the keys that sign tokens, for `fanfare token`
//!
//! Invariants: no claim is read before the signature is verified. Only the claims of a good token are kept. No part of
//! a token is printed or part of an error.

mod algorithm;
mod claims;
mod error;
mod form;
mod issue;
pub mod jwks;
mod key;
pub mod remote;
mod terms;

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fanfare_core::{
    AuthError, Authenticator, Identity,
    identity::{Renewal, SubscriptionGrant, SubscriptionTerms},
};
use jsonwebtoken::{Algorithm, errors::ErrorKind};
use serde::{Deserialize, de::IgnoredAny};

pub use self::{
    algorithm::{HmacAlgorithm, RsaAlgorithm},
    claims::{ChannelGrants, Claims},
    error::TokenError,
    issue::{Grant, SigningKey, SigningKeyError},
    key::{HmacSecret, PublicKey, TokenKey, TokenKeyError},
};
use self::{
    claims::Bearer,
    form::{CheckedClaims, RawClaims},
    remote::RemoteKeys,
};

/// The keys of a server: several, so that one can be replaced while tokens of the other are still valid.
///
/// A token is tried against each key of its algorithm. If both the token and the key have a name (`kid`), the names
/// must be the same.
#[derive(Debug, Clone, Default)]
pub struct TokenKeys {
    own: Vec<TokenKey>,
    remote: Option<Arc<RemoteKeys>>,
}

impl TokenKeys {
    /// These keys. Without keys every token is refused.
    #[must_use]
    pub fn new(keys: Vec<TokenKey>) -> Self {
        Self { own: keys, remote: None }
    }

    /// The same, and those that come from another server.
    #[must_use]
    pub fn and(self, remote: Option<Arc<RemoteKeys>>) -> Self {
        Self { remote, ..self }
    }

    /// The claims of a token that a key has signed.
    fn open(&self, token: &str) -> Result<RawClaims, TokenError> {
        let header = Header::of(token)?;
        let algorithm = Algorithm::from_str(&header.alg).map_err(|_| TokenError::AlgorithmNotAllowed)?;
        let remote = self.remote.as_ref().map(|remote| remote.keys());
        let all = self.own.iter().chain(remote.iter().flat_map(|keys| keys.iter()));
        let mut keys = all.filter(|key| key.algorithm == algorithm).peekable();
        if keys.peek().is_none() {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        let mut refusal = TokenError::UnknownKey;
        for key in keys.filter(|key| key.goes_with(header.kid.as_deref())) {
            match jsonwebtoken::decode(token, &key.decoding, &key.validation) {
                Ok(opened) => return Ok(opened.claims),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {
                    refusal = TokenError::BadSignature;
                }
                // The text of another error may quote the token.
                Err(_) => return Err(TokenError::Malformed),
            }
        }
        Err(refusal)
    }
}

/// The requirements of a token.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    /// The keys that may have signed it.
    pub keys: TokenKeys,
    /// The audience that `aud` must name. Without it, tokens with an `aud` are refused: they are for another server
    /// (RFC 7519 §4.1.3).
    pub audience: Option<String>,
    /// The issuer that `iss` must name. Without it, `iss` is ignored.
    pub issuer: Option<String>,
    /// The greatest difference between the clocks of issuer and server: a token begins by this time earlier, and ends
    /// by this time later, than it says.
    pub leeway: Duration,
}

impl TokenPolicy {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = error::MAX_BYTES;
    /// The usual leeway: machines that keep their time from the network stay within it.
    pub const LEEWAY: Duration = Duration::from_secs(5);

    /// Verifies a token that connects its bearer, at this time.
    ///
    /// It must be signed by one of the keys, have begun (`nbf`), and not have ended (`exp`, and `expire_at`, which is the
    /// end of the connection). Without these claims it is valid for ever.
    ///
    /// # Errors
    /// The token is not good. The text says why, and quotes no part of the token.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        let (claims, expires_at) = self.check(token, now)?;
        if claims.channel.is_some() {
            return Err(TokenError::OfSubscription);
        }
        let CheckedClaims { subject, channels, subscriptions, terms, id, issued_at, .. } = claims;
        Ok(Claims { subject, expires_at, channels, subscriptions, info: terms.info, id, issued_at })
    }

    /// Verifies a token of a subscription at this time, as [`TokenPolicy::verify`] does.
    ///
    /// # Errors
    /// The token is not good, or does not name a channel.
    pub fn verify_subscription(&self, token: &str, now: SystemTime) -> Result<SubscriptionGrant, TokenError> {
        let (claims, expires_at) = self.check(token, now)?;
        let CheckedClaims { subject, channel, client, terms, .. } = claims;
        let terms = SubscriptionTerms { expires_at, ..terms };
        let channel = channel.ok_or(TokenError::CHANNEL)?;
        let user = Some(subject).filter(|subject| !subject.is_empty());
        Ok(SubscriptionGrant { channel, user, client, terms })
    }

    /// Checks what every token has to be. Returns the end of its grants, too.
    fn check(&self, token: &str, now: SystemTime) -> Result<(CheckedClaims, Option<SystemTime>), TokenError> {
        if token.len() > Self::MAX_BYTES {
            return Err(TokenError::TooLong(token.len()));
        }
        let claims = CheckedClaims::try_from(self.keys.open(token)?)?;
        let later = |time: SystemTime| time.checked_add(self.leeway);
        let is_over = |end: SystemTime| later(end).is_some_and(|end| now >= end);
        let end = claims.ends.unwrap_or(claims.expires);
        if claims.expires.is_some_and(is_over) || end.is_some_and(is_over) {
            return Err(TokenError::Expired);
        }
        let begun = |begin: SystemTime| later(now).is_none_or(|latest| begin <= latest);
        if !claims.not_before.is_none_or(begun) {
            return Err(TokenError::NotYetValid);
        }
        match (&self.audience, &claims.audience) {
            (None, None) => {}
            (None, Some(_)) => return Err(TokenError::AudienceNotConfigured),
            (Some(own), Some(named)) if named.contains(own) => {}
            (Some(_), _) => return Err(TokenError::Audience),
        }
        if self.issuer.is_some() && self.issuer != claims.issuer {
            return Err(TokenError::Issuer);
        }
        Ok((claims, end.and_then(later)))
    }
}

impl Authenticator for TokenPolicy {
    fn authenticate(&self, token: &str, now: SystemTime) -> Result<Arc<dyn Identity>, AuthError> {
        Ok(Arc::new(Bearer::new(self.verify(token, now)?)))
    }

    fn authorize(&self, token: &str, now: SystemTime) -> Result<SubscriptionGrant, AuthError> {
        Ok(self.verify_subscription(token, now)?)
    }

    fn renewal(&self, token: &str) -> Option<Renewal> {
        let remote = self.keys.remote.as_ref()?;
        let is_short = token.len() <= Self::MAX_BYTES;
        match is_short.then(|| self.keys.open(token))? {
            // The server may have made a key since.
            Err(TokenError::UnknownKey | TokenError::AlgorithmNotAllowed) => remote.want(),
            _ => None,
        }
    }
}

/// The parts of a token's header that choose its keys. They are not trusted before the signature is verified.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Header {
    fn of(token: &str) -> Result<Self, TokenError> {
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let json = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header: Self = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
        if header.crit.is_some() { Err(TokenError::Critical) } else { Ok(header) }
    }
}
