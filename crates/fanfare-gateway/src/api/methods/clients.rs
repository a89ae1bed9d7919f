//! The common parts of calls about clients: the choice of clients, and the answers of nodes.

use fanfare_core::{ClientId, Incarnation};
use fanfare_hub::calls::{
    call::{self, Answer, Selection},
    gather::{Gathered, PATIENCE},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{call::Call, error::ApiError};

/// The clients for which a call was carried out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientsResult)]
pub(crate) struct Clients {
    /// Their number.
    num_clients: u64,
}

/// The fields of a request that name clients.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) client: Option<String>,
    pub(super) session: Option<String>,
    pub(super) user: Option<String>,
    pub(super) channel: Option<String>,
}

/// The node of a client that a field of a request names.
pub(super) fn node_of(field: &str, text: Option<&str>) -> Result<Option<Incarnation>, ApiError> {
    let parsed = text.map(str::parse::<ClientId>).transpose();
    let client = parsed.map_err(|error| ApiError::Field(format!("{field}: {error}")))?;
    Ok(client.map(|client| client.node))
}

/// The clients of a request that has to name some. An empty session means nothing, and beside a client or a session an
/// empty user.
pub(super) fn selection(named: Named) -> Result<Selection, ApiError> {
    let Named { client, session, user, channel } = named;
    let session = session.filter(|session| !session.is_empty());
    let is_one = client.is_some() || session.is_some();
    if !is_one && user.as_deref().is_none_or(str::is_empty) && channel.is_none() {
        let sentence =
            "the body names no clients: send client, session or user; disconnect takes channel too";
        return Err(ApiError::Field(sentence.into()));
    }
    let user = user.filter(|user| !is_one || !user.is_empty());
    Ok(Selection { client, session, user, channel })
}

/// Asks all nodes, or that of a client.
pub(super) async fn ask(call: &Call<'_>, of: &Selection, question: call::Call) -> Result<Gathered, ApiError> {
    let only = node_of("client", of.client.as_deref())?;
    Ok(call.gateway.hub.calls.ask(question, &call.gateway.cluster.nodes(), only).await)
}

/// Carries out a call on all nodes, or on that of a client.
pub(super) async fn carry_out(
    call: &Call<'_>,
    of: &Selection,
    question: call::Call,
) -> Result<Clients, ApiError> {
    let Gathered { answers, silent } = ask(call, of, question).await?;
    let clients = answers.into_iter().map(|(_, answer)| match answer {
        Answer::Done { clients } => clients,
        Answer::Connections { .. } | Answer::Channels { .. } => 0,
    });
    let num_clients = clients.sum();
    if silent.is_empty() {
        Ok(Clients { num_clients })
    } else {
        Err(ApiError::SilentNodes { nodes: silent.join(", "), seconds: PATIENCE.as_secs(), num_clients })
    }
}
