//! Plans of what goes back: a rollback, an uninstall, unlocking a stuck release; and two revisions
//! side by side.

use std::collections::BTreeMap;

use app::model::{
    Change, DeployPlan, Failure, Finding, Holder, PlanChoices, PlannedObject, ReleasePlan,
    ReleaseStatus, RevisionComparison,
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::history::{RenderedObject, hook, objects};
use super::plan::{Act, Compare, PATIENCE, Prepared, previous, text, workloads};
use super::secret_shape::masked;
use super::{ReleasesRoom, words};
use crate::adapters::helm::record::Record;
use crate::cluster::Connected;
use crate::deploy::preview::object_diff::{counted, object_diff};
use crate::deploy::preview::{Applier, Previewed, key};
use crate::engine::clock;

impl ReleasesRoom {
    pub(super) async fn prepare_rollback(
        &self,
        connected: &Connected,
        to: u32,
        force: bool,
    ) -> Result<Prepared, Failure> {
        let helm = self.helm().await?;
        let release = self.release()?;
        let place = self.place(connected)?;
        let target = self.record(to)?;
        let records: Vec<_> = self.records().values().rev().cloned().collect();
        let Some(newest) = records.first().cloned() else {
            return Err(words::no_revision(to).into());
        };
        let (desired, _) = objects(&target.manifest);
        let current = previous(&records).unwrap_or_else(|| newest.clone());
        let before = objects(&current.manifest).0;
        // helm 4 keeps to the way in which the revision it goes back to was applied.
        let is_server_side = helm.version.major >= 4 && target.apply_method == "ssa";
        let applier = if is_server_side {
            Applier::HelmServerSide {
                force_conflicts: force,
            }
        } else {
            Applier::HelmClientSide {
                previous: before.iter().map(|one| one.object.clone()).collect(),
            }
        };
        let workloads = workloads(&desired);
        let compared = self
            .compare_live(
                connected,
                Compare {
                    applier,
                    desired,
                    definitions: Vec::new(),
                    before: &before,
                    release: &release,
                },
            )
            .await?;
        let mut findings = self.held(&newest).await;
        if to == newest.version && newest.status() == ReleaseStatus::Deployed {
            findings.push(words::rollback_to_itself(to));
        }
        let mut digest = Sha256::default();
        sha2::Digest::update(&mut digest, format!("rollback {to}"));
        let plan = self.finish_plan(connected, digest, compared, findings, Some(&newest));
        Ok(Prepared {
            plan: ReleasePlan {
                title: format!("Roll back to revision {to}"),
                revision: Some(newest.version + 1),
                hooks: target
                    .hooks
                    .iter()
                    .filter(|hook| hook.events.iter().any(|event| event.ends_with("-rollback")))
                    .map(hook)
                    .collect(),
                notes: self.redacted(&target.info.notes),
                ..plan
            },
            helm,
            place,
            release,
            act: Act::Rollback {
                to,
                // helm refuses the flag where it patches from the client side.
                force: force && is_server_side,
            },
            workloads,
        })
    }

    pub(super) async fn prepare_uninstall(
        &self,
        connected: &Connected,
        keep_history: bool,
    ) -> Result<Prepared, Failure> {
        let helm = self.helm().await?;
        let release = self.release()?;
        let place = self.place(connected)?;
        let records: Vec<_> = self.records().values().rev().cloned().collect();
        let Some(newest) = records.first().cloned() else {
            return Err(words::no_release(release.as_str()).into());
        };
        // helm removes what the newest record names.
        let before = objects(&newest.manifest).0;
        let compared = self
            .compare_live(
                connected,
                Compare {
                    applier: Applier::HelmClientSide {
                        previous: Vec::new(),
                    },
                    desired: Vec::new(),
                    definitions: Vec::new(),
                    before: &before,
                    release: &release,
                },
            )
            .await?;
        let findings = self.held(&newest).await;
        let mut digest = Sha256::default();
        sha2::Digest::update(&mut digest, format!("uninstall {keep_history}"));
        let plan = self.finish_plan(connected, digest, compared, findings, Some(&newest));
        Ok(Prepared {
            plan: ReleasePlan {
                title: format!("Uninstall {release}"),
                hooks: newest
                    .hooks
                    .iter()
                    .filter(|hook| hook.events.iter().any(|event| event.ends_with("-delete")))
                    .map(hook)
                    .collect(),
                ..plan
            },
            helm,
            place,
            release,
            act: Act::Uninstall { keep_history },
            workloads: Vec::new(),
        })
    }

    pub(super) async fn prepare_unlock(
        &self,
        connected: &Connected,
        revision: u32,
    ) -> Result<Prepared, Failure> {
        let helm = self.helm().await?;
        let release = self.release()?;
        let place = self.place(connected)?;
        let newest = self.record(revision)?;
        let is_newest = self
            .records()
            .last_key_value()
            .is_some_and(|(last, _)| *last == revision);
        if !is_newest || !newest.status().is_pending() {
            return Err(words::not_stuck(revision, newest.status()).into());
        }
        let findings = self.held(&newest).await;
        let mut digest = Sha256::default();
        sha2::Digest::update(&mut digest, format!("unlock {revision}"));
        let compared = super::plan::Compared {
            previewed: Vec::new(),
            kept: vec![format!(
                "Every object stays as it is: only the record {} goes",
                crate::adapters::helm::record::secret_name(release.as_str(), revision)
            )],
        };
        let plan = self.finish_plan(connected, digest, compared, findings, Some(&newest));
        Ok(Prepared {
            plan: ReleasePlan {
                title: format!("Unlock revision {revision}"),
                ..plan
            },
            helm,
            place,
            release,
            act: Act::Unlock { revision },
            workloads: Vec::new(),
        })
    }

    /// Someone else may be at work on the release.
    pub(super) async fn held(&self, newest: &Record) -> Vec<Finding> {
        let is_open =
            newest.status().is_pending() || newest.status() == ReleaseStatus::Uninstalling;
        if !is_open {
            return Vec::new();
        }
        let spec = self.inner.project.spec();
        let holder = self
            .holder(&spec.name, spec.namespace.as_str(), newest.updated())
            .await;
        match holder {
            Holder::Nobody => Vec::new(),
            other => vec![words::held(newest.version, &other)],
        }
    }

    /// Two revisions side by side, by their records alone.
    pub(super) fn comparison(&self, from: u32, to: u32) -> Result<RevisionComparison, Failure> {
        let (a, b) = (self.record(from)?, self.record(to)?);
        let known = |text: &str| self.is_known(text);
        let redactor = &self.inner.core.redactor;
        let values = object_diff(
            &masked(&or_empty(&a.config), &known),
            &masked(&or_empty(&b.config), &known),
            None,
            redactor,
        );
        let spec = self.inner.project.spec();
        let namespace = spec.namespace.as_str();
        let (mut before, after) = (
            by_key(objects(&a.manifest).0, namespace),
            by_key(objects(&b.manifest).0, namespace),
        );
        let mut previewed: Vec<Previewed> = Vec::new();
        for (name, new) in after {
            let old = before.remove(&name);
            previewed.push(side_by_side(name, old.as_ref(), Some(&new), redactor));
        }
        for (name, old) in before {
            previewed.push(side_by_side(name, Some(&old), None, redactor));
        }
        let hash = format!("revisions-{}-{from}-{to}", spec.name);
        self.inner
            .previews
            .put(&hash, &PlanChoices::default(), &previewed);
        Ok(RevisionComparison {
            from,
            to,
            values,
            plan: DeployPlan {
                hash,
                at: clock::now(),
                objects: previewed.into_iter().map(|one| one.planned).collect(),
                findings: Vec::new(),
            },
        })
    }
}

fn or_empty(values: &Value) -> Value {
    match values {
        Value::Null => json!({}),
        given => given.clone(),
    }
}

fn by_key(objects: Vec<RenderedObject>, namespace: &str) -> BTreeMap<String, RenderedObject> {
    objects
        .into_iter()
        .map(|one| {
            let place = one.object["metadata"]["namespace"]
                .as_str()
                .unwrap_or(namespace)
                .to_owned();
            (key(&one.object, &place), one)
        })
        .collect()
}

fn side_by_side(
    name: String,
    old: Option<&RenderedObject>,
    new: Option<&RenderedObject>,
    redactor: &crate::engine::Redactor,
) -> Previewed {
    let null = Value::Null;
    let before = old.map_or(&null, |one| &one.object);
    let after = new.map_or(&null, |one| &one.object);
    let diff = object_diff(before, after, None, redactor);
    let (added, removed) = counted(&diff.rows);
    let fields = u32::try_from(diff.fields.len()).unwrap_or(u32::MAX) + diff.more_fields;
    let shown = if new.is_some() { after } else { before };
    Previewed {
        planned: PlannedObject {
            key: name,
            api_version: text(&shown["apiVersion"]),
            kind: text(&shown["kind"]),
            name: text(&shown["metadata"]["name"]),
            namespace: text(&shown["metadata"]["namespace"]),
            source: new
                .or(old)
                .map(|one| one.source.clone())
                .unwrap_or_default(),
            change: match (old, new) {
                (None, _) => Change::Create,
                (_, None) => Change::Delete,
                _ if fields == 0 => Change::Unchanged,
                _ => Change::Update,
            },
            fields,
            added,
            removed,
            conflicts: Vec::new(),
            chosen: false,
            problem: None,
        },
        everything: diff.clone(),
        diff,
        object: after.clone(),
        live: before.clone(),
        served: None,
        source: String::new(),
    }
}

/// How long a rollback or removal may take: as an upgrade.
pub(super) const GOING_BACK: std::time::Duration = PATIENCE;
