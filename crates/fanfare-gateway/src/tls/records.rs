//! TLS records of one connection, without I/O.
//!
//! Invariants
//! - Between two calls only a record that came in part is kept.
//! - After an error no record is made or taken.

use std::{io, sync::Arc};

use rustls::{
    ServerConfig,
    server::UnbufferedServerConnection,
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
        WriteTraffic,
    },
};

/// The largest payload of a record, in bytes (RFC 8446, section 5.1).
pub(super) const FRAGMENT: usize = 16 << 10;

/// The bytes of a record beside its payload, and of an answer to a change of keys before it.
const OVERHEAD: usize = 256;

/// The progress of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The handshake is not complete.
    Handshaking,
    /// Messages go both ways.
    Open,
    /// The peer said that it sends no more.
    Ended,
}

/// The records of one connection.
pub(super) struct Records {
    tls: UnbufferedServerConnection,
    /// A record, or a message of several, that came in part.
    incoming: Vec<u8>,
    /// There was an error. Rustls is not called any more, since it may refer to bytes that are gone.
    is_over: bool,
}

/// The output of a call.
#[derive(Default)]
pub(super) struct Output {
    /// Decrypted.
    pub(super) plain: Vec<u8>,
    /// To be sent to the peer.
    pub(super) outgoing: Vec<u8>,
}

impl Records {
    /// The records of a new connection.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self { tls: UnbufferedServerConnection::new(config)?, incoming: Vec::new(), is_over: false })
    }

    /// Takes bytes from the peer.
    ///
    /// # Errors
    /// The connection is over; an alert for the peer is in the output.
    pub(super) fn receive(
        &mut self,
        came: &mut [u8],
        output: &mut Output,
    ) -> Result<Progress, rustls::Error> {
        if self.incoming.is_empty() && !self.is_over {
            let (used, progress) = process(&mut self.tls, came, output, |_| {});
            self.incoming.extend_from_slice(came.get(used..).unwrap_or_default());
            self.is_over = progress.is_err();
            return progress;
        }
        self.incoming.extend_from_slice(came);
        self.process(output, |_| {})
    }

    /// Encrypts at most [`FRAGMENT`] bytes into one record, behind everything else that is to be sent.
    ///
    /// # Errors
    /// The connection cannot be written to any more.
    pub(super) fn encrypt(&mut self, payload: &[u8], output: &mut Output) -> io::Result<()> {
        let mut record = Vec::new();
        let mut result = Err(EncryptError::EncryptExhausted);
        let processed = self.process(output, |traffic| {
            record.resize(payload.len() + OVERHEAD, 0);
            result = traffic.encrypt(payload, &mut record);
            if let Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) = result {
                record.resize(required_size, 0);
                result = traffic.encrypt(payload, &mut record);
            }
        });
        processed.map_err(io::Error::other)?;
        record.truncate(result.map_err(io::Error::other)?);
        if output.outgoing.is_empty() {
            output.outgoing = record;
        } else {
            output.outgoing.append(&mut record);
        }
        Ok(())
    }

    /// Says that no more is sent.
    pub(super) fn close(&mut self, output: &mut Output) {
        let mut record = [0; OVERHEAD];
        let mut length = 0;
        // Where it cannot be said, the peer still sees the end of the socket.
        let _ = self.process(output, |traffic| length = traffic.queue_close_notify(&mut record).unwrap_or(0));
        output.outgoing.extend_from_slice(record.get(..length).unwrap_or_default());
    }

    /// The number of bytes that are kept of a record that came in part.
    pub(super) fn incoming(&self) -> usize {
        self.incoming.len()
    }

    /// Whether the handshake is not complete.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn process(
        &mut self,
        output: &mut Output,
        open: impl FnOnce(&mut Traffic<'_>),
    ) -> Result<Progress, rustls::Error> {
        if self.is_over {
            return Err(rustls::Error::General("it ended with an error".into()));
        }
        let (used, progress) = process(&mut self.tls, &mut self.incoming, output, open);
        self.is_over = progress.is_err();
        if used == self.incoming.len() {
            self.incoming = Vec::new();
        } else {
            self.incoming.drain(..used);
        }
        progress
    }
}

type Traffic<'a> = WriteTraffic<'a, rustls::server::ServerConnectionData>;

/// Lets rustls process the records. The number of bytes that it has used up, and the progress. Once payloads may be
/// sent, `open` is called.
fn process(
    tls: &mut UnbufferedServerConnection,
    incoming: &mut [u8],
    output: &mut Output,
    open: impl FnOnce(&mut Traffic<'_>),
) -> (usize, Result<Progress, rustls::Error>) {
    let mut used = 0;
    loop {
        let rest = incoming.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state } = tls.process_tls_records(rest);
        let progress = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                let mut read = None;
                while let Some(record) = traffic.next_record() {
                    match record {
                        Ok(record) => {
                            discard += record.discard;
                            output.plain.extend_from_slice(record.payload);
                        }
                        Err(error) => read = Some(Err(error)),
                    }
                }
                read
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut output.outgoing).err().map(Err),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // The data is in the output, which the caller sends before anything else.
                data.done();
                None
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                open(&mut traffic);
                used += discard;
                return (used, Ok(Progress::Open));
            }
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Some(Ok(Progress::Ended)),
            Ok(_) => Some(Ok(Progress::Handshaking)),
            Err(error) => Some(Err(error)),
        };
        used += discard;
        match progress {
            None => {}
            Some(Err(error)) => {
                alert(tls, incoming.get_mut(used..).unwrap_or_default(), &mut output.outgoing);
                return (incoming.len(), Err(error));
            }
            Some(progress) => return (used, progress),
        }
    }
}

/// Appends the alert that tells the peer of an error.
fn alert(tls: &mut UnbufferedServerConnection, mut incoming: &mut [u8], outgoing: &mut Vec<u8>) {
    loop {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(incoming);
        let Ok(ConnectionState::EncodeTlsData(data)) = state else { return };
        if encode(data, outgoing).is_err() {
            return;
        }
        incoming = incoming.get_mut(discard..).unwrap_or_default();
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) -> Result<(), rustls::Error> {
    let start = outgoing.len();
    let mut encoded = data.encode(&mut []);
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = encoded {
        outgoing.resize(start + required_size, 0);
        encoded = data.encode(outgoing.get_mut(start..).unwrap_or_default());
    }
    encoded.map(drop).map_err(|error| rustls::Error::General(error.to_string()))
}
