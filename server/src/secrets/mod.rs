//! Secrets: values go straight into the cluster's Secret and never come back.
//! What stays here is a keyed fingerprint per key, so that a change behind our back is seen.

mod asking;
pub mod fingerprint;
pub mod live_secret;
pub mod live_test;
mod owner;
pub mod reads;
pub mod references;
mod storing;
mod testing;
mod trial;
mod watching;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use app::model::{
    Failure, InClusterReport, LiveTestReport, PanelEvent, RunId, SecretInput, SecretKey,
    SecretObjectView, SecretOrigin, SecretOwner, SecretView, UnusedKey,
};
use app::ports::Secrets;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use fingerprint::FingerprintKey;
use live_secret::{Entered, LiveSecret};
use references::{References, unseen};

use crate::cluster::{ClusterRoom, Connected};
use crate::deploy::ChartObjects;
use crate::engine::{Core, Voice};
use crate::project::{Project, SecretSpec};

/// What is known of the Secret: none when there is none, or why nobody can know.
pub type Observed = Result<Option<LiveSecret>, String>;

#[derive(Debug)]
pub struct SecretsRoom {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    key: FingerprintKey,
    observed: watch::Sender<Observed>,
    /// Put into the cluster a moment ago and not in the journal yet.
    entering: Mutex<BTreeMap<String, Entered>>,
    /// What the project's files say about who reads the Secret.
    references: watch::Sender<References>,
    /// What the workloads in the cluster say about it.
    workloads: watch::Sender<References>,
    /// Who renders the project's chart; set once by the panel. Not kept alive by this room, which the
    /// other one keeps alive.
    chart: OnceLock<Weak<dyn ChartObjects>>,
    /// Stops the live test that is going, by key.
    tests: Mutex<BTreeMap<SecretKey, CancellationToken>>,
}

