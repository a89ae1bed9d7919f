//! Values of the keys of `[tracing]`.

use std::fmt;

use http::{HeaderName, HeaderValue};
use url::Url;

use crate::config::{
    place::{Given, Value},
    shape::{Choice, Fault, Shape, Text},
    words::{MASK, without_password},
};

/// The URL of an OTLP collector, without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub(super) Url);

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TracingProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

/// A header, whose value is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TracingHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
}

impl fmt::Debug for TracingHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={MASK}", self.name)
    }
}

impl Endpoint {
    /// The URL to which spans are sent. OTLP/HTTP has a path for each kind of signal below the endpoint (OTLP
    /// specification, "OTLP/HTTP Request").
    #[must_use]
    pub fn for_traces(&self, protocol: TracingProtocol) -> String {
        let base = self.0.as_str().trim_end_matches('/');
        match protocol {
            TracingProtocol::Http if !base.ends_with(HTTP_PATH) => format!("{base}{HTTP_PATH}"),
            TracingProtocol::Http | TracingProtocol::Grpc => base.to_owned(),
        }
    }
}

const HTTP_PATH: &str = "/v1/traces";

pub(crate) const ENDPOINT: Text<Option<Endpoint>> = Text {
    allowed: "a URL as \"http://127.0.0.1:4317\"; \"\" for none",
    parse: endpoint,
    show: |endpoint| endpoint.as_ref().map_or_else(String::new, |endpoint| endpoint.0.to_string()),
    found: without_secrets,
};

/// Masks the query, which is refused and may have a key.
fn without_secrets(text: &str) -> String {
    match text.split_once(['?', '#']) {
        Some((url, _)) => format!("{}?{MASK}", without_password(url)),
        None => without_password(text),
    }
}

fn endpoint(text: &str) -> Result<Option<Endpoint>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        // `localhost:4317` is a URL of the scheme localhost.
        _ => return Err("for example \"http://127.0.0.1:4317\", with its scheme".into()),
    };
    match url.scheme() {
        "http" => {}
        "https" => {
            return Err("without TLS: send to a collector on this machine or in a network of yours, which \
                        forwards with TLS"
                .into());
        }
        _ => return Err("http:// also for gRPC: the protocol is tracing.protocol".into()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("write the credentials into tracing.headers".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("nothing after `?` or `#`".into());
    }
    Ok(Some(Endpoint(url)))
}

pub(crate) const PROTOCOL: Choice<TracingProtocol> =
    Choice { words: &[("grpc", TracingProtocol::Grpc), ("http", TracingProtocol::Http)] };

pub(crate) const SERVICE_NAME: Text<String> = Text {
    allowed: "1 to 255 characters",
    parse: |text| match text.chars().count() {
        1..=255 => Ok(text.into()),
        _ => Err("for example \"fanfare\"".into()),
    },
    show: String::clone,
    found: str::to_owned,
};

pub(crate) const HEADER: Text<TracingHeader> = Text {
    allowed: "a header as \"NAME=VALUE\"",
    parse: |text| {
        let (name, value) = text.split_once('=').ok_or("for example \"authorization=Bearer KEY\"")?;
        let name = name.trim().parse().map_err(|_| "the text before the `=` is not a header's name")?;
        let value = value.trim();
        if value == MASK {
            return Err(format!("{MASK} stands for a value that was not shown: write the value"));
        }
        let mut value: HeaderValue =
            value.parse().map_err(|_| "the text after the `=` has characters that a header cannot have")?;
        value.set_sensitive(true);
        Ok(TracingHeader { name, value })
    },
    show: |header| format!("{:?}", header),
    found: |text| match text.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.into(),
    },
};

/// A share of a whole.
pub(crate) struct Ratio;

impl Shape for Ratio {
    type Value = f64;

    fn allowed(&self) -> String {
        "a number from 0 to 1".into()
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::json!({"type": "number", "minimum": 0, "maximum": 1})
    }

    fn parse(&self, given: &Given) -> Result<f64, Vec<Fault>> {
        let number = match &given.value {
            Value::Integer(number) => number.to_string().parse().ok(),
            Value::Word(text) | Value::Other(text) => text.replace('_', "").parse::<f64>().ok(),
            Value::Text(text) if text.parse::<f64>().is_ok() => {
                return self.fault(given, Some(format!("without quotes: {text}")));
            }
            _ => None,
        };
        match number {
            Some(number) if (0.0..=1.0).contains(&number) => Ok(number),
            Some(number) if number > 1.0 && number <= 100.0 => {
                self.fault(given, Some(format!("{number} in a hundred is {}", number / 100.0)))
            }
            _ => self.fault(given, None),
        }
    }

    fn show(&self, value: &f64) -> String {
        value.to_string()
    }

    /// People write `.5`, which is not TOML.
    fn advice(&self, text: &str) -> Option<String> {
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        number.map(|number| format!("write {number}"))
    }
}
