//! Encryption, with the certificate always looked at; whether a bad one ends the test is up to the
//! value (`sslmode=require` encrypts without asking who is there).

use std::sync::{Arc, Mutex, PoisonError};

use app::model::Finding;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use super::words;

/// How much the certificate matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Encrypt, whoever it is.
    Anyone,
    /// A known authority has to vouch for it, for whatever name.
    Authority,
    /// A known authority has to vouch for this name.
    Full,
}

/// What was seen of the certificate: shared with whoever asked for the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Result<(), CertificateProblem>>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateProblem {
    UnknownIssuer,
    OtherName,
    Expired,
    Other,
}

impl Seen {
    /// None before a certificate was shown.
    pub fn verdict(&self) -> Option<Result<(), CertificateProblem>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, verdict: Result<(), CertificateProblem>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
    }
}

/// A connector that trusts what this machine trusts.
pub(super) async fn connector(
    trust: Trust,
    alpn: &'static [&'static [u8]],
) -> Result<(TlsConnector, Seen), Finding> {
    // Reads the machine's certificates from disk.
    match tokio::task::spawn_blocking(move || make(trust, alpn)).await {
        Ok(Ok(made)) => Ok(made),
        _ => Err(words::no_tls_here()),
    }
}

fn make(trust: Trust, alpn: &[&[u8]]) -> Result<(TlsConnector, Seen), rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let inner = match roots.is_empty() {
        true => None,
        false => WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .ok(),
    };
    let seen = Seen::default();
    let verifier = Looking {
        inner,
        trust,
        seen: seen.clone(),
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok((TlsConnector::from(Arc::new(config)), seen))
}

/// Judges like a browser, writes the verdict down, and lets pass what the value lets pass.
#[derive(Debug)]
struct Looking {
    inner: Option<Arc<WebPkiServerVerifier>>,
    trust: Trust,
    seen: Seen,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let problem = judged.as_ref().err().map(problem_of);
        self.seen.set(problem.map_or(Ok(()), Err));
        let is_let_pass = match self.trust {
            Trust::Anyone => true,
            Trust::Authority => problem == Some(CertificateProblem::OtherName),
            Trust::Full => false,
        };
        match judged {
            Err(_) if is_let_pass => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn problem_of(error: &rustls::Error) -> CertificateProblem {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateProblem::OtherName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                CertificateProblem::Expired
            }
            _ => CertificateProblem::Other,
        },
        _ => CertificateProblem::Other,
    }
}
