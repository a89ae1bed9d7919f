//! How this program asks a node over HTTP: `fanfare health` and `fanfare top`.
//!
//! Invariant: an answer is bounded, and so is the time that all of a question may take.

mod trust;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use fanfare_broker::is_of_an_authority;
use fanfare_gateway::{Proxies, ProxyProtocol};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

pub use self::trust::Trust;
use crate::config::{Config, Listen};

/// Many times what `/metrics` answers.
const ANSWER_BYTES: usize = 16 << 20;

/// Says that the connection is the sender's own (PROXY protocol, section 2.1).
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";

/// What to ask: a URL `http://HOST:PORT/PATH`, or `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    /// A node of this machine: whatever certificate it shows.
    is_own: bool,
    /// A name or an address; one of IPv6 without brackets.
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// From a URL, or from `HOST:PORT`. Where it has no path it gets this one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str, path: &str) -> Result<Self, String> {
        let example = "write for example \"http://127.0.0.1:8080\"";
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&url).map_err(|error| format!("{error}: {example}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("only http:// and https:// are asked: {example}"));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_user {
            return Err(format!("a host, a port and a path, nothing else: {example}"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let path = if url.path() == "/" { path } else { url.path() };
        let (is_tls, port) = (url.scheme() == "https", url.port_or_known_default().unwrap_or(80));
        Ok(Self { is_tls, is_own: false, host: host.into(), port, path: path.into() })
    }

    /// A path of a server.
    #[must_use]
    pub fn of(address: SocketAddr, is_tls: bool, path: &str) -> Self {
        let (host, port) = (address.ip().to_string(), address.port());
        Self { is_tls, is_own: false, host, port, path: path.into() }
    }

    /// Another path of the same server.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// As in a URL.
    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, with what is not UTF-8 replaced.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No address, no connection, or one that breaks.
    #[error("{}", said(.0))]
    Io(io::Error),
    /// The certificate, or TLS as such.
    #[error("{0}; {hint}", hint = remedy(.0))]
    Certificate(rustls::Error),
    /// Nobody is trusted.
    #[error("{0}")]
    Trust(String),
    /// It took too long.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    /// What came is no HTTP, or broke off.
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    /// It is longer than any answer of a node, or broke off.
    #[error("the answer cannot be read: {0}")]
    Body(String),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match tls {
            Some(error @ rustls::Error::InvalidCertificate(_)) => Self::Certificate(error.clone()),
            Some(rustls::Error::InvalidMessage(_)) => {
                Self::Trust("it does not speak TLS: ask by http://".into())
            }
            _ => Self::Io(error),
        }
    }
}

/// Without the number that the system has for it.
fn remedy(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) if is_of_an_authority(error) => {
            "an authority's own certificate, as `openssl req -x509` makes it, is taken for no server: make it again with \
             -addext basicConstraints=critical,CA:FALSE, or ask with --insecure"
        }
        _ => "its authority can be named with --ca FILE, and --insecure believes every certificate",
    }
}

fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" (os error").next().unwrap_or_default();
    bare.chars().take(1).flat_map(char::to_lowercase).chain(bare.chars().skip(1)).collect()
}

