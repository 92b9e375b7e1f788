//! Restarts a component's pods the way `kubectl rollout restart` does: by a rolling update.

use app::model::{
    ComponentName, Failure, Finding, NextAction, RunId, RunKind, Stage, StageState, StepId, Subject,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::follow_rollout::Follower;
use super::{DeployRoom, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::adapters::kube::times::rfc3339;
use crate::engine::{RunError, clock};

/// Not the manager of the applies: it holds this one annotation only, and no apply fights over it.
const MANAGER: &str = "slipway-restart";
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl DeployRoom {
    pub(super) async fn start_restart(&self, component: ComponentName) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        if self.project.component(&component).is_none() {
            return Err(unknown(&component).into());
        }
        self.core
            .journal
            .audit("operator", &format!("restart {component}"))
            .await?;
        let stage = |id: &str, title: String| Stage {
            id: id.to_owned(),
            title,
            component: Some(component.clone()),
            state: StageState::Pending,
        };
        let stages = vec![
            stage("restart", format!("Restart {component}")),
            stage("rollout", format!("Roll out {component}")),
        ];
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Restart, stages, move |run| async move {
                let namespace = room.project.spec().namespace.to_string();
                let restart = run.stage("restart");
                restart.start();
                let api: Api<Deployment> = Api::namespaced(connected.client.clone(), &namespace);
                let patch = json!({"spec": {"template": {"metadata": {"annotations": {
                    RESTARTED_AT: rfc3339(clock::now())
                }}}}});
                let params = PatchParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                let name = component.as_str();
                let patched = within(
                    REQUEST_LIMIT,
                    api.patch(name, &params, &Patch::Merge(&patch)),
                )
                .await;
                let deployment = match patched {
                    Ok(deployment) => deployment,
                    Err(error) => {
                        let finding = if error.is_not_found() {
                            not_deployed(&component)
                        } else {
                            words::refused("Deployment", name, "restart", &error)
                        };
                        restart.fail(finding.clone());
                        return Err(finding.into());
                    }
                };
                restart.succeed("A new revision begins");
                let stage = run.stage("rollout");
                stage.start();
                let follower = Follower {
                    core: &room.core,
                    connected: &connected,
                    namespace: &namespace,
                    stage: &stage,
                };
                let generation = deployment.metadata.generation.unwrap_or(0);
                let result = tokio::select! {
                    () = run.cancelled().cancelled() => return Err(RunError::Cancelled),
                    result = follower.follow("Deployment", name, generation) => result,
                };
                match result {
                    Ok(note) => {
                        stage.succeed(note);
                        Ok(format!("{component} runs in new pods"))
                    }
                    Err(finding) => {
                        stage.fail(finding.clone());
                        Err(finding.into())
                    }
                }
            })
    }
}

fn unknown(component: &ComponentName) -> Finding {
    Finding::new(
        "COMPONENT_UNKNOWN",
        format!("There is no component {component}"),
        "slipway.toml has no [[component]] of that name.",
    )
}

fn not_deployed(component: &ComponentName) -> Finding {
    Finding::new(
        "NOT_DEPLOYED",
        format!("{component} is not deployed"),
        format!("There is no Deployment {component} in the cluster."),
    )
    .about(Subject::Component {
        component: component.clone(),
    })
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Deploy it".to_owned(),
    })
}
