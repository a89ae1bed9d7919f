//! The bodies of questions and answers, as Centrifugo's proxies have them.
//!
//! Invariant: an answer with none of the three known keys, or with a value of a wrong kind, permits nothing.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fanfare_core::{
    Allowance, Capability, Channel, CloseFrame, Payload, PayloadKind,
    hooks::{ConnectAnswer, ConnectQuestion, HookClient, HookError, PublishAnswer, RefreshAnswer},
    identity::SubscriptionTerms,
};
use serde_json::{Map, Value};

/// The codes that the backend may close a connection with.
const CLOSE_CODES: std::ops::RangeInclusive<u64> = 4000..=4999;

/// An answer of the backend.
pub(super) enum Answered<T> {
    Result(T),
    Error(HookError),
    Disconnect(CloseFrame),
}

impl<T> Answered<T> {
    /// # Errors
    /// The answer cannot be read, and why.
    pub(super) fn read(body: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Self, String> {
        let answer: Value = serde_json::from_str(body).map_err(|_| "the answer is not JSON")?;
        let text = |value: &Value, key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = |value: &Value| value.get("code").and_then(Value::as_u64);
        if let Some(frame) = answer.get("disconnect").filter(|frame| !frame.is_null()) {
            let code = code(frame).filter(|code| CLOSE_CODES.contains(code));
            let code = code
                .and_then(|code| u16::try_from(code).ok())
                .ok_or("a disconnect has a code from 4000 to 4999")?;
            return Ok(Self::Disconnect(CloseFrame::new(code, text(frame, "reason"))));
        }
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let code = code(error).and_then(|code| u32::try_from(code).ok()).filter(|code| *code > 0);
            return Ok(Self::Error(HookError {
                code: code.ok_or("an error has a code")?,
                message: text(error, "message"),
                is_temporary: error.get("temporary").and_then(Value::as_bool).unwrap_or_default(),
            }));
        }
        let result = answer.get("result").filter(|result| result.is_object());
        let result = result.ok_or("the answer has no result, error or disconnect")?;
        Ok(Self::Result(read(result).ok_or("the result has a value that cannot be")?))
    }
}

/// The body of a question with these fields.
pub(super) fn question(asks: &HookClient, mut fields: Map<String, Value>) -> String {
    fields.insert("client".into(), asks.client.to_string().into());
    fields.insert("transport".into(), asks.transport.into());
    fields.insert("protocol".into(), asks.protocol.into());
    let encoding = if asks.protocol == "json" { "json" } else { "binary" };
    fields.insert("encoding".into(), encoding.into());
    Value::Object(fields).to_string()
}

pub(super) fn of_user(asks: &HookClient) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("user".into(), asks.user.clone().into());
    if let Some(meta) = asks.meta.as_ref().and_then(|meta| serde_json::from_slice(meta).ok()) {
        fields.insert("meta".into(), meta);
    }
    fields
}

pub(super) fn in_channel(asks: &HookClient, channel: &Channel) -> Map<String, Value> {
    let mut fields = of_user(asks);
    fields.insert("channel".into(), channel.as_str().into());
    fields
}

/// Adds JSON unchanged, a text as a JSON string, and bytes as base64.
pub(super) fn add_data(fields: &mut Map<String, Value>, data: Option<&Payload>) {
    let Some(data) = data else { return };
    let json = match data.kind() {
        PayloadKind::Json => serde_json::from_slice(data.bytes()).ok(),
        PayloadKind::Text => std::str::from_utf8(data.bytes()).ok().map(Into::into),
        PayloadKind::Binary => None,
    };
    match json {
        Some(json) => fields.insert("data".into(), json),
        None => fields.insert("b64data".into(), STANDARD.encode(data.bytes()).into()),
    };
}

pub(super) fn connect(question: &ConnectQuestion) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".into(), question.name.clone().into());
    fields.insert("version".into(), question.version.clone().into());
    let channels: Vec<_> = question.channels.iter().map(Channel::as_str).collect();
    fields.insert("channels".into(), channels.into());
    add_data(&mut fields, question.data.as_ref());
    fields
}

