//! The answers to the requests of one client, whichever version of HTTP it speaks.

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use fanfare_core::Channel;
use fanfare_websocket::handshake;
use http::StatusCode;
use hyper::body::Incoming;
use tower::Service;

use super::{
    body::{self, RequestBody, Rest},
    refusal::Refusal,
    refused::{Asked, Refused},
    request_check,
};
use crate::{gateway::Gateway, listener::client_address::Client, metrics::HandshakeResult};

/// The paths of a listener.
#[derive(Clone)]
pub(crate) struct Routes {
    /// Answers requests.
    pub(crate) router: Router,
    /// The channel that a path names: for the log.
    pub(crate) channel_of: fn(&str) -> Option<Channel>,
}

/// See the head of this file.
pub(super) struct Answering {
    pub(super) gateway: Arc<Gateway>,
    pub(super) client: Client,
    pub(super) routes: Routes,
}

impl Answering {
    /// The answer to one request, and the rest of its body; counts and logs a refusal.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<(Response, Rest), Infallible> {
        let (came, is_upgrade) = (Instant::now(), handshake::is_upgrade(request.headers()));
        let client = self.gateway.config().proxies.client(self.client, request.headers());
        request.extensions_mut().insert(client);
        let asked = Asked::of(&request, client);
        let (request, rest) = body::share(request);
        let response = self.route(request).await?;
        let refused = response.extensions().get::<Refused>();
        if is_upgrade {
            let is_accepted = response.status() == StatusCode::SWITCHING_PROTOCOLS && refused.is_none();
            let result = if is_accepted { HandshakeResult::Accepted } else { HandshakeResult::Refused };
            self.gateway.metrics.handshake(result, came.elapsed());
        }
        if let Some(refused) = refused {
            self.gateway.metrics.refused(refused.why, refused.limit);
            asked.log(refused, self.routes.channel_of);
        }
        Ok((response, rest))
    }

    async fn route(&self, request: Request<RequestBody>) -> Result<Response, Infallible> {
        let config = self.gateway.config();
        let (found, allowed) = (request.headers().len(), config.admission.header_count);
        if found > allowed {
            return Ok(Refusal::Headers { found, allowed }.into_response());
        }
        if let Err(improper) = request_check::check(&request) {
            return Ok(Refusal::from(improper).into_response());
        }
        drop(config);
        self.routes.router.clone().call(request).await
    }
}
