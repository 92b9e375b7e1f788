//! Carries a release's plan out: helm does it, and the workloads and records say how it goes.
//! helm prints nothing while it waits, so progress comes from what is watched anyway.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Failure, Finding, LogQuery, PodRow, Progress, ReleaseStatus, ReleaseWish, Rollout, RunId,
    RunKind, Stage, StageState, UnixMillis,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acts::GOING_BACK;
use super::plan::{Act, Prepared, changes};
use super::stuck::HELM_STAGE;
use super::{ReleasesRoom, words};
use crate::adapters::helm::HelmFailure;
use crate::adapters::helm::failure::classify;
use crate::adapters::helm::output::warnings;
use crate::adapters::helm::record::{decode, secret_name};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::deploy::hopeless::{self, Trouble, trouble};
use crate::deploy::words as deploy_words;
use crate::engine::{RunError, RunHandle, StageHandle, clock};
use crate::live::last_lines;
use crate::process::{self, CommandSpec, Ending, Pipe};

const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOG_LINES: u32 = 12;
/// Both outputs of helm together; it is not a talkative program.
const MOST_KEPT: usize = 256 * 1024;

impl ReleasesRoom {
    pub(super) async fn prepare(
        &self,
        connected: &Connected,
        wish: &ReleaseWish,
    ) -> Result<Prepared, Failure> {
        match wish {
            ReleaseWish::Deploy {
                edits,
                adopt,
                force,
            } => self.prepare_deploy(connected, edits, *adopt, *force).await,
            ReleaseWish::Rollback { to, force } => {
                self.prepare_rollback(connected, *to, *force).await
            }
            ReleaseWish::Uninstall { keep_history } => {
                self.prepare_uninstall(connected, *keep_history).await
            }
            ReleaseWish::Unlock { revision } => self.prepare_unlock(connected, *revision).await,
        }
    }

    pub(super) async fn start(&self, wish: ReleaseWish, hash: &str) -> Result<RunId, Failure> {
        let connected = self.inner.cluster.changeable()?;
        let prepared = self.prepare(&connected, &wish).await?;
        if prepared.plan.plan.hash != hash {
            return Err(deploy_words::plan_outdated().into());
        }
        if let Some(blocker) = prepared.blocker() {
            return Err(blocker.clone().into());
        }
        let words = format!(
            "{} on {}, plan {hash}",
            prepared.plan.title,
            connected.choice.label()
        );
        self.inner.core.journal.audit("operator", &words).await?;
        let kind = match prepared.act {
            Act::Uninstall { .. } => RunKind::Down,
            _ => RunKind::Deploy,
        };
        let stages = stages(&prepared);
        let room = self.clone();
        self.inner
            .core
            .runs
            .start(kind, stages, move |run| async move {
                let result = room.carry(&connected, prepared, &run).await;
                room.show_release(None).await;
                result
            })
    }

    async fn carry(
        &self,
        connected: &Arc<Connected>,
        prepared: Prepared,
        run: &RunHandle,
    ) -> Result<String, RunError> {
        let stage = run.stage(HELM_STAGE);
        stage.start();
        let (helm, place, release) = (&prepared.helm, &prepared.place, &prepared.release);
        let spec = match &prepared.act {
            Act::Upgrade {
                source,
                overlay,
                wish,
                ..
            } => {
                let mut values: Vec<PathBuf> = source.file_paths();
                values.push(overlay.path().to_owned());
                helm.upgrade(place, release, &source.folder, &values, *wish)
            }
            Act::Rollback { to, force } => helm.rollback(place, release, *to, *force, GOING_BACK),
            Act::Uninstall { keep_history } => {
                helm.uninstall(place, release, *keep_history, GOING_BACK)
            }
            Act::Unlock { revision } => {
                return self.unlock(connected, &prepared, *revision, &stage).await;
            }
        };
        let told = self
            .run_helm(connected, &prepared, &spec, run, &stage)
            .await;
        let now = self.read_newest(connected).await;
        let told = told?;
        if told.ending.is_success() {
            let summary = match (&prepared.act, now) {
                (Act::Uninstall { .. }, _) => "The release is uninstalled".to_owned(),
                (_, Some((revision, _))) => format!("Revision {revision} is deployed"),
                (_, None) => "Deployed".to_owned(),
            };
            stage.succeed(summary.clone());
            let objects = changes(&prepared.plan);
            let objects = match objects {
                1 => "1 object changed".to_owned(),
                count => format!("{count} objects changed"),
            };
            return Ok(format!("{summary}; {objects}"));
        }
        let truth = words::truth(now.as_ref());
        stage.log(truth.clone());
        if told.cancelled {
            let finding = Finding::new("RUN_INTERRUPTED", "Helm was stopped", truth);
            stage.fail(deploy_words::about_deploy(finding));
            return Err(RunError::Cancelled);
        }
        let mut finding = match told.hopeless {
            Some(mut hopeless) => {
                hopeless.why.push_str(&format!(" {truth}."));
                hopeless
            }
            None => {
                let failure = match told.ending {
                    Ending::TimedOut { .. } => HelmFailure::TimedOut {
                        text: told.stderr.clone(),
                    },
                    _ => classify(&told.stdout, &told.stderr),
                };
                let mut finding = words::helm_failed(&prepared.plan.title, &failure);
                if let Some(cause) = told.worst {
                    finding = finding.evidence(cause.what.clone(), cause.why.clone());
                    finding.evidence.extend(cause.evidence);
                }
                finding
            }
        };
        finding = finding.evidence("The release now", truth);
        let finding = self.redacted_finding(finding);
        stage.fail(finding.clone());
        Err(finding.into())
    }

