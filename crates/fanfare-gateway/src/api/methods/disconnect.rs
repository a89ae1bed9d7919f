//! `POST /api/disconnect`: ends connections, wherever they are.

use fanfare_core::Channel;
use fanfare_hub::calls::call;
use serde::Deserialize;
use utoipa::ToSchema;

use super::clients::{self, Clients, Named};
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
pub(crate) const ENDPOINT: Endpoint = endpoint::<Disconnect>(&["/api/disconnect"]);

/// The close code without another: it tells a client of the Centrifugo protocol not to connect again.
const CODE: u16 = 3503;
/// The codes that an application may use (RFC 6455 §7.4.2).
const CODES: std::ops::RangeInclusive<u64> = 3000..=4999;
/// The longest reason, in bytes (RFC 6455 §5.5.1).
const LONGEST_REASON: usize = 123;

/// Ends the connections of a client, of a user, or of all subscribers of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnect {
    /// The user whose connections end.
    user: Option<String>,
    /// The client whose connection ends.
    #[schema(schema_with = schema::client)]
    client: Option<String>,
    /// The session that the connect of the client answered, in the place of `client`: of a client over HTTP.
    session: Option<String>,
    /// The channel whose subscribers are meant; with `user` or `client`, only if it is subscribed.
    #[schema(schema_with = schema::optional_channel)]
    channel: Option<String>,
    /// The close code: 3503 by default.
    #[serde(default, deserialize_with = "number::optional")]
    #[schema(minimum = 3000, maximum = 4999)]
    code: Option<u64>,
    /// The sentence of the close frame: at most 123 bytes.
    #[schema(max_length = 123)]
    reason: Option<String>,
    #[serde(default)]
    #[schema(ignore)]
    disconnect: Option<Frame>,
    /// Clients that stay.
    #[schema(schema_with = schema::clients)]
    whitelist: Option<Vec<String>>,
    #[serde(default)]
    #[schema(ignore)]
    all_users: Unsupported,
}

/// Code and reason as libraries for Centrifugo send them. Without a meaning they are 0 and empty.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    #[serde(default, deserialize_with = "number::optional")]
    code: Option<u64>,
    reason: Option<String>,
}

impl Method for Disconnect {
    const NAME: &'static str = "disconnect";
    const SUMMARY: &'static str = "Ends connections";
    const TAKES: &'static str = "{\"user\", \"client\", \"session\" or \"channel\"}, and if wanted {\"whitelist\", \"code\", \"reason\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::OutcomeUnknown];
    type Result = Clients;

    fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    async fn call(self, call: &Call<'_>) -> Result<Clients, ApiError> {
        unsupported::refuse([("all_users", &self.all_users)])?;
        let except = self.whitelist.unwrap_or_default();
        except.iter().try_for_each(|client| clients::node_of("whitelist", Some(client)).map(drop))?;
        self.channel.as_deref().map(Channel::new).transpose()?;
        let frame = self.disconnect.unwrap_or_default();
        let code = self.code.or(frame.code.filter(|code| *code != 0)).unwrap_or(CODE.into());
        let Some(code) = u16::try_from(code).ok().filter(|_| CODES.contains(&code)) else {
            return Err(ApiError::Field(format!("code is {code}, and must be 3000 to 4999")));
        };
        let reason = self.reason.or(frame.reason.filter(|reason| !reason.is_empty()));
        let reason = reason.unwrap_or_else(|| "force disconnect".to_owned());
        if reason.len() > LONGEST_REASON {
            let found = reason.len();
            return Err(ApiError::Field(format!("reason has {found} bytes, and may have {LONGEST_REASON}")));
        }
        let Self { client, session, user, channel, .. } = self;
        let of = clients::selection(Named { client, session, user, channel })?;
        let question = call::Call::Disconnect { of: of.clone(), code, reason, except };
        clients::carry_out(call, &of, question).await
    }
}
