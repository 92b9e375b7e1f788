//! What all parts of the node share: its client, its stores, its addresses and its pods.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{mpsc, watch};

use super::dns::PodNamespaces;
use super::events::Recorder;
use super::logs::LogWriter;
use super::pod_net::{PodAddresses, PodNet};
use super::process::{ProcessContext, Spawner};
use super::services::Services;
use super::usage::Meter;
use super::worker::Message;
use crate::images::ImageStore;

pub const HOST_IP: &str = "127.0.0.1";

/// Shared by the node's tasks.
pub struct NodeCore {
    pub client: kube::Client,
    pub name: String,
    /// Hash of the state folder: marks this node's processes.
    pub identity: String,
    pub state_dir: PathBuf,
    pub secret_base: PathBuf,
    pub images: ImageStore,
    pub image_changes: watch::Receiver<u64>,
    pub spawner: Spawner,
    pub recorder: Recorder,
    pub services: Arc<Services>,
    pub dns: SocketAddrV4,
    pub addresses: PodAddresses,
    pub pod_namespaces: PodNamespaces,
    /// Containers get a mount namespace and a root of their own.
    pub private_roots: bool,
    /// Containers' network calls are supervised.
    pub filter_network: bool,
    pub memory: MemoryLimits,
    pub meter: Meter,
    pub pods: RwLock<HashMap<String, PodHandle>>,
}

impl std::fmt::Debug for NodeCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeCore")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl NodeCore {
    /// Where a container's logs are.
    pub fn log_folder(&self, namespace: &str, pod: &str, uid: &str) -> PathBuf {
        self.state_dir
            .join("logs")
            .join(format!("{namespace}_{pod}_{uid}"))
    }

    pub fn pod(&self, uid: &str) -> Option<PodHandle> {
        self.pods
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(uid)
            .cloned()
    }

    pub fn forget(&self, uid: &str) {
        self.pods
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}

/// How others reach a pod's worker and what it lets them see.
#[derive(Clone, Debug)]
pub struct PodHandle {
    pub messages: mpsc::Sender<Message>,
    pub shared: Arc<PodShared>,
}

#[derive(Debug)]
pub struct PodShared {
    pub net: Arc<PodNet>,
    /// The latest run of each container.
    pub runs: RwLock<HashMap<String, ContainerRun>>,
}

/// One run of a container, as logs and exec need it.
#[derive(Clone, Debug)]
pub struct ContainerRun {
    pub number: i32,
    /// Its first process; another may have the number once it ended.
    pub pid: i32,
    pub log: Arc<LogWriter>,
    /// `None` once it ended.
    pub context: Option<Arc<ProcessContext>>,
}

/// Containers with a memory limit, checked by one task.
#[derive(Debug, Default)]
pub struct MemoryLimits {
    limited: Mutex<HashMap<i32, (u64, Arc<AtomicBool>)>>,
}

impl MemoryLimits {
    /// Watches a container from now on; the flag tells whether its limit killed it.
    pub fn watch(&self, pid: i32, limit_bytes: u64) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        self.lock().insert(pid, (limit_bytes, flag.clone()));
        flag
    }

    pub fn forget(&self, pid: i32) {
        self.lock().remove(&pid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i32, (u64, Arc<AtomicBool>)>> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One look at all limited containers; kills those over their limit. Blocks.
    #[cfg(target_os = "linux")]
    pub fn enforce(&self) {
        use super::linux::procfs;
        let leaders: Vec<i32> = self.lock().keys().copied().collect();
        if leaders.is_empty() {
            return;
        }
        let page = procfs::page_size();
        for (leader, members) in procfs::families(&leaders) {
            let used: u64 = members.iter().map(|stat| stat.resident_pages * page).sum();
            let limited = self.lock();
            if let Some((limit, flag)) = limited.get(&leader)
                && used > *limit
            {
                flag.store(true, Ordering::SeqCst);
                // The lock keeps the entry, and with it the process ID, valid.
                let group = nix::unistd::Pid::from_raw(leader);
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn enforce(&self) {
        let _ = Ordering::SeqCst;
    }
}
