//! The practice cluster's one node: a kubelet that runs pods as real processes, the network they
//! find each other on, and the Services of this machine.

mod backend;
mod backoff;
mod container;
mod core;
mod dns;
mod env;
mod events;
mod forward;
#[cfg(target_os = "linux")]
mod linux;
mod logs;
mod pod_net;
mod prepare;
mod probe;
mod process;
mod quantity;
mod register;
mod services;
mod status;
mod survivors;
mod usage;
mod volumes;
mod watch;
mod worker;

use std::fs::DirBuilder;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::core::{MemoryLimits, NodeCore};
use self::worker::Message;
use crate::images::{ImageStore, StoreError};

/// How to start the node.
#[derive(Clone)]
pub struct NodeConfig {
    /// The practice cluster's folder; images, logs and pod files live below it.
    pub state_dir: PathBuf,
    /// A client with the rights of a node.
    pub client: kube::Client,
    /// Name of the Node object.
    pub node_name: String,
    /// Shown as the container runtime's version.
    pub version: String,
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeConfig")
            .field("state_dir", &self.state_dir)
            .finish_non_exhaustive()
    }
}

/// Why the node could not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("prepare the node's folder {path}: {source}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Images(#[from] StoreError),
    #[error("find free loopback addresses for pods: {0}")]
    Addresses(std::io::Error),
    #[error("start the node's process starter: {0}")]
    Spawner(std::io::Error),
    #[error("register the node: {0}")]
    Register(#[from] Box<kube::Error>),
}

/// The running node. Dropping it kills its containers; [`Node::shutdown`] ends them politely.
pub struct Node {
    core: Arc<NodeCore>,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.core.name)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Ends what an earlier node left behind, registers the Node object and starts to run the
    /// pods bound to it.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let NodeConfig {
            state_dir,
            client,
            node_name,
            version,
        } = config;
        let folder = state_dir.clone();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| NodeError::Folder {
                path: folder,
                source,
            })?;
        let canonical = state_dir
            .canonicalize()
            .unwrap_or_else(|_| state_dir.clone());
        let hash = Sha256::digest(canonical.as_os_str().as_encoded_bytes());
        let identity = hex::encode(&hash[..16]);
        let secret_base = volumes::secret_base(&identity, &state_dir);
        let images = ImageStore::open(state_dir.join("images"))?;

        let (dir, secrets, mark) = (state_dir.clone(), secret_base.clone(), identity.clone());
        let ended = tokio::task::spawn_blocking(move || survivors::clean_up(&dir, &secrets, &mark))
            .await
            .unwrap_or_default();
        if ended > 0 {
            tracing::info!(
                processes = ended,
                "ended processes an earlier node left running"
            );
        }
        let (dns, subnet) = claim_subnet(hash[0]).await.map_err(NodeError::Addresses)?;
        let stop = CancellationToken::new();
        let services = Arc::new(services::Services::default());
        let recorder = events::Recorder::start(client.clone(), node_name.clone());
        let image_changes = watch::images(images.clone(), stop.clone());
        let (private_roots, filter_network) = abilities();
        let core = Arc::new(NodeCore {
            client,
            name: node_name,
            identity,
            state_dir,
            secret_base,
            images,
            image_changes,
            spawner: process::Spawner::start().map_err(NodeError::Spawner)?,
            recorder,
            services,
            dns: dns.address,
            addresses: pod_net::PodAddresses::new(subnet),
            pod_namespaces: dns::PodNamespaces::default(),
            private_roots,
            filter_network,
            memory: MemoryLimits::default(),
            meter: usage::Meter::default(),
            pods: std::sync::RwLock::default(),
        });
        register::beat(&core, &version).await.map_err(Box::new)?;
        let tasks = vec![
            tokio::spawn(dns.serve(core.services.clone(), core.pod_namespaces.clone())),
            tokio::spawn(register::run(core.clone(), version)),
            tokio::spawn(watch::services(core.clone())),
            tokio::spawn(watch::slices(core.clone())),
            tokio::spawn(forward::run(
                core.client.clone(),
                core.services.clone(),
                core.recorder.clone(),
            )),
            tokio::spawn(watch::memory(core.clone())),
            tokio::spawn(usage::measure(core.clone())),
            tokio::spawn(watch::pods(core.clone(), stop.clone())),
        ];
        Ok(Self { core, stop, tasks })
    }

    /// The node's image store.
    #[must_use]
    pub fn images(&self) -> &ImageStore {
        &self.core.images
    }

    /// Ends all pods within the grace (or their own, if shorter). Their objects stay and are run
    /// again by the next node.
    pub async fn shutdown(&self, grace: Duration) {
        self.stop.cancel();
        let handles: Vec<_> = self
            .core
            .pods
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        let mut stopped = Vec::new();
        for handle in handles {
            let (done, ended) = oneshot::channel();
            if handle
                .messages
                .send(Message::Stop { grace, done })
                .await
                .is_ok()
            {
                stopped.push(ended);
            }
        }
        let all = futures::future::join_all(stopped);
        // A little more than the grace: the end of a killed container is still written down.
        if tokio::time::timeout(grace + Duration::from_secs(10), all)
            .await
            .is_err()
        {
            tracing::warn!("not all pods ended in time");
        }
        for task in &self.tasks {
            task.abort();
        }
        // Outside the state folder, so nobody else would ever remove it; pods took theirs out of it.
        let _ = tokio::fs::remove_dir(&self.core.secret_base).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Whether containers can have a private root, and whether their network can be supervised.
#[cfg(target_os = "linux")]
fn abilities() -> (bool, bool) {
    let abilities = (
        linux::child::private_roots_available(),
        linux::sys::notifications_available(),
    );
    if !abilities.0 {
        tracing::warn!(
            "containers share this machine's file system: user namespaces are not allowed here"
        );
    }
    if !abilities.1 {
        tracing::warn!(
            "pods share this machine's network: the kernel offers no seccomp notifications"
        );
    }
    abilities
}

#[cfg(not(target_os = "linux"))]
fn abilities() -> (bool, bool) {
    tracing::warn!("pods share this machine's file system and network: this is not Linux");
    (false, false)
}

/// Binds the DNS server in the first free subnet from `first` on. The socket is the claim: two
/// practice clusters on one machine never share pod addresses.
async fn claim_subnet(first: u8) -> std::io::Result<(dns::DnsServer, u8)> {
    let mut last = std::io::Error::other("no loopback subnet is free");
    for offset in 0..=u8::MAX {
        let subnet = first.wrapping_add(offset);
        match dns::DnsServer::bind(Ipv4Addr::new(127, 77, subnet, 2)).await {
            Ok(server) => return Ok((server, subnet)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
