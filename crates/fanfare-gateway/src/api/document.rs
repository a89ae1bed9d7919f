//! The OpenAPI document in the making: schemas, operations, answers.

use fanfare_core::Channel;
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    call::Method,
    error::{ErrorBody, status},
    schema,
};
use crate::metrics::ApiReason;

/// Reasons that every call with a key can have.
const OF_CALLS: &[ApiReason] = &[
    ApiReason::BadRequest,
    ApiReason::Unauthorized,
    ApiReason::OriginNotAllowed,
    ApiReason::Elsewhere,
    ApiReason::WrongMethod,
    ApiReason::TooSlow,
    ApiReason::TooLarge,
    ApiReason::UnsupportedEncoding,
    ApiReason::Leaving,
];

/// A document in the making.
#[derive(Default)]
pub(crate) struct Document {
    paths: Map<String, Value>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Document {
    /// Adds a method.
    pub(super) fn method<M: Method>(&mut self) {
        let (request, result) = (self.schema::<M>(), self.schema::<M::Result>());
        let answer = if M::IS_BARE { result } else { result_of(&result) };
        let mut operation = json!({
            "operationId": M::NAME,
            "summary": M::SUMMARY,
            "security": [{"key": []}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": request}}},
            "responses": responses(&answer, OF_CALLS.iter().chain(M::REASONS)),
        });
        if M::TAKES_KEY
            && let Some(operation) = operation.as_object_mut()
        {
            let form = json!({"type": "string", "pattern": schema::HEADER_WORD});
            let words = "The idempotency key, where the body has none.";
            operation
                .insert("parameters".into(), json!([parameter("X-Idempotency-Key", "header", words, &form)]));
        }
        self.add(&format!("/api/{}", M::NAME), "post", operation);
    }

    /// The reference to a schema, which is added with all that it refers to.
    pub(super) fn schema<T: ToSchema>(&mut self) -> Value {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }

    /// Adds an operation of a path.
    pub(super) fn add(&mut self, path: &str, method: &str, operation: Value) {
        let operations = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert(method.to_owned(), operation);
        }
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Value {
        let error = self.schema::<ErrorBody>();
        let mut schemas: Map<String, Value> = Map::new();
        for (name, schema) in self.schemas {
            schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        for (name, rule, schemas_of) in RULES {
            if let Some(request) = schemas.get_mut(*name).and_then(Value::as_object_mut) {
                request.insert((*rule).to_owned(), schemas_of());
            }
        }
        let commands = schemas.get_mut("Command").and_then(|command| command.get_mut("oneOf"));
        for command in commands.and_then(Value::as_array_mut).into_iter().flatten() {
            command["additionalProperties"] = false.into();
        }
        if let Some(Value::Object(reason)) =
            schemas.get_mut("Error").and_then(|error| error.pointer_mut("/properties/reason"))
        {
            let words = ApiReason::ALL.iter().map(|reason| reason.name());
            reason.insert("enum".into(), words.collect());
        }
        let failed = json!({"type": "object", "required": ["error"], "properties": {"error": error}});
        schemas.insert("Failed".into(), failed);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Fanfare",
                "summary": "The HTTP API of a node",
                "version": env!("CARGO_PKG_VERSION"),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "key": {
                        "type": "apiKey", "in": "header", "name": "X-API-Key",
                        "description": "A key of `api.keys`; or `Authorization: apikey KEY`.",
                    },
                    "token": {"type": "http", "scheme": "bearer", "description": "The client's token."},
                },
            },
        })
    }
}

/// A rule between the fields of a request: the name of its schema, a keyword and its value.
type Rule = (&'static str, &'static str, fn() -> Value);

/// The rules that types do not tell.
const RULES: &[Rule] = &[
    ("Publish", "oneOf", one_payload),
    ("Broadcast", "oneOf", one_payload),
    ("Subscribe", "anyOf", || json!([some_user(), some("client")])),
    ("Unsubscribe", "anyOf", || json!([some_user(), some("client")])),
    ("Disconnect", "anyOf", || json!([some_user(), some("client"), some("channel")])),
    ("Revoke", "oneOf", tokens),
];

/// A text is in this field.
fn some(field: &str) -> Value {
    json!({"required": [field], "properties": {field: {"type": "string"}}})
}

/// A user that is not empty.
fn some_user() -> Value {
    json!({"required": ["user"], "properties": {"user": {"type": "string", "minLength": 1}}})
}

/// The tokens of a user, or one token.
fn tokens() -> Value {
    let absent = json!({"type": "null"});
    let text = json!({"type": "string"});
    json!([
        {"required": ["user"], "properties": {"user": text, "jti": absent}},
        {"required": ["jti"], "properties": {"jti": text, "user": absent, "issued_until": absent}},
    ])
}

/// A message has `data` or `b64data`.
fn one_payload() -> Value {
    json!([
        {"required": ["data"], "properties": {"b64data": {"type": "null"}}},
        {"required": ["b64data"], "properties": {"b64data": {"type": "string"}, "data": false}},
    ])
}

/// A parameter of a query, or a header.
pub(super) fn parameter(name: &str, place: &str, description: &str, form: &Value) -> Value {
    json!({"name": name, "in": place, "description": description, "schema": form})
}

/// The channel of a call for clients, in a query or in a path.
pub(super) fn channel(place: &str) -> Value {
    json!({
        "name": "channel", "in": place, "required": true, "description": "The channel.",
        "schema": channel_name(),
    })
}

/// The form of a channel's name.
pub(super) fn channel_name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": Channel::MAX_BYTES, "pattern": schema::VISIBLE})
}

/// The body of a call that was carried out.
pub(super) fn result_of(result: &Value) -> Value {
    json!({"type": "object", "required": ["result"], "properties": {"result": result}})
}

/// The answers: the result, and an error for each status of these reasons.
pub(super) fn responses<'a>(result: &Value, reasons: impl IntoIterator<Item = &'a ApiReason>) -> Value {
    let mut responses = json!({"200": {
        "description": "It was carried out.",
        "content": {"application/json": {"schema": result}},
    }});
    let failed = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Failed"}}});
    let mut words: Vec<(u16, &str)> =
        reasons.into_iter().map(|reason| (status(*reason).as_u16(), reason.name())).collect();
    words.sort_unstable();
    for (status, word) in words {
        let response = responses
            .as_object_mut()
            .map(|responses| responses.entry(status.to_string()))
            .map(|entry| entry.or_insert_with(|| json!({"description": "", "content": failed.clone()})));
        if let Some(response) = response {
            let before = response["description"].as_str().unwrap_or_default();
            let gap = if before.is_empty() { "" } else { ", " };
            response["description"] = format!("{before}{gap}`{word}`").into();
        }
    }
    responses
}
