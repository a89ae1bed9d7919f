//! `GET /api/openapi.json`: the API in OpenAPI 3.1, made from the types of requests and results.

use std::sync::{Arc, LazyLock};

use axum::{
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    cluster::View,
    document::{Document, channel, parameter, responses, result_of},
    error::ApiError,
    methods::{METHODS, message::Published},
    present::Present,
    reading::{self, Told},
    streams,
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

/// `GET /api/history`, for clients.
fn client_history(document: &mut Document) {
    let result = document.schema::<Told>();
    let limit = json!({"type": "integer", "minimum": 0, "maximum": reading::MOST, "default": reading::USUAL});
    let since = json!({"type": "string", "pattern": "^[0-9a-fA-F]{16}:[0-9]{1,19}$"});
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
            channel("query"),
            parameter("limit", "query", "The most messages; 0 for the position only.", &limit),
            parameter("since", "query", "`epoch:offset`, the place behind which they begin.", &since),
            parameter("reverse", "query", "Whether the newest come first.", &json!({"type": "boolean"})),
        ],
        "responses": responses(&result_of(&result), &reasons),
    });
    document.add("/api/history", "get", operation);
}

/// `GET /api/presence`, for clients.
fn client_presence(document: &mut Document) {
    let result = document.schema::<Present>();
    let reasons = [
        ApiReason::BadRequest,
        ApiReason::NotAvailable,
        ApiReason::Unauthorized,
        ApiReason::PermissionDenied,
        ApiReason::Elsewhere,
        ApiReason::WrongMethod,
        ApiReason::Unavailable,
    ];
    let operation = json!({
        "operationId": "client_presence",
        "summary": "The clients in a channel, for a client by its token",
        "security": [{}, {"token": []}],
        "parameters": [channel("query")],
        "responses": responses(&result_of(&result), &reasons),
    });
    document.add("/api/presence", "get", operation);
}

/// `POST /publish/{channel}`, for clients.
fn client_publish(document: &mut Document) {
    let result = document.schema::<Published>();
    let reasons = [
        ApiReason::BadRequest,
        ApiReason::Unauthorized,
        ApiReason::PermissionDenied,
        ApiReason::OriginNotAllowed,
        ApiReason::WrongMethod,
        ApiReason::TooSlow,
        ApiReason::TooLarge,
        ApiReason::UnsupportedEncoding,
        ApiReason::TooMany,
        ApiReason::Refused,
        ApiReason::Forbidden,
        ApiReason::OutcomeUnknown,
        ApiReason::Leaving,
    ];
    let operation = json!({
        "operationId": "client_publish",
        "summary": "Publishes a message in a channel, for a client by its token",
        "security": [{}, {"token": []}],
        "parameters": [channel("path")],
        "requestBody": {"required": true, "content": {
            "application/json": {"schema": {}},
            "text/plain": {"schema": {"type": "string"}},
            "application/octet-stream": {"schema": {}},
        }},
        "responses": responses(&result, &reasons),
    });
    document.add("/publish/{channel}", "post", operation);
}

/// `GET /api/cluster`, and this document.
fn for_everybody(document: &mut Document) {
    let cluster = document.schema::<View>();
    let reasons = [ApiReason::OriginNotAllowed, ApiReason::WrongMethod, ApiReason::Leaving];
    let described = |name: &str, summary: &str, result: &Value| json!({"operationId": name, "summary": summary, "security": [], "responses": responses(result, &reasons)});
    document.add(
        "/api/cluster",
        "get",
        described("cluster", "The nodes, for the page and `fanfare top`", &cluster),
    );
    let any = json!({"type": "object"});
    document.add("/api/openapi.json", "get", described("openapi", "This document", &any));
}

/// The document.
fn document() -> Value {
    let mut document = Document::default();
    METHODS.iter().for_each(|method| (method.describe)(&mut document));
    client_history(&mut document);
    client_presence(&mut document);
    client_publish(&mut document);
    streams::describe(&mut document);
    for_everybody(&mut document);
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
