//! Tries a value out inside the cluster before it is stored: one pod made from the running workload's
//! own template is started with it, asked whether it is ready, and removed again.
//!
//! The pod belongs to a Job and wears no label a Service selects, so no request of anybody reaches it.
//! The value lies in a Secret of its own, owned by that Job. Should Slipway be killed, the Job's own
//! deadline ends it, and the cluster removes all three.

mod asking;
mod job;
mod watching;

use std::sync::Arc;

use app::model::{
    ComponentName, Failure, Finding, NextAction, RunId, RunKind, SecretInput, SecretKey, Stage,
    StageState, StepId, Subject, check_secret_shape,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use zeroize::Zeroizing;

use self::asking::Question;
use self::watching::Running;
use super::reads::secret_reads;
use super::{SecretsRoom, words};
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::engine::{Core, RunError, RunHandle, StageHandle};

/// A trial older than this was left over by a Slipway that was killed.
const LEFT_OVER_AFTER_S: i64 = 300;

/// One value, tried out on every component that reads it.
struct Trial {
    core: Core,
    connected: Arc<Connected>,
    namespace: String,
    /// The project's Secret.
    secret: String,
    key: SecretKey,
    value: Zeroizing<Vec<u8>>,
    readers: Vec<Reader>,
}

/// A component that reads the key, and the Job that tries it out.
struct Reader {
    component: ComponentName,
    job: Job,
    question: Question,
}

impl SecretsRoom {
    pub(super) async fn start_trial(
        &self,
        key: SecretKey,
        value: SecretInput,
    ) -> Result<RunId, Failure> {
        let value = Zeroizing::new(value.0);
        let spec = self.spec_of(&key)?;
        self.core.redactor.learn(&value);
        check_secret_shape(&spec.kind, spec.rehearsal.is_some(), &value)
            .map_err(|why| words::wrong_shape(&spec, &why))?;
        let value = self.bytes(&spec, &value)?;
        let connected = self.cluster.changeable()?;
        let readers = self.readers(&connected, &key).await?;
        self.core
            .journal
            .audit("operator", &format!("try secret {key} in the cluster"))
            .await?;
        let stages = readers.iter().flat_map(Reader::stages).collect();
        let project = self.project.spec();
        let trial = Trial {
            core: self.core.clone(),
            connected,
            namespace: project.namespace.to_string(),
            secret: project.secret_name.clone(),
            key,
            value,
            readers,
        };
        self.core
            .runs
            .start(RunKind::Trial, stages, move |run| async move {
                trial.run(&run).await
            })
    }

    /// The Deployments in the cluster that read the key and can have a pod beside their own.
    async fn readers(
        &self,
        connected: &Connected,
        key: &SecretKey,
    ) -> Result<Vec<Reader>, Failure> {
        let project = self.project.spec();
        let api: Api<Deployment> =
            Api::namespaced(connected.client.clone(), project.namespace.as_str());
        let mut readers = Vec::new();
        let mut cannot = Vec::new();
        for component in &project.components {
            let name = &component.name;
            let found = within(REQUEST_LIMIT, api.get_opt(name.as_str()))
                .await
                .map_err(|error| refused(key, "read the Deployment", &error))?;
            let Some(pod) = found.and_then(|deployment| deployment.spec.template.spec) else {
                continue;
            };
            let reads_it = secret_reads(&pod).iter().any(|read| {
                read.secret == project.secret_name
                    && read.key.as_ref().is_none_or(|read| read == key.as_str())
            });
            if !reads_it {
                continue;
            }
            let question = Question::of(&pod, component);
            match job::of_pod(name, pod, &project.secret_name) {
                Ok(job) => readers.push(Reader {
                    component: name.clone(),
                    job,
                    question,
                }),
                Err(why) => cannot.push(format!("{name} {why}")),
            }
        }
        match (readers.is_empty(), cannot.is_empty()) {
            (false, _) => Ok(readers),
            (true, false) => Err(not_possible(key, &format!("{}.", cannot.join("; "))).into()),
            (true, true) => Err(not_possible(
                key,
                "No Deployment of the project that reads it is in the cluster yet. The first deploy shows whether the app is well with it.",
            )
            .into()),
        }
    }
}

impl Reader {
    fn stages(&self) -> [Stage; 3] {
        let component = &self.component;
        let stage = |id: String, title: String| Stage {
            id,
            title,
            component: Some(component.clone()),
            state: StageState::Pending,
        };
        [
            stage(
                self.id("start"),
                format!("Start one pod of {component} with the new value"),
            ),
            stage(self.id("ask"), self.question.title(component)),
            stage(self.id("remove"), "Remove what the trial made".to_owned()),
        ]
    }

    fn id(&self, stage: &str) -> String {
        format!("{}/{stage}", self.component)
    }

    fn job_name(&self) -> &str {
        self.job.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Trial {
    async fn run(self, run: &RunHandle) -> Result<String, RunError> {
        self.sweep().await;
        for reader in &self.readers {
            let result = tokio::select! {
                () = run.cancelled().cancelled() => Err(RunError::Cancelled),
                answer = self.try_out(reader, run) => answer.map_err(RunError::from),
            };
            let stage = run.stage(&reader.id("remove"));
            stage.start();
            match self.remove(reader.job_name()).await {
                Ok(()) => stage.succeed("the Job, its pod and its Secret"),
                Err(error) => stage.skip(format!(
                    "{error}; the Job {} ends by its own deadline and removes the rest",
                    reader.job_name()
                )),
            }
            result?;
        }
        let answers: Vec<String> = self
            .readers
            .iter()
            .map(|reader| format!("{} {}", reader.component, reader.question.passed()))
            .collect();
        Ok(format!(
            "With the new value {}; it is not stored yet",
            answers.join(" and ")
        ))
    }

    async fn try_out(&self, reader: &Reader, run: &RunHandle) -> Result<(), Finding> {
        let stage = run.stage(&reader.id("start"));
        stage.start();
        let running = self.start(reader, &stage).await;
        let running = running.inspect_err(|finding| stage.fail(finding.clone()))?;
        stage.succeed(format!("pod {} runs", running.pod));
        let stage = run.stage(&reader.id("ask"));
        stage.start();
        let answer = self.until_ready(reader, &running, &stage).await;
        stage.succeed(answer.inspect_err(|finding| stage.fail(finding.clone()))?);
        Ok(())
    }

    async fn start(&self, reader: &Reader, stage: &StageHandle) -> Result<Running, Finding> {
        let refused = |what: &str, error: &KubeError| refused(&self.key, what, error);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        // Suspended: its pod may only start once there is a Secret to start it with, and the Secret
        // needs the Job as its owner.
        let job = within(REQUEST_LIMIT, self.jobs().create(&params, &reader.job))
            .await
            .map_err(|error| refused("make a Job", &error))?;
        let secret = self.own_secret(reader.job_name(), &job).await?;
        within(REQUEST_LIMIT, self.secrets().create(&params, &secret))
            .await
            .map_err(|error| refused("make a Secret", &error))?;
        drop(secret);
        let go = Patch::Merge(json!({"spec": {"suspend": false}}));
        let by_us = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        within(
            REQUEST_LIMIT,
            self.jobs().patch(reader.job_name(), &by_us, &go),
        )
        .await
        .map_err(|error| refused("start the Job", &error))?;
        stage.log(format!("Job {} is started", reader.job_name()));
        self.until_running(reader, stage).await
    }

    /// What the project's Secret has, with the new value in its place; owned by the Job.
    async fn own_secret(&self, name: &str, job: &Job) -> Result<Secret, Finding> {
        let live = within(REQUEST_LIMIT, self.secrets().get_opt(&self.secret))
            .await
            .map_err(|error| words::not_read(&self.key, &error))?;
        let mut data = live.and_then(|live| live.data).unwrap_or_default();
        data.insert(self.key.to_string(), ByteString(self.value.to_vec()));
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(job::labels(name)),
                owner_references: Some(vec![OwnerReference {
                    api_version: "batch/v1".to_owned(),
                    kind: "Job".to_owned(),
                    name: name.to_owned(),
                    uid: job.metadata.uid.clone().unwrap_or_default(),
                    ..OwnerReference::default()
                }]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(data),
            ..Secret::default()
        })
    }

    /// The Job, and with it what it owns. The Secret at once: it holds the value.
    async fn remove(&self, name: &str) -> Result<(), KubeError> {
        let at_once = DeleteParams::default();
        let secret = within(REQUEST_LIMIT, self.secrets().delete(name, &at_once)).await;
        let with_its_pod = DeleteParams::background();
        let job = within(REQUEST_LIMIT, self.jobs().delete(name, &with_its_pod)).await;
        is_gone(secret).and(is_gone(job))
    }

    /// Removes what a Slipway that was killed left behind. No reason to fail: it ends by itself.
    async fn sweep(&self) {
        let ours = ListParams::default().labels(job::TRIAL);
        let Ok(jobs) = within(REQUEST_LIMIT, self.jobs().list(&ours)).await else {
            return;
        };
        let now = Timestamp::now().as_second();
        for job in jobs {
            let made = job.metadata.creation_timestamp.map(|at| at.0.as_second());
            if made.is_some_and(|made| now - made > LEFT_OVER_AFTER_S) {
                let _ = self
                    .remove(job.metadata.name.as_deref().unwrap_or_default())
                    .await;
            }
        }
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.connected.client.clone(), &self.namespace)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.connected.client.clone(), &self.namespace)
    }
}

fn is_gone<T>(deleted: Result<T, KubeError>) -> Result<(), KubeError> {
    match deleted {
        Err(error) if error.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}

fn refused(key: &SecretKey, what: &str, error: &KubeError) -> Finding {
    let (code, why) = match error.is_forbidden() {
        true => (
            "FORBIDDEN",
            format!("The cluster does not let you {what}: {error}."),
        ),
        false => (
            "TRIAL_NOT_POSSIBLE",
            format!("Slipway could not {what}: {error}."),
        ),
    };
    Finding::new(code, format!("{key} was not tried out in the cluster"), why)
        .about(Subject::Secret { key: key.clone() })
        .next(NextAction::advice(
            "Test it from this machine, then store it and follow the restart",
        ))
}

fn not_possible(key: &SecretKey, why: &str) -> Finding {
    Finding::new(
        "TRIAL_NOT_POSSIBLE",
        format!("{key} cannot be tried out in the cluster"),
        why,
    )
    .attention()
    .about(Subject::Secret { key: key.clone() })
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Open Deploy".to_owned(),
    })
}
