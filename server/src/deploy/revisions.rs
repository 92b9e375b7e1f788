//! The record of every raw deploy, kept in the cluster beside what it applied: whoever looks from
//! another laptop sees the same history, and the record that is made first wins the right to deploy.
//! One ConfigMap for each revision; nothing in it is secret.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use app::model::{DeployOutcome, DeployRevision, UnixMillis};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::identity::RECORD_OF;
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::{parse_rfc3339, rfc3339};
use crate::engine::{Redactor, clock};

/// How many records are kept, as many as Helm keeps.
pub const KEPT: usize = 10;
/// How often a deploy that is going says so, and after how long nobody believes it any more.
pub const BEAT: Duration = Duration::from_secs(10);
const SILENT_MS: u64 = 45_000;
/// Packed; the API server takes 1 MiB for a whole ConfigMap.
const MOST_BYTES: usize = 900_000;
/// Unpacked, when reading what somebody else may have written.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;

/// Annotation: a [`DeployRevision`] in JSON, all that a list needs.
const SUMMARY: &str = "slipway.dev/summary";
/// Annotation: the installation that is carrying it out.
const HOLDER: &str = "slipway.dev/holder";
/// Annotation: when that was last heard of.
const HEARD: &str = "slipway.dev/heard";
const OBJECTS: &str = "objects.json.gz";

/// What was applied; values that could be secret are not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub objects: Vec<Value>,
    /// Secrets of the manifests, by name: their values are never recorded.
    pub secrets: Vec<String>,
    /// Objects a known secret value stood in, as `Kind name`: it is masked, so they cannot be put back.
    pub masked: Vec<String>,
}

impl Record {
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a Value>, redactor: &Redactor) -> Self {
        let mut record = Self::default();
        for object in objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().unwrap_or_default();
            if kind == "Secret" {
                record.secrets.push(name.to_owned());
                continue;
            }
            let mut kept = object.clone();
            if mask(&mut kept, redactor) {
                record.masked.push(format!("{kind} {name}"));
            }
            record.objects.push(kept);
        }
        record
    }

    fn packed(&self) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(self).ok()?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&json).ok()?;
        encoder
            .finish()
            .ok()
            .filter(|bytes| bytes.len() <= MOST_BYTES)
    }

    fn unpacked(bytes: &[u8]) -> Option<Self> {
        let mut json = Vec::new();
        GzDecoder::new(bytes)
            .take(MOST_UNPACKED)
            .read_to_end(&mut json)
            .ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// Whether a known value was hidden.
fn mask(value: &mut Value, redactor: &Redactor) -> bool {
    match value {
        Value::String(text) => match redactor.redact(text) {
            std::borrow::Cow::Owned(hidden) if hidden != *text => {
                *text = hidden;
                true
            }
            _ => false,
        },
        Value::Array(items) => mask_all(items.iter_mut(), redactor),
        Value::Object(map) => mask_all(map.values_mut(), redactor),
        _ => false,
    }
}

/// Goes on after the first one: all of them have to be hidden.
fn mask_all<'v>(values: impl Iterator<Item = &'v mut Value>, redactor: &Redactor) -> bool {
    let mut any = false;
    for value in values {
        any |= mask(value, redactor);
    }
    any
}

/// Somebody else's deploy that is going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    pub revision: u64,
    pub by: String,
}

/// Why a record could not be made.
#[derive(Debug)]
pub enum Unclaimed {
    /// Somebody made that revision first.
    Taken,
    /// Somebody began an earlier revision at the same moment, and is going.
    Elsewhere(Elsewhere),
    Kube(KubeError),
}

