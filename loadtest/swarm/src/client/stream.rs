//! A connection's bytes, with TLS or without.

use std::{io, net::IpAddr};

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::target::Target;
use crate::sources;

/// Left: the bare socket. Right: TLS.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Connects from this address of the machine, with a handshake if the target has TLS.
pub(super) async fn open(target: &Target, source: Option<IpAddr>) -> io::Result<Stream> {
    let stream = sources::connect(target.address(), source).await?;
    stream.set_nodelay(true)?;
    match target.tls() {
        None => Ok(Stream::Left(stream)),
        Some(tls) => Ok(Stream::Right(Box::new(tls.shake_hands(target.name(), stream).await?))),
    }
}
