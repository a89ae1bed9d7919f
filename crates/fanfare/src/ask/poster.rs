//! Sends questions to one backend after another, over connections that are kept.
//!
//! Invariants
//! - A question is sent again only where its connection could not be made, once, or where a kept connection had ended
//!   before the question was written to it.
//! - An answer is bounded. The caller bounds the time.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{CONTENT_TYPE, HOST},
    rt::ReadBufCursor,
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower_service::Service;

use super::{
    asker::{ANSWER_BYTES, Answer, Asker, Duplex, impossible},
    error::NoAnswer,
    target::Target,
};

/// How long a connection is kept without a question. Many servers close one after five seconds.
const KEPT_FOR: Duration = Duration::from_secs(4);

/// See the head of this file.
pub struct Poster(Client<Connector, Full<Bytes>>);

impl Poster {
    /// A poster that makes connections as `asker` does.
    #[must_use]
    pub fn new(asker: Asker) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_FOR)
            .build(Connector(asker));
        Self(client)
    }

    /// Sends `POST` with a body of JSON and these headers.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn post<'a>(
        &self,
        target: &Target,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(target.to_string())
            .header(HOST, target.authority())
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).map_err(|error| impossible(&error))?;
        let response = match self.0.request(request.clone()).await {
            Err(error) if error.is_connect() => self.0.request(request).await,
            response => response,
        };
        let response = response.map_err(|error| cause(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| NoAnswer::Body(error.to_string()))?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The last cause of an error, which says the most.
fn cause(error: &(dyn Error + 'static)) -> NoAnswer {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    NoAnswer::Sent(last.to_string())
}

/// Makes connections as an asker does.
#[derive(Clone)]
struct Connector(Asker);

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, NoAnswer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAnswer>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let asker = self.0.clone();
        Box::pin(async move {
            let target = Target::parse(&uri.to_string(), "/").map_err(NoAnswer::Trust)?;
            Ok(Stream(TokioIo::new(asker.connect(&target).await?)))
        })
    }
}

/// A connection, with or without TLS.
struct Stream(TokioIo<Box<dyn Duplex>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
