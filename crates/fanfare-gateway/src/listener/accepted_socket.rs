//! A socket that was accepted, with its descriptor permit, and the bytes that were read of it before HTTP.

use std::{
    fmt,
    io::{self, IoSlice},
    net::{IpAddr, Shutdown},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use proxy_header::{ParseConfig, ProxyHeader};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{descriptors::DescriptorPermit, receive::poll_receive};

/// The largest PROXY header that is read, in bytes. Addresses take 52; the rest is for extensions.
const PROXY_HEADER_BYTES: usize = 4 << 10;

/// Why the PROXY header of a connection could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    #[error("the PROXY header is malformed (proxies.protocol = \"proxy\"): {0}")]
    Malformed(proxy_header::Error),
    #[error("the PROXY header is longer than {PROXY_HEADER_BYTES} bytes")]
    TooLong,
    #[error("the connection ended before its PROXY header")]
    Ended,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An accepted socket.
pub(crate) struct AcceptedSocket {
    stream: Arc<TcpStream>,
    permit: DescriptorPermit,
    /// The bytes that were read behind the PROXY header.
    early: BytesMut,
}

impl fmt::Debug for AcceptedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedSocket").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl AcceptedSocket {
    pub(crate) fn new(stream: TcpStream, permit: DescriptorPermit) -> Self {
        Self { stream: Arc::new(stream), permit, early: BytesMut::new() }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket for a writer, which drops it before this one.
    pub(crate) fn share(&self) -> Arc<TcpStream> {
        self.stream.clone()
    }

    /// The socket, its permit, and the bytes that were read and not taken yet. `None` while the socket is shared.
    pub(crate) fn into_parts(self) -> Option<(TcpStream, DescriptorPermit, BytesMut)> {
        Some((Arc::into_inner(self.stream)?, self.permit, self.early))
    }

    /// Reads the PROXY header. The address of the client; `None` for a connection of the proxy itself (a health check).
    pub(crate) async fn read_proxy_header(&mut self) -> Result<Option<IpAddr>, ProxyHeaderError> {
        let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
        loop {
            let Some(stream) = Arc::get_mut(&mut self.stream) else { return Err(ProxyHeaderError::Ended) };
            if stream.read_buf(&mut self.early).await? == 0 {
                return Err(ProxyHeaderError::Ended);
            }
            match ProxyHeader::parse(&self.early, config) {
                Ok((header, length)) => {
                    let address = header.proxied_address().map(|proxied| proxied.source.ip());
                    self.early.advance(length);
                    return Ok(address.map(|address| address.to_canonical()));
                }
                Err(proxy_header::Error::BufferTooShort) if self.early.len() < PROXY_HEADER_BYTES => {}
                Err(proxy_header::Error::BufferTooShort) => return Err(ProxyHeaderError::TooLong),
                Err(error) => return Err(ProxyHeaderError::Malformed(error)),
            }
        }
    }
}

impl AsyncRead for AcceptedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return poll_receive(&self.stream, cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        let taken = self.early.split_to(length);
        buffer.put_slice(&taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for AcceptedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
