//! The TLS terms of a listener, and their replacement while it listens.

use std::{fmt, sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};
use x509_cert::{Certificate, der::Decode};

/// The protocols inside TLS (RFC 7301), the preferred one first. A client that is to open a WebSocket offers only the
/// second.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The terms of TLS: a certificate with its chain, its private key, and the authority of clients.
pub struct Terms {
    /// The server's certificate first, then the certificates that lead to its root.
    chain: Vec<CertificateDer<'static>>,
    /// The key of the first certificate.
    key: PrivateKeyDer<'static>,
    /// The authorities that sign the certificates of clients. If empty, clients need no certificate.
    client_ca: Vec<CertificateDer<'static>>,
}

impl Clone for Terms {
    fn clone(&self) -> Self {
        let Self { chain, key, client_ca } = self;
        Self { chain: chain.clone(), key: key.clone_key(), client_ca: client_ca.clone() }
    }
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        let is_same_key = self.key.secret_der() == other.key.secret_der();
        is_same_key && self.chain == other.chain && self.client_ca == other.client_ca
    }
}

/// Without the key.
impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (chain, client_ca) = (self.chain.len(), self.client_ca.len());
        f.debug_struct("Terms").field("chain", &chain).field("client_ca", &client_ca).finish_non_exhaustive()
    }
}

/// Why a listener cannot use the terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The key belongs to another certificate.
    #[error("it is not the key of the certificate")]
    Mismatch,
    /// The kind of the key is not supported.
    #[error("the key cannot be used: {0}; RSA, P-256, P-384, P-521 and Ed25519 can")]
    Key(String),
    /// The certificate is malformed.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// An authority's certificate is malformed.
    #[error("a certificate authority cannot be used: {0}")]
    Authority(String),
}

impl Terms {
    /// Terms with a chain of one certificate at least.
    #[must_use]
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        client_ca: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { chain, key, client_ca }
    }

    /// When all certificates of the chain are valid.
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        let each = self.chain.iter().filter_map(|certificate| Expiry::of(certificate).ok());
        each.reduce(|all, one| Expiry { begins: all.begins.max(one.begins), ends: all.ends.min(one.ends) })
    }

    /// The configuration for rustls: TLS 1.2 and 1.3. Sessions are resumed by tickets, which need no memory here.
    ///
    /// # Errors
    /// The terms cannot be used.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TermsError> {
        let key = self.certified_key()?;
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TermsError::Certificate(error.to_string()))?;
        let authority = |error: &dyn fmt::Display| TermsError::Authority(error.to_string());
        let builder = if self.client_ca.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for certificate in &self.client_ca {
                roots.add(certificate.clone()).map_err(|error| authority(&error))?;
            }
            let provider = Arc::new(aws_lc_rs::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| authority(&error))?)
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.ticketer =
            aws_lc_rs::Ticketer::new().map_err(|error| TermsError::Certificate(error.to_string()))?;
        Ok(Arc::new(config))
    }

    fn certified_key(&self) -> Result<CertifiedKey, TermsError> {
        let key = aws_lc_rs::sign::any_supported_type(&self.key);
        let key = key.map_err(|error| TermsError::Key(error.to_string()))?;
        let certified = CertifiedKey::new(self.chain.clone(), key);
        match certified.keys_match() {
            // A key that does not name its public half cannot be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TermsError::Mismatch),
            Err(error) => Err(TermsError::Certificate(error.to_string())),
        }
    }
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Valid from this time on.
    pub begins: SystemTime,
    /// Valid until this time.
    pub ends: SystemTime,
}

impl Expiry {
    /// The expiry of a certificate.
    ///
    /// # Errors
    /// The certificate is malformed.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, TermsError> {
        let parsed = Certificate::from_der(certificate);
        let parsed = parsed.map_err(|error| TermsError::Certificate(error.to_string()))?;
        let validity = parsed.tbs_certificate.validity;
        let [begins, ends] = [validity.not_before, validity.not_after].map(|time| time.to_system_time());
        Ok(Self { begins, ends })
    }
}

/// TLS or plain HTTP, for new connections of one listener or several.
#[derive(Debug, Default)]
pub struct Acceptor(ArcSwapOption<ServerConfig>);

impl Acceptor {
    /// Uses this configuration for new connections, or plain HTTP without one. Open connections do not change.
    pub fn replace(&self, config: Option<Arc<ServerConfig>>) {
        self.0.store(config);
    }

    /// Whether new connections get TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.load().is_some()
    }

    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        self.0.load_full()
    }
}
