//! The stream of a connection to Redis: the bare socket, or TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp},
    time::timeout,
};
use tokio_rustls::{client::TlsStream, rustls::pki_types::ServerName};

use super::{address::RedisConfig, tls::TlsError};

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<Flushing>),
}

/// The most that one record carries (RFC 8446, 5.1), in bytes.
const RECORD: usize = 16 << 10;

/// How long a TLS handshake may take: less than all of a connection may.
const AGREEING: Duration = Duration::from_secs(4);

/// TLS that flushes earlier writes whenever it is read: a caller that waits for an answer needs no flush.
///
/// Invariant: one write is one record. So Redis has no whole record of a write that failed, and cannot execute a part
/// of it. With more records it could execute the first ones, while the publisher takes their bytes for unwritten and
/// sends them once more.
#[derive(Debug)]
pub(crate) struct Flushing(TlsStream<TcpStream>);

impl Stream {
    /// Connects to the first address of the host that answers, and shakes hands where the URL asks for TLS.
    ///
    /// # Errors
    /// The kernel's, or those of TLS: [`TlsError::in_io`] tells them apart.
    pub(crate) async fn connect(config: &RedisConfig) -> io::Result<Self> {
        let stream = fanfare_dial::connect(&config.host, config.port).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &config.tls else { return Ok(Self::Plain(stream)) };
        let connector = tls.connector().map_err(io::Error::other)?;
        let name = ServerName::try_from(config.host.clone());
        let name = name.map_err(|_| io::Error::other(TlsError::Name(config.host.clone())))?;
        let agreed = timeout(AGREEING, connector.connect(name, stream)).await;
        let stream = agreed.map_err(|_| io::Error::other(TlsError::Silent))??;
        Ok(Self::Tls(Box::new(Flushing(stream))))
    }

    /// Both directions, for one task.
    pub(crate) fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        match self {
            Self::Plain(stream) => {
                let (read, write) = stream.split();
                (ReadHalf::Plain(read), WriteHalf::Plain(write))
            }
            Self::Tls(stream) => {
                let (read, write) = tokio::io::split(stream.as_mut());
                (ReadHalf::Tls(read), WriteHalf::Tls(write))
            }
        }
    }
}

/// The reading direction.
#[derive(Debug)]
pub(crate) enum ReadHalf<'a> {
    Plain(tcp::ReadHalf<'a>),
    Tls(tokio::io::ReadHalf<&'a mut Flushing>),
}

/// The writing direction.
#[derive(Debug)]
pub(crate) enum WriteHalf<'a> {
    Plain(tcp::WriteHalf<'a>),
    Tls(tokio::io::WriteHalf<&'a mut Flushing>),
}

impl AsyncRead for Flushing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.0).poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

/// Implements `AsyncWrite` by one of several streams inside, which gets at most `$most` bytes at once.
macro_rules! writes_through {
    ($type:ty, $this:ident => $inner:expr, $most:expr) => {
        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                $inner.poll_write(cx, bytes.get(..$most).unwrap_or(bytes))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                $inner.poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                $inner.poll_shutdown(cx)
            }
        }
    };
}

trait Write: AsyncWrite + Unpin {}
impl<W: AsyncWrite + Unpin> Write for W {}

trait Read: AsyncRead + Unpin {}
impl<R: AsyncRead + Unpin> Read for R {}

impl Stream {
    fn write(&mut self) -> Pin<&mut dyn Write> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl WriteHalf<'_> {
    fn write(&mut self) -> Pin<&mut dyn Write> {
        match self {
            Self::Plain(half) => Pin::new(half),
            Self::Tls(half) => Pin::new(half),
        }
    }
}

writes_through!(Flushing, this => Pin::new(&mut this.0), RECORD);
writes_through!(Stream, this => this.write(), usize::MAX);
writes_through!(WriteHalf<'_>, this => this.write(), usize::MAX);

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner: Pin<&mut dyn Read> = match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        };
        inner.poll_read(cx, buffer)
    }
}

impl AsyncRead for ReadHalf<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Tls(half) => Pin::new(half).poll_read(cx, buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::{
        TlsAcceptor, TlsConnector,
        rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivatePkcs8KeyDer},
    };

    use super::*;

    #[tokio::test]
    async fn a_write_is_one_record() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
        let server = ServerConfig::builder().with_no_client_auth();
        let server =
            server.with_single_cert(vec![certificate.clone()], PrivatePkcs8KeyDer::from(key).into()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let reading = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut tls = TlsAcceptor::from(Arc::new(server)).accept(socket).await.unwrap();
            let mut first = vec![0; RECORD];
            tls.read_exact(&mut first).await.unwrap();
            first
        });
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = Flushing(TlsConnector::from(Arc::new(client)).connect(name, socket).await.unwrap());
        let much: Vec<u8> = (0..100 << 10).map(|at: u32| at as u8).collect();
        assert_eq!(stream.write(&much).await.unwrap(), RECORD);
        stream.flush().await.unwrap();
        assert_eq!(reading.await.unwrap(), much[..RECORD]);
    }
}
