//! Carries a release's plan out: helm does it, and the workloads and records say how it goes.
//! helm prints nothing while it waits, so progress comes from what is watched anyway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::{Failure, Finding, ReleaseStatus, ReleaseWish, RunId, RunKind, Stage, StageState};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use tokio_util::sync::CancellationToken;

use super::acts::GOING_BACK;
use super::plan::{Act, Prepared, changes};
use super::stuck::HELM_STAGE;
use super::watch_run::{Watcher, hook_stage, workload_stage};
use super::{ReleasesRoom, words};
use crate::adapters::helm::HelmFailure;
use crate::adapters::helm::failure::classify;
use crate::adapters::helm::output::warnings;
use crate::adapters::helm::record::{decode, secret_name};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::deploy::words as deploy_words;
use crate::engine::{RunError, RunHandle, StageHandle, clock};
use crate::process::{self, CommandSpec, Ending, Pipe};

const LOOK_EVERY: Duration = Duration::from_millis(500);
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
