//! Deletes one pod and waits for the next: a journaled run, bound to the pod's UID.

use std::time::Duration;

use app::model::{Failure, PanelState, PodRow, RunId, RunKind, Stage, StageState};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Preconditions};

use super::{LiveRoom, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::engine::{Core, RunError, RunHandle, StageHandle};

const DELETE: &str = "delete";
const REPLACE: &str = "replace";
/// How long its containers and the next pod may take together, each.
const PATIENCE: Duration = Duration::from_secs(180);

impl LiveRoom {
    pub(super) async fn start_delete_pod(&self, uid: String) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        let pod = self.core.hub.read(|state| state.pods.get(&uid).cloned());
        let pod = pod.ok_or_else(words::pod_gone)?;
        let title = format!("Delete pod {}", pod.name);
        self.core.journal.audit("operator", &title).await?;
        let stage = |id: &str, title: String| Stage {
            id: id.to_owned(),
            title,
            component: pod.component.clone(),
            state: StageState::Pending,
        };
        let mut stages = vec![stage(DELETE, title)];
        if is_replaced(&pod) {
            stages.push(stage(REPLACE, "Wait for the pod in its place".to_owned()));
        }
        let pods: Api<Pod> = Api::namespaced(connected.client.clone(), &self.namespace());
        let core = self.core.clone();
        self.core
            .runs
            .start(RunKind::DeletePod, stages, move |run| async move {
                carry_out(&core, &pods, &pod, &run).await
            })
    }
}

/// Whether the panel can see another pod take its place.
fn is_replaced(pod: &PodRow) -> bool {
    pod.component.is_some() && pod.owner.is_some()
}

async fn carry_out(
    core: &Core,
    pods: &Api<Pod>,
    pod: &PodRow,
    run: &RunHandle,
) -> Result<String, RunError> {
    let delete = run.stage(DELETE);
    delete.start();
    let params = DeleteParams::default().preconditions(Preconditions {
        uid: Some(pod.uid.clone()),
        ..Preconditions::default()
    });
    if let Err(error) = within(REQUEST_LIMIT, pods.delete(&pod.name, &params)).await {
        return Err(fail(&delete, words::not_deleted(&pod.name, &error)));
    }
    delete.log(format!("{} is told to end", pod.name));
    let wait = Waiting { core, run, pod };
    let is_gone = |state: &PanelState| !state.pods.contains_key(&pod.uid);
    wait.until(&delete, "it ends", is_gone).await?;
    delete.succeed(format!("{} is gone", pod.name));
    if !is_replaced(pod) {
        return Ok(format!("{} is deleted", pod.name));
    }
    let replace = run.stage(REPLACE);
    replace.start();
    wait.until(&replace, "another is ready", |state| {
        is_complete(state, pod)
    })
    .await?;
    replace.succeed("All pods that are wanted are ready");
    Ok(format!("{} is deleted, and another is ready", pod.name))
}

fn fail(stage: &StageHandle, finding: app::model::Finding) -> RunError {
    stage.fail(finding.clone());
    finding.into()
}

/// By the pods themselves: the Deployment's numbers come later than its pods go.
fn is_complete(state: &PanelState, gone: &PodRow) -> bool {
    let Some(row) = gone
        .component
        .as_ref()
        .and_then(|component| state.components.get(component))
    else {
        return true;
    };
    let ready = state
        .pods
        .values()
        .filter(|pod| pod.component == gone.component && pod.ready && !pod.terminating)
        .count();
    ready >= row.replicas as usize
}

struct Waiting<'a> {
    core: &'a Core,
    run: &'a RunHandle,
    pod: &'a PodRow,
}

impl Waiting<'_> {
    async fn until(
        &self,
        stage: &StageHandle,
        what: &str,
        holds: impl Fn(&PanelState) -> bool,
    ) -> Result<(), RunError> {
        let seen = self.core.hub.until(holds);
        tokio::select! {
            () = self.run.cancelled().cancelled() => {
                stage.log("Cancelled: the cluster goes on by itself");
                stage.cancel();
                Err(RunError::Cancelled)
            }
            seen = tokio::time::timeout(PATIENCE, seen) => seen.map_err(|_| {
                fail(stage, words::pod_not_replaced(&self.pod.name, what, PATIENCE))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use app::model::ComponentLive;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_place_is_filled_when_as_many_other_pods_are_ready_as_are_wanted() {
        let gone: PodRow = serde_json::from_value(json!({"uid": "old", "name": "app-1",
            "component": "app", "owner": {"kind": "ReplicaSet", "name": "app"}, "phase": "Running",
            "ready": true, "terminating": false, "current": true, "created": 0, "ip": null,
            "node": null, "stale_secrets": false, "containers": [], "why_not_ready": null}))
        .expect("a row");
        let row: ComponentLive = serde_json::from_value(json!({"component": "app",
            "rollout": "complete", "replicas": 1, "updated": 1, "ready": 1, "available": 1,
            "restarts": 0, "image": "app:1", "image_proved": null, "revision": 1, "service": null}))
        .expect("a row");
        let mut state = PanelState::default();
        state.components.insert(row.component.clone(), row);
        assert!(!is_complete(&state, &gone), "no pod at all");
        let mut ending = gone.clone();
        ending.terminating = true;
        state.pods.insert("old".into(), ending);
        assert!(!is_complete(&state, &gone), "the old one that ends");
        let mut next = gone.clone();
        next.uid = "new".into();
        next.ready = false;
        state.pods.insert("new".into(), next.clone());
        assert!(!is_complete(&state, &gone), "the new one is not ready");
        next.ready = true;
        state.pods.insert("new".into(), next);
        assert!(is_complete(&state, &gone));
    }
}
