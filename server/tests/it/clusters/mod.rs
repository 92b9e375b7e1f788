//! Clusters: every kind of kubeconfig, the guard, the heartbeat and switching, on the practice API.

pub mod front;
mod guarding;
mod heartbeat;
mod kubeconfigs;
mod switching;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::model::{ClusterChoice, Failure, Finding, PanelState};
use kube::config::Kubeconfig;
use practice::{PracticeCluster, PracticeConfig};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::engine::{Core, Journal, StateDir};
use tempfile::TempDir;

/// A practice API server of this test alone, without pods.
pub(crate) struct Api {
    pub(crate) cluster: PracticeCluster,
    folder: TempDir,
}

/// What the practice cluster's own kubeconfig says.
pub(crate) struct Credentials {
    pub(crate) server: String,
    pub(crate) authority: String,
    certificate: String,
    key: String,
    token: String,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = PracticeCluster::start(PracticeConfig::api_only(folder.path()))
            .await
            .expect("a practice API");
        Self { cluster, folder }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        use secrecy::ExposeSecret as _;
        let config = Kubeconfig::read_from(self.cluster.kubeconfig()).expect("a kubeconfig");
        let cluster = config.clusters[0].cluster.clone().expect("a cluster");
        let user = config.auth_infos[0].auth_info.clone().expect("a user");
        let token = self.folder.path().join("practice").join("token");
        Credentials {
            server: cluster.server.expect("a server"),
            authority: cluster.certificate_authority_data.expect("an authority"),
            certificate: user.client_certificate_data.expect("a certificate"),
            key: user
                .client_key_data
                .expect("a key")
                .expose_secret()
                .to_owned(),
            token: std::fs::read_to_string(token).expect("a token"),
        }
    }
}

/// A cluster room with a kubeconfig of its own.
struct World {
    core: Core,
    room: ClusterRoom,
    kubeconfig: PathBuf,
    folder: TempDir,
}

impl World {
    async fn new(kubeconfig: &str) -> Self {
        Self::with(kubeconfig, |options| options).await
    }

    async fn with(
        kubeconfig: &str,
        options: impl FnOnce(ClusterOptions) -> ClusterOptions,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, kubeconfig).expect("written");
        let core = core(&folder.path().join("state"));
        let room = ClusterRoom::new(
            core.clone(),
            options(ClusterOptions {
                kubeconfig: Some(vec![path.clone()]),
                ..ClusterOptions::default()
            }),
        );
        room.spawn();
        room.refresh_options().await;
        Self {
            core,
            room,
            kubeconfig: path,
            folder,
        }
    }

    async fn choose(&self, context: &str) -> Result<(), Finding> {
        let choice = ClusterChoice::Context(context.parse().expect("a name"));
        self.room
            .choose(choice, app::model::GoingRuns::Refuse)
            .await
            .map_err(finding)
    }

    /// Waits until the state is as wished.
    async fn until(&self, what: &str, limit: Duration, wished: impl Fn(&PanelState) -> bool) {
        let waiting = self.core.hub.until(wished);
        if tokio::time::timeout(limit, waiting).await.is_err() {
            let cluster = self.core.hub.read(|state| state.cluster.clone());
            panic!("not in time: {what}; {cluster:#?}");
        }
    }

    async fn end(self) {
        self.core.shutdown.cancel();
        self.room.shutdown().await;
    }
}

pub(crate) fn core(state_dir: &Path) -> Core {
    let state_dir = StateDir::open(state_dir).expect("a state folder");
    let journal = Journal::open(state_dir.path()).expect("a journal");
    Core::start(Arc::new(state_dir), journal)
}

fn finding(failure: Failure) -> Finding {
    match failure {
        Failure::Finding(finding) => *finding,
        Failure::Transport(text) => panic!("a finding was due, not {text}"),
    }
}

/// A kubeconfig of one context `name`, from the YAML of its cluster and its user.
pub(crate) fn kubeconfig(name: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\nclusters:\n- name: c\n  cluster: {{{cluster}}}\ncontexts:\n- name: {name}\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{{user}}}\n"
    )
}
