//! The streams and polls of plain HTTP in the OpenAPI document. What refuses them is a sentence, as for a handshake.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::document::{Document, channel, channel_name, parameter};
use crate::http::past_error::MOST;

/// The statuses of all of them.
const REFUSED: [StatusCode; 7] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Those of a request with a body.
const OF_BODY: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE];

/// Adds them.
pub(super) fn describe(document: &mut Document) {
    let events = Operation {
        name: "events",
        summary: "Messages of channels as Server-Sent Events",
        parameters: vec![channels(), first("last_event_id"), last(), header()],
        body: None,
        answer: ("text/event-stream", json!({"type": "string"})),
    };
    let of_one = Operation {
        name: "events_of_one",
        summary: "Messages of a channel as Server-Sent Events",
        parameters: vec![channel("path"), first("last_event_id"), last(), header()],
        ..events.clone()
    };
    let lines = Operation {
        name: "lines",
        summary: "Messages of channels as lines of JSON",
        parameters: vec![channels(), first("cursor"), last()],
        body: None,
        answer: ("application/x-ndjson", item()),
    };
    let lines_by_body = Operation {
        name: "lines_by_body",
        parameters: Vec::new(),
        body: Some(json!({
            "type": "object", "additionalProperties": false, "required": ["channels"],
            "properties": {"channels": names(), "cursor": cursor(), "last": count()},
        })),
        ..lines.clone()
    };
    let seconds = json!({"type": "integer", "minimum": 0, "maximum": 55, "default": 25});
    let poll = Operation {
        name: "poll",
        summary: "Messages of channels behind a cursor, or the first that come",
        parameters: vec![
            channels(),
            parameter("cursor", "query", "The cursor of the answer before.", &cursor()),
            parameter("timeout", "query", "The seconds that it waits.", &seconds),
        ],
        body: None,
        answer: ("application/json", polled()),
    };
    document.add("/sse", "get", events.described());
    document.add("/sse/{channel}", "get", of_one.described());
    document.add("/stream", "get", lines.described());
    document.add("/stream", "post", lines_by_body.described());
    document.add("/poll", "get", poll.described());
}

/// An operation.
#[derive(Clone)]
struct Operation {
    name: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    /// The type of its answer, and the form.
    answer: (&'static str, Value),
}

impl Operation {
    fn described(self) -> Value {
        let Self { name, summary, parameters, body, answer: (kind, form) } = self;
        let mut responses = Map::new();
        let good =
            json!({"description": "It goes on until one side ends it.", "content": {kind: {"schema": form}}});
        responses.insert("200".into(), good);
        let of_body = body.iter().flat_map(|_| OF_BODY);
        for status in REFUSED.into_iter().chain(of_body) {
            let words = status.canonical_reason().unwrap_or_default();
            let content = json!({"text/plain": {"schema": {"type": "string"}}});
            responses.insert(status.as_str().into(), json!({"description": words, "content": content}));
        }
        let mut operation = Map::from_iter([
            ("operationId".into(), name.into()),
            ("summary".into(), summary.into()),
            ("security".into(), json!([{}, {"token": []}])),
            ("parameters".into(), parameters.into()),
            ("responses".into(), responses.into()),
        ]);
        if let Some(body) = body {
            let body = json!({"required": true, "content": {"application/json": {"schema": body}}});
            operation.insert("requestBody".into(), body);
        }
        operation.into()
    }
}

/// The channels of a query.
fn channels() -> Value {
    json!({
        "name": "channel", "in": "query", "required": true, "description": "The channels, a parameter for each.",
        "schema": names(),
    })
}

fn names() -> Value {
    json!({"type": "array", "minItems": 1, "items": channel_name()})
}

fn cursor() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_-]*$"})
}

/// The cursor with which a stream begins.
fn first(name: &str) -> Value {
    parameter(name, "query", "The last cursor that the client has.", &cursor())
}

fn header() -> Value {
    parameter("Last-Event-ID", "header", "The same, of a client that comes back.", &cursor())
}

fn last() -> Value {
    let meaning = "Without a cursor: the newest messages come first, at most this number.";
    parameter("last", "query", meaning, &count())
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": MOST})
}

/// A message.
fn item() -> Value {
    json!({
        "type": "object",
        "properties": {
            "cursor": cursor(),
            "channel": {"type": "string"},
            "event": {"type": "string"},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            "data": {},
        },
    })
}

/// The answer to a poll.
fn polled() -> Value {
    json!({
        "type": "object", "required": ["messages", "cursor", "recovered"],
        "properties": {
            "messages": {"type": "array", "items": item()},
            "cursor": cursor(),
            "recovered": {"type": "boolean", "description": "Whether no message is missing before them."},
        },
    })
}