/// The records of one project.
#[derive(Clone)]
pub struct Book {
    api: Api<ConfigMap>,
    project: String,
    /// This installation of Slipway.
    holder: String,
    /// Whether it is deploying now; else a record of its own that says so is from before it was
    /// killed.
    is_deploying: bool,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book")
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl Book {
    pub fn new(client: &Client, namespace: &str, project: &str, holder: String) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            project: project.to_owned(),
            holder,
            is_deploying: true,
        }
    }

    /// The same, for a Slipway that knows whether it is deploying.
    pub fn deploying(self, is_deploying: bool) -> Self {
        Self {
            is_deploying,
            ..self
        }
    }

    fn name(&self, revision: u64) -> String {
        format!("slipway-{}-r{revision}", self.project)
    }

    /// All records, newest first, and somebody else's deploy that is going now: the first of them,
    /// which is the one that goes on when two began at the same moment.
    pub async fn list(&self) -> Result<(Vec<DeployRevision>, Option<Elsewhere>), KubeError> {
        let params = ListParams::default().labels(&format!("{RECORD_OF}={}", self.project));
        let list = match within(REQUEST_LIMIT, self.api.list_metadata(&params)).await {
            Ok(list) => list,
            // Whoever may not look has no history to show.
            Err(error) if error.is_not_found() || error.is_forbidden() => {
                return Ok((Vec::new(), None));
            }
            Err(error) => return Err(error),
        };
        let now = clock::now();
        let mut elsewhere: Option<Elsewhere> = None;
        let mut revisions: Vec<DeployRevision> = list
            .items
            .iter()
            .filter_map(|item| {
                let annotations = item.metadata.annotations.as_ref()?;
                let mut revision: DeployRevision =
                    serde_json::from_str(annotations.get(SUMMARY)?).ok()?;
                if revision.outcome == DeployOutcome::Going {
                    let is_own = annotations.get(HOLDER) == Some(&self.holder);
                    if !is_alive(annotations, now) || (is_own && !self.is_deploying) {
                        revision.outcome = DeployOutcome::Interrupted;
                    } else if !is_own
                        && elsewhere
                            .as_ref()
                            .is_none_or(|first| revision.revision < first.revision)
                    {
                        elsewhere = Some(Elsewhere {
                            revision: revision.revision,
                            by: revision.by.clone(),
                        });
                    }
                }
                Some(revision)
            })
            .collect();
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.revision));
        Ok((revisions, elsewhere))
    }

    /// What a revision applied; none when it is not recorded.
    pub async fn read(&self, revision: u64) -> Result<Option<Record>, KubeError> {
        let map = within(REQUEST_LIMIT, self.api.get_opt(&self.name(revision))).await?;
        Ok(map
            .and_then(|map| map.binary_data)
            .and_then(|data| Record::unpacked(&data.get(OBJECTS)?.0)))
    }

    /// Makes the record before anything is applied: only one can make it.
    pub async fn claim(&self, summary: &DeployRevision, record: &Record) -> Result<(), Unclaimed> {
        let mut summary = summary.clone();
        let packed = record.packed();
        summary.has_objects = packed.is_some();
        let name = self.name(summary.revision);
        let map = ConfigMap {
            metadata: kube::core::ObjectMeta {
                name: Some(name.clone()),
                labels: Some(BTreeMap::from([(
                    RECORD_OF.to_owned(),
                    self.project.clone(),
                )])),
                annotations: Some(BTreeMap::from([
                    (SUMMARY.to_owned(), encode(&summary)),
                    (HOLDER.to_owned(), self.holder.clone()),
                    (HEARD.to_owned(), rfc3339(clock::now())),
                ])),
                ..Default::default()
            },
            binary_data: packed
                .map(|bytes| BTreeMap::from([(OBJECTS.to_owned(), ByteString(bytes))])),
            ..ConfigMap::default()
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match within(REQUEST_LIMIT, self.api.create(&params, &map)).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(409) => return Err(Unclaimed::Taken),
            Err(error) => return Err(Unclaimed::Kube(error)),
        }
        // Somebody may have begun between the look and the record, with a lower number: theirs goes
        // on, and they do not mind ours.
        let listed = self.list().await;
        let before = match listed {
            Ok((_, before)) => Ok(before.filter(|before| before.revision < summary.revision)),
            Err(error) => Err(error),
        };
        let unclaimed = match before {
            Ok(None) => return Ok(()),
            Ok(Some(before)) => Unclaimed::Elsewhere(before),
            Err(error) => Unclaimed::Kube(error),
        };
        if let Err(error) = self.delete(summary.revision).await {
            tracing::warn!(%error, revision = summary.revision, "the record was not taken back");
        }
        Err(unclaimed)
    }

    /// Says that the deploy is still going.
    pub async fn beat(&self, revision: u64) -> Result<(), KubeError> {
        self.annotate(revision, json!({ HEARD: rfc3339(clock::now()) }))
            .await
    }

    /// Writes down what came of it.
    pub async fn close(&self, summary: &DeployRevision) -> Result<(), KubeError> {
        self.annotate(
            summary.revision,
            json!({ SUMMARY: encode(summary), HOLDER: null, HEARD: null }),
        )
        .await
    }

    async fn annotate(&self, revision: u64, annotations: Value) -> Result<(), KubeError> {
        let patch = json!({"metadata": {"annotations": annotations}});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let name = self.name(revision);
        within(
            REQUEST_LIMIT,
            self.api
                .patch_metadata(&name, &params, &Patch::Merge(&patch)),
        )
        .await
        .map(drop)
    }

    /// Deletes the records that are too old.
    pub async fn forget_old(&self) -> Result<(), KubeError> {
        let (revisions, _) = self.list().await?;
        for old in revisions.iter().skip(KEPT) {
            self.delete(old.revision).await?;
        }
        Ok(())
    }

    /// Deletes all records: what they are about was removed.
    pub async fn forget_all(&self) -> Result<(), KubeError> {
        let (revisions, _) = self.list().await?;
        for revision in revisions {
            self.delete(revision.revision).await?;
        }
        Ok(())
    }

    async fn delete(&self, revision: u64) -> Result<(), KubeError> {
        let name = self.name(revision);
        match within(
            REQUEST_LIMIT,
            self.api.delete(&name, &DeleteParams::default()),
        )
        .await
        {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

fn encode(summary: &DeployRevision) -> String {
    serde_json::to_string(summary).unwrap_or_default()
}

fn is_alive(annotations: &BTreeMap<String, String>, now: UnixMillis) -> bool {
    annotations
        .get(HEARD)
        .and_then(|heard| parse_rfc3339(heard))
        .is_some_and(|heard| now.since(heard) < SILENT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_no_secret_and_says_what_is_missing() {
        let redactor = Redactor::default();
        redactor.learn("hunter2-hunter2");
        let objects = [
            json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}),
            json!({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"x": "other"}}),
            json!({"kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "key=hunter2-hunter2"}}),
        ];
        let record = Record::of(&objects, &redactor);
        assert_eq!(record.secrets, ["s"]);
        assert_eq!(record.masked, ["ConfigMap b"]);
        let packed = record.packed().expect("small enough");
        let read = Record::unpacked(&packed).expect("readable");
        assert_eq!(read, record);
        let text = serde_json::to_string(&read).expect("JSON");
        assert!(!text.contains("hunter2") && !text.contains("other"));
        assert_eq!(Record::unpacked(b"not packed"), None);
    }

    #[test]
    fn who_is_not_heard_of_any_more_is_not_believed_to_deploy() {
        let now = clock::now();
        let at = |ms: i64| BTreeMap::from([(HEARD.to_owned(), rfc3339(UnixMillis(now.0 - ms)))]);
        assert!(is_alive(&at(5_000), now));
        assert!(!is_alive(&at(60_000), now));
        assert!(!is_alive(&BTreeMap::new(), now));
    }
}
