//! Live tests of the project's secrets: what each is tried out on, and stopping one.

use std::sync::PoisonError;

use app::model::{ApiProvider, Failure, LiveTestKind, LiveTestReport, SecretKey, SecretKind};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::live_test::{self, OpenAiTarget, Target};
use super::{SecretsRoom, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::project::SecretSpec;

impl SecretsRoom {
    /// Tries out a value, or the one in the cluster.
    pub(super) async fn try_out(
        &self,
        key: SecretKey,
        value: Option<Zeroizing<String>>,
    ) -> Result<LiveTestReport, Failure> {
        let spec = self.spec_of(&key)?;
        let target = self
            .target(&spec)
            .ok_or_else(|| words::cannot_be_tested(&key))?;
        let value = match value {
            Some(value) => value,
            None => self.stored(&key).await?,
        };
        self.core.redactor.learn(&value);
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let before = self.tests().insert(key.clone(), stop.clone());
        if let Some(before) = before {
            before.cancel();
        }
        // With the server the test ends, too.
        let report = tokio::select! {
            report = live_test::run(&target, &value, &stop) => report,
            () = self.core.shutdown.cancelled() => return Err(words::shutting_down().into()),
        };
        drop(guard);
        Ok(report)
    }

    pub(super) fn stop_trying(&self, key: &SecretKey) {
        if let Some(stop) = self.tests().remove(key) {
            stop.cancel();
        }
    }

    /// The value in the cluster, for the length of a test.
    async fn stored(&self, key: &SecretKey) -> Result<Zeroizing<String>, Failure> {
        let connected = self.cluster.connected()?;
        let api = self.api(&connected);
        let name = self.project.spec().secret_name.clone();
        let secret = within(REQUEST_LIMIT, api.get_opt(&name))
            .await
            .map_err(|error| words::not_read(key, &error))?;
        let value = secret
            .and_then(|secret| secret.data)
            .and_then(|mut data| data.remove(key.as_str()))
            .ok_or_else(|| words::nothing_there(key))?;
        String::from_utf8(value.0)
            .map(Zeroizing::new)
            .map_err(|_| words::no_text(key).into())
    }

    /// How a secret can be tried out, for the form.
    pub(super) fn target_kind(&self, spec: &SecretSpec) -> Option<LiveTestKind> {
        Some(match self.target(spec)? {
            Target::Postgres => LiveTestKind::Postgres,
            Target::OpenAi(_) => LiveTestKind::OpenAi,
            Target::Url => LiveTestKind::Url,
        })
    }

    fn target(&self, spec: &SecretSpec) -> Option<Target> {
        match &spec.kind {
            SecretKind::PostgresUrl => Some(Target::Postgres),
            SecretKind::Url => Some(Target::Url),
            SecretKind::ApiKey { provider } => {
                let settings = self.all_references().settings;
                // The settings beside `OPENAI_API_KEY` begin like it: `OPENAI_BASE_URL`.
                let prefix = spec
                    .key
                    .as_str()
                    .strip_suffix("_API_KEY")
                    .unwrap_or_default();
                let setting = |names: &[&str]| {
                    names
                        .iter()
                        .filter_map(|name| settings.get(&format!("{prefix}_{name}")))
                        .find(|value| !value.is_empty())
                        .cloned()
                };
                let provider = provider.or_else(|| ApiProvider::of_key_name(spec.key.as_str()));
                let base_url = spec
                    .test_url
                    .clone()
                    .or_else(|| setting(&["BASE_URL", "API_BASE", "API_BASE_URL"]))
                    .or_else(|| Some(provider?.openai_base_url()?.to_owned()))?;
                Some(Target::OpenAi(OpenAiTarget {
                    base_url,
                    model: setting(&["MODEL", "MODEL_NAME"]),
                    organization: setting(&["ORG_ID", "ORGANIZATION", "ORGANIZATION_ID"]),
                }))
            }
            _ => None,
        }
    }

    fn tests(
        &self,
    ) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<SecretKey, CancellationToken>> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
