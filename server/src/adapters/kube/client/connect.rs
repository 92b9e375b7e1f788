//! From a context of the kubeconfig to a client. Everything that can be wrong in the file is found
//! here, before anybody is asked, and said in words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection as Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig};
use kube::{Client, Config};
use tower::util::{MapErrLayer, option_layer};
use tower::{BoxError, Layer, Service};
use x509_parser::pem::Pem;

use super::door::{DoorLayer, ReadOnly};
use super::login::{Login, LoginError};
use super::proxy::{ProxyEnv, proxy_for};
use super::token::TokenSource;
use crate::adapters::kube::kubeconfig::{Parts, parts};
use crate::engine::Redactor;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Shorter than every service mesh's and proxy's limit for silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A warning begins this long before a certificate ends.
const ENDS_SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// A client, and what is to be known about it.
pub struct Connection {
    pub client: Client,
    /// What weakens it or will end it soon, in words.
    pub warnings: Vec<String>,
    /// When its certificate ends; a login program gives another one then.
    pub ends: Option<Timestamp>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Why a context gives no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Something is missing in the kubeconfig.
    #[error("{0}")]
    Incomplete(String),
    #[error("the {what} cannot be used: {why}")]
    Material { what: &'static str, why: String },
    #[error("the client certificate of {subject} ended on {ended}")]
    Ended { subject: String, ended: String },
    /// Kubernetes took these out in 1.26.
    #[error("it logs in with the auth provider `{0}`, which Kubernetes does not have any more")]
    AuthProvider(String),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("{0}")]
    Proxy(String),
    #[error("{0}")]
    Client(String),
}

/// Makes a client for a context; only its login program is asked, if it has one. Changes are refused
/// while `read_only` is set.
pub async fn connect(
    kubeconfig: &Kubeconfig,
    context: &str,
    read_only: ReadOnly,
    redactor: &Redactor,
) -> Result<Connection, ConnectError> {
    let Parts { cluster, mut user } =
        parts(kubeconfig, context).map_err(ConnectError::Incomplete)?;
    let server = cluster.server.clone().unwrap_or_default();
    let mut warnings = Vec::new();
    let mut config = Config::new(server_url(&server, &mut warnings)?);
    config.connect_timeout = Some(CONNECT_LIMIT);
    // Retries are decided here, where the deadline and the person waiting are known.
    config.default_retry = false;
    config.tls_server_name = cluster.tls_server_name.clone();
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify == Some(true);
    if config.accept_invalid_certs {
        warnings.push(
            "The server's certificate is not checked (insecure-skip-tls-verify): anyone in between can read and change everything."
                .to_owned(),
        );
    } else {
        config.root_cert = authority(&cluster).await?;
    }
    config.proxy_url = proxy_for(&server, cluster.proxy_url.as_deref(), &ProxyEnv::read())
        .map_err(ConnectError::Proxy)?;
    for secret in [&user.token, &user.password].into_iter().flatten() {
        redactor.learn(kube_secret(secret).trim());
    }
    if let Some(provider) = &user.auth_provider {
        return Err(ConnectError::AuthProvider(provider.name.clone()));
    }
    let mut ends = certificate(&mut user, &mut warnings).await?;
    let token = token(&cluster, &mut user, redactor, &mut ends).await?;
    config.auth_info = user;
    let door = DoorLayer { read_only, token };
    let client = build(config, &door)
        .map_err(|error| ConnectError::Client(super::KubeError::from(error).to_string()))?;
    Ok(Connection {
        client,
        warnings,
        ends,
    })
}

fn server_url(server: &str, warnings: &mut Vec<String>) -> Result<Uri, ConnectError> {
    let wrong = || ConnectError::Incomplete(format!("its server `{server}` is no URL"));
    let url: Uri = server.parse().map_err(|_| wrong())?;
    match (url.scheme_str(), url.host()) {
        (Some("https"), Some(_)) => {}
        (Some("http"), Some(_)) => warnings.push(
            "The connection is not encrypted (http): anyone in between can read and change everything."
                .to_owned(),
        ),
        _ => return Err(wrong()),
    }
    Ok(url)
}

/// The certificates that prove the server; none means the system's.
async fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ConnectError> {
    let what = "certificate authority";
    let pem = material(
        what,
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
    )
    .await?;
    let Some(pem) = pem else { return Ok(None) };
    let certificates = certificates(what, &pem)?;
    Ok(Some(certificates))
}

/// Reads the client's certificate into the configuration, and says when it ends.
async fn certificate(
    user: &mut AuthInfo,
    warnings: &mut Vec<String>,
) -> Result<Option<Timestamp>, ConnectError> {
    let certificate = material(
        "client certificate",
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
    )
    .await?;
    let key = material(
        "client key",
        user.client_key_data.as_ref().map(kube_secret),
        user.client_key.as_deref(),
    )
    .await?;
    user.client_certificate = None;
    user.client_key = None;
    let (certificate, key) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            return Err(ConnectError::Incomplete(
                "its user has a client certificate and no key".to_owned(),
            ));
        }
        (None, Some(_)) => {
            return Err(ConnectError::Incomplete(
                "its user has a client key and no certificate".to_owned(),
            ));
        }
    };
    put_identity(user, &certificate, &key);
    let ends = lasting(&certificate)?;
    if ends < Timestamp::now() + ENDS_SOON {
        warnings.push(format!(
            "The client certificate ends on {}.",
            ends.strftime("%Y-%m-%d %H:%M UTC")
        ));
    }
    Ok(Some(ends))
}

