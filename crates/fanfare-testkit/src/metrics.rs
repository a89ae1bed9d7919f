//! What a node counts, read by a look that does not mind where there is no node.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Endpoint;

/// A node's metrics, at one moment.
#[derive(Debug, Clone)]
pub struct Metrics(String);

impl Metrics {
    /// Asks a node.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn of(node: Endpoint) -> io::Result<Self> {
        let mut stream = TcpStream::connect(node.address()).await?;
        let host = node.address();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(Self(answer))
    }

    /// All series of this name together.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        self.0.lines().filter_map(value).sum()
    }
}
