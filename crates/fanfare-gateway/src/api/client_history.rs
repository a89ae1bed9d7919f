//! `GET /api/history?channel=…` for clients: messages that a channel keeps, by the rights of its namespace.
//!
//! | parameter | means |
//! |---|---|
//! | `channel` | the channel |
//! | `limit` | the most messages |
//! | `since` | `epoch:offset`, the place behind which they begin, or before which with `reverse` |
//! | `reverse` | `true`: the newest come first |
//! | `token` | the client's token, where it is not in a header |

use std::{str::FromStr, sync::Arc};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use fanfare_core::{Channel, Identity, Position};

use super::{
    call::{about, answered},
    error::ApiError,
    reading::{self, Told},
};
use fanfare_hub::Part;

use crate::{
    gateway::Gateway,
    http::query::parameters,
    rights::{IdentityError, identify, may_read_history},
};

/// The handler of GET.
pub(super) fn handler() -> MethodRouter<Arc<Gateway>> {
    get(answer)
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (channel, part) = match asked(request.uri().query()) {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let config = gateway.config();
    let identified = identify(config.auth.as_ref(), &gateway.hub, &request);
    match read(&gateway, &channel, part, identified).await {
        Ok(told) => answered(told),
        Err(error) => about(Some(channel), error),
    }
}

/// The part, for a client with the right.
async fn read(
    gateway: &Gateway,
    channel: &Channel,
    part: Part,
    identified: impl Future<Output = Result<Option<Arc<dyn Identity>>, IdentityError>> + Send,
) -> Result<Told, ApiError> {
    let (hub, identity) = (&gateway.hub, identified.await?);
    let namespaces = hub.settings.namespaces();
    let namespace = namespaces.of(channel);
    may_read_history(namespace, identity.as_ref(), channel)?;
    namespace.retention.ok_or(ApiError::NoHistory)?;
    reading::read(&*hub.history, channel, part, hub.settings.message_bytes()).await
}

/// The channel and the part of a query.
fn asked(query: Option<&str>) -> Result<(Channel, Part), ApiError> {
    let (mut channel, mut limit, mut since, mut reverse) = (None, None, None, None);
    for (name, value) in parameters(query) {
        let is_new = match &*name {
            "channel" => channel.replace(value).is_none(),
            "limit" => limit.replace(parsed(&name, &value, "a number")?).is_none(),
            "since" => since.replace(parsed::<Position>(&name, &value, "epoch:offset")?).is_none(),
            "reverse" => reverse.replace(parsed(&name, &value, "true or false")?).is_none(),
            "token" => true,
            _ => {
                let known = "channel, limit, since, reverse and token";
                return Err(ApiError::Field(format!(
                    "there is a parameter other than {known}: leave it out"
                )));
            }
        };
        if !is_new {
            return Err(ApiError::Field(format!("{name} was sent more than once")));
        }
    }
    let channel = channel.ok_or_else(|| ApiError::Field("the parameter channel is missing".into()))?;
    let since = since.map(|position| (position.offset, Some(position.epoch)));
    Ok((Channel::new(&channel)?, reading::part(limit, since, reverse.unwrap_or(false))?))
}

fn parsed<T: FromStr>(name: &str, value: &str, form: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| ApiError::Field(format!("{name} is not {form}")))
}

#[cfg(test)]
mod tests {
    use fanfare_core::Epoch;

    use super::*;

    #[test]
    fn a_query_names_channel_and_part() {
        let (channel, part) = asked(Some("channel=a%3Ab&token=x")).unwrap();
        assert_eq!((channel.as_str(), part.limit, part.since, part.reverse), ("a:b", 100, None, false));
        let query = "channel=a&limit=7&since=00000000000000ab:9&reverse=true";
        let (_, part) = asked(Some(query)).unwrap();
        assert_eq!((part.limit, part.since, part.reverse), (7, Some((9, Some(Epoch(0xab)))), true));
    }

    #[test]
    fn a_wrong_query_gets_its_reason() {
        for (query, words) in [
            ("", "channel is missing"),
            ("channel=", "must not be empty"),
            ("channel=a&channel=b", "channel was sent more than once"),
            ("channel=a&limit=x", "limit is not a number"),
            ("channel=a&limit=-1", "limit is not a number"),
            ("channel=a&limit=10001", "limit must be 0 to 10000"),
            ("channel=a&since=7", "since is not epoch:offset"),
            ("channel=a&reverse=yes", "reverse is not true or false"),
            ("channel=a&form=1", "other than channel"),
        ] {
            let error = asked(Some(query)).unwrap_err().to_string();
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