impl SecretsRoom {
    /// Fails when the fingerprint key can neither be read nor made.
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
    ) -> Result<Self, app::model::Finding> {
        let key = FingerprintKey::open(core.state_dir.path())
            .map_err(|error| words::no_fingerprint_key(core.state_dir.path(), &error))?;
        Ok(Self {
            core,
            project,
            cluster,
            key,
            observed: watch::Sender::new(Err(NOT_ASKED.to_owned())),
            entering: Mutex::default(),
            references: watch::Sender::default(),
            workloads: watch::Sender::default(),
            chart: OnceLock::new(),
            tests: Mutex::default(),
        })
    }

    /// Tells this room who renders the project's chart. Once, when the rooms are put together.
    pub fn set_chart(&self, chart: &Arc<dyn ChartObjects>) {
        let _ = self.chart.set(Arc::downgrade(chart));
    }

    /// Follows the Secret of the cluster in use, and the files that say who reads it.
    pub fn spawn(self: &Arc<Self>) {
        let (room, stop) = (Arc::clone(self), self.core.shutdown.clone());
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.watch_clusters() => {}
                () = room.keep_reading_references() => {}
            }
        });
    }

    /// The Secret as the cluster has it, if it is known.
    pub fn current(&self) -> Option<LiveSecret> {
        let live = self.observed.borrow().as_ref().ok().cloned().flatten()?;
        Some(live.with_entered(&self.entered()))
    }

    /// What is known, and every change of it.
    pub fn observe(&self) -> watch::Receiver<Observed> {
        self.observed.subscribe()
    }

    /// Fingerprints of the values in the cluster now, by key.
    pub fn fingerprints(&self) -> BTreeMap<String, String> {
        self.current()
            .map(|secret| secret.fingerprints)
            .unwrap_or_default()
    }

    pub fn fingerprint_key(&self) -> &FingerprintKey {
        &self.key
    }

    /// A secret that slipway.toml names, or that a workload reads.
    fn spec_of(&self, key: &SecretKey) -> Result<SecretSpec, Failure> {
        if let Some(spec) = self.project.secret(key) {
            return Ok(spec);
        }
        self.all_references()
            .proposed(&self.project.spec())
            .into_iter()
            .find(|spec| spec.key == *key)
            .ok_or_else(|| words::unknown_key(key).into())
    }

    /// Names a key that only the workloads read in `slipway.toml`, as it is proposed.
    async fn name_in_file(&self, key: &SecretKey) -> Result<(), Failure> {
        let spec = self.spec_of(key)?;
        if self.project.secret(key).is_some() {
            return Ok(());
        }
        self.core
            .journal
            .audit("operator", &format!("name secret {key} in slipway.toml"))
            .await?;
        self.project.declare(&spec)?;
        let project = PanelEvent::Project(Box::new(self.project.view()));
        self.core.hub.voice().publish(project);
        self.publish(&self.voice());
        Ok(())
    }

    /// Facts are per cluster, namespace and Secret: the same key elsewhere is another secret.
    fn scope(&self, connected: &Connected) -> String {
        let spec = self.project.spec();
        format!(
            "secret {} {} {}",
            connected.id, spec.namespace, spec.secret_name
        )
    }

    fn entered(&self) -> BTreeMap<String, Entered> {
        let Some(connected) = self.cluster.current() else {
            return BTreeMap::new();
        };
        let mut entered: BTreeMap<String, Entered> = self
            .core
            .journal
            .facts_of(&self.scope(&connected))
            .into_iter()
            .filter_map(|(key, text)| Some((key, serde_json::from_str(&text).ok()?)))
            .collect();
        entered.extend(self.entering().clone());
        entered
    }

    /// Of the cluster in use, or of none.
    fn voice(&self) -> Voice {
        match self.cluster.current() {
            Some(connected) => connected.voice.clone(),
            None => self.core.hub.voice(),
        }
    }

    /// Puts the state of every key into the store, for whoever looked at this cluster.
    fn publish(&self, voice: &Voice) {
        let spec = self.project.spec();
        let references = self.all_references();
        let declared = spec.secrets.iter().map(|one| (one, SecretOrigin::Declared));
        let proposed = references.proposed(&spec);
        let proposed = proposed.iter().map(|one| (one, SecretOrigin::Proposed));
        let views: Vec<SecretView> = declared
            .chain(proposed)
            .map(|(one, origin)| SecretView {
                test: self.target_kind(one),
                ..unseen(one, origin, references.users(one.key.as_str()))
            })
            .collect();
        let observed = self.observed.borrow().clone();
        let object = self.object_view(&views, &observed, &references);
        let states = live_secret::states(views, &observed, &self.entered());
        voice.publish_all(vec![
            PanelEvent::Secrets(states),
            PanelEvent::SecretObject(Some(Box::new(object))),
        ]);
    }

    /// The Secret as a whole.
    fn object_view(
        &self,
        views: &[SecretView],
        observed: &Observed,
        references: &References,
    ) -> SecretObjectView {
        let spec = self.project.spec();
        let live = observed.as_ref().ok().and_then(Option::as_ref);
        let mut unknown = references.unknown.clone();
        if let Err(why) = observed
            && why != NOT_ASKED
        {
            unknown.push(format!("{why}."));
            unknown.push(
                "Whether values are still what was entered, which pods started with older ones, and which keys nobody uses cannot be known without reading it."
                    .to_owned(),
            );
        }
        let is_known = |key: &str| {
            views.iter().any(|view| view.key.as_str() == key) || !references.users(key).is_empty()
        };
        let unused = live
            .iter()
            .flat_map(|live| live.fingerprints.keys().map(move |key| (*live, key)))
            .filter(|(_, key)| !is_known(key))
            .map(|(live, key)| UnusedKey {
                key: key.clone(),
                by: live.managers.get(key).cloned().filter(|by| !by.is_empty()),
                at: live.changed.get(key).copied(),
            })
            .collect();
        SecretObjectView {
            namespace: spec.namespace.to_string(),
            name: spec.secret_name.clone(),
            owner: live.map_or(SecretOwner::Nobody, |live| live.owner.view()),
            immutable: live.is_some_and(|live| live.immutable),
            unused,
            unknown,
        }
    }

    fn api(&self, connected: &Connected) -> Api<Secret> {
        Api::namespaced(
            connected.client.clone(),
            self.project.spec().namespace.as_str(),
        )
    }

    fn entering(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entered>> {
        self.entering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOT_ASKED: &str = "No cluster was asked yet";

#[async_trait]
impl Secrets for SecretsRoom {
    async fn set(&self, key: SecretKey, value: SecretInput) -> Result<(), Failure> {
        self.set_all(vec![(key, value)]).await
    }

    async fn set_all(&self, values: Vec<(SecretKey, SecretInput)>) -> Result<(), Failure> {
        // Wiped whatever becomes of them.
        let values: Vec<(SecretKey, Zeroizing<String>)> = values
            .into_iter()
            .map(|(key, value)| (key, Zeroizing::new(value.0)))
            .collect();
        self.store(values).await
    }

    async fn generate(&self, key: SecretKey) -> Result<(), Failure> {
        self.make_up(key).await
    }

    async fn delete(&self, key: SecretKey) -> Result<(), Failure> {
        self.take_out(key).await
    }

    async fn test(
        &self,
        key: SecretKey,
        value: Option<SecretInput>,
    ) -> Result<LiveTestReport, Failure> {
        let value = value.map(|value| Zeroizing::new(value.0));
        self.try_out(key, value).await
    }

    async fn try_in_cluster(&self, key: SecretKey, value: SecretInput) -> Result<RunId, Failure> {
        self.start_trial(key, value).await
    }

    async fn declare(&self, key: SecretKey) -> Result<(), Failure> {
        self.name_in_file(&key).await
    }

    async fn stop_test(&self, key: SecretKey) -> Result<(), Failure> {
        self.stop_trying(&key);
        Ok(())
    }

    async fn ask_pods(&self) -> Result<InClusterReport, Failure> {
        self.ask_ready_paths().await
    }

    async fn accept(&self, key: SecretKey) -> Result<(), Failure> {
        self.accept_live(key).await
    }

    async fn adopt(&self) -> Result<(), Failure> {
        self.adopt_secret().await
    }
}
