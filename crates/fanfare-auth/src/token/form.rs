//! The claims of a token, each checked for its form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::{Channel, identity::SubscriptionTerms};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{
    claims::{ChannelGrants, Claims},
    error::TokenError,
    terms,
};

/// The claims that are used, before they are checked. A claim that is there twice is an error of `serde`. A `null` is a
/// wrong claim, not a missing one: an issuer whose language writes an empty list of channels as `null` must not grant
/// all of them.
#[derive(Deserialize)]
pub(super) struct RawClaims {
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    expire_at: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    channels: Option<Value>,
    subs: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    channel: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    client: Option<Value>,
    info: Option<Value>,
    b64info: Option<Value>,
    data: Option<Value>,
    b64data: Option<Value>,
    #[serde(rename = "override")]
    overrides: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The claims that are used, each checked for its form.
pub(super) struct CheckedClaims {
    pub(super) subject: String,
    pub(super) expires: Option<SystemTime>,
    pub(super) not_before: Option<SystemTime>,
    /// The audience; `None` without the claim.
    pub(super) audience: Option<Vec<String>>,
    pub(super) issuer: Option<String>,
    /// The end of the connection or subscription, where it is not that of the token; `Some(None)`: it has none.
    pub(super) ends: Option<Option<SystemTime>>,
    pub(super) channels: ChannelGrants,
    pub(super) subscriptions: Vec<(Channel, SubscriptionTerms)>,
    /// The channel of a token of a subscription; `None` for one of a connection.
    pub(super) channel: Option<Channel>,
    pub(super) client: Option<String>,
    /// Its information is that of the bearer in a token of a connection.
    pub(super) terms: SubscriptionTerms,
    pub(super) id: Option<String>,
    pub(super) issued_at: Option<SystemTime>,
}

impl TryFrom<RawClaims> for CheckedClaims {
    type Error = TokenError;

    fn try_from(raw: RawClaims) -> Result<Self, TokenError> {
        let wrong_audience = TokenError::Claim { name: "aud", wanted: "a text, or a list of texts" };
        let wrong_channels = TokenError::Claim { name: "channels", wanted: "a list of texts" };
        Ok(Self {
            subject: subject(raw.sub)?,
            expires: raw.exp.map(|exp| time("exp", &exp)).transpose()?,
            not_before: raw.nbf.map(|nbf| time("nbf", &nbf)).transpose()?,
            audience: match raw.aud {
                Some(Value::String(one)) => Some(vec![one]),
                aud => texts(aud, wrong_audience)?,
            },
            issuer: match raw.iss {
                Some(Value::String(issuer)) => Some(issuer),
                Some(_) => return Err(TokenError::Claim { name: "iss", wanted: "a text" }),
                None => None,
            },
            ends: raw.expire_at.map(|at| end(&at)).transpose()?,
            channels: ChannelGrants(texts(raw.channels, wrong_channels)?),
            subscriptions: raw.subs.map(terms::subscriptions).transpose()?.unwrap_or_default(),
            channel: raw.channel.as_ref().map(channel).transpose()?,
            client: raw.client.map(client).transpose()?.flatten(),
            terms: terms::terms(|name| match name {
                "info" => raw.info.as_ref(),
                "b64info" => raw.b64info.as_ref(),
                // In a token of a connection these are somebody else's.
                _ if raw.channel.is_none() => None,
                "data" => raw.data.as_ref(),
                "b64data" => raw.b64data.as_ref(),
                _ => raw.overrides.as_ref(),
            })?,
            id: raw.jti.map(id).transpose()?,
            issued_at: raw.iat.map(|iat| time("iat", &iat)).transpose()?,
        })
    }
}

fn id(claim: Value) -> Result<String, TokenError> {
    match claim {
        Value::String(id) if id.len() <= Claims::MAX_SUBJECT_BYTES => Ok(id),
        _ => Err(TokenError::Claim { name: "jti", wanted: "a text of at most 255 bytes" }),
    }
}

fn channel(claim: &Value) -> Result<Channel, TokenError> {
    claim.as_str().and_then(|name| Channel::new(name).ok()).ok_or(TokenError::CHANNEL)
}

fn client(claim: Value) -> Result<Option<String>, TokenError> {
    match claim {
        Value::String(client) if client.len() <= Claims::MAX_SUBJECT_BYTES => {
            Ok(Some(client).filter(|client| !client.is_empty()))
        }
        _ => Err(TokenError::Claim { name: "client", wanted: "a text of at most 255 bytes" }),
    }
}

/// 0 is the time of what never ends.
fn end(claim: &Value) -> Result<Option<SystemTime>, TokenError> {
    time("expire_at", claim).map(|end| Some(end).filter(|end| *end != UNIX_EPOCH))
}

fn subject(claim: Option<Value>) -> Result<String, TokenError> {
    match claim {
        None => Ok(String::new()),
        Some(Value::String(subject)) if subject.len() <= Claims::MAX_SUBJECT_BYTES => Ok(subject),
        Some(_) => Err(TokenError::SUBJECT),
    }
}

fn texts(claim: Option<Value>, wrong: TokenError) -> Result<Option<Vec<String>>, TokenError> {
    let items = match claim {
        None => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong),
    };
    let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(wrong) };
    items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, with fractions or without. A time past the year 9999 is one in
/// milliseconds, and the token would practically never expire.
fn time(name: &'static str, claim: &Value) -> Result<SystemTime, TokenError> {
    const YEAR_10000: f64 = 253_402_300_800.0;
    claim
        .as_f64()
        .filter(|seconds| (0.0..YEAR_10000).contains(seconds))
        .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?))
        .ok_or(TokenError::Claim { name, wanted: "a time in seconds (not milliseconds) since 1970" })
}
