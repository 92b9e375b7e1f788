//! A connection to one cluster, proved by an answer.

use std::path::PathBuf;

use app::model::{Access, ClusterChoice, ClusterKind, Failure};
use kube::Client;
use practice::images::ImageStore;
use tokio_util::sync::CancellationToken;

use super::guard::ChangeGate;
use super::{ANSWER_LIMIT, ClusterRoom, words};
use crate::adapters::kube::client::{self, client};
use crate::adapters::kube::kubeconfig;
use crate::engine::Voice;

/// What everyone works with who talks to the cluster.
#[derive(Clone)]
pub struct Connected {
    pub choice: ClusterChoice,
    pub kind: ClusterKind,
    pub client: Client,
    /// The API server's address.
    pub server: String,
    /// Tells this cluster from a recreated one of the same name.
    pub id: String,
    /// What `KUBECONFIG` must be for a tool to see this cluster; several files where it takes several.
    pub kubeconfig: PathBuf,
    /// The context's name in it.
    pub context: String,
    /// Whether it may be changed, as it was when the connection was made.
    pub access: Access,
    /// Whether it may be changed now. The client refuses changes while it is shut.
    pub gate: ChangeGate,
    /// Publishes what is read here, as long as this cluster is the chosen one.
    pub voice: Voice,
    /// The practice cluster's images; none elsewhere.
    pub practice: Option<ImageStore>,
    /// Cancelled when another cluster is chosen, or this one was made anew. A rebuilt client of the
    /// same cluster keeps it.
    pub gone: CancellationToken,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("choice", &self.choice)
            .field("kind", &self.kind)
            .field("server", &self.server)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A connection and what the server said about itself.
#[derive(Debug)]
pub(super) struct Established {
    pub connected: Connected,
    pub version: String,
}

impl ClusterRoom {
    /// Connects and asks for version and identity; the practice cluster is started if needed.
    pub(super) async fn establish(&self, choice: &ClusterChoice) -> Result<Established, Failure> {
        match choice {
            ClusterChoice::Practice => self.establish_practice().await,
            ClusterChoice::Context(name) => {
                let Some(row) = self.context(name.as_str()) else {
                    return Err(words::unknown_context(name, &self.contexts()).into());
                };
                let access = self.access(&row);
                let client = client(self.kubeconfig(), name.as_str())
                    .await
                    .map_err(|why| words::unusable_context(name, &why))?;
                let variable = kubeconfig::variable(&self.kubeconfig_paths());
                prove(Connected {
                    choice: choice.clone(),
                    kind: row.kind,
                    client,
                    server: row.server,
                    id: String::new(),
                    kubeconfig: PathBuf::from(variable),
                    context: name.to_string(),
                    access,
                    gate: ChangeGate::of(access),
                    voice: self.inner.core.hub.voice(),
                    practice: None,
                    gone: self.inner.core.shutdown.child_token(),
                })
                .await
            }
        }
    }

    async fn establish_practice(&self) -> Result<Established, Failure> {
        let path = self.inner.practice.kubeconfig().await?;
        let config = kubeconfig::read(std::slice::from_ref(&path)).0;
        let context = config.current_context.clone().unwrap_or_default();
        let server = kubeconfig::contexts(&config)
            .into_iter()
            .find(|row| row.current)
            .map(|row| row.server)
            .unwrap_or_default();
        let client = client(config, &context)
            .await
            .map_err(|why| words::practice_failed(&why))?;
        let images = self
            .inner
            .practice
            .images()
            .map_err(|error| words::practice_failed(&error.to_string()))?;
        prove(Connected {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            client,
            server,
            id: String::new(),
            kubeconfig: path,
            context,
            access: Access::Free,
            gate: ChangeGate::open(),
            voice: self.inner.core.hub.voice(),
            practice: Some(images),
            gone: self.inner.core.shutdown.child_token(),
        })
        .await
    }
}

/// Nothing is used that has not answered.
async fn prove(mut connected: Connected) -> Result<Established, Failure> {
    let version = client::version(&connected.client, ANSWER_LIMIT)
        .await
        .map_err(|error| {
            words::unreachable(&connected.choice, &connected.server, &error.to_string())
        })?;
    let id = client::cluster_id(&connected.client, ANSWER_LIMIT)
        .await
        .map_err(|error| {
            words::unreachable(&connected.choice, &connected.server, &error.to_string())
        })?;
    // Where the namespace may not be read, the address has to do.
    connected.id = id.unwrap_or_else(|| connected.server.clone());
    Ok(Established { connected, version })
}
