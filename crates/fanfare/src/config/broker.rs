//! The broker: one word, or a list of servers; and the words of the login for Sentinels.

use fanfare_broker::{BrokerConfig, BrokerConfigError, RedisConfig, Secret};
use serde_json::{Value as Json, json};

use super::{
    place::{Given, Value},
    shape::{Fault, Shape, Text, quoted},
    words::{MASK, without_password},
};

/// A text, or a list of texts that are the servers.
pub(super) struct Broker;

const ONE: Text<BrokerConfig> = Text {
    allowed: "\"memory\" or a Redis, as \"redis://127.0.0.1:6379\" or \"redis://user:password@host:6379\"; rediss:// with \
              TLS, redis+sentinel://host:26379,host:26379/master with Sentinels; or a list of these; or \
              redis+cluster://host:6379,host:6379",
    parse: |text| {
        if text.contains(&format!(":{MASK}@")) {
            // The text comes from `fanfare config`. Redis would refuse it much later.
            return Err(format!("{MASK} stands for a password that was not shown: write the password"));
        }
        text.parse().map_err(|error: BrokerConfigError| error.to_string())
    },
    show: BrokerConfig::to_string,
    found: |text| {
        let urls: Vec<_> = BrokerConfig::urls(text).into_iter().map(found).collect();
        urls.join(",")
    },
};

impl Shape for Broker {
    type Value = BrokerConfig;

    fn allowed(&self) -> String {
        ONE.allowed()
    }

    fn schema(&self) -> Json {
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
    }

    fn parse(&self, given: &Given) -> Result<BrokerConfig, Vec<Fault>> {
        let Value::List(items) = &given.value else { return ONE.parse(given) };
        let texts = items.iter().map(|item| match &item.value {
            Value::Text(text) | Value::Word(text) => Ok(text.as_str()),
            _ => ONE.fault(item, Some("in quotes".into())),
        });
        let joined = texts.collect::<Result<Vec<_>, _>>()?.join(",");
        // Each by itself first: a mistake is told at its place.
        for item in items {
            ONE.parse(item)?;
        }
        (ONE.parse)(&joined).or_else(|hint| self.fault(given, Some(hint)))
    }

    fn show(&self, value: &BrokerConfig) -> String {
        match value.servers() {
            [] => ONE.show(value),
            [server] => quoted(&masked(server)),
            servers => {
                let servers: Vec<_> = servers.iter().map(|server| quoted(&masked(server))).collect();
                format!("[{}]", servers.join(", "))
            }
        }
    }

    fn found(&self, value: &Value) -> String {
        ONE.found(value)
    }
}

/// The part of a wrong URL which may be shown. A text without a scheme may be a password. So may the text after the
/// scheme, unless it looks like a host.
fn found(text: &str) -> String {
    match text.split_once("://") {
        None => MASK.into(),
        Some((scheme, _)) if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') => MASK.into(),
        Some(_) if text.contains('@') => without_password(text),
        Some((scheme, place)) => {
            let host = place.split('/').next().unwrap_or_default();
            let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
            let is_place = !name.is_empty() && port.chars().all(|c| c.is_ascii_digit());
            if is_place { text.into() } else { format!("{scheme}://{MASK}") }
        }
    }
}

/// The URL with its password masked.
fn masked(server: &RedisConfig) -> String {
    let url = server.to_string();
    if server.password.is_none() {
        return url;
    }
    let user = server.username.as_deref().unwrap_or_default();
    url.replacen("://", &format!("://{user}:{MASK}@"), 1)
}

pub(super) const SENTINEL_USER: Text<Option<String>> = Text {
    allowed: "the name of an ACL user",
    parse: |text| Ok(Some(text.to_owned()).filter(|user| !user.is_empty())),
    show: |user| user.clone().unwrap_or_default(),
    found: str::to_owned,
};

pub(super) const SENTINEL_PASSWORD: Text<Option<Secret>> = Text {
    allowed: "a password",
    parse: |text| match text {
        MASK => Err(format!("{MASK} stands for a password that was not shown: write the password")),
        text => Ok(Some(text.to_owned()).filter(|password| !password.is_empty()).map(Secret::new)),
    },
    show: |password| if password.is_some() { MASK.into() } else { String::new() },
    found: |_| MASK.into(),
};