/// Asks nodes.
#[derive(Clone)]
pub struct Asker {
    /// How long a question may take in all.
    pub patience: Duration,
    /// Of whom a node expects a PROXY header: this process may be one of them.
    pub proxies: Proxies,
    trust: Trust,
    /// For all nodes, and for those of this machine; made where they are needed.
    connectors: Arc<[OnceLock<TlsConnector>; 2]>,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl Asker {
    /// One that knows of no proxies.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            proxies: Proxies { trusted: Vec::new(), protocol: ProxyProtocol::None },
            trust: Trust::default(),
            connectors: Arc::default(),
        }
    }

    /// One that trusts these.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// One that knows the proxies of this configuration, if there is one.
    #[must_use]
    pub fn of(config: Option<&Config>, patience: Duration) -> Self {
        let mut asker = Self::new(patience);
        if let Some(config) = config {
            asker.proxies = config.proxies.clone();
        }
        asker
    }

    /// `GET`.
    ///
    /// # Errors
    /// There is no answer, or none in time.
    pub async fn get(&self, target: &Target) -> Result<Answer, NoAnswer> {
        timeout(self.patience, self.ask(target)).await.map_err(|_| NoAnswer::Slow(self.patience))?
    }

    async fn ask(&self, target: &Target) -> Result<Answer, NoAnswer> {
        let stream = self.connect(target).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(&target.path)
            .header(HOST, target.authority())
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| NoAnswer::Body(error.to_string()))?;
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

    async fn connect(&self, target: &Target) -> Result<Box<dyn Duplex>, NoAnswer> {
        let stream = self.connect_plain(target).await?;
        if !target.is_tls {
            return Ok(Box::new(stream));
        }
        let [others, own] = &*self.connectors;
        let slot = if target.is_own { own } else { others };
        let connector = match slot.get() {
            Some(connector) => connector,
            None => {
                let made = self.trust.connector(target.is_own)?;
                slot.get_or_init(|| made)
            }
        };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| NoAnswer::Trust(format!("{:?} is no name for a certificate", target.host)))?;
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

/// Where a node on this machine is asked, at addresses of lists of which each speaks TLS or does not: each address
/// once. A wildcard listens on loopback too; port 0 is known to nobody but the node itself.
#[must_use]
pub fn own(lists: &[(&[Listen], bool)], path: &str) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let each = |(list, is_tls): &(&[Listen], bool)| {
        let is_tls = *is_tls;
        list.iter()
            .flat_map(|listen| listen.addresses())
            .map(move |address| (address, is_tls))
            .collect::<Vec<_>>()
    };
    for (address, is_tls) in lists.iter().flat_map(each) {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let target = Target::of(SocketAddr::new(ip, address.port()), is_tls, path);
        match targets.iter_mut().find(|known| known.authority() == target.authority()) {
            // An address of several lists speaks TLS where one of them does.
            Some(known) => known.is_tls |= is_tls,
            None if address.port() != 0 => targets.push(Target { is_own: true, ..target }),
            None => {}
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use fanfare_gateway::Role;

    use super::*;
    use crate::config::tests::load_file;

    #[test]
    fn a_target_is_a_url_or_a_host_and_a_port() {
        let is =
            |text: &str, url: &str| assert_eq!(Target::parse(text, "/metrics").unwrap().to_string(), url);
        is("10.0.0.1:9090", "http://10.0.0.1:9090/metrics");
        is("node-1:8080", "http://node-1:8080/metrics");
        is("[::1]:8080", "http://[::1]:8080/metrics");
        is("http://h:1/", "http://h:1/metrics");
        is("http://h/other", "http://h:80/other");
        is("https://h", "https://h:443/metrics");
        for wrong in ["", "ftp://h:1", "http://", "http://u:p@h", "h:1?x", "h:x", "http://u@h:1/", "a b:1"] {
            assert!(Target::parse(wrong, "/metrics").is_err(), "{wrong}");
        }
        let six = Target::of("[::1]:80".parse().unwrap(), false, "/readyz");
        assert_eq!((six.host.as_str(), six.to_string().as_str()), ("::1", "http://[::1]:80/readyz"));
    }

    #[test]
    fn a_node_of_this_machine_is_asked_where_it_listens() {
        let file = "open = true\nlisten = [\"0.0.0.0:1\", \"[::]:1\", \"localhost:2\", \"127.0.0.1:1\"]\n\
                    metrics.listen = [\"127.0.0.1:0\", \"10.0.0.1:3\"]";
        let config = load_file(file).unwrap().config;
        let [metrics, clients] = [Role::Metrics, Role::Clients].map(|role| config.addresses(role).0);
        let found = own(&[(metrics, false), (clients, true)], "/");
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "http://10.0.0.1:3/",
            "https://127.0.0.1:1/",
            "https://[::1]:1/",
            "https://127.0.0.1:2/",
            "https://[::1]:2/",
        ];
        assert_eq!(found, expected);
    }
}
