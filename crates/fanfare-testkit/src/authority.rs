//! Certificates of a test: an authority, certificates that it signs, and clients that trust it.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

/// An authority that signs certificates. Its files are removed when this is dropped.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// The validity of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For years from now.
    Current,
    /// Until some day in 2001.
    Expired,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// If its files cannot be written.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&[])
    }

    /// An authority whose own certificate is for these hosts too, as `openssl req -x509` makes it, with its files.
    ///
    /// # Panics
    /// If its files cannot be written.
    #[must_use]
    pub fn self_signed(hosts: &[&str]) -> (Self, Issued) {
        let authority = Self::of(hosts);
        let key = authority.folder.path().join("ca.key");
        good(fs::write(&key, authority.issuer.key().serialize_pem()));
        let issued = Issued { cert: authority.ca(), key };
        (authority, issued)
    }

    fn of(hosts: &[&str]) -> Self {
        let made = || {
            let mut params =
                CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
            // A name of its own: two authorities of one name would look like one with a wrong key.
            params.distinguished_name.push(DnType::CommonName, format!("tests {}", rand::random::<u64>()));
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let issuer = good(made());
        let folder = good(tempfile::tempdir());
        good(fs::write(folder.path().join("ca.crt"), issuer.as_ref().pem()));
        Self { issuer, folder }
    }

    /// The file of the authority's own certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Signs a certificate for these host names and addresses, into files of this name. Older files are replaced.
    ///
    /// # Panics
    /// If its files cannot be written.
    #[must_use]
    pub fn issue(&self, name: &str, hosts: &[&str], validity: Validity) -> Issued {
        let issued = Issued {
            cert: self.folder.path().join(format!("{name}.crt")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        let made = || {
            let key = KeyPair::generate()?;
            let mut params =
                CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            if validity == Validity::Expired {
                params.not_after = date_time_ymd(2001, 2, 3);
            }
            params.signed_by(&key, &self.issuer).map(|certificate| (certificate.pem(), key.serialize_pem()))
        };
        let (cert, key) = good(made());
        good(fs::write(&issued.cert, cert));
        good(fs::write(&issued.key, key));
        issued
    }

    /// The TLS configuration of a client that trusts this authority, and shows a certificate if it has one.
    #[must_use]
    pub fn client(&self, shows: Option<&Issued>) -> Arc<ClientConfig> {
        self.client_of(shows, &[&TLS12, &TLS13])
    }

    /// The TLS configuration of a client with TLS 1.2 only.
    #[must_use]
    pub fn old_client(&self) -> Arc<ClientConfig> {
        self.client_of(None, &[&TLS12])
    }

    fn client_of(
        &self,
        shows: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        good(roots.add(self.issuer.as_ref().der().clone()));
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = good(builder.with_protocol_versions(versions)).with_root_certificates(roots);
        Arc::new(match shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let (chain, key) = issued.read();
                good(builder.with_client_auth_cert(chain, key))
            }
        })
    }

    /// A connector for clients that trust this authority.
    #[must_use]
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.client(None))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Issued {
    /// The certificate and its key in a configuration, under these names.
    #[must_use]
    pub fn toml(&self, cert: &str, key: &str) -> String {
        format!("{cert} = \"{}\"\n{key} = \"{}\"\n", self.cert.display(), self.key.display())
    }

    fn read(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = good(CertificateDer::pem_file_iter(&self.cert)).map(good).collect();
        (chain, good(PrivateKeyDer::from_pem_file(&self.key)))
    }
}

fn good<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("a certificate for the test: {error:?}"),
    }
}