    /// Runs helm with everything that is seen of its work meanwhile.
    async fn run_helm(
        &self,
        connected: &Arc<Connected>,
        prepared: &Prepared,
        spec: &CommandSpec,
        run: &RunHandle,
        stage: &StageHandle,
    ) -> Result<Told, RunError> {
        let stop = CancellationToken::new();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let began = clock::now();
        let mut watcher = Watcher::new(self, connected, prepared, began);
        let result = {
            let helm = process::run(spec, &stop, |pipe, line| {
                stage.log(line);
                let kept = match pipe {
                    Pipe::Stdout => &mut stdout,
                    Pipe::Stderr => &mut stderr,
                };
                if kept.len() + line.len() < MOST_KEPT {
                    kept.push_str(line);
                    kept.push('\n');
                }
            });
            tokio::pin!(helm);
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            let mut cancelled = false;
            let ending = loop {
                tokio::select! {
                    ending = &mut helm => break ending,
                    () = run.cancelled().cancelled(), if !cancelled => {
                        cancelled = true;
                        stage.log("Helm is asked to stop; it puts back what it has changed first");
                        stop.cancel();
                    }
                    _ = ticks.tick() => {
                        watcher.look(stage, run).await;
                        if watcher.hopeless.is_some() && !stop.is_cancelled() {
                            stage.log("This cannot succeed any more: helm is asked to stop");
                            stop.cancel();
                        }
                    }
                }
            };
            ending.map(|ending| (ending, cancelled))
        };
        watcher.end(run).await;
        let (ending, cancelled) = match result {
            Ok(ended) => ended,
            Err(error) => {
                return Err(words::helm_broken(&prepared.helm.program, &error.to_string()).into());
            }
        };
        for text in warnings(&stderr) {
            stage.log(format!("Warning: {text}"));
        }
        Ok(Told {
            // Helm may have finished just before it was asked to stop.
            cancelled: cancelled && !ending.is_success(),
            ending,
            stdout,
            stderr,
            hopeless: watcher.hopeless,
            worst: watcher.worst,
        })
    }

