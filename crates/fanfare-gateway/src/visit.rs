//! One connection while it speaks HTTP: its requests, until it ends or becomes a WebSocket.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{
    farewell::farewell,
    gateway::Gateway,
    lent::Lent,
    metrics::{HttpError, Refused},
    socket,
};

/// What one connection's request may take of memory, its header included.
const REQUEST_BYTES: usize = 16 << 10;

/// Serves the requests of one connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
) {
    if let Err(error) = socket::tune(&stream) {
        return tracing::debug!(%error, "a socket could not be tuned");
    }
    let (lent, mut back) = Lent::new(stream);
    let service = service_fn(|request: Request<Incoming>| answer(&gateway, router.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.hub.limits().handshake)
        .max_buf_size(REQUEST_BYTES)
        .serve_connection(TokioIo::new(lent), service)
        .with_upgrades();
    let served = {
        // Dropped in here: then the stream is back.
        tokio::pin!(connection);
        tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended badly");
        let error = HttpError::of(&error);
        gateway.metrics.http_error(error);
        if let Ok(returned) = back.try_recv() {
            farewell(returned, error, gateway.hub.limits().goodbye).await;
        }
    }
}

/// Answers one request, and counts whom the answer does not let in.
async fn answer(
    gateway: &Gateway,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let response = router.call(request).await?;
    if let Some(refused) = response.extensions().get::<Refused>() {
        gateway.metrics.refused(*refused);
    }
    Ok(response)
}
