//! `fanfare health`: asks a running node whether it is ready. For containers without curl.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Enough for a status line and the checks.
const ANSWER_BYTES: u64 = 64 << 10;

/// Why a node is taken for unhealthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Not `http://host:port/path`.
    #[error("{0} is no URL of the form http://HOST:PORT/PATH")]
    Url(String),
    /// It cannot be reached, or does not answer in time.
    #[error("{url}: {error}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        error: io::Error,
    },
    /// It answered, and not with 200.
    #[error("{url}: {answer}")]
    NotReady {
        /// What was asked.
        url: String,
        /// The status line, and what it says of its checks.
        answer: String,
    },
}

/// Asks `url`; the answer's body when it is 200.
///
/// # Errors
/// The node is not ready, or cannot be asked.
pub fn ask(url: &str) -> Result<String, Unhealthy> {
    let rest = url.strip_prefix("http://").ok_or_else(|| Unhealthy::Url(url.into()))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "readyz"));
    let answer =
        request(authority, path).map_err(|error| Unhealthy::Unreachable { url: url.into(), error })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        Ok(body.trim().to_owned())
    } else {
        Err(Unhealthy::NotReady { url: url.into(), answer: format!("{status} {}", body.trim()) })
    }
}

fn request(authority: &str, path: &str) -> io::Result<String> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let address = authority.to_socket_addrs()?.next().ok_or_else(missing)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
