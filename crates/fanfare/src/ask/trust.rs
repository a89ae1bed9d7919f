//! The certificates that are accepted when a node is asked by https.
//!
//! A question has no secret, and its answer is only figures and a health. So a node of this machine, at an address of
//! its own configuration, may show any certificate: that is mostly for a name, and the node is asked by its address.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use super::error::NoAnswer;

/// The authority of the certificates of nodes that are asked by https.
#[derive(Debug, Clone, Default, Args)]
pub struct Trust {
    /// A PEM file with the authority that signs the certificates of nodes
    #[arg(
        long,
        value_name = "FILE",
        help = "For https: a PEM file with the authority of the certificate [default: those of this machine]"
    )]
    pub ca: Option<PathBuf>,
    /// Do not check certificates
    #[arg(long, conflicts_with = "ca", help = "For https: accept every certificate")]
    pub insecure: bool,
}

impl Trust {
    /// Makes TLS connections; with `any`, whatever the certificate.
    ///
    /// # Errors
    /// No authority is trusted.
    pub(super) fn connector(&self, any: bool) -> Result<TlsConnector, NoAnswer> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| NoAnswer::Trust(error.to_string()))?;
        let config = if any || self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
    }

    fn roots(&self) -> Result<RootCertStore, NoAnswer> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(path) => {
                let cannot = |error: &dyn std::fmt::Display| {
                    NoAnswer::Trust(format!("--ca {} cannot be used: {error}", path.display()))
                };
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| cannot(&error))? {
                    let certificate = certificate.map_err(|error| cannot(&error))?;
                    roots.add(certificate).map_err(|error| cannot(&error))?;
                }
            }
        }
        if roots.is_empty() {
            return Err(NoAnswer::Trust("no authority is trusted here: name one with --ca FILE".into()));
        }
        Ok(roots)
    }
}

/// Accepts every certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
