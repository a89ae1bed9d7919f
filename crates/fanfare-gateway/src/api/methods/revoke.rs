//! `POST /api/revoke`: refuses tokens that have not expired, on all nodes, and ends their connections.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::{Revocation, revocation::Tokens};
use fanfare_hub::calls::{
    call::{self, Answer},
    gather::Gathered,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        number,
    },
    http::endpoint::Endpoint,
    metrics::ApiReason,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Revoke>(&["/api/revoke"]);

/// The longest user or token id, in bytes: that of a token.
const LONGEST: usize = 255;

/// Tokens of a user, or one token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    /// The user (`sub`) whose tokens are revoked.
    user: Option<String>,
    /// The id (`jti`) of the token that is revoked.
    jti: Option<String>,
    /// For a user: tokens that were issued (`iat`) up to this time are revoked, in seconds since 1970; now by default.
    #[serde(default, deserialize_with = "number::optional")]
    issued_until: Option<u64>,
    /// When the last of these tokens expires, in seconds since 1970: in 366 days by default and at most.
    #[serde(default, deserialize_with = "number::optional")]
    expires_at: Option<u64>,
}

/// The tokens are refused from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevokeResult)]
pub(crate) struct Revoked {
    /// The number of connections that were ended.
    num_clients: u64,
    /// The nodes that did not answer: they refuse the tokens within 30 seconds after they reach the broker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent_nodes: Vec<String>,
}

impl Revoke {
    fn revocation(self, now: SystemTime) -> Result<Revocation, ApiError> {
        let wrong = |words: &str| Err(ApiError::Field(words.to_owned()));
        let last = now + Revocation::MAX_TTL;
        let until = self.expires_at.map_or(last, |seconds| at(seconds, last));
        if until <= now {
            return wrong("expires_at is over: there is nothing to revoke");
        }
        let tokens = match (self.user, self.jti) {
            (Some(user), None) if (1..=LONGEST).contains(&user.len()) => Tokens::OfUser {
                user,
                issued_until: self.issued_until.map_or(now, |seconds| at(seconds, last)),
            },
            (None, Some(_)) if self.issued_until.is_some() => {
                return wrong("issued_until is for the tokens of a user: leave it out");
            }
            (None, Some(jti)) if (1..=LONGEST).contains(&jti.len()) => Tokens::WithId(jti),
            (Some(_), Some(_)) => return wrong("user and jti exclude each other"),
            (None, None) => return wrong("the body names no tokens: send user or jti"),
            _ => return wrong("user or jti must have 1 to 255 bytes"),
        };
        Ok(Revocation { tokens, until })
    }
}

/// A time in seconds since 1970, or `last` where that is earlier.
fn at(seconds: u64, last: SystemTime) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map_or(last, |time| time.min(last))
}

impl Method for Revoke {
    const NAME: &'static str = "revoke";
    const SUMMARY: &'static str = "Refuses tokens that have not expired";
    const TAKES: &'static str = "{\"user\" or \"jti\"}, and if wanted {\"issued_until\", \"expires_at\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::Unavailable];
    type Result = Revoked;

    async fn call(self, call: &Call<'_>) -> Result<Revoked, ApiError> {
        let revocation = self.revocation(SystemTime::now())?;
        let mut num_clients = call.gateway.hub.revoked.revoke(&revocation).await?;
        let question = call::Call::Revoked { tokens: (&revocation.tokens).into() };
        let nodes = call.gateway.cluster.nodes();
        let Gathered { answers, silent } = call.gateway.hub.calls.ask(question, &nodes, None).await;
        for (_, answer) in answers {
            if let Answer::Done { clients } = answer {
                num_clients += clients;
            }
        }
        Ok(Revoked { num_clients, silent_nodes: silent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_a_user_or_one() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let read = |body: &str| {
            let revoke: Revoke = serde_json::from_str(body).unwrap();
            revoke.revocation(now).map_err(|error| error.to_string())
        };
        let of_user = |seconds| Tokens::OfUser {
            user: "ann".to_owned(),
            issued_until: UNIX_EPOCH + Duration::from_secs(seconds),
        };
        let last = now + Revocation::MAX_TTL;
        let found = read(r#"{"user":"ann"}"#);
        assert_eq!(found, Ok(Revocation { tokens: of_user(1_000), until: last }));
        let found = read(r#"{"user":"ann","issued_until":7,"expires_at":2000}"#);
        let until = UNIX_EPOCH + Duration::from_secs(2_000);
        assert_eq!(found, Ok(Revocation { tokens: of_user(7), until }));
        let found = read(r#"{"jti":"x","expires_at":9000000000000000000}"#);
        assert_eq!(found, Ok(Revocation { tokens: Tokens::WithId("x".to_owned()), until: last }));
        for (body, words) in [
            ("{}", "send user or jti"),
            (r#"{"user":"a","jti":"b"}"#, "exclude"),
            (r#"{"user":""}"#, "1 to 255"),
            (r#"{"jti":"x","issued_until":1}"#, "leave it out"),
            (r#"{"jti":"x","expires_at":1000}"#, "is over"),
        ] {
            assert!(read(body).unwrap_err().contains(words), "{body}");
        }
    }
}
