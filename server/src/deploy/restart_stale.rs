//! Restarts exactly the workloads whose pods were started with other secret values than there are.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{
    ComponentName, Failure, Finding, NextAction, RunId, RunKind, Stage, StageState, StepId,
};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use super::follow_rollout::Follower;
use super::steer::RESTARTED_AT;
use super::templates::stamp_of;
use super::{DeployRoom, words};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::rfc3339;
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle, clock};
use crate::live::pod_facts::PodFacts;
use crate::secrets::fingerprint::FINGERPRINT_ANNOTATION;

const MANAGER: &str = "slipway-restart";

/// A workload that can be restarted, and how many of its pods are stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Workload {
    kind: String,
    name: String,
}

/// Which pods have older values, by the workload that makes them; and those nobody can restart.
#[derive(Debug, Default)]
struct Stale {
    workloads: BTreeMap<Workload, usize>,
    alone: BTreeSet<String>,
}

impl DeployRoom {
    /// Starts the restart; refused when there is nothing stale.
    pub(super) async fn start_stale_restart(&self) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        if self.secrets.current().is_none() {
            return Err(nothing_known().into());
        }
        let stale = self
            .stale(&connected)
            .await
            .map_err(|error| words::refused("Pod", "", "list", &error))?;
        if stale.workloads.is_empty() {
            return Err(match stale.alone.is_empty() {
                true => nothing_stale(),
                false => only_alone(&stale.alone),
            }
            .into());
        }
        let names: Vec<&str> = stale
            .workloads
            .keys()
            .map(|one| one.name.as_str())
            .collect();
        let what = format!("restart {} for changed secrets", names.join(", "));
        self.core.journal.audit("operator", &what).await?;
        let project = self.project.spec();
        let stages = stale
            .workloads
            .iter()
            .map(|(one, pods)| Stage {
                id: one.id(),
                title: match pods {
                    1 => format!("Restart {} {} (1 pod)", one.kind, one.name),
                    many => format!("Restart {} {} ({many} pods)", one.kind, one.name),
                },
                component: one
                    .name
                    .parse::<ComponentName>()
                    .ok()
                    .filter(|name| project.component(name).is_some()),
                state: StageState::Pending,
            })
            .collect();
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Restart, stages, move |run| async move {
                room.restart_all(&connected, stale, &run).await
            })
    }

    async fn restart_all(
        &self,
        connected: &Connected,
        stale: Stale,
        run: &RunHandle,
    ) -> Result<String, RunError> {
        let namespace = self.project.spec().namespace.to_string();
        let mut first_problem = None;
        // One after the other: a shared database need not meet all new pods at once.
        for workload in stale.workloads.keys() {
            let stage = run.stage(&workload.id());
            stage.start();
            let restarted = async {
                let generation = self.restart(connected, workload).await.map_err(|error| {
                    words::refused(&workload.kind, &workload.name, "restart", &error)
                })?;
                let follower = Follower {
                    core: &self.core,
                    connected,
                    namespace: &namespace,
                    stage: &stage,
                };
                follower
                    .follow(&workload.kind, &workload.name, generation, None)
                    .await
            };
            let result = tokio::select! {
                () = run.cancelled().cancelled() => {
                    stage.log("Cancelled: the cluster goes on with what was begun");
                    return Err(RunError::Cancelled);
                }
                result = restarted => result,
            };
            match result {
                Ok(note) => stage.succeed(note),
                Err(finding) => {
                    stage.fail(finding.clone());
                    first_problem.get_or_insert(finding);
                }
            }
        }
        if let Some(finding) = first_problem {
            return Err(finding.into());
        }
        let mut done = match stale.workloads.len() {
            1 => "1 workload runs with the present values".to_owned(),
            many => format!("{many} workloads run with the present values"),
        };
        if !stale.alone.is_empty() {
            let names: Vec<&str> = stale.alone.iter().map(String::as_str).collect();
            done.push_str(&format!("; nobody restarts {}", names.join(", ")));
        }
        Ok(done)
    }

    /// Marks the template, so that its controller makes new pods; gives the generation to follow.
    async fn restart(&self, connected: &Connected, workload: &Workload) -> Result<i64, KubeError> {
        let namespace = self.project.spec().namespace.to_string();
        let gvk = GroupVersionKind::gvk("apps", "v1", &workload.kind);
        let resource = ApiResource::from_gvk(&gvk);
        let api: Api<DynamicObject> =
            Api::namespaced_with(connected.client.clone(), &namespace, &resource);
        let live = within(REQUEST_LIMIT, api.get(&workload.name)).await?;
        let mut annotations = json!({RESTARTED_AT: rfc3339(clock::now())});
        let mut object = live.data.clone();
        object["kind"] = json!(workload.kind);
        let spec = self.project.spec();
        let stamp = stamp_of(
            &object,
            &spec.secret_name,
            self.secrets.fingerprint_key(),
            &self.secrets.fingerprints(),
        );
        if let Some(stamp) = stamp {
            annotations[FINGERPRINT_ANNOTATION] = json!(stamp);
        }
        let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = within(
            REQUEST_LIMIT,
            api.patch(&workload.name, &params, &Patch::Merge(&patch)),
        )
        .await?;
        Ok(patched.metadata.generation.unwrap_or(0))
    }

    /// Looks at the pods themselves, so that nothing is restarted for old news.
    async fn stale(&self, connected: &Connected) -> Result<Stale, KubeError> {
        let mut stale = Stale::default();
        let Some(secret) = self.secrets.current() else {
            return Ok(stale);
        };
        let namespace = self.project.spec().namespace.to_string();
        let client = || connected.client.clone();
        let pods: Api<Pod> = Api::namespaced(client(), &namespace);
        let sets: Api<ReplicaSet> = Api::namespaced(client(), &namespace);
        let pods = within(REQUEST_LIMIT, pods.list(&ListParams::default())).await?;
        for pod in pods.items.iter().map(PodFacts::of) {
            let ended = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
            if pod.deleted || ended || !secret.is_stale(&pod, self.secrets.fingerprint_key()) {
                continue;
            }
            let workload = match &pod.owner {
                Some(owner) if owner.kind == "ReplicaSet" => {
                    let set = within(REQUEST_LIMIT, sets.get_opt(&owner.name)).await?;
                    set.and_then(|set| {
                        let mut owners = set.metadata.owner_references.into_iter().flatten();
                        let owner = owners.find(|owner| owner.kind == "Deployment")?;
                        Some(Workload {
                            kind: owner.kind,
                            name: owner.name,
                        })
                    })
                }
                Some(owner) if matches!(owner.kind.as_str(), "StatefulSet" | "DaemonSet") => {
                    Some(Workload {
                        kind: owner.kind.clone(),
                        name: owner.name.clone(),
                    })
                }
                _ => None,
            };
            match workload {
                Some(workload) => *stale.workloads.entry(workload).or_default() += 1,
                None => {
                    stale.alone.insert(pod.name);
                }
            }
        }
        Ok(stale)
    }
}

impl Workload {
    fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

fn nothing_known() -> Finding {
    Finding::new(
        "SECRETS_UNREADABLE",
        "It is not known which pods have older values",
        "The Secret is not there or cannot be read, so nothing can be compared with it.",
    )
    .attention()
    .next(NextAction::advice(
        "Restart the workloads by hand on the Deploy page",
    ))
}

fn nothing_stale() -> Finding {
    Finding::new(
        "NOTHING_STALE",
        "Nothing has to be restarted",
        "Every pod was started with the values that are there now.",
    )
    .attention()
}

fn only_alone(names: &BTreeSet<String>) -> Finding {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Finding::new(
        "NOTHING_STALE",
        "These pods cannot be restarted",
        format!(
            "{} belong to no Deployment, StatefulSet or DaemonSet, so nobody would make new ones.",
            names.join(", ")
        ),
    )
    .attention()
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Open Deploy".to_owned(),
    })
}
