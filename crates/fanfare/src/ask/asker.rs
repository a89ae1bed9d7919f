//! Sends questions to nodes.
//!
//! Invariant: an answer is bounded, and so is the time of a question.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use fanfare_gateway::{Proxies, ProxyProtocol};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_rustls::TlsConnector;

use super::{error::NoAnswer, target::Target, trust::Trust};
use crate::config::Config;

/// The most that an answer may have: many times as much as `/metrics`.
pub(super) const ANSWER_BYTES: usize = 16 << 20;

/// Says that the connection is the sender's own (PROXY protocol, section 2.1).
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";

/// The answer of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, in which bytes that are not UTF-8 are replaced.
    pub body: String,
}

/// Asks nodes.
#[derive(Clone)]
pub struct Asker {
    /// The most time that a question may take.
    pub timeout: Duration,
    /// The proxies of which a node expects a PROXY header: this process may be one of them.
    pub proxies: Proxies,
    trust: Trust,
    /// For other nodes, and for those of this machine; made on first use.
    connectors: Arc<[OnceLock<TlsConnector>; 2]>,
}

pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl Asker {
    /// An asker without proxies.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            proxies: Proxies { trusted: Vec::new(), protocol: ProxyProtocol::None },
            trust: Trust::default(),
            connectors: Arc::default(),
        }
    }

    /// The same, which trusts these certificates.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// An asker with the proxies of this configuration, if there is one.
    #[must_use]
    pub fn of(config: Option<&Config>, timeout: Duration) -> Self {
        let mut asker = Self::new(timeout);
        if let Some(config) = config {
            asker.proxies = config.proxies.clone();
        }
        asker
    }

    /// Sends `GET`.
    ///
    /// # Errors
    /// No answer comes, or none in time.
    pub async fn get(&self, target: &Target) -> Result<Answer, NoAnswer> {
        let ask = async {
            let request = Self::to(target, Method::GET);
            self.ask(target, request.body(Full::default()).map_err(|error| impossible(&error))?).await
        };
        time::timeout(self.timeout, ask).await.map_err(|_| NoAnswer::Slow(self.timeout))?
    }

    fn to(target: &Target, method: Method) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(&target.path)
            .header(HOST, target.authority())
            .header(CONNECTION, "close")
    }

    async fn ask(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let stream = self.connect(target).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| NoAnswer::Body(error.to_string()))?.to_bytes();
            Ok::<_, NoAnswer>(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            ended = connection => {
                ended?;
                answer.await
            }
        }
    }

    /// A connection, with TLS where the target has it.
    pub(super) async fn connect(&self, target: &Target) -> Result<Box<dyn Duplex>, NoAnswer> {
        let stream = self.connect_plain(target).await?;
        if !target.is_tls {
            return Ok(Box::new(stream));
        }
        let [others, local] = &*self.connectors;
        let slot = if target.is_local { local } else { others };
        let connector = match slot.get() {
            Some(connector) => connector,
            None => {
                let made = self.trust.connector(target.is_local)?;
                slot.get_or_init(|| made)
            }
        };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| NoAnswer::Trust(format!("a certificate cannot have the name {:?}", target.host)))?;
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    async fn connect_plain(&self, target: &Target) -> Result<TcpStream, io::Error> {
        let mut stream = fanfare_dial::connect(&target.host, target.port).await?;
        if self.proxies.sends_proxy_header(stream.local_addr()?.ip().to_canonical()) {
            stream.write_all(PROXY_HEADER).await?;
        }
        Ok(stream)
    }
}

pub(super) fn impossible(error: &http::Error) -> NoAnswer {
    NoAnswer::Body(error.to_string())
}
