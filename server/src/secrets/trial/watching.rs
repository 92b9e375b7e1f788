//! Follows the pod of a trial until it runs, and then until it is ready; or says why it is not.

use std::time::Duration;

use app::model::{Finding, LogQuery, NextAction, Subject};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{Api, ListParams};
use tokio::time::Instant;

use super::asking::RUNS_FOR;
use super::{Reader, Trial, job, refused};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::engine::StageHandle;
use crate::live::last_lines;

/// Until the pod runs: an image may have to come first.
const STARTED_WITHIN: Duration = Duration::from_secs(60);
/// From then on until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(40);
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// A container that waits for this reason for so long does not start by itself.
const HOPELESS_AFTER: Duration = Duration::from_secs(6);
const LOG_LINES: u32 = 12;
/// Of an answer's words, this much is kept.
const MOST_SAID: usize = 300;

/// A pod of a trial that runs.
pub struct Running {
    pub pod: String,
    container: String,
}

/// What a look at the pod showed.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Waits {
        why: String,
        /// Only someone who acts can change that.
        hopeless: bool,
    },
    Runs {
        container: String,
    },
    Ended {
        container: String,
        how: String,
    },
}

impl Trial {
    pub(super) async fn until_running(
        &self,
        reader: &Reader,
        stage: &StageHandle,
    ) -> Result<Running, Finding> {
        let deadline = Instant::now() + STARTED_WITHIN;
        let mut said = String::new();
        let mut hopeless_since = None;
        loop {
            let (why, hopeless) = match self.pod(reader).await? {
                None => (self.why_no_pod(reader).await, false),
                Some(pod) => {
                    let name = pod.metadata.name.clone().unwrap_or_default();
                    match look(&pod) {
                        Seen::Runs { container } => {
                            return Ok(Running {
                                pod: name,
                                container,
                            });
                        }
                        Seen::Ended { container, how } => {
                            let running = Running {
                                pod: name,
                                container,
                            };
                            return Err(self.failed(reader, &how, Some(&running)).await);
                        }
                        Seen::Waits { why, hopeless } => (why, hopeless),
                    }
                }
            };
            if why != said {
                stage.log(why.clone());
                said.clone_from(&why);
            }
            let now = Instant::now();
            hopeless_since = hopeless.then(|| hopeless_since.unwrap_or(now));
            let gave_up = hopeless_since.is_some_and(|since| now - since >= HOPELESS_AFTER);
            if gave_up || now >= deadline {
                return Err(self
                    .failed(reader, &format!("Its pod did not start: {why}"), None)
                    .await);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn until_ready(
        &self,
        reader: &Reader,
        running: &Running,
        stage: &StageHandle,
    ) -> Result<String, Finding> {
        let began = Instant::now();
        let mut said = String::new();
        loop {
            match self.pod(reader).await?.as_ref().map(look) {
                Some(Seen::Ended { how, .. }) => {
                    return Err(self.failed(reader, &how, Some(running)).await);
                }
                None => {
                    return Err(self.failed(reader, "Its pod was removed", None).await);
                }
                Some(_) => {}
            }
            let answer = match reader.question.uri(&self.namespace, &running.pod) {
                Some(uri) => self.ask(uri).await,
                None if began.elapsed() >= RUNS_FOR => Ok("it goes on running".to_owned()),
                None => Err("It runs".to_owned()),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(why) => {
                    if why != said {
                        stage.log(why.clone());
                        said = why;
                    }
                }
            }
            if began.elapsed() >= READY_WITHIN {
                let how = format!(
                    "It runs, and did not get ready within {} s: {said}",
                    READY_WITHIN.as_secs()
                );
                return Err(self.failed(reader, &how, Some(running)).await);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn pod(&self, reader: &Reader) -> Result<Option<Pod>, Finding> {
        let api: Api<Pod> = Api::namespaced(self.connected.client.clone(), &self.namespace);
        let label = format!("{}={}", job::TRIAL, reader.job_name());
        let pods = within(
            REQUEST_LIMIT,
            api.list(&ListParams::default().labels(&label)),
        )
        .await
        .map_err(|error| refused(&self.key, "look for the trial's pod", &error))?;
        Ok(pods.items.into_iter().next())
    }

    /// The newest warning about the Job: a quota, an admission plugin.
    async fn why_no_pod(&self, reader: &Reader) -> String {
        let api: Api<Event> = Api::namespaced(self.connected.client.clone(), &self.namespace);
        let about = format!("involvedObject.name={},type=Warning", reader.job_name());
        let events = within(
            REQUEST_LIMIT,
            api.list(&ListParams::default().fields(&about)),
        )
        .await;
        events
            .ok()
            .and_then(|events| events.items.into_iter().next_back()?.message)
            .unwrap_or_else(|| "There is no pod yet".to_owned())
    }

    /// `Ok` when the app answered that it is ready.
    async fn ask(&self, uri: String) -> Result<String, String> {
        let request = http::Request::get(uri)
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let answer = within(REQUEST_LIMIT, self.connected.client.request_text(request)).await;
        match answer {
            Ok(text) => Ok(short(&text)),
            Err(error) => Err(short(&error.to_string())),
        }
    }

    async fn failed(&self, reader: &Reader, how: &str, running: Option<&Running>) -> Finding {
        let component = &reader.component;
        let healthy = self.core.hub.read(|state| {
            state
                .pods
                .values()
                .any(|pod| pod.component.as_ref() == Some(component) && pod.ready)
        });
        let compared = match healthy {
            true => format!(
                "Its pods with the present values are ready, so it is the new value of {} that it cannot work with.",
                self.key
            ),
            false => format!(
                "Its pods with the present values are not ready either, so {} need not be the cause.",
                self.key
            ),
        };
        let mut finding = Finding::new(
            "TRIAL_FAILED",
            format!("{component} is not well with the new value of {}", self.key),
            format!("{}. {compared}", how.trim_end_matches('.')),
        )
        .about(Subject::Secret {
            key: self.key.clone(),
        })
        .next(NextAction::advice("Mend the value and try again; nothing was stored, and the running pods were not touched"));
        if let Some(running) = running {
            let query = LogQuery {
                pod: running.pod.clone(),
                container: running.container.clone(),
                previous: false,
                tail: LOG_LINES,
            };
            let lines = last_lines(
                &self.connected.client,
                &self.namespace,
                &query,
                &self.core.redactor,
            )
            .await;
            if !lines.is_empty() {
                finding = finding.evidence(
                    format!("Last lines of container {}", running.container),
                    lines.join("\n"),
                );
            }
        }
        finding
    }
}

fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(MOST_SAID) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None if text.is_empty() => "it answered that it is ready".to_owned(),
        None => text.to_owned(),
    }
}

fn look(pod: &Pod) -> Seen {
    let Some(status) = &pod.status else {
        return waits("The pod has no status yet");
    };
    let unplaced = status
        .conditions
        .iter()
        .flatten()
        .find(|one| one.type_ == "PodScheduled" && one.status == "False");
    if let Some(message) = unplaced.and_then(|one| one.message.as_deref()) {
        return waits(message);
    }
    let init = status.init_container_statuses.iter().flatten();
    let mains = status.container_statuses.iter().flatten();
    // What went wrong before is the cause of what waits after it.
    for container in init.clone().chain(mains.clone()) {
        if let Some(seen) = trouble(container) {
            return seen;
        }
    }
    if let Some(how) = mains.clone().find_map(ended) {
        return how;
    }
    let all = mains.clone().count();
    let running = mains
        .clone()
        .filter(|one| {
            one.state
                .as_ref()
                .is_some_and(|state| state.running.is_some())
        })
        .count();
    match (all, running == all) {
        (0, _) => match (status.phase.as_deref(), &status.message) {
            (Some("Failed"), message) => Seen::Ended {
                container: String::new(),
                how: message
                    .clone()
                    .unwrap_or_else(|| "The pod failed".to_owned()),
            },
            _ => waits("The pod is placed on a node"),
        },
        (_, true) => Seen::Runs {
            container: mains
                .clone()
                .next()
                .map(|one| one.name.clone())
                .unwrap_or_default(),
        },
        (_, false) => waits("The containers are being started"),
    }
}

fn waits(why: &str) -> Seen {
    Seen::Waits {
        why: why.to_owned(),
        hopeless: false,
    }
}

/// A container that failed, or that waits for someone to act.
fn trouble(container: &ContainerStatus) -> Option<Seen> {
    let state = container.state.as_ref()?;
    if let Some(end) = &state.terminated
        && end.exit_code != 0
    {
        return ended(container);
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let hopeless = matches!(
        reason,
        "ErrImageNeverPull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ImageInspectError"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
    );
    hopeless.then(|| Seen::Waits {
        why: match waiting.message.as_deref().filter(|text| !text.is_empty()) {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        },
        hopeless,
    })
}

fn ended(container: &ContainerStatus) -> Option<Seen> {
    let end = container.state.as_ref()?.terminated.as_ref()?;
    let name = &container.name;
    let how = match (end.exit_code, end.reason.as_deref()) {
        (0, _) => format!("Container {name} ended by itself, although it should go on"),
        (code, Some("OOMKilled")) => {
            format!("Container {name} was out of memory (exit code {code})")
        }
        (code, _) => format!("Container {name} ended with exit code {code}"),
    };
    Some(Seen::Ended {
        container: name.clone(),
        how,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: Value) -> Seen {
        look(&serde_json::from_value(json!({"status": status})).expect("a pod"))
    }

    fn container(name: &str, state: Value) -> Value {
        json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state})
    }

    #[test]
    fn a_pod_runs_only_when_all_its_containers_do() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let waiting = json!({"waiting": {"reason": "ContainerCreating"}});
        let one = seen(json!({"containerStatuses": [
            container("a", running.clone()), container("b", waiting)
        ]}));
        assert!(matches!(
            one,
            Seen::Waits {
                hopeless: false,
                ..
            }
        ));
        let both = seen(json!({"containerStatuses": [
            container("a", running.clone()), container("b", running)
        ]}));
        assert_eq!(
            both,
            Seen::Runs {
                container: "a".into()
            }
        );
    }

    #[test]
    fn what_went_wrong_first_is_what_is_told() {
        let failed = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let waiting = json!({"waiting": {"reason": "PodInitializing"}});
        let pod = seen(json!({
            "initContainerStatuses": [container("migrate", failed)],
            "containerStatuses": [container("app", waiting)]
        }));
        let how = "Container migrate ended with exit code 3".to_owned();
        assert_eq!(
            pod,
            Seen::Ended {
                container: "migrate".into(),
                how
            }
        );
        let missing = json!({"waiting": {"reason": "CreateContainerConfigError", "message": "configmap \"c\" not found"}});
        let pod = seen(json!({"containerStatuses": [container("app", missing)]}));
        let why = "CreateContainerConfigError: configmap \"c\" not found".to_owned();
        assert_eq!(
            pod,
            Seen::Waits {
                why,
                hopeless: true
            }
        );
    }

    #[test]
    fn a_server_that_ends_without_an_error_has_ended_all_the_same() {
        let done = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        let pod = seen(json!({"containerStatuses": [container("app", done)]}));
        assert!(matches!(pod, Seen::Ended { .. }), "{pod:?}");
    }

    #[test]
    fn an_init_container_that_is_done_is_no_trouble() {
        let done = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        let running = json!({"running": {}});
        let pod = seen(json!({
            "initContainerStatuses": [container("migrate", done)],
            "containerStatuses": [container("app", running)]
        }));
        assert_eq!(
            pod,
            Seen::Runs {
                container: "app".into()
            }
        );
    }
}
