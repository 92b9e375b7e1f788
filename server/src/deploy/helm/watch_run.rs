//! Watches workloads, pods and hooks while helm is at work, which prints nothing while it waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use app::model::{Finding, PodRow, Progress, ReleaseStatus, Rollout, UnixMillis};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;

use super::plan::{Act, Prepared};
use super::{ReleasesRoom, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::deploy::hopeless::{Trouble, trouble};
use crate::deploy::patience::Patience;
use crate::deploy::pod_evidence::PodEvidence;
use crate::engine::{RunHandle, StageHandle};

pub(super) fn workload_stage(kind: &str, name: &str) -> String {
    format!("rollout/{}/{name}", kind.to_lowercase())
}

pub(super) fn hook_stage(name: &str) -> String {
    format!("hook/{name}")
}

/// What is seen of a run.
pub(super) struct Watcher<'a> {
    room: &'a ReleasesRoom,
    connected: &'a Arc<Connected>,
    prepared: &'a Prepared,
    began: UnixMillis,
    said: HashMap<String, String>,
    patience: Patience,
    /// How each workload stood when it began, to tell its new state from the old one.
    seen_moving: BTreeMap<String, bool>,
    ended_hooks: Vec<String>,
    status: Option<ReleaseStatus>,
    /// Why it cannot succeed any more.
    pub hopeless: Option<Finding>,
    /// The first trouble a pod was in.
    pub worst: Option<Finding>,
}

impl<'a> Watcher<'a> {
    pub fn new(
        room: &'a ReleasesRoom,
        connected: &'a Arc<Connected>,
        prepared: &'a Prepared,
        began: UnixMillis,
    ) -> Self {
        Self {
            room,
            connected,
            prepared,
            began,
            said: HashMap::new(),
            patience: Patience::default(),
            seen_moving: BTreeMap::new(),
            ended_hooks: Vec::new(),
            status: None,
            hopeless: None,
            worst: None,
        }
    }

    fn goes_forward(&self) -> bool {
        !matches!(self.prepared.act, Act::Uninstall { .. })
    }

    pub async fn look(&mut self, stage: &StageHandle, run: &RunHandle) {
        self.look_at_record(stage);
        if !self.goes_forward() {
            return;
        }
        self.look_at_workloads(run);
        self.look_at_hooks(run).await;
        self.look_at_pods(stage).await;
    }

    fn look_at_record(&mut self, stage: &StageHandle) {
        let records = self.room.records();
        let Some((revision, record)) = records.last_key_value() else {
            return;
        };
        let status = record.status();
        let is_new = record
            .updated()
            .is_none_or(|at| at.0 + 1_000 >= self.began.0);
        if is_new && self.status != Some(status) {
            self.status = Some(status);
            stage.log(format!("Revision {revision} is {}", status.word()));
        }
        let ready = self.prepared.workloads.iter().filter(|(_, name)| {
            self.room.inner.core.hub.read(|state| {
                state.components.values().any(|component| {
                    component.component.as_str() == name && component.rollout == Rollout::Complete
                })
            })
        });
        let total = self.prepared.workloads.len();
        if total > 0 && self.goes_forward() {
            stage.progress(Progress {
                done: ready.count() as u64,
                total: Some(total as u64),
                note: "workloads rolled out".to_owned(),
            });
        }
    }

    fn look_at_workloads(&mut self, run: &RunHandle) {
        for (kind, name) in &self.prepared.workloads {
            let live = self.room.inner.core.hub.read(|state| {
                state
                    .components
                    .values()
                    .find(|component| component.component.as_str() == name)
                    .cloned()
            });
            let Some(live) = live else { continue };
            let stage = run.stage(&workload_stage(kind, name));
            let moving = self.seen_moving.entry(name.clone()).or_default();
            if let Rollout::Progressing { note } = &live.rollout {
                *moving = true;
                stage.progress(Progress {
                    done: u64::from(live.available.min(live.updated)),
                    total: Some(u64::from(live.replicas)),
                    note: format!("pods; {note}"),
                });
                if self.said.insert(name.clone(), note.clone()).as_ref() != Some(note) {
                    stage.log(note.clone());
                }
            } else if *moving && live.rollout == Rollout::Complete {
                *moving = false;
                stage.progress(Progress {
                    done: u64::from(live.available),
                    total: Some(u64::from(live.replicas)),
                    note: "pods; complete".to_owned(),
                });
            }
        }
    }

