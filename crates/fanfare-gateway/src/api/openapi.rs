//! `GET /api/openapi.json`: the API in OpenAPI 3.1, made from the types of requests and results.

use std::sync::{Arc, LazyLock};

use axum::{
    response::{IntoResponse, Response},
    routing::get,
};
use fanfare_core::Channel;
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    call::Method,
    cluster::View,
    error::{ApiError, ErrorBody, status},
    methods::METHODS,
    reading::{self, Told},
    schema,
};
use crate::{
    gateway::Gateway,
    http::endpoint::{Endpoint, Kind},
    metrics::ApiReason,
    roles::Role,
};

/// The endpoint. It needs no key.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/openapi.json"],
    roles: &[Role::Clients, Role::Api],
    kind: Kind::Api,
    handler: |_| get::<_, _, Arc<Gateway>>(answer).fallback(async || ApiError::WrongMethod),
    elsewhere: None,
};

async fn answer() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], TEXT.as_str()).into_response()
}

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
        let mut operation = json!({
            "operationId": M::NAME,
            "summary": M::SUMMARY,
            "security": [{"key": []}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": request}}},
            "responses": responses(&result_of(&result), OF_CALLS.iter().chain(M::REASONS)),
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
    fn schema<T: ToSchema>(&mut self) -> Value {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }

    fn add(&mut self, path: &str, method: &str, operation: Value) {
        let operations = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert(method.to_owned(), operation);
        }
    }

    /// `GET /api/history`, for clients.
    fn client_history(&mut self) {
        let result = self.schema::<Told>();
        let channel = json!({"type": "string", "minLength": 1, "maxLength": Channel::MAX_BYTES,
            "pattern": schema::VISIBLE});
        let limit =
            json!({"type": "integer", "minimum": 0, "maximum": reading::MOST, "default": reading::USUAL});
        let since = json!({"type": "string", "pattern": "^[0-9a-fA-F]{16}:[0-9]{1,19}$"});
        let mut channel = parameter("channel", "query", "The channel.", &channel);
        channel["required"] = true.into();
        let reasons = [
            ApiReason::BadRequest,
            ApiReason::Unauthorized,
            ApiReason::PermissionDenied,
            ApiReason::Elsewhere,
            ApiReason::WrongMethod,
            ApiReason::UnrecoverablePosition,
            ApiReason::Unavailable,
        ];
        let operation = json!({
            "operationId": "client_history",
            "summary": "Messages that a channel keeps, for a client by its token",
            "security": [{}, {"token": []}],
            "parameters": [
                channel,
                parameter("limit", "query", "The most messages; 0 for the position only.", &limit),
                parameter("since", "query", "`epoch:offset`, the place behind which they begin.", &since),
                parameter("reverse", "query", "Whether the newest come first.", &json!({"type": "boolean"})),
            ],
            "responses": responses(&result_of(&result), &reasons),
        });
        self.add("/api/history", "get", operation);
    }

    /// `GET /api/cluster`, and this document.
    fn for_everybody(&mut self) {
        let cluster = self.schema::<View>();
        let reasons = [ApiReason::OriginNotAllowed, ApiReason::WrongMethod, ApiReason::Leaving];
        let described = |name: &str, summary: &str, result: &Value| json!({"operationId": name, "summary": summary, "security": [], "responses": responses(result, &reasons)});
        self.add(
            "/api/cluster",
            "get",
            described("cluster", "The nodes, for the page and `fanfare top`", &cluster),
        );
        let any = json!({"type": "object"});
        self.add("/api/openapi.json", "get", described("openapi", "This document", &any));
    }

    fn finish(mut self) -> Value {
        let error = self.schema::<ErrorBody>();
        let mut schemas: Map<String, Value> = Map::new();
        for (name, schema) in self.schemas {
            schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        for name in ["Publish", "Broadcast"] {
            if let Some(message) = schemas.get_mut(name).and_then(Value::as_object_mut) {
                message.insert("oneOf".into(), one_payload());
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

/// A message has `data` or `b64data`.
fn one_payload() -> Value {
    json!([
        {"required": ["data"], "properties": {"b64data": {"type": "null"}}},
        {"required": ["b64data"], "properties": {"b64data": {"type": "string"}, "data": false}},
    ])
}

fn parameter(name: &str, place: &str, description: &str, form: &Value) -> Value {
    json!({"name": name, "in": place, "description": description, "schema": form})
}

/// The body of a call that was carried out.
fn result_of(result: &Value) -> Value {
    json!({"type": "object", "required": ["result"], "properties": {"result": result}})
}

/// The answers: the result, and an error for each status of these reasons.
fn responses<'a>(result: &Value, reasons: impl IntoIterator<Item = &'a ApiReason>) -> Value {
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

/// The document.
fn document() -> Value {
    let mut document = Document::default();
    METHODS.iter().for_each(|method| (method.describe)(&mut document));
    document.client_history();
    document.for_everybody();
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_not_changed() {
        insta::assert_snapshot!("openapi", format!("{:#}", document()));
    }

    #[test]
    fn every_reference_is_resolved() {
        let document = document();
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        // The paths of the document are those of the API.
        for path in METHODS.iter().flat_map(|method| method.endpoint.paths) {
            assert!(document["paths"][*path]["post"].is_object(), "{path}");
        }
    }
}
