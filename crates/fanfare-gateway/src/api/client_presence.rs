//! `GET /api/presence?channel=…` for clients: the clients in a channel, by the rights of its namespace.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use fanfare_core::{Channel, Identity};

use super::{
    call::{about, answered},
    error::ApiError,
    present::{self, Present},
};
use crate::{
    gateway::Gateway,
    http::query::parameters,
    rights::{IdentityError, identify, may_see_presence},
};

/// The handler of GET.
pub(super) fn handler() -> MethodRouter<Arc<Gateway>> {
    get(answer)
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let channel = match asked(request.uri().query()) {
        Ok(channel) => channel,
        Err(error) => return error.into_response(),
    };
    let config = gateway.config();
    let identified = identify(config.auth.as_ref(), &gateway.hub, &request);
    match read(&gateway, &channel, identified).await {
        Ok(present) => answered(present),
        Err(error) => about(Some(channel), error),
    }
}

/// The clients, for a client with the right.
async fn read(
    gateway: &Gateway,
    channel: &Channel,
    identified: impl Future<Output = Result<Option<Arc<dyn Identity>>, IdentityError>> + Send,
) -> Result<Present, ApiError> {
    let identity = identified.await?;
    may_see_presence(gateway.hub.settings.namespaces().of(channel), identity.as_ref(), channel)?;
    present::read(gateway, channel).await
}

/// The channel of a query.
fn asked(query: Option<&str>) -> Result<Channel, ApiError> {
    let mut channel = None;
    for (name, value) in parameters(query) {
        match &*name {
            "channel" if channel.is_some() => {
                return Err(ApiError::Field("channel was sent more than once".into()));
            }
            "channel" => channel = Some(value),
            "token" => {}
            _ => {
                let sentence = "there is a parameter other than channel and token: leave it out";
                return Err(ApiError::Field(sentence.into()));
            }
        }
    }
    let channel = channel.ok_or_else(|| ApiError::Field("the parameter channel is missing".into()))?;
    Ok(Channel::new(&channel)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_channel() {
        let found =
            |query| asked(Some(query)).map(|channel| channel.to_string()).map_err(|error| error.to_string());
        assert_eq!(found("channel=a%3Ab&token=x"), Ok("a:b".to_owned()));
        for (query, words) in [
            ("", "is missing"),
            ("channel=", "must not be empty"),
            ("channel=a&channel=b", "more than once"),
            ("channel=a&limit=1", "other than channel"),
        ] {
            assert!(found(query).unwrap_err().contains(words), "{query}");
        }
    }
}
