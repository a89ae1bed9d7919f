//! `POST /api/batch`: several calls in one request.
//!
//! Invariant: a body with a wrong command does nothing. Otherwise each command is carried out, also behind one that
//! failed, and the replies are in the order of the commands.

use fanfare_core::Limits;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    broadcast::{Broadcast, Broadcasted},
    channels::{Channels, Found},
    clients::Clients,
    connections::{Connections, Page},
    disconnect::Disconnect,
    history::History,
    history_remove::{HistoryRemove, Nothing},
    info::{Info, Nodes},
    items::told,
    message::Published,
    presence::Presence,
    presence_stats::{PresenceStats, Size},
    publish::Publish,
    refresh::Refresh,
    revoke::{Revoke, Revoked},
    subscribe::{Subscribe, Unsubscribe},
};
use crate::{
    api::{
        body,
        call::{Call, Method, endpoint},
        error::{ApiError, ErrorBody},
        present::Present,
        reading::Told,
    },
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Batch>(&["/api/batch"]);

/// The most commands.
const MOST: usize = 1000;

/// The largest body, in those of one publish.
const PUBLISHES: usize = 16;

/// Several calls.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// The calls: 1 to 1,000, each an object with the name of its method.
    #[schema(min_items = 1, max_items = 1000)]
    commands: Vec<Command>,
    /// Whether they are carried out at the same time. Otherwise each begins after the one before has its reply.
    #[serde(default)]
    parallel: bool,
}

/// The replies, in the order of the commands.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchResult)]
pub(crate) struct Replies {
    replies: Vec<Reply>,
}

/// Declares the commands of a batch: variants by the names of their methods.
macro_rules! commands {
    ($($variant:ident($result:ty)),+ $(,)?) => {
        /// A call in a batch.
        #[derive(Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Command {
            $(
                /// A call of this method.
                $variant($variant),
            )+
        }

        /// The reply to a command.
        #[derive(Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Reply {
            $(
                /// The result of this method.
                $variant($result),
            )+
            /// The command was not carried out.
            Error(ErrorBody),
        }

        impl Command {
            async fn carry_out(self, call: &Call<'_>) -> Result<Reply, ApiError> {
                match self {
                    $(Self::$variant(method) => method.call(call).await.map(Reply::$variant),)+
                }
            }
        }
    };
}

commands! {
    Publish(Published),
    Broadcast(Broadcasted),
    History(Told),
    HistoryRemove(Nothing),
    Presence(Present),
    PresenceStats(Size),
    Connections(Page),
    Channels(Found),
    Subscribe(Clients),
    Unsubscribe(Clients),
    Disconnect(Clients),
    Refresh(Clients),
    Revoke(Revoked),
    Info(Nodes),
}

impl Command {
    async fn reply(self, call: &Call<'_>) -> Reply {
        self.carry_out(call).await.unwrap_or_else(|error| Reply::Error(told(&error, call.gateway)))
    }
}

impl Method for Batch {
    const NAME: &'static str = "batch";
    const SUMMARY: &'static str = "Several calls in one request";
    const TAKES: &'static str = "{\"commands\": [{METHOD: BODY}, …], and if wanted \"parallel\"}";
    // As Centrifugo answers.
    const IS_BARE: bool = true;
    type Result = Replies;

    fn body_limit(limits: &Limits) -> usize {
        PUBLISHES * body::of_a_publish(limits)
    }

    async fn call(self, call: &Call<'_>) -> Result<Replies, ApiError> {
        if self.commands.is_empty() || self.commands.len() > MOST {
            let found = self.commands.len();
            return Err(ApiError::Field(format!("there are {found} commands, and must be 1 to {MOST}")));
        }
        if call.idempotency_key.is_some() {
            return Err(ApiError::Field(
                "X-Idempotency-Key is for one publish: send idempotency_key in the commands".into(),
            ));
        }
        let mut replies = Vec::new();
        if self.parallel {
            replies = join_all(self.commands.into_iter().map(|command| command.reply(call))).await;
        } else {
            for command in self.commands {
                replies.push(command.reply(call).await);
            }
        }
        Ok(Replies { replies })
    }
}
