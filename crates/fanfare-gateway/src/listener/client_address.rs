//! The address of the client, behind trusted proxies too.
//!
//! Invariant: an address that a peer names for its client counts only where the peer is trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// The client's address: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub IpAddr);

/// How proxies name the client of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// Not at all.
    None,
    /// By the header of the PROXY protocol, version 1 or 2, before anything else.
    Proxy,
    /// By `X-Forwarded-For`, to which each proxy adds its peer's address at the right.
    ForwardedFor,
}

/// The trusted proxies, and how they name their clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Vec<IpNet>,
    /// How they name their clients.
    pub protocol: ProxyProtocol,
}

const FORWARDED_FOR: &str = "x-forwarded-for";

impl Proxies {
    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whether a connection of this peer begins with a PROXY header.
    #[must_use]
    pub fn sends_proxy_header(&self, peer: IpAddr) -> bool {
        self.protocol == ProxyProtocol::Proxy && self.trusts(peer)
    }

    /// The client of a request: the right-most address that is not a trusted proxy's. A client that is not trusted
    /// wrote the part to the left of it, or to the left of an entry that is not an address.
    pub(crate) fn client(&self, connection: Client, headers: &HeaderMap) -> Client {
        if self.protocol != ProxyProtocol::ForwardedFor || !self.trusts(connection.0) {
            return connection;
        }
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let claims = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        let mut nearest = connection.0;
        for claim in claims {
            let Some(address) = address(claim) else { break };
            nearest = address;
            if !self.trusts(address) {
                break;
            }
        }
        Client(nearest)
    }
}

/// An address as proxies write it. Some add the port.
fn address(claim: &[u8]) -> Option<IpAddr> {
    let claim = std::str::from_utf8(claim).ok()?.trim();
    let bare = || claim.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || claim.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    let address: IpAddr = claim.parse().ok().or_else(with_port).or_else(bare)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = Proxies {
            trusted: ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap()).into(),
            protocol: ProxyProtocol::ForwardedFor,
        };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        proxies.client(Client(peer.parse().unwrap()), &headers).0.to_string()
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        let table: [(&str, &[&'static str], &str); 10] = [
            ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("::1", &["192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["6.6.6.6", "192.0.2.7", "10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7:5555"], "192.0.2.7"),
            ("10.0.0.1", &["[2001:db8::1]:5555"], "2001:db8::1"),
            ("10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in table {
            assert_eq!(client(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn an_untrusted_peer_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
    }
}
