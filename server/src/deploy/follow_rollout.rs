//! Follows one rollout to its end: complete, stuck, or known to be hopeless.

use std::collections::HashMap;
use std::time::Duration;

use app::model::{Finding, LogQuery, NextAction, PodRow, Progress, Rollout, StepId, Subject};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::hopeless::{Trouble, finding, trouble};
use super::{words, workload};
use crate::adapters::kube::apply::{api, get};
use crate::adapters::kube::discovery::Discovery;
use crate::adapters::kube::follow::{News, Scope, follow};
use crate::cluster::Connected;
use crate::engine::{Core, StageHandle};
use crate::live::last_lines;
use crate::live::rollout::DeploymentFacts;

/// Longer than any progress deadline that makes sense on a laptop.
const LONGEST: Duration = Duration::from_secs(20 * 60);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOG_LINES: u32 = 12;

/// A workload that was applied, with the generation the API server gave it.
#[derive(Clone, Debug)]
pub(super) struct Grown {
    pub kind: String,
    pub name: String,
    pub generation: i64,
}

pub(super) struct Follower<'a> {
    pub core: &'a Core,
    pub connected: &'a Connected,
    pub namespace: &'a str,
    pub stage: &'a StageHandle,
}

impl Follower<'_> {
    /// Until the rollout has ended. The answer is the note for the stage.
    pub async fn follow(&self, kind: &str, name: &str, generation: i64) -> Result<String, Finding> {
        let rollout = async {
            match kind {
                "Deployment" => self.deployment(name, generation).await,
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

    async fn deployment(&self, name: &str, generation: i64) -> Result<String, Finding> {
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
        let mut watcher = Patience::default();
        let mut now: Option<DeploymentFacts> = None;
        let mut ticks = interval(LOOK_EVERY);
        let mut said = String::new();
        loop {
            tokio::select! {
                Some(told) = news.recv() => match told {
                    Told::Is(Some(facts)) => now = Some(facts),
                    Told::Is(None) => return Err(gone(name)),
                    Told::Lost(why) => self.stage.log(format!("The watch was lost: {why}")),
                },
                _ = ticks.tick() => {}
            }
            let Some(facts) = &now else { continue };
            if facts.generation < generation {
                // The watch is still behind what was applied.
                continue;
            }
            match facts.rollout() {
                Rollout::Complete => return Ok(complete(facts)),
                Rollout::Stuck { why } => {
                    let pods = self.pods(name, facts);
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
            let pods = self.pods(name, facts);
            self.tell_reasons(&pods, &mut watcher);
            if let Some((pod, trouble)) = watcher.out_of(&pods) {
                return Err(self.hopeless(name, pod, &trouble).await);
            }
        }
    }

    /// The pods of the newest revision, as the live watches have them. Empty until those have seen it.
    fn pods(&self, name: &str, facts: &DeploymentFacts) -> Vec<PodRow> {
        self.core.hub.read(|state| {
            let component = state
                .components
                .values()
                .find(|component| component.component.as_str() == name);
            if component.is_none_or(|component| component.revision != facts.revision) {
                return Vec::new();
            }
            state
                .pods
                .values()
                .filter(|pod| pod.current && !pod.terminating)
                .filter(|pod| pod.component.as_ref().is_some_and(|of| of.as_str() == name))
                .cloned()
                .collect()
        })
    }

    fn tell_reasons(&self, pods: &[PodRow], watcher: &mut Patience) {
        for pod in pods {
            if let Some(why) = &pod.why_not_ready
                && watcher.said.insert(pod.uid.clone(), why.clone()).as_ref() != Some(why)
            {
                self.stage.log(format!("{}: {why}", pod.name));
            }
        }
    }

    async fn hopeless(&self, name: &str, pod: &PodRow, trouble: &Trouble) -> Finding {
        let log = self
            .log_of(pod, &trouble.container, trouble.look_back)
            .await;
        finding(name, pod, trouble, &log)
    }

    async fn stuck(&self, name: &str, why: &str, pods: &[PodRow]) -> Finding {
        let subject = match name.parse() {
            Ok(component) => Subject::Component { component },
            Err(_) => Subject::Step {
                step: StepId::Deploy,
            },
        };
        let mut finding = Finding::new(
            "ROLLOUT_STUCK",
            format!("The rollout of {name} is stuck"),
            format!("{why}."),
        )
        .about(subject);
        if let Some(pod) = pods.iter().find(|pod| !pod.ready) {
            if let Some(reason) = &pod.why_not_ready {
                finding = finding.evidence(format!("Pod {}", pod.name), reason.clone());
            }
            if let Some(container) = pod.containers.iter().find(|container| !container.ready) {
                let log = self.log_of(pod, &container.name, false).await;
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

    async fn log_of(&self, pod: &PodRow, container: &str, look_back: bool) -> Vec<String> {
        let query = |previous| LogQuery {
            pod: pod.name.clone(),
            container: container.to_owned(),
            previous,
            tail: LOG_LINES,
        };
        let client = &self.connected.client;
        let redactor = &self.core.redactor;
        let mut lines = Vec::new();
        if look_back {
            lines = last_lines(client, self.namespace, &query(true), redactor).await;
        }
        if lines.is_empty() {
            lines = last_lines(client, self.namespace, &query(false), redactor).await;
        }
        lines
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
        loop {
            let object = match get(&api, name).await {
                Ok(Some(object)) => object,
                Ok(None) => return Err(gone(name)),
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

/// Remembers since when each pod is in the same trouble.
#[derive(Default)]
struct Patience {
    since: HashMap<String, (Trouble, Instant)>,
    said: HashMap<String, String>,
}

impl Patience {
    /// The first pod whose trouble has lasted longer than there is patience for.
    fn out_of<'a>(&mut self, pods: &'a [PodRow]) -> Option<(&'a PodRow, Trouble)> {
        let now = Instant::now();
        let mut still = HashMap::new();
        let mut found = None;
        for pod in pods {
            let Some(trouble) = trouble(pod) else {
                continue;
            };
            let since = match self.since.get(&pod.uid) {
                Some((same, since)) if same.reason == trouble.reason => *since,
                _ => now,
            };
            if found.is_none() && now.duration_since(since) >= trouble.patience {
                found = Some((pod, trouble.clone()));
            }
            still.insert(pod.uid.clone(), (trouble, since));
        }
        self.since = still;
        found
    }
}
