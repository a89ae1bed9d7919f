//! `POST /api/refresh`: how long clients may stay, wherever they are.

use fanfare_hub::calls::call;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    clients::{self, Clients, Named},
    terms,
};
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        number, schema,
        unsupported::{self, Unsupported},
    },
    http::endpoint::Endpoint,
    metrics::ApiReason,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Refresh>(&["/api/refresh"]);

/// Changes when the connections of clients end that showed a token, or that a backend named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    /// The user whose connections are meant.
    user: Option<String>,
    /// The client whose connection is meant.
    #[schema(schema_with = schema::client)]
    client: Option<String>,
    /// The session that the connect of the client answered, in the place of `client`: of a client over HTTP.
    session: Option<String>,
    /// Whether the connections end now, as those whose tokens expired.
    expired: Option<bool>,
    /// When they end, in seconds since 1970; absent or 0: never.
    #[serde(default, deserialize_with = "number::optional")]
    expire_at: Option<u64>,
    /// Information about the clients for others, in the place of that of their tokens: JSON of at most 4096 bytes.
    #[schema(value_type = Option<serde_json::Value>)]
    info: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(ignore)]
    all_users: Unsupported,
}

impl Method for Refresh {
    const NAME: &'static str = "refresh";
    const SUMMARY: &'static str = "Changes when the connections of clients end";
    const TAKES: &'static str =
        "{\"user\", \"client\" or \"session\"}, and if wanted {\"expired\", \"expire_at\", \"info\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::OutcomeUnknown];
    type Result = Clients;

    async fn call(self, call: &Call<'_>) -> Result<Clients, ApiError> {
        let Self { user, client, session, expired, expire_at, info, all_users } = self;
        unsupported::refuse([("all_users", &all_users)])?;
        let info = terms::info(info)?;
        let expires_at = expire_at.filter(|seconds| *seconds > 0);
        let refresh = call::Refresh { is_expired: expired.unwrap_or_default(), expires_at, info };
        let of = clients::selection(Named { client, session, user, channel: None })?;
        clients::carry_out(call, &of, call::Call::Refresh { of: of.clone(), refresh }).await
    }
}
