//! TLS to Redis: the trusted authorities, this node's certificate, and what a failure means.
//!
//! Invariant: a private key is never shown.

use std::{fmt, io, sync::Arc};

use parking_lot::Mutex;
use pem::Pem;
use redis::{ClientTlsConfig, TlsCertificates};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// How this node and Redis know each other where the broker's URL is `rediss://`.
#[derive(Clone, Default)]
pub struct RedisTls {
    /// The authorities that may sign Redis's certificate. If empty, the authorities that this machine trusts.
    ca: Vec<CertificateDer<'static>>,
    client: Option<Arc<Client>>,
    /// Made for the first connection.
    connector: Arc<Mutex<Option<TlsConnector>>>,
}

/// The certificate that this node shows, with its chain and its key.
struct Client {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key.secret_der() == other.key.secret_der()
    }
}

impl PartialEq for RedisTls {
    fn eq(&self, other: &Self) -> bool {
        self.ca == other.ca && self.client == other.client
    }
}

impl Eq for RedisTls {}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ca, client) = (self.ca.len(), self.client.is_some());
        f.debug_struct("RedisTls").field("ca", &ca).field("client", &client).finish_non_exhaustive()
    }
}

impl RedisTls {
    /// TLS with these authorities (if empty, those of the machine), and with the certificate that this node shows, its
    /// chain and its key.
    #[must_use]
    pub fn new(
        ca: Vec<CertificateDer<'static>>,
        client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let client = client.map(|(chain, key)| Arc::new(Client { chain, key }));
        Self { ca, client, connector: Arc::default() }
    }

    /// Makes TLS connections. The authorities of the machine are read once.
    pub(super) fn connector(&self) -> Result<TlsConnector, TlsError> {
        let mut connector = self.connector.lock();
        match &*connector {
            Some(connector) => Ok(connector.clone()),
            None => Ok(connector.insert(self.make()?).clone()),
        }
    }

    fn make(&self) -> Result<TlsConnector, TlsError> {
        let mut roots = RootCertStore::empty();
        if self.ca.is_empty() {
            roots.add_parsable_certificates(of_machine());
            if roots.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
        } else {
            for certificate in &self.ca {
                roots.add(certificate.clone()).map_err(|error| TlsError::of(&error))?;
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::of(&error))?
            .with_root_certificates(roots);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
                .map_err(|error| TlsError::of(&error))?,
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// The same for connections that the redis crate makes. It always gets authorities, even where none of them can be
    /// used: without them it would trust those that it has built in.
    pub(crate) fn as_pem(&self) -> TlsCertificates {
        let mut authorities = if self.ca.is_empty() { of_machine() } else { self.ca.clone() };
        // It takes all or none. The other connections say what is wrong with one of `redis.ca`.
        authorities.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        let client_tls = self.client.as_ref().map(|client| ClientTlsConfig {
            client_cert: certificates_as_pem(&client.chain),
            client_key: key_as_pem(&client.key),
        });
        TlsCertificates { client_tls, root_cert: Some(certificates_as_pem(&authorities)) }
    }
}

/// The authorities that this machine trusts, as far as its store can be read.
fn of_machine() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

fn certificates_as_pem(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    let pems: Vec<_> = certificates.iter().map(|each| Pem::new("CERTIFICATE", each.to_vec())).collect();
    pem::encode_many(&pems).into_bytes()
}

fn key_as_pem(key: &PrivateKeyDer<'_>) -> Vec<u8> {
    let tag = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    pem::encode(&Pem::new(tag, key.secret_der())).into_bytes()
}

/// The reason why TLS with Redis fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("this machine trusts no certificate authority: name the one of Redis in redis.ca")]
    NoAuthorities,
    #[error("{0:?} is not a name that a certificate can be for: see the host in `broker`")]
    Name(String),
    #[error("its certificate has expired: give Redis a new one")]
    Expired,
    #[error("its certificate is not valid yet: look at the clocks of both machines")]
    NotYet,
    #[error("its certificate is for {}, not for the host in `broker`", names(.0))]
    OtherName(Vec<String>),
    #[error("its certificate is signed by an authority that this node does not trust: name that in redis.ca")]
    UnknownIssuer,
    #[error(
        "its certificate is that of an authority, as `openssl req -x509` makes it, which TLS takes for no server: make it \
         again with -addext basicConstraints=critical,CA:FALSE, and name it in redis.ca"
    )]
    SelfSigned,
    #[error("its certificate is not good: {0}")]
    Certificate(String),
    #[error(
        "it does not accept the certificate of this node, or wants one ({0}): see redis.client_cert and \
         redis.client_key"
    )]
    Rejected(String),
    #[error("it does not speak TLS at this port: see its setting tls-port, or write redis:// in `broker`")]
    NotTls,
    #[error(
        "it does not answer TLS: it is frozen, or this is a port without TLS, which says nothing at all (its setting \
         tls-port; redis:// in `broker`)"
    )]
    Silent,
    #[error("TLS: {0}")]
    Other(String),
}

fn names(names: &[String]) -> String {
    // rustls shows them as `DnsName("redis.example")`.
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    let bare: Vec<_> = names.iter().map(bare).collect();
    if bare.is_empty() { "other names".to_owned() } else { bare.join(", ") }
}

impl TlsError {
    /// The failure of TLS in a failure of the socket.
    pub(crate) fn in_io(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?;
        error.downcast_ref::<Error>().map(Self::of).or_else(|| error.downcast_ref::<Self>().cloned())
    }

    /// Whether it is a mistake that a person has to correct.
    pub(crate) fn is_configuration(&self) -> bool {
        !matches!(self, Self::Other(_) | Self::Silent)
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) if is_about_certificates(*alert) => {
                Self::Rejected(format!("{alert:?}"))
            }
            Error::InvalidMessage(_) => Self::NotTls,
            error => Self::Other(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYet,
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => Self::OtherName(presented.clone()),
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            error if is_of_an_authority(error) => Self::SelfSigned,
            error => Self::Certificate(error.to_string()),
        }
    }
}

/// Whether an authority's own certificate was shown as that of a server. rustls has no variant for this cause.
#[must_use]
pub fn is_of_an_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(cause) if format!("{cause:?}").contains("CaUsedAsEndEntity"))
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::HandshakeFailure
            | AlertDescription::UnknownCA
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_authorities_are_never_trusted() {
        let unusable = RedisTls::new(vec![CertificateDer::from(b"no certificate".to_vec())], None);
        assert_eq!(unusable.as_pem().root_cert.as_deref(), Some(&b""[..]));
        assert!(RedisTls::default().as_pem().root_cert.is_some());
    }
}