fn put_identity(user: &mut AuthInfo, certificate: &[u8], key: &[u8]) {
    user.client_certificate_data = Some(STANDARD.encode(certificate));
    user.client_key_data = Some(STANDARD.encode(key).into());
}

/// When the first certificate ends; one that has ended is an error.
fn lasting(pem: &[u8]) -> Result<Timestamp, ConnectError> {
    let what = "client certificate";
    let first = certificates(what, pem)?.swap_remove(0);
    let unusable = |why: String| ConnectError::Material { what, why };
    let (_, certificate) =
        x509_parser::parse_x509_certificate(&first).map_err(|error| unusable(error.to_string()))?;
    let seconds = certificate.validity().not_after.timestamp();
    let ends = Timestamp::from_second(seconds).map_err(|error| unusable(error.to_string()))?;
    if ends < Timestamp::now() {
        return Err(ConnectError::Ended {
            subject: certificate.subject().to_string(),
            ended: ends.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        });
    }
    Ok(ends)
}

/// The certificates of a PEM text, never none.
fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<Vec<u8>>, ConnectError> {
    let found: Vec<Vec<u8>> = Pem::iter_from_buffer(pem)
        .filter_map(Result::ok)
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.contents)
        .collect();
    if found.is_empty() {
        return Err(ConnectError::Material {
            what,
            why: "it holds no PEM certificate".to_owned(),
        });
    }
    Ok(found)
}

/// Embedded data, which wins, or a file.
async fn material(
    what: &'static str,
    data: Option<&str>,
    path: Option<&str>,
) -> Result<Option<Vec<u8>>, ConnectError> {
    let unusable = |why: String| ConnectError::Material { what, why };
    if let Some(data) = data.filter(|data| !data.trim().is_empty()) {
        let compact: String = data.split_whitespace().collect();
        return STANDARD
            .decode(compact)
            .map(Some)
            .map_err(|_| unusable("its data is not Base64".to_owned()));
    }
    match path.filter(|path| !path.is_empty()) {
        None => Ok(None),
        Some(path) => tokio::fs::read(path)
            .await
            .map(Some)
            .map_err(|error| unusable(format!("{path}: {error}"))),
    }
}

/// Where the token comes from, if it does not simply stand in the file; a login program is asked.
async fn token(
    cluster: &Cluster,
    user: &mut AuthInfo,
    redactor: &Redactor,
    ends: &mut Option<Timestamp>,
) -> Result<Option<Arc<TokenSource>>, ConnectError> {
    // As client-go: the file's content wins over the token beside it.
    if let Some(path) = user.token_file.take().filter(|path| !path.is_empty()) {
        user.token = None;
        let source = TokenSource::file(PathBuf::from(path));
        source.header().await?;
        return Ok(Some(Arc::new(source)));
    }
    if let Some(token) = user.token.take() {
        let trimmed = kube_secret(&token).trim().to_owned();
        user.token = (!trimmed.is_empty()).then(|| trimmed.into());
    }
    let Some(mut exec) = user.exec.take() else {
        return Ok(None);
    };
    if exec.command.as_deref().unwrap_or_default().is_empty() {
        return Err(ConnectError::Incomplete(
            "its user logs in with a program, and none is named".to_owned(),
        ));
    }
    if exec.provide_cluster_info {
        exec.cluster = ExecAuthCluster::try_from(cluster).ok();
    }
    let login = Login::new(exec, redactor.clone());
    let given = login.ask().await?;
    if let Some((certificate, key)) = &given.certificate {
        put_identity(user, certificate.as_bytes(), key.as_bytes());
        let lasts = lasting(certificate.as_bytes())?;
        *ends = Some(given.ends.map_or(lasts, |ends| ends.min(lasts)));
    }
    match given.token {
        None => Ok(None),
        Some(token) => {
            user.token = None;
            let source = TokenSource::program(login, &token, given.ends)?;
            Ok(Some(Arc::new(source)))
        }
    }
}

fn kube_secret(secret: &impl secrecy::ExposeSecret<str>) -> &str {
    secret.expose_secret()
}

fn build(mut config: Config, door: &DoorLayer) -> Result<Client, kube::Error> {
    let Some(proxy) = config.proxy_url.take() else {
        return Ok(ClientBuilder::try_from(config)?.with_layer(door).build());
    };
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    direct.set_connect_timeout(Some(CONNECT_LIMIT));
    direct.set_keepalive(Some(KEEP_ALIVE));
    if proxy.scheme_str() == Some("socks5") {
        through(&config, SocksV5::new(proxy, direct), door)
    } else {
        let mut tunnel = Tunnel::new(proxy.clone(), direct);
        if let Some(login) = proxy_login(&proxy) {
            tunnel = tunnel.with_auth(login);
        }
        through(&config, tunnel, door)
    }
}

/// kube's own stack in the little, over a connector that kube has no feature for in this build.
fn through<C>(config: &Config, connector: C, door: &DoorLayer) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connect + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: std::error::Error + Send + Sync + 'static,
{
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let client: HyperClient<_, Body> = HyperClient::builder(TokioExecutor::new()).build(connector);
    let client = config.extra_headers_layer()?.layer(client);
    let client = MapErrLayer::new(BoxError::from).layer(client);
    let client = option_layer(config.auth_layer()?).layer(client);
    let client = config.base_uri_layer().layer(client);
    Ok(ClientBuilder::new(client, config.default_namespace.clone())
        .with_layer(door)
        .build())
}

/// `user:password` of the proxy's address, as its own header.
fn proxy_login(proxy: &Uri) -> Option<http::HeaderValue> {
    let (login, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let mut header =
        http::HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login))).ok()?;
    header.set_sensitive(true);
    Some(header)
}
