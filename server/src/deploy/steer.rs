//! Steers a component's rollout in the way of `kubectl rollout` and `kubectl scale`.
//! Each act writes under a field manager of its own; the next deploy takes those fields back
//! without a conflict, because they are Slipway's anyway.

use std::time::Duration;

use app::model::{
    ComponentName, Failure, Finding, NextAction, RolloutAct, RolloutHistory, RunId, Stage,
    StageState, StepId, Subject,
};
use app::ports::Rollouts;
use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::follow_rollout::Follower;
use super::merge_patch::difference;
use super::replica_sets::{self, OwnedSet};
use super::templates::stamp_fingerprint;
use super::{DeployRoom, words};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::rfc3339;
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle, StageHandle, clock};

pub(super) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// How often a patch is made anew when the controller wrote in between.
const TRIES: u32 = 6;

#[async_trait]
impl Rollouts for DeployRoom {
    async fn steer(&self, component: ComponentName, act: RolloutAct) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        if self.project.component(&component).is_none() {
            return Err(unknown(&component).into());
        }
        if let RolloutAct::Scale { replicas } = act
            && replicas > RolloutAct::MOST_REPLICAS
        {
            return Err(too_many(&component, replicas).into());
        }
        let title = title(&component, act);
        self.core.journal.audit("operator", &title).await?;
        let stage = |id: &str, title: String| Stage {
            id: id.to_owned(),
            title,
            component: Some(component.clone()),
            state: StageState::Pending,
        };
        let mut stages = vec![stage(ACT, title)];
        if act != RolloutAct::Pause {
            stages.push(stage(FOLLOW, format!("Roll out {component}")));
        }
        let room = self.handle();
        self.core
            .runs
            .start(act.run_kind(), stages, move |run| async move {
                room.carry_out_act(&connected, &component, act, &run).await
            })
    }

    async fn restart_stale(&self) -> Result<RunId, Failure> {
        self.start_stale_restart().await
    }

    async fn history(&self, component: ComponentName) -> Result<RolloutHistory, Failure> {
        let connected = self.cluster.connected()?;
        let deployment = self
            .deployment_of(&connected, &component)
            .await
            .map_err(|error| failed(&component, &error))?;
        let sets = replica_sets::of(&connected.client, &deployment)
            .await
            .map_err(|error| failed(&component, &error))?;
        Ok(replica_sets::history(&deployment, &sets))
    }
}

const ACT: &str = "act";
const FOLLOW: &str = "rollout";

impl DeployRoom {
    async fn carry_out_act(
        &self,
        connected: &Connected,
        component: &ComponentName,
        act: RolloutAct,
        run: &RunHandle,
    ) -> Result<String, RunError> {
        let stage = run.stage(ACT);
        stage.start();
        let generation = match self.act(connected, component, act, &stage).await {
            Ok(generation) => generation,
            Err(finding) => {
                stage.fail((*finding).clone());
                return Err(RunError::Failed(finding));
            }
        };
        if act == RolloutAct::Pause {
            return Ok(format!("The rollout of {component} is paused"));
        }
        let stage = run.stage(FOLLOW);
        stage.start();
        let namespace = self.project.spec().namespace.to_string();
        let follower = Follower {
            core: &self.core,
            connected,
            namespace: &namespace,
            stage: &stage,
        };
        let result = tokio::select! {
            () = run.cancelled().cancelled() => {
                stage.log("Cancelled: the cluster goes on by itself; pause it to keep it as it is");
                return Err(RunError::Cancelled);
            }
            result = follower.follow("Deployment", component.as_str(), generation, None) => result,
        };
        match result {
            Ok(note) => {
                stage.succeed(note);
                Ok(done(component, act))
            }
            Err(finding) => {
                stage.fail(finding.clone());
                Err(finding.into())
            }
        }
    }

