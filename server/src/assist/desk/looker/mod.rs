//! The looker: an account in the project's namespace that can only look, made for one conversation with
//! a tool that runs commands, and removed again with it. Its kubeconfig knows one context.

mod kubeconfig;
mod role;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::model::{Failure, Finding, UnixMillis};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub use self::role::in_words as role_in_words;
use super::scratch::Scratch;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::parse_rfc3339;
use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, clock, private_file};
use crate::project::Project;

/// How long a token lives; a conversation that goes on gets a new one.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 60);
/// A question begins with a token that lives at least this long: longer than any answer takes.
const LEAST_LIFE: Duration = Duration::from_secs(15 * 60);
const REMOVAL_LIMIT: Duration = Duration::from_secs(3);

/// Makes lookers; clones share what they know of them.
#[derive(Clone, Debug)]
pub struct Lookers {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    /// Names of those that are in use: everything else of ours was left behind.
    living: Arc<Mutex<BTreeSet<String>>>,
    scratch: Scratch,
}

/// One account with its kubeconfig and a scratch folder. Dropping it removes everything.
pub struct Looker {
    core: Core,
    client: Client,
    /// What the kubeconfig says of the cluster.
    place: kubeconfig::Place,
    name: String,
    folder: TempDir,
    token_ends: Mutex<UnixMillis>,
    /// The cluster it is in, by its identity.
    pub cluster: String,
    /// Cancelled when that cluster is not in use any more.
    pub gone: CancellationToken,
    ends: CancellationToken,
    removed: CancellationToken,
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

impl std::fmt::Debug for Looker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Looker").field(&self.name).finish()
    }
}

impl Lookers {
    pub fn new(core: Core, project: Arc<Project>, cluster: ClusterRoom, scratch: Scratch) -> Self {
        Self {
            core,
            project,
            cluster,
            living: Arc::default(),
            scratch,
        }
    }

    /// Whether one could be made now; the reason is for a person.
    pub fn check(&self) -> Result<(), Finding> {
        self.place().map(drop)
    }

    fn place(&self) -> Result<Arc<Connected>, Finding> {
        let finding = |failure| match failure {
            Failure::Finding(finding) => *finding,
            Failure::Transport(why) => words::not_made(&why),
        };
        self.cluster.connected().map_err(finding)?;
        self.cluster
            .changeable()
            .map_err(|failure| words::only_looked_at(&finding(failure)))
    }

    /// Removes what a Slipway of this state folder left behind, on every cluster that comes into use.
    pub async fn sweep_always(&self) {
        let mut clusters = self.cluster.watch();
        let mut swept = String::new();
        loop {
            let connected = clusters.borrow_and_update().clone();
            if let Some(connected) = connected
                && connected.id != swept
                && self.cluster.changeable().is_ok()
            {
                self.sweep(&connected.client).await;
                swept.clone_from(&connected.id);
            }
            if clusters.changed().await.is_err() {
                return;
            }
        }
    }

    async fn sweep(&self, client: &Client) {
        let namespace = self.namespace();
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        let ours = ListParams::default().labels(role::LABEL);
        let Ok(found) = within(REQUEST_LIMIT, accounts.list(&ours)).await else {
            // Nobody's loss: a token ends by itself, and the next start looks again.
            return;
        };
        let owner = self.owner();
        for account in found {
            let name = account.metadata.name.unwrap_or_default();
            let labels = account.metadata.labels.unwrap_or_default();
            let annotations = account.metadata.annotations.unwrap_or_default();
            let until = annotations
                .get(role::UNTIL)
                .and_then(|at| parse_rfc3339(at));
            let is_over = until.is_some_and(|until| until < clock::now());
            let is_mine = labels.get(role::LABEL) == Some(&owner);
            let lives = self.lock().contains(&name);
            if !lives && (is_mine || is_over) {
                remove(client, &namespace, &name).await;
            }
        }
    }

    /// Makes an account for somebody, with everything around it.
    pub async fn make(&self, for_whom: &str) -> Result<Looker, Finding> {
        let connected = self.place()?;
        let namespace = self.namespace();
        let place = kubeconfig::Place::of(&connected, &namespace)
            .await
            .map_err(|why| words::not_made(&why))?;
        let folder = self
            .scratch
            .folder("looker-")
            .map_err(|error| words::no_folder(&error))?;
        let name = format!("slipway-looker-{:08x}", rand::random::<u32>());
        let told = format!("made the account {name} for {for_whom}: it can look in {namespace}");
        self.core.journal.audit("Slipway", &told).await?;
        self.lock().insert(name.clone());
        let looker = self.guarded(&connected, place, &name, folder);
        looker.create(for_whom, &self.owner()).await?;
        looker.renew().await?;
        Ok(looker)
    }

