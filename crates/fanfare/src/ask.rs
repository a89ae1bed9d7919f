//! How this program asks a node over HTTP: `fanfare health` and `fanfare top`.
//!
//! Invariant: an answer is bounded, and so is the time that all of a question may take.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use fanfare_gateway::{Proxies, ProxyProtocol};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::Url;

use crate::config::{Config, Listen};

/// Many times what `/metrics` answers.
const ANSWER_BYTES: usize = 16 << 20;

/// Says that the connection is the sender's own (PROXY protocol, section 2.1).
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";

/// What to ask: a URL `http://HOST:PORT/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
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
        if url.scheme() != "http" {
            return Err(format!("only http:// is asked: {example}"));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_user {
            return Err(format!("a host, a port and a path, nothing else: {example}"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let path = if url.path() == "/" { path } else { url.path() };
        Ok(Self { host: host.into(), port: url.port_or_known_default().unwrap_or(80), path: path.into() })
    }

    /// A path of a server.
    #[must_use]
    pub fn of(address: SocketAddr, path: &str) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), path: path.into() }
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
        write!(f, "http://{}{}", self.authority(), self.path)
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
    Io(#[from] io::Error),
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

/// Without the number that the system has for it.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" (os error").next().unwrap_or_default();
    bare.chars().take(1).flat_map(char::to_lowercase).chain(bare.chars().skip(1)).collect()
}

/// Asks nodes.
#[derive(Debug, Clone)]
pub struct Asker {
    /// How long a question may take in all.
    pub patience: Duration,
    /// Of whom a node expects a PROXY header: this process may be one of them.
    pub proxies: Proxies,
}

impl Asker {
    /// One that knows of no proxies.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, proxies: Proxies { trusted: Vec::new(), protocol: ProxyProtocol::None } }
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

    async fn connect(&self, target: &Target) -> Result<TcpStream, io::Error> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in lookup_host((target.host.as_str(), target.port)).await? {
            match TcpStream::connect(address).await {
                Ok(mut stream) => {
                    if self.proxies.sends_proxy_header(stream.local_addr()?.ip().to_canonical()) {
                        stream.write_all(PROXY_HEADER).await?;
                    }
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Where a node on this machine is asked: each address once. A wildcard listens on loopback too; port 0 is known to
/// nobody but the node itself.
#[must_use]
pub fn own_addresses(lists: &[&[Listen]]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for address in lists.iter().flat_map(|list| list.iter()).flat_map(|listen| listen.addresses()) {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let address = SocketAddr::new(ip, address.port());
        if address.port() != 0 && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
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
        for wrong in ["", "https://h:1", "http://", "http://u:p@h", "h:1?x", "h:x", "http://u@h:1/", "a b:1"]
        {
            assert!(Target::parse(wrong, "/metrics").is_err(), "{wrong}");
        }
        let six = Target::of("[::1]:80".parse().unwrap(), "/readyz");
        assert_eq!((six.host.as_str(), six.to_string().as_str()), ("::1", "http://[::1]:80/readyz"));
    }

    #[test]
    fn a_node_of_this_machine_is_asked_where_it_listens() {
        let file = "open = true\nlisten = [\"0.0.0.0:1\", \"[::]:1\", \"localhost:2\", \"127.0.0.1:1\"]\n\
                    metrics.listen = [\"127.0.0.1:0\", \"10.0.0.1:3\"]";
        let config = load_file(file).unwrap().config;
        let found = own_addresses(&[&config.metrics_listen, &config.listen]);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.1:3", "127.0.0.1:1", "[::1]:1", "127.0.0.1:2", "[::1]:2"]);
    }
}
