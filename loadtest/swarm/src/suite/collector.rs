//! A collector of traces that accepts all and keeps nothing: as much of OTLP over HTTP as an exporter needs.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

/// The collector. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Collector {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Collector {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_all(stream));
            }
        });
        Ok(Self { address, task })
    }

    /// The configuration of a node that sends this part of its traces to the collector.
    pub(super) fn toml(&self, ratio: f64) -> String {
        let address = self.address;
        format!("[tracing]\nendpoint = \"http://{address}\"\nprotocol = \"http\"\nsample_ratio = {ratio}\n")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers each request once its body has come, until the exporter disconnects.
async fn take_all(mut stream: TcpStream) {
    let mut input = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut input).await {
        while let Some(length) = request(&input).filter(|length| *length <= input.len()) {
            input.drain(..length);
            if stream.write_all(TAKEN).await.is_err() {
                return;
            }
        }
    }
}

/// The length of the first request with its body, once its head has come.
fn request(input: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(input).ok()? else { return None };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let body: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    Some(head + body)
}
