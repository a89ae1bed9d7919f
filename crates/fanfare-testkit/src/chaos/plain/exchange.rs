//! Requests, and bodies in parts.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// The longest time for the head of an answer, and for the whole answer where it is not a stream.
const PATIENCE: Duration = Duration::from_secs(30);

type Http = Client<HttpConnector, Full<Bytes>>;

/// A client of HTTP, whose connections are kept. Clones share them.
pub(super) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The side of a client that sends requests.
pub(super) struct Exchange {
    /// `http://` and the address of the balancer.
    pub(super) entrance: String,
    pub(super) http: Http,
}

/// The body of a stream.
pub(super) struct Parts {
    body: Incoming,
    /// Bytes that came and are not read yet.
    unread: Vec<u8>,
    /// The bytes at the end of each part.
    end: &'static [u8],
}

impl Exchange {
    /// The body of an answer with the status 200, in parts that end with `end`.
    ///
    /// # Errors
    /// Another answer came, or none.
    pub(super) async fn stream(
        &self,
        request: http::request::Builder,
        body: String,
        end: &'static [u8],
    ) -> Result<Parts, String> {
        Ok(Parts { body: self.body(request, body).await?, unread: Vec::new(), end })
    }

    /// An answer with the status 200.
    ///
    /// # Errors
    /// Another answer came, or none.
    pub(super) async fn answer(
        &self,
        request: http::request::Builder,
        body: String,
    ) -> Result<Bytes, String> {
        let answer = async {
            let body = self.body(request, body).await?.collect().await;
            Ok(body.map_err(|error| error.to_string())?.to_bytes())
        };
        timeout(PATIENCE, answer).await.map_err(|_| "no answer".to_owned())?
    }

    async fn body(&self, request: http::request::Builder, body: String) -> Result<Incoming, String> {
        let request: Request<_> = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        let answer = timeout(PATIENCE, self.http.request(request)).await;
        let answer = answer.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(format!("refused with {status}")),
        }
    }
}

impl Parts {
    /// The next part, without its end; `None` behind the last. A part that is not whole is dropped.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(at) = self.unread.windows(self.end.len()).position(|window| window == self.end) {
                let part: Vec<u8> = self.unread.drain(..at + self.end.len()).take(at).collect();
                return String::from_utf8(part).map(Some).map_err(|error| error.to_string());
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => self.unread.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(error.to_string()),
            }
        }
    }
}