    /// Does it; the answer is the generation to follow.
    async fn act(
        &self,
        connected: &Connected,
        component: &ComponentName,
        act: RolloutAct,
        stage: &StageHandle,
    ) -> Result<i64, Box<Finding>> {
        let namespace = self.project.spec().namespace.to_string();
        let api: Api<Deployment> = Api::namespaced(connected.client.clone(), &namespace);
        let no = |error: &KubeError| Box::new(refused(component, error));
        let mut tries = 0;
        loop {
            let live = self
                .deployment_of(connected, component)
                .await
                .map_err(|error| no(&error))?;
            let Some(patch) = self.patch_for(connected, component, act, &live).await? else {
                stage.skip("It is so already");
                return Ok(live.metadata.generation.unwrap_or(0));
            };
            let params = PatchParams {
                field_manager: Some(manager(act).to_owned()),
                ..PatchParams::default()
            };
            let patched = within(
                REQUEST_LIMIT,
                api.patch(component.as_str(), &params, &Patch::Merge(&patch)),
            )
            .await;
            match patched {
                Ok(deployment) => {
                    stage.succeed(note(act, &live));
                    return Ok(deployment.metadata.generation.unwrap_or(0));
                }
                Err(error) if error.code() == Some(409) && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(25 << tries)).await;
                }
                Err(error) => return Err(no(&error)),
            }
        }
    }

    /// The merge patch that does it; none when there is nothing to do.
    async fn patch_for(
        &self,
        connected: &Connected,
        component: &ComponentName,
        act: RolloutAct,
        live: &Deployment,
    ) -> Result<Option<Value>, Box<Finding>> {
        let is_paused = live.spec.paused.unwrap_or(false);
        let spec = match act {
            RolloutAct::Pause if is_paused => return Ok(None),
            RolloutAct::Pause => json!({"paused": true}),
            RolloutAct::Resume if !is_paused => return Ok(None),
            RolloutAct::Resume => json!({"paused": null}),
            // As kubectl has it: nothing would happen before the rollout is resumed.
            RolloutAct::Restart | RolloutAct::Undo { .. } if is_paused => {
                return Err(Box::new(paused(component)));
            }
            RolloutAct::Restart => json!({"template": {"metadata": {"annotations": {
                RESTARTED_AT: rfc3339(clock::now())
            }}}}),
            RolloutAct::Scale { replicas } => {
                if live.spec.replicas.unwrap_or(1) == i32::try_from(replicas).unwrap_or(i32::MAX) {
                    return Ok(None);
                }
                json!({"replicas": replicas})
            }
            RolloutAct::Undo { revision } => {
                let sets = replica_sets::of(&connected.client, live)
                    .await
                    .map_err(|error| Box::new(refused(component, &error)))?;
                let set = sets
                    .iter()
                    .find(|set| set.revision == revision)
                    .ok_or_else(|| Box::new(no_revision(component, revision, &sets)))?;
                let wanted = self.template_of(set);
                let now = serde_json::to_value(&live.spec.template).unwrap_or_default();
                match difference(&now, &wanted) {
                    None => return Ok(None),
                    Some(template) => json!({ "template": template }),
                }
            }
        };
        let mut patch = json!({ "spec": spec });
        if let Some(version) = &live.metadata.resource_version {
            patch["metadata"] = json!({ "resourceVersion": version });
        }
        Ok(Some(patch))
    }

    /// The template of a ReplicaSet as the Deployment had it. Its pods will read the secrets as they
    /// are now, and say so.
    fn template_of(&self, set: &OwnedSet) -> Value {
        let spec = self.project.spec();
        let mut object = json!({"kind": "Deployment", "spec": {"template": set.template}});
        stamp_fingerprint(
            &mut object,
            &spec.secret_name,
            self.secrets.fingerprint_key(),
            &self.secrets.fingerprints(),
        );
        object["spec"]["template"].take()
    }

    async fn deployment_of(
        &self,
        connected: &Connected,
        component: &ComponentName,
    ) -> Result<Deployment, KubeError> {
        let namespace = self.project.spec().namespace.to_string();
        let api: Api<Deployment> = Api::namespaced(connected.client.clone(), &namespace);
        within(REQUEST_LIMIT, api.get(component.as_str())).await
    }
}

/// Each act has a name in the managed fields, so that one can see what was done by hand.
fn manager(act: RolloutAct) -> &'static str {
    match act {
        RolloutAct::Pause | RolloutAct::Resume => "slipway-pause",
        RolloutAct::Restart => "slipway-restart",
        RolloutAct::Undo { .. } => "slipway-undo",
        RolloutAct::Scale { .. } => "slipway-scale",
    }
}