    /// A hook's Job is made by helm and often deleted by it a moment after it has ended.
    async fn look_at_hooks(&mut self, run: &RunHandle) {
        let jobs: Vec<String> = self
            .prepared
            .plan
            .hooks
            .iter()
            .filter(|hook| hook.kind == "Job" && !self.ended_hooks.contains(&hook.name))
            .map(|hook| hook.name.clone())
            .collect();
        let api: Api<Job> = Api::namespaced(
            self.connected.client.clone(),
            &self.prepared.place.namespace,
        );
        for name in jobs {
            let Ok(Some(job)) = within(REQUEST_LIMIT, api.get_opt(&name)).await else {
                continue;
            };
            let created = job.metadata.creation_timestamp.as_ref();
            let is_old = created.is_some_and(|at| at.0.as_millisecond() + 1_000 < self.began.0);
            if is_old {
                continue;
            }
            let stage = run.stage(&hook_stage(&name));
            let status = job.status.unwrap_or_default();
            let has = |kind: &str| {
                status
                    .conditions
                    .iter()
                    .flatten()
                    .find(|one| one.type_ == kind && one.status == "True")
            };
            if has("Complete").is_some() || status.succeeded.unwrap_or(0) > 0 {
                stage.succeed("The Job has succeeded");
                self.ended_hooks.push(name);
            } else if let Some(failed) = has("Failed") {
                let text = failed.message.clone().unwrap_or_default();
                stage.fail(self.room.redacted_finding(words::hook_failed(&name, &text)));
                self.ended_hooks.push(name);
            } else {
                stage.progress(Progress {
                    done: u64::from(status.failed.unwrap_or(0).unsigned_abs()),
                    total: None,
                    note: "failed attempts; the Job runs".to_owned(),
                });
            }
        }
    }

    /// Pods that this deploy made and that cannot start.
    async fn look_at_pods(&mut self, stage: &StageHandle) {
        let pods: Vec<PodRow> = self.room.inner.core.hub.read(|state| {
            let mut pods = state.pods.values().collect::<Vec<_>>();
            pods.retain(|pod| pod.created.0 + 1_000 >= self.began.0 && !pod.terminating);
            pods.retain(|pod| {
                let of = pod.component.as_ref();
                of.is_some_and(|of| self.rolls_out(of.as_str()))
            });
            pods.into_iter().cloned().collect()
        });
        self.patience.tell_reasons(stage, &pods);
        let lost = self.patience.out_of(&pods);
        if self.worst.is_none()
            && let Some((pod, trouble)) = pods.iter().find_map(|pod| Some((pod, trouble(pod)?)))
        {
            self.worst = Some(self.finding(pod, &trouble).await);
        }
        if self.hopeless.is_none()
            && let Some((pod, trouble)) = lost
        {
            self.hopeless = Some(self.finding(pod, &trouble).await);
        }
    }

    fn rolls_out(&self, name: &str) -> bool {
        let mut workloads = self.prepared.workloads.iter();
        workloads.any(|(_, one)| one == name)
    }

    async fn finding(&self, pod: &PodRow, trouble: &Trouble) -> Finding {
        let evidence = PodEvidence {
            client: &self.connected.client,
            namespace: &self.prepared.place.namespace,
            redactor: &self.room.inner.core.redactor,
        };
        let workload = pod
            .component
            .as_ref()
            .map_or_else(|| pod.name.clone(), ToString::to_string);
        evidence.hopeless(&workload, pod, trouble).await
    }

    /// Rollouts and hooks that nothing more will be heard of.
    pub async fn end(&mut self, run: &RunHandle) {
        if self.goes_forward() {
            self.look_at_workloads(run);
            self.look_at_hooks(run).await;
        }
    }
}
