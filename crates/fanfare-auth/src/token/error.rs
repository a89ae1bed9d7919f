//! Why a token is refused, in sentences for its client.
//!
//! Invariant: these texts quote no part of the token, not even the name of its algorithm.

use fanfare_core::AuthError;

/// The length of the longest token, in bytes.
pub(super) const MAX_BYTES: usize = 8 << 10;

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has more bytes than `TokenPolicy::MAX_BYTES`.
    #[error(
        "the token has {0} bytes, at most {max} are taken; put fewer claims into it",
        max = MAX_BYTES
    )]
    TooLong(usize),
    /// It is not three parts of base64url with dots between, or the parts are not JSON.
    #[error(
        "the token is not a signed JWT (three parts of base64url with dots between, JSON in the first two); send it \
         whole, and as it was issued"
    )]
    Malformed,
    /// Its header demands an extension (RFC 7515 §4.1.11).
    #[error("the token's header has a `crit`, and this server knows no such extension; issue it without")]
    Critical,
    /// No key has the algorithm in its header (`none` among them).
    #[error(
        "this server has no key for the token's algorithm (`alg` in its header); sign it for one of the keys under \
         [auth] in the configuration"
    )]
    AlgorithmNotAllowed,
    /// Its header names a key (`kid`), and no key of its algorithm has that name.
    #[error(
        "the token names a key (`kid` in its header) that this server does not have; get a new token, or add the \
         key to `public_keys` or to the server at `jwks_url` under [auth] in the configuration"
    )]
    UnknownKey,
    /// No key of this server made its signature.
    #[error(
        "the token's signature is wrong: it was changed, or signed with a key that this server does not have"
    )]
    BadSignature,
    /// Its `exp` is over.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its `nbf` is still to come.
    #[error("the token is not valid yet (`nbf`); use it later, and compare the clocks of issuer and server")]
    NotYetValid,
    /// Its `aud` does not name this server's audience, or is missing.
    #[error(
        "the token is not for this audience; issue it with the `aud` that is `audience` under [auth] in the \
         configuration"
    )]
    Audience,
    /// It has an `aud`, and this server has no audience: RFC 7519 §4.1.3 demands a refusal.
    #[error(
        "the token is for an audience (`aud`), and this server has none; write it as `audience` under [auth] in \
         the configuration, or issue tokens without"
    )]
    AudienceNotConfigured,
    /// Its `iss` is not this server's issuer, or is missing.
    #[error(
        "the token is not from this server's issuer; issue it with the `iss` that is `issuer` under [auth] in the \
         configuration"
    )]
    Issuer,
    /// It has a `channel`: it is for a subscription, and its grants are not those of a connection.
    #[error(
        "the token is for a subscription (it has the claim `channel`); connect with one of the connection, without \
         this claim"
    )]
    OfSubscription,
    /// A claim has the wrong form.
    #[error("the token's claim `{name}` must be {wanted}")]
    Claim {
        /// The claim.
        name: &'static str,
        /// The form that it must have.
        wanted: &'static str,
    },
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        Self { reason: error.to_string().into(), is_expired: error == TokenError::Expired }
    }
}

impl TokenError {
    /// Its `sub` has more bytes than `Claims::MAX_SUBJECT_BYTES`.
    pub(super) const SUBJECT: Self = Self::Claim { name: "sub", wanted: "a text of at most 255 bytes" };

    /// It is for a subscription, and does not name its channel.
    pub(super) const CHANNEL: Self =
        Self::Claim { name: "channel", wanted: "the name of the channel that it is for" };
}
