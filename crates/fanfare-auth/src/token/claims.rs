//! The claims of a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fanfare_core::{Channel, Identity};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::TokenError;

/// The claims of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The bearer (`sub`): at most [`Claims::MAX_SUBJECT_BYTES`], empty where the token has no `sub`.
    pub subject: String,
    /// When the token expires: its `exp` and the policy's leeway; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// The channels of the bearer.
    pub channels: ChannelGrants,
    /// Information about the bearer for other clients (`info`): JSON, at most [`Claims::MAX_INFO_BYTES`].
    pub info: Option<Bytes>,
    /// The id of the token (`jti`): at most [`Claims::MAX_SUBJECT_BYTES`].
    pub id: Option<String>,
    /// When the token was issued (`iat`).
    pub issued_at: Option<SystemTime>,
}

impl Claims {
    /// The longest info, in bytes.
    pub const MAX_INFO_BYTES: usize = 4 << 10;

    /// The longest subject, in bytes of UTF-8.
    pub const MAX_SUBJECT_BYTES: usize = 255;
}

const _: () = assert!(Claims::MAX_SUBJECT_BYTES == 255, "the text of TokenError::SUBJECT says 255");

/// The channels of a token (`channels`): those that its bearer may use where a namespace needs a token.
///
/// Without the claim a token is good for every channel. A list is good for the channels that it names; an empty list
/// for none. A name that ends with `*` stands for all names with that prefix, so `"*"` for all names. Elsewhere a `*`
/// is a character like others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelGrants(Option<Vec<String>>);

impl ChannelGrants {
    /// Every channel.
    #[must_use]
    pub fn all() -> Self {
        Self(None)
    }

    /// Channels with these names and patterns.
    #[must_use]
    pub fn only(patterns: Vec<String>) -> Self {
        Self(Some(patterns))
    }

    /// The names and patterns; `None` for every channel.
    #[must_use]
    pub fn patterns(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// Whether the token is good for a channel.
    #[must_use]
    pub fn allows(&self, channel: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, channel)))
    }
}

fn matches(pattern: &str, channel: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => channel.starts_with(prefix),
        None => pattern == channel,
    }
}

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
    channels: Option<Value>,
    info: Option<Value>,
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
    pub(super) channels: ChannelGrants,
    pub(super) info: Option<Bytes>,
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
            channels: ChannelGrants(texts(raw.channels, wrong_channels)?),
            info: raw.info.as_ref().map(info).transpose()?,
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

fn info(claim: &Value) -> Result<Bytes, TokenError> {
    let text = claim.to_string();
    if text.len() > Claims::MAX_INFO_BYTES {
        return Err(TokenError::Claim { name: "info", wanted: "JSON of at most 4096 bytes" });
    }
    Ok(text.into())
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

impl Identity for Claims {
    fn subject(&self) -> Option<&str> {
        Some(self.subject.as_str()).filter(|subject| !subject.is_empty())
    }

    fn token_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    fn info(&self) -> Option<Bytes> {
        self.info.clone()
    }

    fn may_use(&self, channel: &Channel) -> bool {
        self.channels.allows(channel.as_str())
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_names_or_prefixes() {
        let table: &[(&[&str], &str, bool)] = &[
            (&["chat:1"], "chat:1", true),
            (&["chat:1"], "chat:12", false),
            (&["chat:1"], "chat:", false),
            (&["chat:1"], "Chat:1", false),
            (&["chat:*"], "chat:1", true),
            (&["chat:*"], "chat:", true),
            (&["chat:*"], "chat", false),
            (&["chat:*"], "chatter:1", false),
            (&["chat:*"], "news:chat:1", false),
            (&["*"], "anything", true),
            (&["a*b"], "a*b", true),
            (&["a*b"], "axb", false),
            (&["**"], "*x", true),
            (&["**"], "x", false),
            (&[""], "x", false),
            (&["a", "b*"], "bc", true),
            (&["räume*"], "räume:ä", true),
            (&[], "chat:1", false),
        ];
        for (patterns, channel, allowed) in table {
            let grants = ChannelGrants::only(patterns.iter().map(|&pattern| pattern.into()).collect());
            assert_eq!(grants.allows(channel), *allowed, "{patterns:?} {channel}");
        }
        assert!(ChannelGrants::all().allows("anything"));
    }
}
