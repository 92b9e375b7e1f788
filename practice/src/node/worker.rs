//! One task per pod: brings its containers to what the spec wants, reacts to exits, probes and
//! images, publishes the status, and takes the pod down when it is deleted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::container::Slot;
use super::core::{HOST_IP, NodeCore, PodShared};
use super::env::{PodFacts, Sources};
use super::events::EventType;
use super::probe::{ProbeKind, Report};
use super::process::Exit;
use super::status::{self, ContainerView, PodView, Role, State, restart_policy};
use super::volumes::{self, PodFolders};

/// What a pod's worker hears.
#[derive(Debug)]
pub enum Message {
    /// The object changed.
    Pod(Box<Pod>),
    /// The object is gone: end everything now.
    Gone,
    Exited {
        slot: usize,
        run: u64,
        exit: Exit,
    },
    Probe {
        slot: usize,
        run: u64,
        kind: ProbeKind,
        report: Report,
    },
    PostStartFailed {
        slot: usize,
        run: u64,
        message: String,
    },
    /// Images came or went.
    Images,
    /// The node is going down; the object stays.
    Stop {
        grace: Duration,
        done: oneshot::Sender<()>,
    },
}

#[derive(Debug)]
enum Ending {
    /// The object is being deleted.
    Deleted,
    /// The object is already gone.
    Gone,
    /// Only the node ends.
    NodeStops(oneshot::Sender<()>),
}

pub struct Worker {
    pub(super) core: Arc<NodeCore>,
    pub(super) pod: Pod,
    pub(super) display: String,
    pub(super) facts: PodFacts,
    pub(super) folders: PodFolders,
    pub(super) volumes: Option<std::collections::HashMap<String, std::path::PathBuf>>,
    pub(super) shared: Arc<PodShared>,
    pub(super) slots: Vec<Slot>,
    pub(super) sender: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    start_time: Timestamp,
    ending: Option<Ending>,
    published: Value,
    over: bool,
}

impl Worker {
    pub fn new(
        core: Arc<NodeCore>,
        pod: Pod,
        shared: Arc<PodShared>,
        sender: mpsc::Sender<Message>,
        inbox: mpsc::Receiver<Message>,
    ) -> Self {
        let uid = pod.uid().unwrap_or_default();
        let namespace = pod.namespace().unwrap_or_default();
        let display = format!("{}_{namespace}({uid})", pod.name_any());
        let facts = PodFacts {
            pod_ip: shared.net.pod_ip.to_string(),
            node_name: core.name.clone(),
            host_ip: HOST_IP.into(),
        };
        let folders = PodFolders {
            state: core.state_dir.join("pods").join(&uid),
            secret: core.secret_base.join(&uid),
            claims: core.state_dir.join("volumes"),
        };
        let start_time = pod
            .status
            .as_ref()
            .and_then(|status| status.start_time.as_ref())
            .map_or_else(|| status::seconds(Timestamp::now()), |time| time.0);
        let slots = Slot::all(&pod);
        Self {
            core,
            pod,
            display,
            facts,
            folders,
            volumes: None,
            shared,
            slots,
            sender,
            inbox,
            start_time,
            ending: None,
            published: Value::Null,
            over: false,
        }
    }

