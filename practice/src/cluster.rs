//! One practice cluster of one state folder: lock, certificates, API server, controllers and node,
//! started together and stopped in order.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{
    ApiServer, CertError, Certificates, PersistError, bootstrap, publish_authority, serve_tls,
};
use crate::controllers;
use crate::images::ImageStore;
use crate::node::{Node, NodeConfig, NodeError};

/// The name of the one node.
pub const NODE_NAME: &str = "practice";
/// How long pods get to end when the cluster stops.
const POD_GRACE: Duration = Duration::from_secs(10);
/// How long the controllers and the API server may take to end by themselves.
const PART_GRACE: Duration = Duration::from_secs(3);

/// What a practice cluster needs to know.
#[derive(Clone, Debug)]
pub struct PracticeConfig {
    /// The state folder of Slipway; the cluster keeps its things in `practice/` below it.
    pub state_dir: PathBuf,
    /// Whether controllers run; without them nothing acts on what is stored.
    pub controllers: bool,
    /// Whether there is a node; without one pods stay pending.
    pub node: bool,
}

impl PracticeConfig {
    /// The cluster of this state folder.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            controllers: true,
            node: true,
        }
    }

    /// Only the API server, for what needs no pods to run.
    pub fn api_only(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            controllers: false,
            node: false,
            ..Self::new(state_dir)
        }
    }

    fn folder(&self) -> PathBuf {
        self.state_dir.join("practice")
    }
}

