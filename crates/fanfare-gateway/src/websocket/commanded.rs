//! The upgrades of a dialect whose clients connect and subscribe by commands, or only listen.
//!
//! A refusal is told by the status of the answer, to browsers too: the clients of such a dialect try again by themselves,
//! and would take a close frame for the end of a connection that they never had.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};
use fanfare_core::Message;
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use super::greeting::{client, finish, greet, headers_for_hooks, switch};
use crate::{
    gateway::{CommandedEndpoint, Encoding, Gateway},
    http::{
        endpoint::{Endpoint, Kind},
        query::{connect_of, parameters},
        refusal::Refusal,
    },
    listener::client_address::Client,
    roles::Role,
    trace,
};

/// `/connection/websocket`.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/connection/websocket"],
    roles: &[Role::Clients],
    kind: Kind::Socket,
    handler: |_| any(upgrade),
    elsewhere: None,
};

/// `/connection/uni_websocket`, for clients that only listen. JSON is its only encoding.
pub(crate) const UNIDIRECTIONAL: Endpoint =
    Endpoint { paths: &["/connection/uni_websocket"], handler: |_| any(unidirectional_upgrade), ..ENDPOINT };

/// The parameter of the query by which a client asks for the WebSocket's own pings, in the place of the dialect's.
const OWN_PINGS: (&str, &str) = ("cf_ws_frame_ping_pong", "true");

/// The parameters of the query that name an encoding, for clients that cannot offer a subprotocol.
const FORMATS: [&str; 2] = ["format", "cf_protocol"];

async fn upgrade(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refusal> {
    traced(&gateway, request, async |client, request| accept(&gateway, client, request).await).await
}

async fn unidirectional_upgrade(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Response, Refusal> {
    traced(&gateway, request, async |client, request| accept_listener(&gateway, client, request).await).await
}

async fn traced(
    gateway: &Gateway,
    mut request: Request,
    accept: impl AsyncFnOnce(Client, &mut Request) -> Result<Response, Refusal>,
) -> Result<Response, Refusal> {
    let client = client(&request);
    let span = trace::handshake(&gateway.hub, &request, client);
    let answer = accept(client, &mut request).await;
    finish(span, &answer);
    answer
}

async fn accept(gateway: &Gateway, client: Client, request: &mut Request) -> Result<Response, Refusal> {
    let mut greeted = greet(gateway, client, request).await?;
    let config = greeted.config.clone();
    greeted.headers = headers_for_hooks(&config.hook_headers, request.headers());
    let query = request.uri().query();
    let (encoding, offered) = choose(&config.commanded, request.headers(), query);
    let kind = if wants_own_pings(query) { &encoding.with_own_pings } else { &encoding.kind };
    let (pending, mut accepted) = greeted.open(gateway, kind)?;
    accepted.protocol = offered.or(accepted.protocol);
    switch(pending, &accepted, (encoding.decoder)(), request)
}

async fn accept_listener(
    gateway: &Gateway,
    client: Client,
    request: &mut Request,
) -> Result<Response, Refusal> {
    let mut greeted = greet(gateway, client, request).await?;
    let config = greeted.config.clone();
    greeted.headers = headers_for_hooks(&config.hook_headers, request.headers());
    let endpoint = &config.unidirectional;
    let (mut pending, accepted) = greeted.open(gateway, &endpoint.websocket)?;
    pending.first = connect_of(request.uri().query()).map(Message::Text);
    switch(pending, &accepted, (endpoint.decoder)(), request)
}

fn wants_own_pings(query: Option<&str>) -> bool {
    parameters(query).any(|(name, value)| (&*name, &*value) == OWN_PINGS)
}

/// The encoding that a client asks for, and its subprotocol if the client offers that. The first subprotocol counts
/// before the query.
fn choose<'e>(
    endpoint: &'e CommandedEndpoint,
    headers: &HeaderMap,
    query: Option<&str>,
) -> (&'e Encoding, Option<HeaderValue>) {
    let encodings = || [&endpoint.usual].into_iter().chain(&endpoint.others);
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offers| offers.to_str().ok());
    let mut offers = offers.flat_map(|offers| offers.split(',')).map(str::trim);
    let offered = offers.find_map(|offer| encodings().find(|encoding| encoding.subprotocol == offer));
    if let Some(encoding) = offered {
        return (encoding, Some(HeaderValue::from_static(encoding.subprotocol)));
    }
    let mut formats = parameters(query).filter(|(name, _)| FORMATS.contains(&name.as_str()));
    let named = formats.find_map(|(_, format)| encodings().find(|encoding| encoding.format == format));
    (named.unwrap_or(&endpoint.usual), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::encoding;

    #[test]
    fn a_client_chooses_its_encoding() {
        let endpoint = CommandedEndpoint {
            usual: encoding(["x-text", "text"]),
            others: vec![encoding(["x-binary", "binary"])],
        };
        let table = [
            (&[][..], None, "text", None),
            (&[], Some("format=binary"), "binary", None),
            (&[], Some("a=1&cf_protocol=binary"), "binary", None),
            (&[], Some("format=other&token=x"), "text", None),
            (&["x-binary"], None, "binary", Some("x-binary")),
            (&["chat, x-binary"], None, "binary", Some("x-binary")),
            (&["chat", "x-text,x-binary"], Some("format=binary"), "text", Some("x-text")),
            (&["chat"], None, "text", None),
        ];
        for (offers, query, format, subprotocol) in table {
            let mut headers = HeaderMap::new();
            for offer in offers {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
            }
            let (chosen, offered) = choose(&endpoint, &headers, query);
            let offered = offered.as_ref().map(|offered| offered.to_str().unwrap());
            assert_eq!((chosen.format, offered), (format, subprotocol), "{offers:?} {query:?}");
        }
    }
}