fn title(component: &ComponentName, act: RolloutAct) -> String {
    match act {
        RolloutAct::Pause => format!("Pause the rollout of {component}"),
        RolloutAct::Resume => format!("Resume the rollout of {component}"),
        RolloutAct::Restart => format!("Restart {component}"),
        RolloutAct::Undo { revision } => format!("Take {component} back to revision {revision}"),
        RolloutAct::Scale { replicas: 1 } => format!("Scale {component} to 1 pod"),
        RolloutAct::Scale { replicas } => format!("Scale {component} to {replicas} pods"),
    }
}

fn note(act: RolloutAct, before: &Deployment) -> String {
    match act {
        RolloutAct::Pause => "Changes wait until it is resumed".to_owned(),
        RolloutAct::Resume => "It goes on".to_owned(),
        RolloutAct::Restart => "A new revision begins".to_owned(),
        RolloutAct::Undo { revision } => format!("The template of revision {revision} is back"),
        RolloutAct::Scale { replicas } => {
            format!(
                "{replicas} instead of {}",
                before.spec.replicas.unwrap_or(1)
            )
        }
    }
}

fn done(component: &ComponentName, act: RolloutAct) -> String {
    match act {
        RolloutAct::Restart => format!("{component} runs in new pods"),
        RolloutAct::Undo { revision } => {
            format!(
                "{component} runs as in revision {revision}; the next deploy goes by the manifests again"
            )
        }
        RolloutAct::Scale { replicas: 0 } => format!("{component} runs no pods"),
        RolloutAct::Scale { replicas: 1 } => format!("{component} runs 1 pod"),
        RolloutAct::Scale { replicas } => format!("{component} runs {replicas} pods"),
        RolloutAct::Pause | RolloutAct::Resume => format!("{component} is rolled out"),
    }
}

fn about(finding: Finding, component: &ComponentName) -> Finding {
    finding.about(Subject::Component {
        component: component.clone(),
    })
}

fn unknown(component: &ComponentName) -> Finding {
    Finding::new(
        "COMPONENT_UNKNOWN",
        format!("There is no component {component}"),
        "slipway.toml has no [[component]] of that name.",
    )
}

fn too_many(component: &ComponentName, replicas: u32) -> Finding {
    about(
        Finding::new(
            "TOO_MANY_REPLICAS",
            format!("{replicas} pods of {component} are too many"),
            format!("Slipway scales to {} at most.", RolloutAct::MOST_REPLICAS),
        ),
        component,
    )
}

fn paused(component: &ComponentName) -> Finding {
    about(
        Finding::new(
            "ROLLOUT_PAUSED",
            format!("The rollout of {component} is paused"),
            "A change to the pods would wait until it is resumed.",
        )
        .attention()
        .next(NextAction::advice("Resume it first")),
        component,
    )
}

fn no_revision(component: &ComponentName, revision: u64, sets: &[OwnedSet]) -> Finding {
    let known: Vec<String> = sets.iter().map(|set| set.revision.to_string()).collect();
    about(
        Finding::new(
            "ROLLOUT_REVISION_GONE",
            format!("{component} has no revision {revision} any more"),
            format!(
                "The Deployment keeps its last ReplicaSets only; these are left: {}.",
                known.join(", ")
            ),
        )
        .next(NextAction::advice(
            "Choose one that is left, or raise revisionHistoryLimit in the manifest",
        )),
        component,
    )
}

fn failed(component: &ComponentName, error: &KubeError) -> Failure {
    refused(component, error).into()
}

fn refused(component: &ComponentName, error: &KubeError) -> Finding {
    if error.is_not_found() {
        return about(
            Finding::new(
                "NOT_DEPLOYED",
                format!("{component} is not deployed"),
                format!("There is no Deployment {component} in the cluster."),
            )
            .next(NextAction::Open {
                step: StepId::Deploy,
                label: "Deploy it".to_owned(),
            }),
            component,
        );
    }
    words::refused("Deployment", component.as_str(), "rollout", error)
}
