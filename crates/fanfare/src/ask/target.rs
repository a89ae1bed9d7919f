//! The URL of a question.

use std::{fmt, net::SocketAddr};

use url::Url;

/// The path of the metrics.
pub const METRICS_PATH: &str = "/metrics";

/// A URL `http://HOST:PORT/PATH`, or `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) is_tls: bool,
    /// Whether it is a node of this machine, whose certificate is not checked.
    pub(super) is_local: bool,
    /// A name or an address; an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

impl Target {
    /// From a URL, or from `HOST:PORT`. A text without a path gets this one.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and what to write.
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
        Ok(Self { is_tls, is_local: false, host: host.into(), port, path: path.into() })
    }

    /// A path of the server at this address.
    #[must_use]
    pub fn of(address: SocketAddr, is_tls: bool, path: &str) -> Self {
        let (host, port) = (address.ip().to_string(), address.port());
        Self { is_tls, is_local: false, host, port, path: path.into() }
    }

    /// Another path of the same server.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// `HOST:PORT`, as in a URL.
    pub(super) fn authority(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url_or_an_address() {
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
}