/// Failed to start a practice cluster.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the practice cluster of this state folder is already running as process {pid}")]
    AlreadyRunning { pid: u32, kubeconfig: PathBuf },
    #[error("use {path}: {source}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("listen on loopback: {0}")]
    Listen(std::io::Error),
    #[error(transparent)]
    Certificates(#[from] CertError),
    #[error(transparent)]
    Objects(#[from] PersistError),
    #[error("create the practice cluster's first objects: {0}")]
    Bootstrap(#[from] Box<kube::Error>),
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// A running practice cluster. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct PracticeCluster {
    api: Arc<ApiServer>,
    kubeconfig: PathBuf,
    port: u16,
    node: Option<Arc<Node>>,
    controllers: Part,
    server: Part,
    /// Held for the life of the cluster.
    _lock: File,
}

/// One task and the token that ends it.
#[derive(Debug)]
struct Part {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Part {
    /// Asks the part to end, and ends it by force when it does not within [`PART_GRACE`].
    async fn end(&mut self) {
        self.stop.cancel();
        let Some(mut task) = self.task.take() else {
            return;
        };
        match tokio::time::timeout(PART_GRACE, &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a part of the practice cluster ended badly"),
            Err(_) => {
                tracing::warn!("a part of the practice cluster did not end by itself");
                task.abort();
            }
        }
    }
}

impl PracticeCluster {
    /// Starts the cluster of a state folder; the API answers when this returns.
    pub async fn start(config: PracticeConfig) -> Result<Self, StartError> {
        let folder = config.folder();
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        crate::api::make_private_folder(&folder).map_err(at(&folder))?;
        let lock = take_lock(&folder)?;
        let certificates = Certificates::open(&folder.join("certs"))?;
        let token = admin_token(&folder).map_err(at(&folder))?;
        let listener = listen(&folder).await.map_err(StartError::Listen)?;
        let port = listener.local_addr().map_err(StartError::Listen)?.port();

        let server_stop = CancellationToken::new();
        let api = ApiServer::open(&folder.join("objects.sqlite"), server_stop.clone())?;
        let tls = certificates.server_config()?;
        let server = tokio::spawn(serve_tls(
            listener,
            tls,
            token,
            api.router(),
            server_stop.clone(),
        ));
        let server = Part {
            stop: server_stop,
            task: Some(server),
        };

        bootstrap(&api.client(), port).await.map_err(Box::new)?;
        publish_authority(&api.client(), &certificates.authority)
            .await
            .map_err(Box::new)?;
        let kubeconfig = folder.join("kubeconfig");
        crate::api::write_private(&kubeconfig, certificates.kubeconfig(port).as_bytes())
            .map_err(at(&kubeconfig))?;

        let stop = CancellationToken::new();
        let task = config
            .controllers
            .then(|| tokio::spawn(controllers::run(api.client(), stop.clone())));
        let controllers = Part { stop, task };
        let node = match config.node {
            true => Some(start_node(&api, &folder).await?),
            false => None,
        };
        Ok(Self {
            api,
            kubeconfig,
            port,
            node,
            controllers,
            server,
            _lock: lock,
        })
    }

    /// The admin kubeconfig's path.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The loopback port of the API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client that calls the API in process, without TLS and without a connection.
    pub fn client(&self) -> kube::Client {
        self.api.client()
    }

    /// The node's image store, when there is a node.
    pub fn images(&self) -> Option<&ImageStore> {
        self.node.as_ref().map(|node| node.images())
    }

    /// Stops everything in order: first what would replace pods, then the pods, at last the API.
    /// Objects stay on disk.
    pub async fn shutdown(mut self) {
        self.controllers.end().await;
        if let Some(node) = &self.node {
            node.shutdown(POD_GRACE).await;
        }
        self.api.set_backend(None);
        self.server.end().await;
    }
}

impl Drop for PracticeCluster {
    fn drop(&mut self) {
        self.controllers.stop.cancel();
        self.server.stop.cancel();
        self.api.set_backend(None);
    }
}

async fn start_node(api: &Arc<ApiServer>, folder: &Path) -> Result<Arc<Node>, NodeError> {
    let config = NodeConfig {
        state_dir: folder.to_owned(),
        client: api.client(),
        node_name: NODE_NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let node = Arc::new(Node::start(config).await?);
    api.set_backend(Some(node.clone()));
    Ok(node)
}

/// A practice cluster that another process (or another part of this one) runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningPractice {
    pub pid: u32,
    pub kubeconfig: PathBuf,
}

impl RunningPractice {
    /// Finds the running cluster of a state folder without starting one: its lock is held and its
    /// API says that it is ready.
    pub async fn find(state_dir: &Path) -> Option<Self> {
        let folder = state_dir.join("practice");
        let mut file = File::open(folder.join("lock")).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            // Our own short lock goes with the file.
            _ => return None,
        }
        let found = Self {
            pid: read_pid(&mut file)?,
            kubeconfig: folder.join("kubeconfig"),
        };
        let ready = tokio::time::timeout(Duration::from_secs(5), answers(&found.kubeconfig)).await;
        ready.unwrap_or(false).then_some(found)
    }
}

async fn answers(kubeconfig: &Path) -> bool {
    let Ok(config) = Kubeconfig::read_from(kubeconfig) else {
        return false;
    };
    let options = KubeConfigOptions::default();
    let Ok(config) = kube::Config::from_custom_kubeconfig(config, &options).await else {
        return false;
    };
    let Ok(client) = kube::Client::try_from(config) else {
        return false;
    };
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    client
        .request_text(request)
        .await
        .is_ok_and(|text| text == "ok")
}

fn take_lock(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let failed = |source| StartError::Folder {
        path: path.clone(),
        source,
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = read_pid(&mut file).unwrap_or(0);
            return Err(StartError::AlreadyRunning {
                pid,
                kubeconfig: folder.join("kubeconfig"),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn admin_token(folder: &Path) -> std::io::Result<String> {
    let path = folder.join("token");
    if let Ok(token) = fs::read_to_string(&path)
        && token.len() >= 64
    {
        return Ok(token);
    }
    let bytes: [u8; 32] = rand::random();
    let token = hex::encode(bytes);
    crate::api::write_private(&path, token.as_bytes())?;
    Ok(token)
}

/// Takes the port of last time, so that kubeconfigs people copied stay true, or a new one.
async fn listen(folder: &Path) -> std::io::Result<TcpListener> {
    let path = folder.join("port");
    let last = fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = last
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    crate::api::write_private(&path, port.to_string().as_bytes())?;
    Ok(listener)
}
