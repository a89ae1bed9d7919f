//! From an accepted socket to a connection that speaks HTTP inside TLS.

use std::{io, sync::Arc};

use fanfare_core::labels;
use rustls::{Error, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    records::{Output, Progress, Records},
    socket::TlsSocket,
};
use crate::{arrival::Arrival, sockets::Seat};

/// What one read of a handshake takes: most fit.
const READ_BYTES: usize = 4 << 10;

/// How each record of a handshake begins (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

labels! {
    /// What became of a TLS handshake.
    pub enum Outcome {
        /// The connection is secure.
        Completed = "completed",
        /// What came is no TLS.
        NotTls = "not_tls",
        /// The client has no certificate, and needs one.
        NoCertificate = "no_certificate",
        /// The client's certificate is not good.
        BadCertificate = "bad_certificate",
        /// The client did not take it: mostly, it does not trust the certificate of this listener.
        Rejected = "rejected",
        /// The two have no version, cipher or protocol in common.
        Incompatible = "incompatible",
        /// It took too long.
        Timeout = "timeout",
        /// The client went away in the middle.
        Ended = "ended",
        /// Anything else.
        Other = "other",
    }
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("what came is no TLS")]
    NotTls(Box<Arrival>),
    #[error(transparent)]
    Tls(#[from] Error),
    #[error("the connection ended in the middle of the handshake")]
    Ended,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HandshakeError {
    /// What it is counted as.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::NotTls(..) => Outcome::NotTls,
            Self::Tls(error) => match error {
                Error::NoCertificatesPresented => Outcome::NoCertificate,
                Error::InvalidCertificate(_) => Outcome::BadCertificate,
                Error::AlertReceived(_) => Outcome::Rejected,
                Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Outcome::Incompatible,
                _ => Outcome::Other,
            },
            Self::Ended | Self::Io(_) => Outcome::Ended,
        }
    }
}

/// Makes a TLS connection of an accepted socket, of which `early` was read already.
///
/// # Errors
/// There is none; the client was told why, as far as TLS has a word for it.
pub(crate) async fn accept(
    mut stream: TcpStream,
    seat: Seat,
    early: Vec<u8>,
    config: Arc<ServerConfig>,
) -> Result<TlsSocket, HandshakeError> {
    let mut records = Records::new(config)?;
    let mut came = early;
    let mut is_first = true;
    let mut output = Output::default();
    loop {
        if came.is_empty() {
            came.reserve(READ_BYTES);
            if stream.read_buf(&mut came).await? == 0 {
                return Err(HandshakeError::Ended);
            }
        }
        if std::mem::take(&mut is_first) && came.first() != Some(&HANDSHAKE) {
            return Err(HandshakeError::NotTls(Box::new(Arrival::new(stream, seat))));
        }
        let received = records.receive(&mut came, &mut output);
        came.clear();
        if !output.outgoing.is_empty() {
            let written = stream.write_all(&output.outgoing).await;
            output.outgoing.clear();
            // Where the peer is told of an error, that error is what happened.
            received.is_ok().then_some(written).transpose()?;
        }
        match received? {
            Progress::Ended => return Err(HandshakeError::Ended),
            _ if records.is_handshaking() => {}
            _ => return Ok(TlsSocket::new(stream, seat, records, output.plain)),
        }
    }
}
