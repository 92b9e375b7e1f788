//! Follows one rollout to its end: complete, stuck, or known to be hopeless.

use std::time::Duration;

use app::model::{Finding, NextAction, PodRow, Progress, Rollout, StepId, Subject};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::hopeless;
use super::patience::Patience;
use super::pod_evidence::PodEvidence;
use super::{causes, rollout_pods, words, workload};
use crate::adapters::kube::apply::{api, get};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::adapters::kube::discovery::Discovery;
use crate::adapters::kube::follow::{News, Scope, follow};
use crate::cluster::Connected;
use crate::engine::{Core, StageHandle};
use crate::live::rollout::DeploymentFacts;

/// Longer than any progress deadline that makes sense on a laptop.
const LONGEST: Duration = Duration::from_secs(20 * 60);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long pods may be refused: a ServiceAccount or a quota may come a moment later.
const REFUSED_PATIENCE: Duration = Duration::from_secs(10);

/// A workload that was applied, with the generation the API server gave it.
#[derive(Clone, Debug)]
pub(super) struct Grown {
    pub kind: String,
    pub name: String,
    pub generation: i64,
    /// Stands for the pod template it was given; none where nobody looks at it.
    pub template: Option<u64>,
}

impl Grown {
    /// From what the API server answered.
    pub fn of(kind: &str, name: &str, applied: &Value) -> Self {
        let deployment = (kind == "Deployment")
            .then(|| serde_json::from_value::<Deployment>(applied.clone()).ok())
            .flatten();
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            generation: applied["metadata"]["generation"].as_i64().unwrap_or(0),
            template: deployment.map(|deployment| DeploymentFacts::of(&deployment).template),
        }
    }
}

pub(crate) struct Follower<'a> {
    pub core: &'a Core,
    pub connected: &'a Connected,
    pub namespace: &'a str,
    pub stage: &'a StageHandle,
}