    pub async fn run(mut self) {
        if self.pod.metadata.deletion_timestamp.is_some() {
            self.ending = Some(Ending::Deleted);
        }
        loop {
            let mut wake = self.sync().await;
            if self.over {
                break;
            }
            if !self.publish().await {
                wake = Some(earlier(wake, Instant::now() + Duration::from_secs(1)));
            }
            let far = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => self.handle(message).await,
                    None => break,
                },
                () = tokio::time::sleep_until(wake.unwrap_or(far).into()) => {}
            }
            while let Ok(message) = self.inbox.try_recv() {
                self.handle(message).await;
            }
        }
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Pod(pod) => {
                let deleting = pod.metadata.deletion_timestamp.is_some();
                let known = self.pod.metadata.deletion_timestamp.is_some();
                self.pod = *pod;
                if deleting && !known {
                    let grace = self.grace();
                    if self.ending.is_none() {
                        self.ending = Some(Ending::Deleted);
                    }
                    self.stop_all(grace, true);
                }
            }
            Message::Gone => {
                self.ending = Some(Ending::Gone);
                self.stop_all(Duration::ZERO, false);
            }
            Message::Exited { slot, run, exit } => self.exited(slot, run, exit).await,
            Message::Probe {
                slot,
                run,
                kind,
                report,
            } => self.probed(slot, run, kind, report),
            Message::PostStartFailed { slot, run, message } => {
                if self.slots[slot].run == run {
                    self.event(slot, EventType::Warning, "FailedPostStartHook", &message);
                    let grace = self.grace();
                    self.stop(slot, grace, "Container failed post-start hook");
                }
            }
            Message::Images => {
                for slot in &mut self.slots {
                    slot.next_try = None;
                }
            }
            Message::Stop { grace, done } => {
                self.ending = Some(Ending::NodeStops(done));
                let grace = grace.min(self.grace());
                self.stop_all(grace, true);
            }
        }
    }

    /// The pod's termination grace: what the deletion asked for, else what the spec says.
    pub(super) fn grace(&self) -> Duration {
        let spec = self
            .pod
            .spec
            .as_ref()
            .and_then(|s| s.termination_grace_period_seconds);
        let seconds = self
            .pod
            .metadata
            .deletion_grace_period_seconds
            .or(spec)
            .unwrap_or(30);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Moves every container one step on; returns when to look again.
    async fn sync(&mut self) -> Option<Instant> {
        if self.ending.is_some() {
            if self.slots.iter().all(|slot| slot.process.is_none()) {
                self.finish().await;
            }
            return None;
        }
        let views = self.views();
        let policy = restart_policy(&self.pod).to_owned();
        if matches!(status::phase(&views, &policy), "Succeeded" | "Failed") {
            self.stop_role(Role::Sidecar);
            return None;
        }
        if let Err(wake) = self.set_up().await {
            return Some(wake);
        }
        let mut wake = None;
        for slot in 0..self.slots.len() {
            let role = self.slots[slot].role;
            if role == Role::App {
                let next = self.advance(slot, &policy).await;
                wake = next.map(|next| earlier(wake, next)).or(wake);
                continue;
            }
            let next = self
                .advance(
                    slot,
                    if role == Role::Sidecar {
                        "Always"
                    } else {
                        &policy
                    },
                )
                .await;
            wake = next.map(|next| earlier(wake, next)).or(wake);
            let current = &self.slots[slot];
            let done = match role {
                Role::Sidecar => current.started,
                _ => matches!(&current.state, State::Terminated(end) if end.exit_code == 0),
            };
            // Those behind wait for this one.
            if !done {
                return wake;
            }
        }
        if policy != "Always" && self.apps_over(&policy) {
            self.stop_role(Role::Sidecar);
        }
        wake
    }

    fn apps_over(&self, policy: &str) -> bool {
        self.slots.iter().filter(|slot| slot.role == Role::App).all(|slot| {
            matches!(&slot.state, State::Terminated(end) if policy == "Never" || end.exit_code == 0)
        })
    }

    fn stop_role(&mut self, role: Role) {
        let grace = self.grace();
        for slot in 0..self.slots.len() {
            if self.slots[slot].role == role {
                let name = self.slots[slot].spec.name.clone();
                self.stop(slot, grace, &format!("Stopping container {name}"));
            }
        }
    }

    /// Folders and volumes, once.
    async fn set_up(&mut self) -> Result<(), Instant> {
        if self.volumes.is_some() {
            return Ok(());
        }
        let retry = Instant::now() + Duration::from_secs(2);
        let folders = self.folders.clone();
        let created = tokio::task::spawn_blocking(move || folders.create()).await;
        if let Ok(Err(error)) = created {
            self.pod_event(
                EventType::Warning,
                "FailedCreatePodSandBox",
                &error.to_string(),
            );
            return Err(retry);
        }
        let sources = Sources::new(&self.core.client, &self.pod.namespace().unwrap_or_default());
        match volumes::set_up(&self.pod, &self.facts, &self.folders, &sources).await {
            Ok(volumes) => {
                self.volumes = Some(volumes);
                Ok(())
            }
            Err(error) => {
                self.pod_event(EventType::Warning, "FailedMount", &error.message);
                Err(retry)
            }
        }
    }

    /// Starts, restarts or leaves one container alone.
    async fn advance(&mut self, slot: usize, policy: &str) -> Option<Instant> {
        let current = &mut self.slots[slot];
        match &current.state {
            State::Running { .. } => return None,
            State::Waiting { .. } => {}
            State::Terminated(end) => {
                let again = current.force_restart
                    || match policy {
                        "Always" => current.role != Role::Init || end.exit_code != 0,
                        "OnFailure" => end.exit_code != 0,
                        _ => false,
                    };
                if !again {
                    return None;
                }
                current.exited = Some(end.clone());
            }
        }
        self.try_start(slot).await
    }

    pub(super) fn stop_all(&mut self, grace: Duration, announce: bool) {
        for slot in 0..self.slots.len() {
            let text = if announce {
                format!("Stopping container {}", self.slots[slot].spec.name)
            } else {
                String::new()
            };
            self.stop(slot, grace, &text);
        }
    }

    async fn finish(&mut self) {
        self.over = true;
        let uid = self.pod.uid().unwrap_or_default();
        let ending = self.ending.take();
        if !matches!(ending, Some(Ending::Gone)) {
            self.publish().await;
        }
        let (folders, uid_for_logs) = (self.folders.clone(), uid.clone());
        let keep_logs = matches!(ending, Some(Ending::NodeStops(_)));
        let logs = self.core.log_folder(
            &self.pod.namespace().unwrap_or_default(),
            &self.pod.name_any(),
            &uid_for_logs,
        );
        let cleaned = tokio::task::spawn_blocking(move || {
            folders.remove();
            if !keep_logs {
                let _ = std::fs::remove_dir_all(logs);
            }
        });
        let _ = cleaned.await;
        if matches!(ending, Some(Ending::Deleted)) {
            self.delete_object(&uid).await;
        }
        self.core.addresses.give_back(self.shared.net.pod_ip);
        self.core
            .pod_namespaces
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(&self.shared.net.pod_ip);
        self.core.forget(&uid);
        if let Some(Ending::NodeStops(done)) = ending {
            let _ = done.send(());
        }
    }

    async fn delete_object(&self, uid: &str) {
        let api = self.api();
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        for attempt in 0..30 {
            match api.delete(&self.pod.name_any(), &params).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => return,
                Err(error) if attempt == 29 => {
                    tracing::warn!(%error, pod = %self.display, "pod object not deleted");
                }
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    fn api(&self) -> Api<Pod> {
        Api::namespaced(
            self.core.client.clone(),
            &self.pod.namespace().unwrap_or_default(),
        )
    }

    fn views(&self) -> Vec<ContainerView> {
        self.slots.iter().map(Slot::view).collect()
    }

    /// Writes the status when it changed. False when it could not be written.
    async fn publish(&mut self) -> bool {
        let views = self.views();
        let status = status::pod_status(&PodView {
            pod: &self.pod,
            containers: &views,
            pod_ip: Some(self.facts.pod_ip.clone()),
            host_ip: HOST_IP,
            start_time: self.start_time,
        });
        if status == self.published {
            return true;
        }
        let patch = Patch::Merge(serde_json::json!({
            "metadata": {"uid": self.pod.uid()}, "status": status,
        }));
        let api = self.api();
        match api
            .patch_status(&self.pod.name_any(), &PatchParams::default(), &patch)
            .await
        {
            Ok(fresh) => {
                // Conditions keep their transition times by looking at the written status; the
                // metadata follows the watch, which also brings deletions.
                self.pod.status = fresh.status;
                self.published = status;
                true
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => true,
            Err(error) => {
                tracing::debug!(%error, pod = %self.display, "pod status not written");
                false
            }
        }
    }

    pub(super) fn event(&self, slot: usize, kind: EventType, reason: &'static str, message: &str) {
        let slot = &self.slots[slot];
        let list = if slot.role == Role::App {
            "containers"
        } else {
            "initContainers"
        };
        let field = format!("spec.{list}{{{}}}", slot.spec.name);
        self.core
            .recorder
            .record(self.reference(Some(field)), kind, reason, message);
    }

    fn pod_event(&self, kind: EventType, reason: &'static str, message: &str) {
        self.core
            .recorder
            .record(self.reference(None), kind, reason, message);
    }

    pub(super) fn reference(&self, field_path: Option<String>) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            namespace: self.pod.namespace(),
            name: self.pod.metadata.name.clone(),
            uid: self.pod.uid(),
            resource_version: self.pod.metadata.resource_version.clone(),
            field_path,
        }
    }
}

fn earlier(one: Option<Instant>, two: Instant) -> Instant {
    one.map_or(two, |one| one.min(two))
}
