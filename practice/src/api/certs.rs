//! The cluster's certificates: an authority, a server and an admin client certificate, made once
//! and kept readable for their owner only.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Failed to make or read the certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    #[error("make the practice cluster's certificates: {0}")]
    Make(#[from] rcgen::Error),
    #[error("keep {path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("read the practice cluster's certificates: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("use the practice cluster's certificates: {0}")]
    Tls(#[from] rustls::Error),
    #[error("use the practice cluster's authority: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Everything the front door and the kubeconfig need.
pub struct Certificates {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The admin's certificate, PEM.
    pub admin: String,
    admin_key: String,
    server: String,
    server_key: String,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

const FILES: [&str; 5] = [
    "ca.crt",
    "admin.crt",
    "admin.key",
    "server.crt",
    "server.key",
];

impl Certificates {
    /// Reads the certificates kept in `folder`, or makes and keeps new ones.
    pub fn open(folder: &Path) -> Result<Self, CertError> {
        make_private_folder(folder).map_err(|source| CertError::File {
            path: folder.to_owned(),
            source,
        })?;
        let mut texts = Vec::with_capacity(FILES.len());
        for file in FILES {
            match fs::read_to_string(folder.join(file)) {
                Ok(text) => texts.push(text),
                Err(_) => return Self::make(folder),
            }
        }
        let [authority, admin, admin_key, server, server_key] =
            <[String; 5]>::try_from(texts).unwrap_or_default();
        let read = Self {
            authority,
            admin,
            admin_key,
            server,
            server_key,
        };
        // Half-written files of a crash are replaced like missing ones.
        if read.server_config().is_ok() {
            Ok(read)
        } else {
            Self::make(folder)
        }
    }

    fn make(folder: &Path) -> Result<Self, CertError> {
        let mut params = lasting(CertificateParams::default());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "slipway-practice-ca");
        let ca_key = KeyPair::generate()?;
        let authority = params.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(params, ca_key);

        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "127.0.0.1",
            "::1",
            "10.96.0.1",
        ];
        let mut params = lasting(CertificateParams::new(names.map(str::to_owned))?);
        params
            .distinguished_name
            .push(DnType::CommonName, "slipway-practice");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?.pem();

        let mut params = lasting(CertificateParams::default());
        params
            .distinguished_name
            .push(DnType::CommonName, "practice-admin");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let admin_key = KeyPair::generate()?;
        let admin = params.signed_by(&admin_key, &issuer)?.pem();
        // The authority's key is forgotten: nothing else will be signed with it.

        let made = Self {
            authority,
            admin,
            admin_key: admin_key.serialize_pem(),
            server,
            server_key: server_key.serialize_pem(),
        };
        let texts = [
            &made.authority,
            &made.admin,
            &made.admin_key,
            &made.server,
            &made.server_key,
        ];
        for (file, text) in FILES.iter().zip(texts) {
            let path = folder.join(file);
            write_private(&path, text.as_bytes())
                .map_err(|source| CertError::File { path, source })?;
        }
        Ok(made)
    }

    /// TLS for the front door: clients may show a certificate of this authority.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertError> {
        // Another part of the process may have chosen its provider already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes())?)?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .allow_unauthenticated()
            .build()?;
        let chain = vec![CertificateDer::from_pem_slice(self.server.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(self.server_key.as_bytes())?;
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The admin kubeconfig for a server on this loopback port.
    pub fn kubeconfig(&self, port: u16) -> String {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        format!(
            "apiVersion: v1
kind: Config
clusters:
- name: practice
  cluster:
    server: https://127.0.0.1:{port}
    certificate-authority-data: {}
    extensions:
    - name: cluster_info
      extension:
        provider: slipway-practice
contexts:
- name: practice
  context:
    cluster: practice
    user: practice
    namespace: default
    extensions:
    - name: context_info
      extension:
        provider: slipway-practice
current-context: practice
users:
- name: practice
  user:
    client-certificate-data: {}
    client-key-data: {}
",
            encode(&self.authority),
            encode(&self.admin),
            encode(&self.admin_key),
        )
    }
}

fn lasting(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2074, 1, 1);
    params
}

/// Creates a folder only its owner can enter.
pub fn make_private_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Replaces a file that only its owner can read, in one step.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
