//! From an accepted socket to a connection that speaks HTTP inside TLS.

use std::{io, sync::Arc};

use rustls::{Error, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    records::{Output, Progress, Records},
    socket::TlsStream,
};
use crate::{listener::accepted_socket::AcceptedSocket, metrics::TlsOutcome};

/// The bytes of one read: most messages of a handshake fit.
const READ_BYTES: usize = 4 << 10;

/// The first byte of each record of a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the client does not speak TLS")]
    NotTls(Box<AcceptedSocket>),
    #[error(transparent)]
    Tls(#[from] Error),
    #[error("the connection ended within the handshake")]
    Ended,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HandshakeError {
    /// The outcome that it is counted by.
    pub(crate) fn outcome(&self) -> TlsOutcome {
        match self {
            Self::NotTls(..) => TlsOutcome::NotTls,
            Self::Tls(error) => match error {
                Error::NoCertificatesPresented => TlsOutcome::NoCertificate,
                Error::InvalidCertificate(_) => TlsOutcome::BadCertificate,
                Error::AlertReceived(_) => TlsOutcome::Rejected,
                Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsOutcome::Incompatible,
                _ => TlsOutcome::Other,
            },
            Self::Ended | Self::Io(_) => TlsOutcome::Ended,
        }
    }
}

/// Makes a TLS connection of an accepted socket.
///
/// # Errors
/// The handshake failed. The client was told why, if TLS has an alert for that.
pub(crate) async fn accept(
    socket: AcceptedSocket,
    config: Arc<ServerConfig>,
) -> Result<TlsStream, HandshakeError> {
    let Some((mut stream, permit, early)) = socket.into_parts() else { return Err(HandshakeError::Ended) };
    let mut records = Records::new(config)?;
    let mut came = Vec::from(early);
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
            return Err(HandshakeError::NotTls(Box::new(AcceptedSocket::new(stream, permit))));
        }
        let received = records.receive(&mut came, &mut output);
        came.clear();
        if !output.outgoing.is_empty() {
            let written = stream.write_all(&output.outgoing).await;
            output.outgoing.clear();
            // Where an alert is written, the error before it is the cause.
            received.is_ok().then_some(written).transpose()?;
        }
        match received? {
            Progress::Ended => return Err(HandshakeError::Ended),
            _ if records.is_handshaking() => {}
            _ => return Ok(TlsStream::new(stream, permit, records, output.plain)),
        }
    }
}
