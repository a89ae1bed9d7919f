//! HTTP and frames byte by byte: bytes that a proper client would never send, or would hide.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use fanfare_websocket::{FrameHead, encode};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_LENGTH};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use crate::timeouts::within;

const MAX_HEADERS: usize = 64;

/// A TCP connection to a node.
pub struct RawClient {
    stream: Box<dyn Duplex>,
    peer: String,
    /// Bytes that came and are not read yet.
    buffer: Vec<u8>,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// A frame of a server, as on the wire.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Header and payload.
    pub bytes: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
}

impl RawClient {
    /// Connects.
    ///
    /// # Panics
    /// If the connection is refused.
    pub async fn connect(address: SocketAddr) -> Self {
        match within("a TCP connection", TcpStream::connect(address)).await {
            Ok(stream) => Self::on(stream, address),
            Err(error) => panic!("cannot connect to {address}: {error}"),
        }
    }

    /// Connects from this address of this machine; on Linux, these include all of 127.0.0.0/8.
    ///
    /// # Panics
    /// If the address is not this machine's, or the connection is refused.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let connecting = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((source, 0).into())?;
            socket.connect(address).await
        };
        match within("a TCP connection", connecting).await {
            Ok(stream) => Self::on(stream, address),
            Err(error) => panic!("cannot connect from {source} to {address}: {error}"),
        }
    }

    /// Begins TLS, with a server of this name.
    ///
    /// # Panics
    /// If the handshake fails.
    pub async fn secure(self, connector: &TlsConnector, name: &str) -> Self {
        let Ok(server) = ServerName::try_from(name.to_owned()) else { panic!("{name:?} is not a host name") };
        match within("a TLS handshake", connector.connect(server, self.stream)).await {
            Ok(stream) => Self { stream: Box::new(stream), ..self },
            Err(error) => panic!("the handshake with {name} failed: {error}"),
        }
    }

    /// A client on this stream, whose bytes the caller carries to a node.
    #[must_use]
    pub fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: Box::new(stream), peer: "localhost".to_owned(), buffer: Vec::new() }
    }

    fn on(stream: impl Duplex + 'static, peer: SocketAddr) -> Self {
        Self { stream: Box::new(stream), peer: peer.to_string(), buffer: Vec::new() }
    }

    /// Sends bytes. If the peer has gone, the next read reports it.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = within("bytes are sent", async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await;
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The peer has gone.
    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within("bytes are sent", self.stream.write_all(bytes)).await
    }

    /// Ends the sending side (a FIN). Reading goes on.
    pub async fn finish(&mut self) {
        let _ = within("the sending side is closed", self.stream.shutdown()).await;
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.peer);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        self.send(&[head.as_bytes(), body].concat()).await;
        self.answer().await
    }

    /// Asks for a WebSocket on `path`. A given header replaces the proper one; an empty one removes it.
    pub async fn upgrade(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let proper = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let given = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let kept = proper.into_iter().filter(|(name, _)| !given(name));
        let all: Vec<_> =
            kept.chain(headers.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        self.request("GET", path, &all, &[]).await
    }

    /// The next answer.
    ///
    /// # Panics
    /// If the connection ends first, or the answer is not HTTP.
    pub async fn answer(&mut self) -> Answer {
        let (mut answer, length) = self.answer_head().await;
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks().await;
        } else {
            answer.body = self.bytes(length).await;
        }
        answer
    }

    /// The next answer without its body, which is read by [`RawClient::chunk`].
    ///
    /// # Panics
    /// If the connection ends first, or the answer is not HTTP.
    pub async fn head(&mut self) -> Answer {
        self.answer_head().await.0
    }

    async fn answer_head(&mut self) -> (Answer, usize) {
        loop {
            if let Some(head) = self.take_head() {
                return head;
            }
            self.more("an HTTP answer").await;
        }
    }

    /// A body in chunks (RFC 9112 §7.1), without trailers.
    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// The next chunk of a body; the last one is empty.
    ///
    /// # Panics
    /// If the connection ends first, or sends something else.
    pub async fn chunk(&mut self) -> Vec<u8> {
        loop {
            let (head, size) = match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((head, size))) => (head, usize::try_from(size).unwrap_or(0)),
                Ok(httparse::Status::Partial) => {
                    self.more("a chunk").await;
                    continue;
                }
                Err(error) => panic!("not a chunk, {error}: {:?}", String::from_utf8_lossy(&self.buffer)),
            };
            self.buffer.drain(..head);
            let chunk = self.bytes(size).await;
            self.bytes(b"\r\n".len()).await;
            return chunk;
        }
    }

    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            self.more("an HTTP answer's body").await;
        }
        self.buffer.drain(..count).collect()
    }

    /// Reads and drops all bytes until the connection ends: a cheap reader.
    pub async fn forget(mut self) {
        while self.read().await.is_ok_and(|read| read > 0) {
            self.buffer.clear();
        }
    }

    /// Sends a frame, masked as a client must.
    pub async fn frame(&mut self, head: FrameHead, payload: &[u8]) {
        let mut bytes = Vec::new();
        encode::frame(&mut bytes, head, payload, Some(rand::random()));
        self.send(&bytes).await;
    }

    /// The next frame of the server that is not a ping.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn next_frame_past_pings(&mut self) -> Frame {
        let read = async {
            loop {
                let frame = self.next_frame().await;
                if !frame.is_ping() {
                    return frame;
                }
            }
        };
        within("a frame that is not a ping", read).await
    }

    /// The next frame of the server, undecoded.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn next_frame(&mut self) -> Frame {
        loop {
            if let Some((header, payload)) = frame_lengths(&self.buffer)
                && self.buffer.len() >= header + payload
            {
                let bytes: Vec<u8> = self.buffer.drain(..header + payload).collect();
                return Frame { payload: bytes.iter().skip(header).copied().collect(), bytes };
            }
            self.more("a frame").await;
        }
    }

    /// Reads until the server ends the connection properly: inside TLS, with close_notify. Returns all unread bytes.
    ///
    /// # Errors
    /// The connection ended otherwise.
    pub async fn good_end(&mut self) -> io::Result<Vec<u8>> {
        while within("the server ends the connection", self.read()).await? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Reads until the server ends the connection. Returns all unread bytes.
    pub async fn end(&mut self) -> Vec<u8> {
        // A reset is an end too.
        while within("the server ends the connection", self.read()).await.is_ok_and(|read| read > 0) {}
        std::mem::take(&mut self.buffer)
    }

    fn take_head(&mut self) -> Option<(Answer, usize)> {
        let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut parsed);
        let head = match response.parse(&self.buffer) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) => return None,
            Err(error) => panic!("not an HTTP answer, {error}: {:?}", String::from_utf8_lossy(&self.buffer)),
        };
        let headers: HeaderMap = response
            .headers
            .iter()
            .filter_map(|header| {
                Some((
                    HeaderName::from_bytes(header.name.as_bytes()).ok()?,
                    HeaderValue::from_bytes(header.value).ok()?,
                ))
            })
            .collect();
        let status = response.code.unwrap_or_default();
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        self.buffer.drain(..head);
        Some((Answer { status, headers, body: Vec::new() }, length.unwrap_or(0)))
    }

    async fn more(&mut self, what: &str) {
        match within(what, self.read()).await {
            Ok(read) if read > 0 => {}
            ended => panic!(
                "{what} was expected, and the connection ended: {ended:?}, after {:?}",
                String::from_utf8_lossy(&self.buffer)
            ),
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Checks the status, and that the body has these words.
    ///
    /// # Panics
    /// If they are others.
    #[track_caller]
    pub fn is(&self, status: u16, words: &str) {
        let text = self.text();
        assert!(
            self.status == status && text.contains(words),
            "not {status} {words:?}: {} {text}",
            self.status
        );
    }
}

impl Frame {
    /// Whether the frame is a ping (RFC 6455 §5.5.2).
    #[must_use]
    pub fn is_ping(&self) -> bool {
        self.bytes.first() == Some(&0x89)
    }

    /// Whether the frame is compressed (RSV1, RFC 7692 §6).
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & 0x40 != 0)
    }
}

/// The lengths of the header and the payload of an unmasked frame (RFC 6455 §5.2).
fn frame_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    match (*bytes.get(1)?, bytes.get(2..)?) {
        (126, [high, low, ..]) => Some((4, usize::from(u16::from_be_bytes([*high, *low])))),
        (127, rest) => {
            let length = u64::from_be_bytes(*rest.first_chunk()?);
            Some((10, usize::try_from(length).ok()?))
        }
        (126, _) => None,
        (length, _) => Some((2, usize::from(length))),
    }
}