pub(super) fn connected(result: &Value) -> Option<ConnectAnswer> {
    let mut subscriptions = Vec::new();
    if let Some(subs) = present(result, "subs") {
        for (name, sub) in subs.as_object()? {
            let terms = terms(Some(sub).filter(|sub| sub.is_object() || sub.is_null())?)?;
            subscriptions.push((Channel::new(name).ok()?, terms));
        }
    }
    // Terms count before a bare name: the first mention of a channel decides.
    for name in texts(result, "channels")? {
        subscriptions.push((Channel::new(name).ok()?, SubscriptionTerms::default()));
    }
    let user = match result.get("user") {
        None | Some(Value::Null) => "",
        Some(user) => user.as_str()?,
    };
    Some(ConnectAnswer {
        user: user.to_owned(),
        expires_at: expires_at(result)?,
        info: bytes(result, "info", "b64info"),
        data: data(result),
        meta: bytes(result, "meta", ""),
        subscriptions,
        capabilities: capabilities(result)?,
    })
}

/// The rights of a client beside those of namespaces.
fn capabilities(result: &Value) -> Option<Vec<Capability>> {
    let Some(caps) = present(result, "caps") else { return Some(Vec::new()) };
    let capability = |cap: &Value| {
        let is_wildcard = match present(cap, "match").map(Value::as_str) {
            None | Some(Some("")) => false,
            Some(Some("wildcard")) => true,
            Some(_) => return None,
        };
        let channels = texts(cap, "channels")?.into_iter().map(str::to_owned).collect();
        Some(Capability { channels, is_wildcard, allowance: Allowance::of(texts(cap, "allow")?) })
    };
    caps.as_array()?.iter().map(capability).collect()
}

/// The terms of a subscription.
pub(super) fn terms(result: &Value) -> Option<SubscriptionTerms> {
    let overrides = present(result, "override");
    let pushed = overrides.and_then(|overrides| present(overrides, "force_push_join_leave"));
    let joins = pushed.map(|pushed| pushed.get("value").unwrap_or(pushed).as_bool());
    Some(SubscriptionTerms {
        info: bytes(result, "info", "b64info"),
        data: data(result),
        expires_at: expires_at(result)?,
        joins: joins.unwrap_or(Some(false))?,
        allowance: Allowance::of(texts(result, "allow")?),
    })
}

/// A value that is there.
fn present<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    of.get(name).filter(|value| !value.is_null())
}

/// A list of texts, which may be absent.
fn texts<'v>(of: &'v Value, name: &str) -> Option<Vec<&'v str>> {
    let Some(list) = present(of, name) else { return Some(Vec::new()) };
    list.as_array()?.iter().map(Value::as_str).collect()
}

/// `None` too where the new data are larger than a message may be.
pub(super) fn published(result: &Value, most: usize) -> Option<PublishAnswer> {
    let mut tags = Vec::new();
    if let Some(given) = result.get("tags").filter(|tags| !tags.is_null()) {
        for (name, value) in given.as_object()? {
            tags.push((name.clone(), value.as_str()?.to_owned()));
        }
    }
    let data = data(result);
    if data.as_ref().is_some_and(|data| data.len() > most) {
        return None;
    }
    let skip_history = result.get("skip_history").and_then(Value::as_bool).unwrap_or_default();
    Some(PublishAnswer { data, tags, skip_history })
}

pub(super) fn refreshed(result: &Value) -> Option<RefreshAnswer> {
    Some(RefreshAnswer {
        is_expired: result.get("expired").and_then(Value::as_bool).unwrap_or_default(),
        expires_at: expires_at(result)?,
        info: bytes(result, "info", "b64info"),
        meta: bytes(result, "meta", ""),
    })
}

/// The data of a result; a JSON string is a text.
pub(super) fn data(result: &Value) -> Option<Payload> {
    match result.get("data") {
        None | Some(Value::Null) => {
            let bytes = STANDARD.decode(result.get("b64data")?.as_str()?).ok()?;
            Some(Payload::binary(bytes))
        }
        Some(Value::String(text)) => Some(Payload::text(text.clone())),
        Some(json) => Some(Payload::json(json.to_string())),
    }
}

fn bytes(result: &Value, json: &str, base64: &str) -> Option<Bytes> {
    match result.get(json) {
        None | Some(Value::Null) => STANDARD.decode(result.get(base64)?.as_str()?).ok().map(Bytes::from),
        Some(json) => Some(json.to_string().into()),
    }
}

/// The outer `None`: it is not a time. The inner one: never.
fn expires_at(result: &Value) -> Option<Option<SystemTime>> {
    match result.get("expire_at") {
        None | Some(Value::Null) => Some(None),
        Some(time) => match time.as_u64()? {
            0 => Some(None),
            seconds => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(Some),
        },
    }
}
