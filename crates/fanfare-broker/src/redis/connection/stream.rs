//! The stream of a connection to Redis: the bare socket, or TLS.

use std::{
    io::{Error, ErrorKind, Result},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp},
    time::timeout,
};
use tokio_rustls::{client::TlsStream, rustls::pki_types::ServerName};
use tokio_util::either::Either;

use super::{
    place::Endpoint,
    tls::{RedisTls, TlsError},
};

/// Left: the bare socket. Right: TLS.
pub(crate) type Stream = Either<TcpStream, Box<Flushing>>;

/// The reading direction of a [`Stream`].
pub(crate) type ReadHalf<'a> = Either<tcp::ReadHalf<'a>, io::ReadHalf<&'a mut Flushing>>;

/// The writing direction of a [`Stream`].
pub(crate) type WriteHalf<'a> = Either<tcp::WriteHalf<'a>, io::WriteHalf<&'a mut Flushing>>;

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

/// Connects to the first address of the host that answers, and shakes hands where the URL asks for TLS.
///
/// # Errors
/// The kernel's, or those of TLS: [`TlsError::in_io`] tells them apart.
pub(crate) async fn connect(Endpoint { host, port }: &Endpoint, tls: Option<&RedisTls>) -> Result<Stream> {
    let stream = fanfare_dial::connect(host, *port).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Stream::Left(stream)) };
    let connector = tls.connector().map_err(Error::other)?;
    let name = ServerName::try_from(host.clone());
    let name = name.map_err(|_| Error::other(TlsError::Name(host.clone())))?;
    let agreed = timeout(AGREEING, connector.connect(name, stream)).await;
    let stream = agreed.map_err(|_| Error::other(TlsError::Silent))??;
    Ok(Stream::Right(Box::new(Flushing(stream))))
}

/// Both directions, for one task.
pub(crate) fn split(stream: &mut Stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    match stream {
        Stream::Left(stream) => {
            let (read, write) = stream.split();
            (ReadHalf::Left(read), WriteHalf::Left(write))
        }
        Stream::Right(stream) => {
            let (read, write) = io::split(stream.as_mut());
            (ReadHalf::Right(read), WriteHalf::Right(write))
        }
    }
}

/// Writes what the bare socket takes now, and takes it off the front of `bytes`. The number of bytes.
///
/// # Errors
/// The kernel's. A full socket takes nothing, which is not an error.
pub(crate) fn try_write(socket: &tcp::WriteHalf<'_>, bytes: &mut BytesMut) -> Result<usize> {
    match socket.try_write(bytes) {
        Ok(written) => {
            bytes.advance(written);
            Ok(written)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}

impl AsyncRead for Flushing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.0).poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Flushing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes.get(..RECORD).unwrap_or(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
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
