//! Values into the cluster and out of it again.

use app::model::{Failure, SecretKey, SecretKind, UnixMillis, check_secret_shape};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::live_secret::{Entered, taken};
use super::owner::ADOPTED_ANNOTATION;
use super::{SecretsRoom, words};
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::rfc3339;
use crate::cluster::Connected;
use crate::engine::clock;
use crate::project::SecretSpec;

/// The least a generated value has, whatever the project asks for.
const GENERATED_LENGTH: usize = 48;

impl SecretsRoom {
    /// Checks, stores and forgets values: all of them or none.
    pub(super) async fn store(
        &self,
        values: Vec<(SecretKey, Zeroizing<String>)>,
    ) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for (key, value) in &values {
            let spec = self.spec_of(key)?;
            self.core.redactor.learn(value);
            check_secret_shape(&spec.kind, spec.rehearsal.is_some(), value)
                .map_err(|why| words::wrong_shape(&spec, &why))?;
            bytes.push((key.clone(), self.bytes(&spec, value)?));
        }
        drop(values);
        let values = bytes;
        let connected = self.cluster.changeable()?;
        let keys: Vec<SecretKey> = values.iter().map(|(key, _)| key.clone()).collect();
        let Some(first) = keys.first() else {
            return Ok(());
        };
        self.may_write(first)?;
        let names: Vec<&str> = keys.iter().map(SecretKey::as_str).collect();
        let noun = if names.len() == 1 {
            "secret"
        } else {
            "secrets"
        };
        self.core
            .journal
            .audit("operator", &format!("set {noun} {}", names.join(", ")))
            .await?;
        let by = user();
        let mut entered: Vec<(SecretKey, Entered)> = values
            .iter()
            .map(|(key, value)| {
                let entered = Entered {
                    fingerprint: self.key.of(key.as_str(), value),
                    at: clock::now(),
                    by: by.clone(),
                    taken: None,
                };
                (key.clone(), entered)
            })
            .collect();
        // Known before they are stored: the watch may be quicker than this function.
        let known = entered.iter();
        self.entering()
            .extend(known.map(|(key, entered)| (key.to_string(), entered.clone())));
        let stored = self.put(&connected, &values).await;
        drop(values);
        let result = match stored {
            Ok(taken) => {
                for (key, entered) in &mut entered {
                    entered.taken = taken;
                    self.entering().insert(key.to_string(), entered.clone());
                }
                self.remember(&connected, &entered).await
            }
            Err(error) => Err(words::not_stored(first, &error).into()),
        };
        let mut entering = self.entering();
        for (key, _) in &entered {
            entering.remove(key.as_str());
        }
        drop(entering);
        self.publish(&connected.voice);
        result
    }

    /// What the cluster gets for a value that was entered.
    pub(super) fn bytes(
        &self,
        spec: &SecretSpec,
        value: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Some(base64) = spec.kind.binary(value) else {
            return Ok(Zeroizing::new(value.as_bytes().to_vec()));
        };
        self.core.redactor.learn(base64);
        STANDARD
            .decode(base64)
            .map(Zeroizing::new)
            .map_err(|_| words::wrong_shape(spec, "The file did not arrive whole").into())
    }

    pub(super) async fn make_up(&self, key: SecretKey) -> Result<(), Failure> {
        let spec = self.spec_of(&key)?;
        let SecretKind::Random { min_length } = spec.kind else {
            return Err(words::cannot_generate(&key).into());
        };
        self.store(vec![(key, random_value(min_length))]).await
    }

    pub(super) async fn take_out(&self, key: SecretKey) -> Result<(), Failure> {
        let connected = self.cluster.changeable()?;
        let is_there = self.fingerprints().contains_key(key.as_str());
        // A key that nobody uses any more is named by nobody, and can go as well.
        if !is_there {
            self.spec_of(&key)?;
        }
        self.may_write(&key)?;
        self.core
            .journal
            .audit("operator", &format!("delete secret {key}"))
            .await?;
        let patch = json!({"data": {key.as_str(): null}});
        match self.patch(&connected, &patch).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(words::not_stored(&key, &error).into()),
        }
        self.core
            .journal
            .delete_fact(&self.scope(&connected), key.as_str());
        self.publish(&connected.voice);
        Ok(())
    }

    /// What the cluster has is right from now on, whoever put it there.
    pub(super) async fn accept_live(&self, key: SecretKey) -> Result<(), Failure> {
        let connected = self.cluster.connected()?;
        let fingerprint = self
            .fingerprints()
            .remove(key.as_str())
            .ok_or_else(|| words::nothing_there(&key))?;
        self.core
            .journal
            .audit("operator", &format!("accept the cluster's secret {key}"))
            .await?;
        let entered = Entered {
            fingerprint,
            at: clock::now(),
            by: user(),
            taken: None,
        };
        self.remember(&connected, &[(key, entered)]).await?;
        self.publish(&connected.voice);
        Ok(())
    }

    /// Writes on the Secret that Slipway may write into it, whoever made it.
    pub(super) async fn adopt_secret(&self) -> Result<(), Failure> {
        let connected = self.cluster.changeable()?;
        let name = self.project.spec().secret_name.clone();
        self.core
            .journal
            .audit("operator", &format!("adopt the Secret {name}"))
            .await?;
        let patch =
            json!({"metadata": {"annotations": {ADOPTED_ANNOTATION: rfc3339(clock::now())}}});
        self.patch(&connected, &patch)
            .await
            .map_err(|error| words::not_adopted(&name, &error))?;
        Ok(())
    }

    /// Refuses what would be written over again, or cannot be written at all.
    fn may_write(&self, key: &SecretKey) -> Result<(), Failure> {
        let Some(live) = self.current() else {
            return Ok(());
        };
        if live.immutable {
            return Err(words::immutable(key, &live.name).into());
        }
        let owner = live.owner.view();
        match owner.lets_slipway_write() {
            true => Ok(()),
            false => Err(words::owned_elsewhere(key, &live.name, &owner).into()),
        }
    }

    /// Keys into the Secret, which is made if needed; other keys stay as they are. Tells when the
    /// cluster took them.
    async fn put(
        &self,
        connected: &Connected,
        values: &[(SecretKey, Zeroizing<Vec<u8>>)],
    ) -> Result<Option<UnixMillis>, KubeError> {
        let data: Map<String, Value> = values
            .iter()
            .map(|(key, value)| {
                (
                    key.to_string(),
                    Value::String(STANDARD.encode(value.as_slice())),
                )
            })
            .collect();
        let mut patch = Map::new();
        patch.insert("data".to_owned(), Value::Object(data));
        let patch = Value::Object(patch);
        let result = match self.patch(connected, &patch).await {
            Err(error) if error.is_not_found() => self.create(connected, &patch).await,
            other => other,
        };
        wipe(patch);
        result
    }

    async fn create(
        &self,
        connected: &Connected,
        patch: &Value,
    ) -> Result<Option<UnixMillis>, KubeError> {
        self.ensure_namespace(connected).await?;
        let secret: Secret = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.project.spec().secret_name},
            "type": "Opaque",
            "data": patch["data"],
        }))
        .map_err(|error| KubeError::Kube(kube::Error::SerdeError(error)))?;
        let api = self.api(connected);
        match within(REQUEST_LIMIT, api.create(&create_params(), &secret)).await {
            Ok(secret) => Ok(taken(&secret)),
            // Someone was quicker; then it can be patched.
            Err(error) if error.code() == Some(409) => self.patch(connected, patch).await,
            Err(error) => Err(error),
        }
    }

    async fn patch(
        &self,
        connected: &Connected,
        patch: &Value,
    ) -> Result<Option<UnixMillis>, KubeError> {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(connected);
        let name = self.project.spec().secret_name.clone();
        let patch = Patch::Merge(patch);
        let secret = within(REQUEST_LIMIT, api.patch(&name, &params, &patch)).await?;
        Ok(taken(&secret))
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
        match within(REQUEST_LIMIT, api.create(&create_params(), &namespace)).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The new fingerprints take the place of the old ones, which are gone with that.
    async fn remember(
        &self,
        connected: &Connected,
        entered: &[(SecretKey, Entered)],
    ) -> Result<(), Failure> {
        for (key, entered) in entered {
            let text = serde_json::to_string(entered).unwrap_or_default();
            self.core
                .journal
                .put_fact_durably(&self.scope(connected), key.as_str(), &text)
                .await?;
        }
        Ok(())
    }
}

fn create_params() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(FIELD_MANAGER.to_owned()),
    }
}

/// Who sits at this machine.
fn user() -> Option<String> {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

/// Overwrites every text in the value, so that none lingers in freed memory.
fn wipe(value: Value) {
    match value {
        Value::String(mut text) => text.zeroize(),
        Value::Object(map) => map.into_iter().for_each(|(_, value)| wipe(value)),
        Value::Array(items) => items.into_iter().for_each(wipe),
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