    /// From here on everything of this name goes again, whatever happens.
    fn guarded(
        &self,
        connected: &Connected,
        place: kubeconfig::Place,
        name: &str,
        folder: TempDir,
    ) -> Looker {
        let (ends, removed) = (CancellationToken::new(), CancellationToken::new());
        let looker = Looker {
            core: self.core.clone(),
            client: connected.client.clone(),
            place,
            name: name.to_owned(),
            folder,
            token_ends: Mutex::new(UnixMillis(0)),
            cluster: connected.id.clone(),
            gone: connected.gone.clone(),
            ends: ends.clone(),
            removed: removed.clone(),
        };
        let (lookers, client, gone) = (
            self.clone(),
            connected.client.clone(),
            connected.gone.clone(),
        );
        let (name, namespace) = (name.to_owned(), self.namespace());
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = gone.cancelled() => {}
                () = lookers.core.shutdown.cancelled() => {}
            }
            remove(&client, &namespace, &name).await;
            lookers.lock().remove(&name);
            removed.cancel();
        });
        looker
    }

    fn namespace(&self) -> String {
        self.project.spec().namespace.to_string()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names this state folder, which one Slipway at a time uses.
    fn owner(&self) -> String {
        let path = self.core.state_dir.path().as_os_str().as_encoded_bytes();
        hex::encode(&Sha256::digest(path)[..8])
    }
}

impl Looker {
    /// Its kubeconfig: one context, readable by its owner only.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Everything the tool writes goes here, and goes away with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The account's name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn create(&self, for_whom: &str, owner: &str) -> Result<(), Finding> {
        let namespace = &self.place.namespace;
        let refused = |error: KubeError| words::refused(&self.place.namespace, &error);
        let account = role::account(&self.name, owner, for_whom, TOKEN_LIFE);
        create::<ServiceAccount>(&self.client, namespace, account)
            .await
            .map_err(refused)?;
        let role = role::role(&self.name, owner);
        create::<Role>(&self.client, namespace, role)
            .await
            .map_err(refused)?;
        let binding = role::binding(&self.name, owner, namespace);
        create::<RoleBinding>(&self.client, namespace, binding)
            .await
            .map_err(refused)?;
        Ok(())
    }

    /// Writes the kubeconfig with a fresh token unless the one in it lives long enough.
    pub async fn renew(&self) -> Result<(), Finding> {
        let least = clock::now().0 + i64::try_from(LEAST_LIFE.as_millis()).unwrap_or(0);
        let ends = *self
            .token_ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if ends.0 > least {
            return Ok(());
        }
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.client.clone(), &self.place.namespace);
        let wanted = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: i64::try_from(TOKEN_LIFE.as_secs()).ok(),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let asked = accounts.create_token_request(&self.name, &params, &wanted);
        let answer = within(REQUEST_LIMIT, asked)
            .await
            .map_err(|error| words::refused(&self.place.namespace, &error))?;
        let status = answer.status.unwrap_or_default();
        let (Some(token), Some(ends)) = (status.token, status.expiration_timestamp) else {
            return Err(words::not_made("the API server gave no token"));
        };
        self.core.redactor.learn(&token);
        let text = self.place.with_token(&token);
        private_file::write(&self.kubeconfig(), text.as_bytes())
            .map_err(|error| words::no_folder(&error))?;
        let ends = UnixMillis(ends.0.as_millisecond());
        *self
            .token_ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    /// Removes everything from the cluster when cancelled, whoever else still holds it.
    pub fn ending(&self) -> CancellationToken {
        self.ends.clone()
    }

    /// Cancelled when everything is removed from the cluster.
    pub fn removed(&self) -> CancellationToken {
        self.removed.clone()
    }
}

async fn create<K>(
    client: &Client,
    namespace: &str,
    object: serde_json::Value,
) -> Result<(), KubeError>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let object: K = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let params = PostParams {
        field_manager: Some(crate::adapters::kube::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    within(REQUEST_LIMIT, api.create(&params, &object)).await?;
    Ok(())
}

/// The account goes last: without a binding it may do nothing, and a sweep finds what is left by it.
async fn remove(client: &Client, namespace: &str, name: &str) {
    async fn one<K>(client: &Client, namespace: &str, name: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(client.clone(), namespace);
        let deleted = within(REMOVAL_LIMIT, api.delete(name, &DeleteParams::default())).await;
        match deleted {
            Err(error) if !error.is_not_found() => {
                tracing::warn!(%error, name, "an account for looking was not removed");
            }
            _ => {}
        }
    }
    one::<RoleBinding>(client, namespace, name).await;
    one::<Role>(client, namespace, name).await;
    one::<ServiceAccount>(client, namespace, name).await;
}
