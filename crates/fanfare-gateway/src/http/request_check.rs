//! The check of every request, before anything else looks at it (RFC 9112).

use axum::extract::Request;
use fanfare_websocket::handshake;
use http::{HeaderMap, Version, header::HOST};
use hyper::body::Body;

/// Why a request is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Improper {
    /// RFC 9112, section 3.2.
    #[error("the Host header is missing: an HTTP/1.1 request says which host it is for")]
    NoHost,
    /// RFC 9112, section 3.2.
    #[error("there are {0} Host headers: send one")]
    Hosts(usize),
    /// RFC 9112, section 3.2.
    #[error("the Host header is not the name or the address of a host, with or without a port")]
    Host,
    /// The bytes behind the header of an upgrade are frames.
    #[error("an upgrade has no body: send it without Content-Length and Transfer-Encoding")]
    UpgradeBody,
}

/// Checks the host of a request, and that an upgrade has no body.
///
/// # Errors
/// The request is malformed: the answer is 400.
pub(crate) fn check<B: Body>(request: &Request<B>) -> Result<(), Improper> {
    check_host(request.version(), request.headers())?;
    if handshake::is_upgrade(request.headers()) && !request.body().is_end_stream() {
        return Err(Improper::UpgradeBody);
    }
    Ok(())
}

fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Improper> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.count()) {
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err(Improper::NoHost),
        (Some(host), 0) if host.as_bytes().iter().all(is_of_a_host) => Ok(()),
        (Some(_), 0) => Err(Improper::Host),
        (Some(_), more) => Err(Improper::Hosts(more + 1)),
    }
}

/// Whether the name, the address or the port of a host may have this character (RFC 3986 §3.2). A comma is refused,
/// though a name may have one: it means that a proxy joined two headers.
fn is_of_a_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(version: Version, hosts: &[&str]) -> Result<(), Improper> {
        let value = |host: &&str| (HOST, HeaderValue::from_str(host).unwrap());
        let mut headers = HeaderMap::new();
        hosts.iter().map(value).for_each(|(name, host)| {
            headers.append(name, host);
        });
        check_host(version, &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "a_b.example", "x%20y", ""] {
            assert_eq!(judged(Version::HTTP_11, &[host]), Ok(()), "{host}");
        }
        assert_eq!(judged(Version::HTTP_11, &[]), Err(Improper::NoHost));
        assert_eq!(judged(Version::HTTP_10, &[]), Ok(()));
        assert_eq!(judged(Version::HTTP_11, &["a", "a"]), Err(Improper::Hosts(2)));
        assert_eq!(judged(Version::HTTP_10, &["a", "b", "c"]), Err(Improper::Hosts(3)));
        for host in ["a, b", "a b", "user@host", "host/path", "a\\b", "ä"] {
            assert_eq!(judged(Version::HTTP_11, &[host]), Err(Improper::Host), "{host}");
        }
    }
}
