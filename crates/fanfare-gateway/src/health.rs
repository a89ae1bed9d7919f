//! Is it alive, does it take clients, what does it count.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use fanfare_core::broker::BrokerState;
use http::{StatusCode, header::CONTENT_TYPE};
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;

use crate::gateway::Gateway;

/// What `/readyz` says.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    broker: &'static str,
    leaving: bool,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 where new clients are welcome, else 503, with each check's state.
pub(crate) async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response {
    let state = gateway.hub.broker().state();
    let leaving = gateway.is_leaving();
    let ready = state == BrokerState::Up && !leaving;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, broker: state.name(), leaving })).into_response()
}

/// `GET /metrics`, in Prometheus' text format.
pub(crate) async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    let encoder = TextEncoder::new();
    let mut body = Vec::new();
    match encoder.encode(&gateway.metrics.gather(), &mut body) {
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