impl Follower<'_> {
    /// Until the rollout has ended. The answer is the note for the stage.
    /// `template` stands for the pod template that is expected; another one is somebody else's.
    pub async fn follow(
        &self,
        kind: &str,
        name: &str,
        generation: i64,
        template: Option<u64>,
    ) -> Result<String, Finding> {
        let rollout = async {
            match kind {
                "Deployment" => self.deployment(name, generation, template).await,
                _ => self.other(kind, name).await,
            }
        };
        match tokio::time::timeout(LONGEST, rollout).await {
            Ok(result) => result,
            Err(_) => Err(self
                .stuck(name, "It did not end within 20 minutes", &[])
                .await),
        }
    }

    async fn deployment(
        &self,
        name: &str,
        generation: i64,
        template: Option<u64>,
    ) -> Result<String, Finding> {
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let (sender, mut news) = mpsc::unbounded_channel();
        let deployments: Api<Deployment> =
            Api::namespaced(self.connected.client.clone(), self.namespace);
        let scope = Scope::named(name);
        tokio::spawn(async move {
            let mut listed = None;
            follow(deployments, scope, stop, |news| {
                let told = match news {
                    News::ListBegin => {
                        listed = None;
                        return;
                    }
                    News::Listed(deployment) => {
                        listed = Some(DeploymentFacts::of(&deployment));
                        return;
                    }
                    News::ListEnd => Told::Is(listed.take()),
                    News::Applied(deployment) => Told::Is(Some(DeploymentFacts::of(&deployment))),
                    News::Deleted(_) => Told::Is(None),
                    News::Lost(error) => Told::Lost(error.to_string()),
                    News::Heard => return,
                };
                let _ = sender.send(told);
            })
            .await;
        });
        let mut patience = Patience::default();
        let mut now: Option<DeploymentFacts> = None;
        let mut ticks = interval(LOOK_EVERY);
        let mut said = String::new();
        loop {
            tokio::select! {
                Some(told) = news.recv() => match told {
                    Told::Is(Some(facts)) => now = Some(facts),
                    Told::Is(None) => return Err(self.gone(name).await),
                    Told::Lost(why) => self.stage.log(format!("The watch was lost: {why}")),
                },
                _ = ticks.tick() => {}
            }
            let Some(facts) = &now else { continue };
            if facts.generation < generation {
                // The watch is still behind what was applied.
                continue;
            }
            if template.is_some_and(|template| template != facts.template) {
                return Err(superseded(name));
            }
            match facts.rollout() {
                Rollout::Complete => return Ok(complete(facts)),
                // The controller tries again; what refuses the pods may be on its way to be mended.
                Rollout::Stuck { why } if facts.replica_failure.is_some() => {
                    self.stage.progress(Progress {
                        done: u64::from(facts.available.min(facts.updated)),
                        total: Some(u64::from(facts.wanted)),
                        note: format!("pods; {why}"),
                    });
                    let message = facts.replica_failure.as_deref().unwrap_or_default();
                    if message.contains("is being terminated") {
                        return Err(words::namespace_deleted(self.namespace));
                    }
                    if patience.is_out("refused", message, REFUSED_PATIENCE) {
                        return Err(refused_pods("Deployment", name, message));
                    }
                }
                Rollout::Stuck { why } => {
                    let pods = self.pods(name, facts).await;
                    return Err(self.stuck(name, &why, &pods).await);
                }
                Rollout::Progressing { note } => {
                    if note != said {
                        self.stage.log(note.clone());
                        said.clone_from(&note);
                    }
                    self.stage.progress(Progress {
                        done: u64::from(facts.available.min(facts.updated)),
                        total: Some(u64::from(facts.wanted)),
                        note: format!("pods; {note}"),
                    });
                }
                Rollout::Absent => {}
            }
            if facts.observed_generation < facts.generation {
                continue;
            }
            let pods = self.pods(name, facts).await;
            patience.tell_reasons(self.stage, &pods);
            if let Some((pod, trouble)) = patience.out_of(&pods) {
                return Err(self.evidence().hopeless(name, pod, &trouble).await);
            }
        }
    }

    /// The pods of the newest revision: as the live watches have them, for a component; asked for
    /// otherwise. Empty until they were seen.
    async fn pods(&self, name: &str, facts: &DeploymentFacts) -> Vec<PodRow> {
        let watched = self.core.hub.read(|state| {
            let component = state
                .components
                .values()
                .find(|component| component.component.as_str() == name)?;
            if component.revision != facts.revision {
                return Some(Vec::new());
            }
            let pods = state
                .pods
                .values()
                .filter(|pod| pod.current && !pod.terminating)
                .filter(|pod| pod.component.as_ref().is_some_and(|of| of.as_str() == name))
                .cloned()
                .collect();
            Some(pods)
        });
        match watched {
            Some(pods) => pods,
            None => {
                let api: Api<Deployment> =
                    Api::namespaced(self.connected.client.clone(), self.namespace);
                match within(REQUEST_LIMIT, api.get(name)).await {
                    Ok(deployment) => {
                        let object = serde_json::to_value(&deployment).unwrap_or_default();
                        self.asked_pods(&object).await
                    }
                    Err(_) => Vec::new(),
                }
            }
        }
    }

    /// Pods are evidence: without an answer there is none.
    async fn asked_pods(&self, workload: &Value) -> Vec<PodRow> {
        rollout_pods::newest(&self.connected.client, workload)
            .await
            .unwrap_or_default()
    }

    /// Why it is gone: by itself, or with its namespace.
    async fn gone(&self, name: &str) -> Finding {
        let namespaces: Api<Namespace> = Api::all(self.connected.client.clone());
        let found = within(REQUEST_LIMIT, namespaces.get_opt(self.namespace)).await;
        match found {
            Ok(Some(found)) if found.metadata.deletion_timestamp.is_none() => gone(name),
            Ok(_) => words::namespace_deleted(self.namespace),
            // Who may not look at namespaces learns what is certain.
            Err(_) => gone(name),
        }
    }

    async fn stuck(&self, name: &str, why: &str, pods: &[PodRow]) -> Finding {
        let subject = match name.parse() {
            Ok(component) => Subject::Component { component },
            Err(_) => Subject::Step {
                step: StepId::Deploy,
            },
        };
        let what = format!("The rollout of {name} is stuck");
        // The cause is worth more than that the time is over.
        let probe = pods
            .iter()
            .find_map(|pod| hopeless::failing_probe(pod).map(|(_, probe)| (pod, probe)));
        let mut finding = match probe {
            Some((pod, probe)) => Finding::new(
                "PROBE_FAILING",
                what,
                format!("{probe} (pod {}).", pod.name),
            )
            .evidence("Rollout", why),
            None => Finding::new("ROLLOUT_STUCK", what, format!("{why}.")),
        }
        .about(subject);
        if let Some(pod) = pods.iter().find(|pod| !pod.ready) {
            if let Some(reason) = &pod.why_not_ready {
                finding = finding.evidence(format!("Pod {}", pod.name), reason.clone());
            }
            if let Some(container) = pod.containers.iter().find(|container| !container.ready) {
                let log = self.evidence().log_of(pod, &container.name, false).await;
                if !log.is_empty() {
                    finding = finding.evidence(
                        format!(
                            "Pod {}, container {}, last log lines",
                            pod.name, container.name
                        ),
                        log.join("\n"),
                    );
                }
            }
        }
        finding.next(NextAction::Open {
            step: StepId::Assist,
            label: "See what Slipway makes of it".to_owned(),
        })
    }

    fn evidence(&self) -> PodEvidence<'_> {
        PodEvidence {
            client: &self.connected.client,
            namespace: self.namespace,
            redactor: &self.core.redactor,
        }
    }

    /// StatefulSets and DaemonSets are asked now and then.
    async fn other(&self, kind: &str, name: &str) -> Result<String, Finding> {
        let client = &self.connected.client;
        let refused = |error: &_| words::refused(kind, name, "rollout", error);
        let served = Discovery::default()
            .find(client, "apps/v1", kind)
            .await
            .map_err(|error| refused(&error))?
            .ok_or_else(|| gone(name))?;
        let api = api(client, &served, self.namespace);
        let mut said = String::new();
        let mut patience = Patience::default();
        loop {
            let object = match get(&api, name).await {
                Ok(Some(object)) => object,
                Ok(None) => return Err(self.gone(name).await),
                Err(error) if error.is_unreachable() => {
                    self.stage.log(format!("No answer: {error}"));
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    continue;
                }
                Err(error) => return Err(refused(&error)),
            };
            match workload::rollout(&object) {
                Rollout::Complete => return Ok("Rolled out".to_owned()),
                Rollout::Progressing { note } if note != said => {
                    self.stage.log(note.clone());
                    said = note;
                }
                _ => {}
            }
            let pods = self.asked_pods(&object).await;
            patience.tell_reasons(self.stage, &pods);
            if let Some((pod, trouble)) = patience.out_of(&pods) {
                return Err(self.evidence().hopeless(name, pod, &trouble).await);
            }
            if let Ok(Some(message)) = rollout_pods::refusal(client, &object).await
                && patience.is_out("refused", "", REFUSED_PATIENCE)
            {
                return Err(refused_pods(kind, name, &message));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

enum Told {
    Is(Option<DeploymentFacts>),
    Lost(String),
}

fn complete(facts: &DeploymentFacts) -> String {
    match facts.wanted {
        0 => "Scaled to zero".to_owned(),
        1 => "1 pod is available".to_owned(),
        wanted => format!("{wanted} pods are available"),
    }
}

fn gone(name: &str) -> Finding {
    words::about(
        Finding::new(
            "OBJECT_GONE",
            format!("{name} was deleted"),
            "Someone or something else deleted it while its rollout was followed.",
        ),
        "Deployment",
        name,
    )
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Plan again".to_owned(),
    })
}

/// Somebody changed the pods while the rollout was followed.
fn superseded(name: &str) -> Finding {
    words::about(
        Finding::new(
            "ROLLOUT_SUPERSEDED",
            format!("{name} was changed while it was rolled out"),
            "Its pod template is no longer the one that was applied: somebody else deployed, undid or edited it.",
        ),
        "Deployment",
        name,
    )
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Look at a new plan".to_owned(),
    })
}

fn refused_pods(kind: &str, name: &str, message: &str) -> Finding {
    let subject = match name.parse() {
        Ok(component) if kind == "Deployment" => Subject::Component { component },
        _ => Subject::Object {
            kind: kind.to_owned(),
            name: name.to_owned(),
        },
    };
    causes::pods_refused(name, subject, &format!("{kind} {name}"), message)
}
