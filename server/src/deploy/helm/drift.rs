//! What is no longer as the deployed revision says. Asked in helm's own manner: whatever deploying
//! the same manifest once more would change, somebody else has changed.

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Change, DriftedObject, Failure, FieldChange, FieldOwner, PlannedObject, ReleaseStatus,
};

use super::ReleasesRoom;
use super::history::{RenderedObject, objects};
use super::plan::{Compare, text};
use crate::adapters::helm::record::Record;
use crate::adapters::kube::apply::{api, get};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::Connected;
use crate::deploy::preview::{Applier, Previewed};
use crate::deploy::words;

/// Versions are looked at this often; only when one has changed, what differs is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The objects of a revision as they were looked at.
#[derive(PartialEq)]
struct Seen {
    cluster: String,
    revision: u32,
    /// Resource versions, in the order of the manifest; empty for what is gone.
    versions: Vec<String>,
}

impl ReleasesRoom {
    pub(super) async fn keep_looking_for_drift(&self) {
        let mut seen = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let deployed = self.inner.cluster.current().zip(self.settled());
            let Some((connected, record)) = deployed else {
                seen = None;
                self.show_drift(None);
                continue;
            };
            // Without an answer nothing new is known; the cluster's own light says so.
            if self
                .look_for_drift(&connected, &record, &mut seen)
                .await
                .is_err()
            {
                tracing::debug!("the release's objects could not be compared");
            }
        }
    }

    /// The deployed revision, while nobody is at work on it.
    fn settled(&self) -> Option<Arc<Record>> {
        let records = self.records();
        let (_, newest) = records.last_key_value()?;
        let is_settled = newest.status() == ReleaseStatus::Deployed && self.own_run().is_none();
        is_settled.then(|| Arc::clone(newest))
    }

    async fn look_for_drift(
        &self,
        connected: &Connected,
        record: &Record,
        seen: &mut Option<Seen>,
    ) -> Result<(), Failure> {
        let (wanted, _) = objects(&record.manifest);
        let now = Seen {
            cluster: connected.id.clone(),
            revision: record.version,
            versions: self
                .versions(connected, &wanted)
                .await
                .map_err(|error| words::cluster_says_no("Comparing", &error))?,
        };
        if seen.as_ref() == Some(&now) {
            return Ok(());
        }
        let applier = match record.apply_method.as_str() {
            "ssa" => Applier::HelmServerSide {
                force_conflicts: true,
            },
            _ => Applier::HelmClientSide {
                previous: wanted.iter().map(|one| one.object.clone()).collect(),
            },
        };
        let release = self.release()?;
        let compare = Compare {
            applier,
            desired: wanted,
            definitions: Vec::new(),
            before: &[],
            release: &release,
        };
        let compared = self.compare_live(connected, compare).await?;
        let still = self
            .settled()
            .is_some_and(|is| is.version == record.version);
        if !still || connected.gone.is_cancelled() {
            return Ok(());
        }
        let drifted = compared.previewed.into_iter().filter_map(drifted).collect();
        self.show_drift(Some(drifted));
        *seen = Some(now);
        Ok(())
    }

    async fn versions(
        &self,
        connected: &Connected,
        wanted: &[RenderedObject],
    ) -> Result<Vec<String>, KubeError> {
        let client = &connected.client;
        let namespace = self.inner.project.spec().namespace.to_string();
        let mut discovery = Discovery::default();
        let mut versions = Vec::with_capacity(wanted.len());
        for one in wanted {
            let (version, kind) = (text(&one.object["apiVersion"]), text(&one.object["kind"]));
            let metadata = &one.object["metadata"];
            let place = metadata["namespace"].as_str().unwrap_or(&namespace);
            let live = match discovery.find(client, &version, &kind).await? {
                Some(served) => get(&api(client, &served, place), &text(&metadata["name"])).await?,
                None => None,
            };
            let live = live.unwrap_or_default();
            versions.push(text(&live["metadata"]["resourceVersion"]));
        }
        Ok(versions)
    }

    fn show_drift(&self, drift: Option<Vec<DriftedObject>>) {
        if self.inner.core.hub.read(|state| state.helm.drift != drift) {
            self.update(|view| view.drift = drift);
        }
    }
}

/// None for what is as it should be.
fn drifted(one: Previewed) -> Option<DriftedObject> {
    let PlannedObject {
        key, kind, name, ..
    } = one.planned;
    let deleted = match one.planned.change {
        Change::Create => true,
        Change::Update | Change::Replace => false,
        Change::Unchanged | Change::Delete | Change::Refused => return None,
    };
    let mut fields: Vec<FieldChange> = if deleted {
        Vec::new()
    } else {
        one.diff.fields.into_iter().map(back).collect()
    };
    let hidden = fields.len().saturating_sub(DriftedObject::FIELDS);
    fields.truncate(DriftedObject::FIELDS);
    Some(DriftedObject {
        key,
        kind,
        name,
        deleted,
        fields,
        more_fields: one.diff.more_fields + u32::try_from(hidden).unwrap_or(u32::MAX),
    })
}

/// What would be put there is what was applied; what is there now is the change.
fn back(change: FieldChange) -> FieldChange {
    let mut owners: Vec<FieldOwner> = change.owners;
    owners.retain(|owner| owner.manager != "helm");
    FieldChange {
        path: change.path,
        before: change.after,
        after: change.before,
        owners,
    }
}
