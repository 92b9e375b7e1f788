//! A connection to one cluster, proved by an answer.

use std::path::PathBuf;

use app::model::{Access, ClusterChoice, ClusterKind, Failure, Who};
use jiff::Timestamp;
use kube::Client;
use practice::images::ImageStore;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{ANSWER_LIMIT, ClusterRoom, words};
use crate::adapters::kube::client::{self, ReadOnly};
use crate::adapters::kube::kubeconfig::{self, Loaded};
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
    /// The client refuses changes while this is set.
    pub read_only: ReadOnly,
    /// Publishes what is read here, as long as this cluster is the chosen one.
    pub voice: Voice,
    /// The practice cluster's images; none elsewhere.
    pub practice: Option<ImageStore>,
    /// What the kubeconfig said when the connection was made; differs when it has to be made anew.
    pub made_from: String,
    /// When its certificate ends, if it has one.
    pub ends: Option<Timestamp>,
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
    pub who: Option<Who>,
    pub warnings: Vec<String>,
}

impl ClusterRoom {
    /// Connects and asks for version and identity; the practice cluster is started if needed.
    pub(super) async fn establish(&self, choice: &ClusterChoice) -> Result<Established, Failure> {
        match choice {
            ClusterChoice::Practice => self.establish_practice().await,
            ClusterChoice::Context(name) => {
                let loaded = self.read_kubeconfig().await;
                let Some(row) = loaded.row(name.as_str()) else {
                    return Err(words::unknown_context(name, &loaded.rows()).into());
                };
                let access = self.access(&row);
                let read_only = ReadOnly::new(access == Access::LookOnly);
                let redactor = &self.inner.core.redactor;
                let connection =
                    client::connect(&loaded.config, name.as_str(), read_only.clone(), redactor)
                        .await
                        .map_err(|error| words::unusable_context(name, &row.kind, &error))?;
                let variable = kubeconfig::variable(&self.inner.contexts.paths());
                let connected = Connected {
                    choice: choice.clone(),
                    kind: row.kind,
                    client: connection.client,
                    server: row.server,
                    id: String::new(),
                    kubeconfig: PathBuf::from(variable),
                    context: name.to_string(),
                    access,
                    read_only,
                    voice: self.inner.core.hub.voice(),
                    practice: None,
                    made_from: made_from(&loaded, name.as_str()),
                    ends: connection.ends,
                    gone: self.inner.core.shutdown.child_token(),
                };
                prove(connected, connection.warnings).await
            }
        }
    }

    async fn establish_practice(&self) -> Result<Established, Failure> {
        let path = self.inner.practice.kubeconfig().await?;
        let files = vec![path.clone()];
        let loaded = tokio::task::spawn_blocking(move || kubeconfig::read(&files))
            .await
            .unwrap_or_default();
        let context = loaded.config.current_context.clone().unwrap_or_default();
        let server = loaded
            .row(&context)
            .map(|row| row.server)
            .unwrap_or_default();
        let read_only = ReadOnly::new(false);
        let redactor = &self.inner.core.redactor;
        let connection = client::connect(&loaded.config, &context, read_only.clone(), redactor)
            .await
            .map_err(|error| words::practice_failed(&error.to_string()))?;
        let images = self
            .inner
            .practice
            .images()
            .map_err(|error| words::practice_failed(&error.to_string()))?;
        let connected = Connected {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            client: connection.client,
            server,
            id: String::new(),
            kubeconfig: path,
            context,
            access: Access::Free,
            read_only,
            voice: self.inner.core.hub.voice(),
            practice: Some(images),
            made_from: String::new(),
            ends: None,
            gone: self.inner.core.shutdown.child_token(),
        };
        prove(connected, connection.warnings).await
    }
}

/// A digest of everything the kubeconfig says about a context.
pub(super) fn made_from(loaded: &Loaded, context: &str) -> String {
    let parts = kubeconfig::parts(&loaded.config, context);
    let text = parts
        .ok()
        .and_then(|parts| serde_json::to_vec(&(parts.cluster, parts.user)).ok())
        .unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

/// Nothing is used that has not answered.
async fn prove(mut connected: Connected, warnings: Vec<String>) -> Result<Established, Failure> {
    let refused = |error| words::no_answer(&connected, &error);
    let client = &connected.client;
    let (version, id, who) = tokio::join!(
        client::version(client, ANSWER_LIMIT),
        client::cluster_id(client, ANSWER_LIMIT),
        client::who_am_i(client, ANSWER_LIMIT),
    );
    let (version, id) = (version.map_err(refused)?, id.map_err(refused)?);
    // Where the namespace may not be read, the address has to do.
    connected.id = id.unwrap_or_else(|| connected.server.clone());
    Ok(Established {
        connected,
        version,
        who,
        warnings,
    })
}
