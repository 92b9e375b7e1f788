//! Secrets: values go straight into the cluster's Secret and never come back.
//! What stays here is a keyed fingerprint per key, so that a change behind our back is seen.

pub mod fingerprint;
pub mod live_secret;
pub mod reads;
mod watching;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use app::model::{
    Failure, PanelEvent, SecretInput, SecretKey, SecretKind, SecretState, SecretView,
    check_secret_shape,
};
use app::ports::Secrets;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::watch;
use zeroize::{Zeroize, Zeroizing};

use fingerprint::FingerprintKey;
use live_secret::{Entered, LiveSecret};

use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, Voice, clock};
use crate::project::{Project, SecretSpec};

/// The least a generated value has, whatever the project asks for.
const GENERATED_LENGTH: usize = 48;

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
        })
    }

    /// Follows the Secret of the cluster in use.
    pub fn spawn(self: &Arc<Self>) {
        let room = Arc::clone(self);
        let stop = self.core.shutdown.clone();
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.watch_clusters() => {}
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

    fn spec_of(&self, key: &SecretKey) -> Result<SecretSpec, Failure> {
        self.project
            .secret(key)
            .ok_or_else(|| words::unknown_key(key).into())
    }

    /// Checks, stores and forgets the value.
    async fn store(&self, spec: &SecretSpec, value: Zeroizing<String>) -> Result<(), Failure> {
        check_secret_shape(&spec.kind, spec.rehearsal.is_some(), &value)
            .map_err(|why| words::wrong_shape(spec, &why))?;
        self.core.redactor.learn(&value);
        let connected = self.cluster.changeable()?;
        self.core
            .journal
            .audit("operator", &format!("set secret {}", spec.key))
            .await?;
        let entered = Entered {
            fingerprint: self.key.of(spec.key.as_str(), value.as_bytes()),
            at: clock::now(),
        };
        // Known before it is stored: the watch may be quicker than this function.
        self.entering()
            .insert(spec.key.to_string(), entered.clone());
        let stored = self.put(&connected, &spec.key, &value).await;
        drop(value);
        let result = match stored {
            Ok(()) => self.remember(&connected, &spec.key, &entered).await,
            Err(error) => Err(words::not_stored(&spec.key, &error).into()),
        };
        self.entering().remove(spec.key.as_str());
        self.publish(&connected.voice);
        result
    }

    /// One key into the Secret, which is made if needed; other keys stay as they are.
    async fn put(
        &self,
        connected: &Connected,
        key: &SecretKey,
        value: &str,
    ) -> Result<(), KubeError> {
        let api = self.api(connected);
        let encoded = Zeroizing::new(STANDARD.encode(value));
        let name = self.project.spec().secret_name.clone();
        let patch = json!({"data": {key.as_str(): encoded.as_str()}});
        let result = match patch_secret(&api, &name, &patch).await {
            Err(error) if error.is_not_found() => self.create(connected, &api, &name, &patch).await,
            other => other,
        };
        wipe(patch);
        result
    }

    async fn create(
        &self,
        connected: &Connected,
        api: &Api<Secret>,
        name: &str,
        patch: &serde_json::Value,
    ) -> Result<(), KubeError> {
        self.ensure_namespace(connected).await?;
        let secret: Secret = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "Opaque",
            "data": patch["data"],
        }))
        .map_err(|error| KubeError::Kube(kube::Error::SerdeError(error)))?;
        let params = PostParams {
            dry_run: false,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        match within(REQUEST_LIMIT, api.create(&params, &secret)).await {
            Ok(_) => Ok(()),
            // Someone was quicker; then it can be patched.
            Err(error) if error.code() == Some(409) => patch_secret(api, name, patch).await,
            Err(error) => Err(error),
        }
    }

    async fn ensure_namespace(&self, connected: &Connected) -> Result<(), KubeError> {
        let api: Api<Namespace> = Api::all(connected.client.clone());
        let name = self.project.spec().namespace.to_string();
        // Asked first: one may be allowed to use a namespace and not to make one.
        match within(REQUEST_LIMIT, api.get_opt(&name)).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(error) if error.is_forbidden() => return Ok(()),
            Err(error) => return Err(error),
        }
        let namespace = Namespace {
            metadata: kube::api::ObjectMeta {
                name: Some(name),
                ..kube::api::ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let params = PostParams {
            dry_run: false,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        match within(REQUEST_LIMIT, api.create(&params, &namespace)).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remember(
        &self,
        connected: &Connected,
        key: &SecretKey,
        entered: &Entered,
    ) -> Result<(), Failure> {
        let text = serde_json::to_string(entered).unwrap_or_default();
        self.core
            .journal
            .put_fact_durably(&self.scope(connected), key.as_str(), &text)
            .await
            .map_err(Failure::from)
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

    /// Puts the state of every key into the store, for whoever looked at this cluster.
    fn publish(&self, voice: &Voice) {
        let spec = self.project.spec();
        let views: Vec<SecretView> = spec.secrets.iter().map(unseen).collect();
        let states = {
            let observed = self.observed.borrow();
            live_secret::states(&views, &observed, &self.entered())
        };
        voice.publish(PanelEvent::Secrets(states));
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

fn unseen(spec: &SecretSpec) -> SecretView {
    SecretView {
        key: spec.key.clone(),
        label: spec.label.clone(),
        help: spec.help.clone(),
        kind: spec.kind.clone(),
        required: !spec.optional,
        components: spec.components.clone(),
        rehearsal: spec.rehearsal.clone(),
        state: SecretState::Unknown {
            why: NOT_ASKED.to_owned(),
        },
    }
}

async fn patch_secret(
    api: &Api<Secret>,
    name: &str,
    patch: &serde_json::Value,
) -> Result<(), KubeError> {
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    within(
        REQUEST_LIMIT,
        api.patch(name, &params, &Patch::Merge(patch)),
    )
    .await
    .map(|_| ())
}

/// Overwrites every text in the value, so that none lingers in freed memory.
fn wipe(value: serde_json::Value) {
    match value {
        serde_json::Value::String(mut text) => text.zeroize(),
        serde_json::Value::Object(map) => map.into_iter().for_each(|(_, value)| wipe(value)),
        serde_json::Value::Array(items) => items.into_iter().for_each(wipe),
        _ => {}
    }
}

/// Letters, digits, `-` and `_`: safe in every shell, URL and configuration file.
fn random_value(min_length: u32) -> Zeroizing<String> {
    let length = GENERATED_LENGTH.max(min_length as usize);
    let mut bytes = Zeroizing::new(vec![0_u8; length]);
    rand::fill(bytes.as_mut_slice());
    let mut text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    text.truncate(length);
    text
}

#[async_trait]
impl Secrets for SecretsRoom {
    async fn set(&self, key: SecretKey, value: SecretInput) -> Result<(), Failure> {
        let value = Zeroizing::new(value.0);
        let spec = self.spec_of(&key)?;
        self.store(&spec, value).await
    }

    async fn generate(&self, key: SecretKey) -> Result<(), Failure> {
        let spec = self.spec_of(&key)?;
        let SecretKind::Random { min_length } = spec.kind else {
            return Err(words::cannot_generate(&key).into());
        };
        self.store(&spec, random_value(min_length)).await
    }

    async fn delete(&self, key: SecretKey) -> Result<(), Failure> {
        let spec = self.spec_of(&key)?;
        let connected = self.cluster.changeable()?;
        self.core
            .journal
            .audit("operator", &format!("delete secret {key}"))
            .await?;
        let patch = json!({"data": {key.as_str(): null}});
        match patch_secret(
            &self.api(&connected),
            &self.project.spec().secret_name,
            &patch,
        )
        .await
        {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(words::not_stored(&spec.key, &error).into()),
        }
        self.core
            .journal
            .delete_fact(&self.scope(&connected), key.as_str());
        self.publish(&connected.voice);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_value_is_long_enough_different_and_harmless() {
        let (one, two) = (random_value(32), random_value(100));
        assert_eq!((one.len(), two.len()), (GENERATED_LENGTH, 100));
        assert_ne!(*random_value(32), *random_value(32));
        assert!(
            two.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
        let kind = SecretKind::Random { min_length: 100 };
        assert_eq!(check_secret_shape(&kind, false, &two), Ok(()));
    }
}
