//! Health: whether the node is alive, and whether it takes clients.
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | `/healthz` | every shard makes progress | a shard has stalled for [`STALLED_AFTER`]: end the process |
//! | `/readyz` | the broker is up and the node stays | send no new clients |
//!
//! Both answer with JSON that names each check, its state, and the time since when it is in that state. A broker of several
//! partitions is up while one of them is, and the answer says which are not.
//!
//! Invariant: the addresses of servers are told only on listeners that serve `/metrics`, as in `/api/cluster`.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
    routing::any,
};
use fanfare_core::{Broker, Partition, broker::BrokerState};
use fanfare_hub::{Stall, stall::STALLED_AFTER};
use http::{
    HeaderValue, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use humantime::format_rfc3339_millis;
use prometheus::{Encoder, TextEncoder};
use serde::{Deserialize, Serialize};

use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind, only_get},
        refusal::Refusal,
    },
    roles::{Role, Roles},
    servers::Servers,
    state_history::{BrokerSeen, Since},
};

/// Whether the node is alive: under our name for it, and under those that probes use elsewhere.
pub(crate) const ALIVE: Endpoint = Endpoint {
    paths: &["/healthz", "/health", "/livez", "/live"],
    roles: Role::ALL,
    kind: Kind::Probe,
    handler: |_| only_get(healthz),
    elsewhere: None,
};

/// Whether the node takes clients, under the same kinds of names.
pub(crate) const READY: Endpoint = Endpoint {
    paths: &["/readyz", "/ready"],
    handler: |listener| only_get(readyz).layer(Extension(listener.roles)),
    ..ALIVE
};

/// `/metrics`.
pub(crate) const METRICS: Endpoint = Endpoint {
    paths: &["/metrics"],
    roles: &[Role::Metrics],
    kind: Kind::Probe,
    handler: |_| only_get(metrics),
    elsewhere: Some(|| any(no_metrics)),
};

async fn no_metrics(uri: Uri) -> Refusal {
    Refusal::Elsewhere { path: uri.path().into(), key: Role::Metrics.key() }
}

/// The answer of `/healthz` and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether every check is ok: 200, else 503.
    pub ok: bool,
    /// The node's name.
    pub node: String,
    /// The checks.
    pub checks: Vec<Check>,
    /// The partitions of the broker by their names, where there are several. One that is not up fails no check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: `shards`; `broker`, `node`.
    pub name: String,
    /// Whether the check passes.
    pub ok: bool,
    /// The state.
    pub state: String,
    /// Since when the check is in this state, in UTC (RFC 3339).
    pub since: String,
    /// The seconds since then.
    pub seconds: u64,
    /// The address of the server that a broker or its partition is on, or was on last; only on listeners that serve
    /// metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

impl Check {
    fn new(name: &str, ok: bool, state: &str, since: SystemTime) -> Self {
        let seconds = since.elapsed().unwrap_or_default().as_secs();
        let since = format_rfc3339_millis(since).to_string();
        Self { name: name.into(), ok, state: state.into(), since, seconds, server: None }
    }

    fn on(self, server: Option<String>) -> Self {
        Self { server, ..self }
    }
}

fn health(gateway: &Gateway, checks: impl Into<Vec<Check>>, partitions: Vec<Check>) -> Response {
    let checks = checks.into();
    let ok = checks.iter().all(|check| check.ok);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Json(Health { ok, node: gateway.cluster.name().to_owned(), checks, partitions });
    (status, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))], body).into_response()
}

/// `GET /healthz`. An answer shows that the process runs; the check is of its shards.
async fn healthz(State(gateway): State<Arc<Gateway>>) -> Response {
    health(&gateway, [shards(gateway.hub.stall())], Vec::new())
}

fn shards(found: Stall) -> Check {
    let state = match found.shards {
        0 => "running".to_owned(),
        still => format!("{still} stood still for {} s or longer", STALLED_AFTER.as_secs()),
    };
    Check::new("shards", found.shards == 0, &state, found.since)
}

/// `GET /readyz`.
async fn readyz(State(gateway): State<Arc<Gateway>>, Extension(roles): Extension<Roles>) -> Response {
    let broker = gateway.history.broker(&gateway.hub);
    let servers = Servers::told(&gateway, roles);
    let node = match gateway.left_at() {
        Some(since) => Check::new("node", false, "draining", since),
        None => Check::new("node", true, "serving", gateway.history.started()),
    };
    let (worst, since) = broker.worst;
    let check = match broker.is_ready {
        // It does not say since when it is away, but since when the node is ready although it is.
        (true, since) if worst != BrokerState::Up => Check::new("broker", true, "partly up", since),
        (is_ready, _) => Check::new("broker", is_ready, worst.name(), since),
    };
    health(&gateway, [check.on(servers.only()), node], partitions(&**gateway.hub.broker(), &broker, servers))
}

fn partitions(broker: &dyn Broker, seen: &BrokerSeen, servers: Servers<'_>) -> Vec<Check> {
    let check = |(at, (state, since)): (u16, &Since<BrokerState>)| {
        let partition = Partition(at);
        let name = broker.partition_name(partition)?;
        let check = Check::new(name, *state == BrokerState::Up, state.name(), *since);
        Some(check.on(servers.of(partition)))
    };
    (0..).zip(&seen.partitions).filter_map(check).collect()
}

/// `GET /metrics`, in Prometheus' text format.
async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    let encoder = TextEncoder::new();
    let mut body = Vec::new();
    match encoder.encode(&gateway.registry.gather(), &mut body) {
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stalled_shard_is_not_ok() {
        let since = SystemTime::now() - Duration::from_secs(90);
        let well = shards(Stall { shards: 0, longest: Duration::from_secs(29), since });
        assert!(well.ok && well.state == "running", "{well:?}");
        let still = shards(Stall { shards: 2, longest: Duration::from_secs(31), since });
        assert!(!still.ok && still.state == "2 stood still for 30 s or longer", "{still:?}");
        assert!(still.seconds >= 90 && still.since.ends_with('Z'), "{still:?}");
    }
}