    /// Deletes the pending record, and only that very one.
    async fn unlock(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        revision: u32,
        stage: &StageHandle,
    ) -> Result<String, RunError> {
        let name = secret_name(prepared.release.as_str(), revision);
        let api: Api<Secret> = Api::namespaced(connected.client.clone(), &prepared.place.namespace);
        let refused = |error| {
            Failure::from(deploy_words::cluster_says_no(
                "Unlocking the release",
                &error,
            ))
        };
        let there = within(REQUEST_LIMIT, api.get(&name))
            .await
            .map_err(refused)?;
        let params = DeleteParams {
            // If it has changed since it was looked at, somebody is at work on it.
            preconditions: Some(kube::api::Preconditions {
                uid: there.metadata.uid.clone(),
                resource_version: there.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        within(REQUEST_LIMIT, api.delete(&name, &params))
            .await
            .map_err(refused)?;
        stage.succeed(format!("The record {name} is deleted"));
        Ok(format!(
            "Revision {revision} is unlocked; deploy again or roll back"
        ))
    }

    /// The newest revision as the cluster has it now: the watch may be a moment behind.
    async fn read_newest(&self, connected: &Connected) -> Option<(u32, ReleaseStatus)> {
        let release = self.release().ok()?;
        let namespace = self.inner.project.spec().namespace.to_string();
        let api: Api<Secret> = Api::namespaced(connected.client.clone(), &namespace);
        let params = ListParams::default()
            .labels(&crate::adapters::helm::record::selector(release.as_str()));
        let list = within(REQUEST_LIMIT, api.list(&params)).await.ok()?;
        list.items
            .iter()
            .filter_map(|secret| decode(secret).ok())
            .max_by_key(|record| record.version)
            .map(|record| (record.version, record.status()))
    }
}

/// What came of one helm.
struct Told {
    ending: Ending,
    cancelled: bool,
    stdout: String,
    stderr: String,
    /// Why it was stopped early.
    hopeless: Option<Finding>,
    /// The worst the pods said, for when helm only says that time is up.
    worst: Option<Finding>,
}

fn stages(prepared: &Prepared) -> Vec<Stage> {
    let stage = |id: String, title: String| Stage {
        id,
        title,
        component: None,
        state: StageState::Pending,
    };
    let mut stages = vec![stage(HELM_STAGE.to_owned(), prepared.plan.title.clone())];
    for (kind, name) in &prepared.workloads {
        let mut one = stage(workload_stage(kind, name), format!("Roll out {name}"));
        one.component = name.parse().ok();
        stages.push(one);
    }
    let jobs = prepared.plan.hooks.iter().filter(|hook| {
        hook.kind == "Job" && !hook.events.iter().all(|event| event.starts_with("test"))
    });
    for hook in jobs {
        stages.push(stage(
            hook_stage(&hook.name),
            format!("Hook {} ({})", hook.name, hook.events.join(", ")),
        ));
    }
    stages
}

fn workload_stage(kind: &str, name: &str) -> String {
    format!("rollout/{}/{name}", kind.to_lowercase())
}

fn hook_stage(name: &str) -> String {
    format!("hook/{name}")
}

/// Watches workloads, pods and hooks while helm is at work.
struct Watcher<'a> {
    room: &'a ReleasesRoom,
    connected: &'a Arc<Connected>,
    prepared: &'a Prepared,
    began: UnixMillis,
    said: HashMap<String, String>,
    troubled: HashMap<String, (Trouble, Instant)>,
    /// How each workload stood when it began, to tell its new state from the old one.
    seen_moving: BTreeMap<String, bool>,
    ended_hooks: Vec<String>,
    status: Option<ReleaseStatus>,
    hopeless: Option<Finding>,
    worst: Option<Finding>,
}

impl<'a> Watcher<'a> {
    fn new(
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
            troubled: HashMap::new(),
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

    async fn look(&mut self, stage: &StageHandle, run: &RunHandle) {
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
            state
                .pods
                .values()
                .filter(|pod| pod.created.0 + 1_000 >= self.began.0 && !pod.terminating)
                .filter(|pod| {
                    pod.component.as_ref().is_some_and(|of| {
                        self.prepared
                            .workloads
                            .iter()
                            .any(|(_, name)| name == of.as_str())
                    })
                })
                .cloned()
                .collect()
        });
        let now = Instant::now();
        for pod in &pods {
            if let Some(why) = &pod.why_not_ready
                && self.said.insert(pod.uid.clone(), why.clone()).as_ref() != Some(why)
            {
                stage.log(format!("{}: {why}", pod.name));
            }
            let Some(found) = trouble(pod) else {
                self.troubled.remove(&pod.uid);
                continue;
            };
            let since = match self.troubled.get(&pod.uid) {
                Some((same, since)) if same.reason == found.reason => *since,
                _ => now,
            };
            let is_lost = now.duration_since(since) >= found.patience;
            self.troubled
                .insert(pod.uid.clone(), (found.clone(), since));
            if self.worst.is_none() || (is_lost && self.hopeless.is_none()) {
                let finding = self.finding(pod, &found).await;
                self.worst = Some(finding.clone());
                if is_lost && self.hopeless.is_none() {
                    self.hopeless = Some(finding);
                }
            }
        }
    }

    async fn finding(&self, pod: &PodRow, trouble: &Trouble) -> Finding {
        let query = |previous| LogQuery {
            pod: pod.name.clone(),
            container: trouble.container.clone(),
            previous,
            tail: LOG_LINES,
        };
        let (client, redactor) = (&self.connected.client, &self.room.inner.core.redactor);
        let namespace = &self.prepared.place.namespace;
        let mut log = Vec::new();
        if trouble.look_back {
            log = last_lines(client, namespace, &query(true), redactor).await;
        }
        if log.is_empty() {
            log = last_lines(client, namespace, &query(false), redactor).await;
        }
        let workload = pod
            .component
            .as_ref()
            .map_or_else(|| pod.name.clone(), ToString::to_string);
        hopeless::finding(&workload, namespace, pod, trouble, &log)
    }

    /// Rollouts and hooks that nothing more will be heard of.
    async fn end(&mut self, run: &RunHandle) {
        if self.goes_forward() {
            self.look_at_workloads(run);
            self.look_at_hooks(run).await;
        }
    }
}
