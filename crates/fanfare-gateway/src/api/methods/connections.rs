//! `POST /api/connections`: connections of all nodes, in pages.

use fanfare_core::Channel;
use fanfare_hub::calls::{
    call::{self, Answer, Selection},
    gather::Gathered,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clients;
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        number, schema,
    },
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Connections>(&["/api/connections"]);

/// The most connections of a page.
const MOST: u64 = 1000;

/// Connections of some clients.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connections {
    /// The user of their tokens; absent for whichever.
    user: Option<String>,
    /// A channel to which they are subscribed; absent for whichever.
    #[schema(schema_with = schema::optional_channel)]
    channel: Option<String>,
    /// The `next` of the page before; absent for the first page.
    #[schema(schema_with = schema::client)]
    after: Option<String>,
    /// The most connections of the page: 100 by default.
    #[serde(default, deserialize_with = "number::optional")]
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// A page of connections.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionsResult)]
pub(crate) struct Page {
    /// The connections, ordered by client.
    connections: Vec<Connection>,
    /// To be sent as `after`, where there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The nodes that did not answer: their connections are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent_nodes: Vec<String>,
}

/// A connection.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Connection {
    /// The client.
    client: String,
    /// The user of its token; empty without one.
    user: String,
    /// The run of its node, as in `info`.
    node: String,
    /// The address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The seconds since it connected.
    seconds: u64,
    /// Its protocol.
    dialect: String,
    /// Its channels.
    channels: Vec<String>,
}

impl Connection {
    fn of(node: fanfare_core::Incarnation, found: call::Connection) -> Self {
        let call::Connection { client, user, address, seconds, dialect, channels } = found;
        let user = user.unwrap_or_default();
        Self { client, user, node: node.to_string(), address, seconds, dialect, channels }
    }
}

/// Puts the answers of nodes together. Clients are ordered by node first, so a node that has more ends the page.
fn page(gathered: Gathered, limit: usize) -> Page {
    let (mut connections, mut has_more) = (Vec::new(), false);
    for (node, answer) in gathered.answers {
        let Answer::Connections { connections: found, more } = answer else { continue };
        if has_more || connections.len() == limit {
            has_more |= !found.is_empty();
            break;
        }
        let room = limit - connections.len();
        has_more = more || found.len() > room;
        connections.extend(found.into_iter().take(room).map(|found| Connection::of(node, found)));
    }
    let last = connections.last().map(|last| last.client.clone());
    Page { connections, next: last.filter(|_| has_more), silent_nodes: gathered.silent }
}

impl Method for Connections {
    const NAME: &'static str = "connections";
    const SUMMARY: &'static str = "The connections of all nodes, in pages";
    const TAKES: &'static str = "{}, if wanted with \"user\", \"channel\", \"after\", \"limit\"";
    type Result = Page;

    async fn call(self, call: &Call<'_>) -> Result<Page, ApiError> {
        let limit = self.limit.unwrap_or(100);
        if !(1..=MOST).contains(&limit) {
            return Err(ApiError::Field(format!("limit is {limit}, and must be 1 to {MOST}")));
        }
        clients::node_of("after", self.after.as_deref())?;
        self.channel.as_deref().map(Channel::new).transpose()?;
        let limit = limit as usize;
        let of = Selection { user: self.user, channel: self.channel, ..Selection::default() };
        let question = call::Call::Connections { of: of.clone(), after: self.after, limit };
        Ok(page(clients::ask(call, &of, question).await?, limit))
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::Incarnation;

    use super::*;

    fn node(number: u64, clients: &[&str], more: bool) -> (Incarnation, Answer) {
        let connection = |client: &&str| call::Connection {
            client: (*client).to_owned(),
            user: None,
            address: None,
            seconds: 0,
            dialect: "relay".to_owned(),
            channels: Vec::new(),
        };
        let connections = clients.iter().map(connection).collect();
        (Incarnation(number), Answer::Connections { connections, more })
    }

    #[track_caller]
    fn says(answers: Vec<(Incarnation, Answer)>, clients: &[&str], next: Option<&str>) {
        let page = page(Gathered { answers, silent: Vec::new() }, 2);
        let found: Vec<_> = page.connections.iter().map(|connection| &connection.client[..]).collect();
        assert_eq!((&found[..], page.next.as_deref()), (clients, next));
    }

    #[test]
    fn a_page_ends_where_a_node_has_more() {
        says(vec![node(1, &["a"], false), node(2, &["b"], false)], &["a", "b"], None);
        says(vec![node(1, &["a"], true), node(2, &["b"], false)], &["a"], Some("a"));
        says(vec![node(1, &["a", "b"], false), node(2, &["c"], false)], &["a", "b"], Some("b"));
        says(vec![node(1, &["a", "b"], false), node(2, &[], false)], &["a", "b"], None);
        says(vec![node(1, &["a"], false), node(2, &["b", "c"], false)], &["a", "b"], Some("b"));
        says(vec![node(1, &[], false)], &[], None);
    }
}
