//! TLS as a client: the trusted certificates, read once for all connections.

use std::{io, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        client::Resumption,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// The trusted certificates. Clones share one connector. In its serialized form, for another process, it is the PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tls {
    pem: Arc<str>,
    connector: TlsConnector,
}

impl Tls {
    /// Trusts the certificates of this file, in PEM.
    ///
    /// # Errors
    /// The file cannot be read, or has no certificate.
    pub fn trusting(file: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        Self::try_from(pem).with_context(|| format!("{}", file.display()))
    }

    pub(super) async fn shake_hands(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}

impl TryFrom<String> for Tls {
    type Error = anyhow::Error;

    fn try_from(pem: String) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate?)?;
        }
        ensure!(!roots.is_empty(), "the file has no certificate (PEM)");
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        // Each handshake is a full one, like that of a new client.
        config.resumption = Resumption::disabled();
        Ok(Self { pem: pem.into(), connector: TlsConnector::from(Arc::new(config)) })
    }
}

impl From<Tls> for String {
    fn from(tls: Tls) -> Self {
        tls.pem.as_ref().to_owned()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tls").finish_non_exhaustive()
    }
}
