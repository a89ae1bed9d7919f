//! The terms of subscriptions in a token, beside the right to them: information, data and overrides, each checked for
//! its form.
//!
//! An override that this server does not have is ignored, as every unknown claim: the namespace decides.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use fanfare_core::{Channel, Payload, identity::SubscriptionTerms};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{claims::Claims, error::TokenError};

/// The channels of `subs`, and their terms.
pub(super) fn subscriptions(claim: Value) -> Result<Vec<(Channel, SubscriptionTerms)>, TokenError> {
    let wrong = |wanted| TokenError::Claim { name: "subs", wanted };
    let Value::Object(subscriptions) = claim else {
        return Err(wrong("an object whose names are channels"));
    };
    let one = |(name, options): (String, Value)| {
        let channel = Channel::new(&name).map_err(|_| wrong("an object whose names are channels"))?;
        match &options {
            Value::Null => Ok((channel, SubscriptionTerms::default())),
            Value::Object(_) => {
                Ok((channel, terms(|name| options.get(name).filter(|value| !value.is_null()))?))
            }
            _ => Err(wrong("an object of objects")),
        }
    };
    subscriptions.into_iter().map(one).collect()
}

/// The terms of a subscription, by the names of its options.
pub(super) fn terms<'v>(get: impl Fn(&str) -> Option<&'v Value>) -> Result<SubscriptionTerms, TokenError> {
    Ok(SubscriptionTerms {
        info: info(get("info"), get("b64info"))?,
        data: data(get("data"), get("b64data"))?,
        joins: joins(get("override"))?,
        ..SubscriptionTerms::default()
    })
}

/// Information about the bearer, or about a subscription, for other clients.
pub(super) fn info(info: Option<&Value>, base64: Option<&Value>) -> Result<Option<Bytes>, TokenError> {
    let Some(bytes) = decoded("b64info", base64, info.is_some())? else {
        return info.map(|info| json("info", info.to_string().into())).transpose();
    };
    let is_json = |text| serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !std::str::from_utf8(&bytes).is_ok_and(is_json) {
        return Err(TokenError::Claim { name: "b64info", wanted: "JSON in base64 (RFC 4648 §4)" });
    }
    json("b64info", bytes).map(Some)
}

fn json(name: &'static str, bytes: Bytes) -> Result<Bytes, TokenError> {
    if bytes.len() > Claims::MAX_INFO_BYTES {
        return Err(TokenError::Claim { name, wanted: "JSON of at most 4096 bytes" });
    }
    Ok(bytes)
}

/// Data for the client.
fn data(data: Option<&Value>, base64: Option<&Value>) -> Result<Option<Payload>, TokenError> {
    let bytes = decoded("b64data", base64, data.is_some())?;
    Ok(match (bytes, data) {
        (Some(bytes), _) => Some(match serde_json::from_slice(&bytes) {
            Ok(Value::String(text)) => Payload::text(text),
            Ok(_) => Payload::json(String::from_utf8_lossy(&bytes)),
            Err(_) => Payload::binary(bytes),
        }),
        (None, Some(Value::String(text))) => Some(Payload::text(text.clone())),
        (None, data) => data.map(|data| Payload::json(data.to_string())),
    })
}

/// Bytes in base64, if the token has them.
fn decoded(
    name: &'static str,
    base64: Option<&Value>,
    is_given_in_json: bool,
) -> Result<Option<Bytes>, TokenError> {
    let wrong = |wanted| Err(TokenError::Claim { name, wanted });
    match base64 {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(_) if is_given_in_json => wrong("left out where the token has the same in JSON"),
        Some(Value::String(text)) => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(_) => wrong("in base64 (RFC 4648 §4)"),
        },
        Some(_) => wrong("in base64 (RFC 4648 §4)"),
    }
}

/// Whether the client hears of clients that join and leave, whether it asks or not.
fn joins(overrides: Option<&Value>) -> Result<bool, TokenError> {
    let wrong = TokenError::Claim { name: "override", wanted: "an object of objects, each with a `value`" };
    let Some(overrides) = overrides.filter(|overrides| !overrides.is_null()) else { return Ok(false) };
    let pushed = overrides.as_object().ok_or(wrong)?.get("force_push_join_leave");
    match pushed.map(|pushed| pushed.get("value").unwrap_or(pushed)) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or(wrong),
    }
}
