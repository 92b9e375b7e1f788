//! Gives pending pods a node, or says why none will do.

mod fit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::cluster::Cluster;
use super::informer::Change;
use super::key::ObjectKey;
use super::pods;
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::worker::{self, Reconcile, SyncError};
use fit::Verdict;
pub use fit::may_run;

const COMPONENT: &str = "default-scheduler";

/// The scheduler. One worker only: two pods must not be promised the same room.
#[derive(Debug)]
pub struct Scheduler {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    /// Pods bound by us that the cache still shows without a node.
    assumed: Arc<Mutex<HashMap<String, String>>>,
}

impl Scheduler {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let assumed = Arc::new(Mutex::new(HashMap::new()));
        let (wishes, weak, promises) = (
            Arc::clone(&queue),
            Arc::downgrade(&cluster),
            Arc::clone(&assumed),
        );
        cluster.pods.on_change(move |change| {
            let pod = change.object();
            let gone = matches!(change, Change::Deleted(_));
            if gone || pods::node(pod).is_some() {
                let mut promises: std::sync::MutexGuard<'_, HashMap<String, String>> =
                    promises.lock().unwrap_or_else(PoisonError::into_inner);
                promises.remove(pod.metadata.uid.as_deref().unwrap_or_default());
            }
            if !gone && is_ours(pod) {
                wishes.add(ObjectKey::of(pod.as_ref()));
            }
            // Room was made: those that wait get another look.
            let finished_now =
                pods::is_finished(pod) && change.old().is_some_and(|old| !pods::is_finished(old));
            if gone || finished_now {
                wake_waiting(&weak, &wishes);
            }
        });
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster
            .claims
            .on_change(move |_| wake_waiting(&weak, &wishes));
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster.nodes.on_change(move |change| {
            // Heartbeats change nothing that matters here.
            let matters = change
                .old()
                .is_none_or(|old| node_changed(old, change.object()));
            if matters {
                wake_waiting(&weak, &wishes);
            }
        });
        Self {
            cluster,
            queue,
            assumed,
        }
    }

    /// Why the pod's claims keep it waiting.
    fn claims_problem(&self, pod: &Pod) -> Option<String> {
        let namespace = pod.namespace().unwrap_or_default();
        let volumes = pod.spec.as_ref()?.volumes.iter().flatten();
        volumes
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .find_map(|source| {
                let name = &source.claim_name;
                let key = ObjectKey::new(namespace.clone(), name.clone());
                match self.cluster.claims.get(&key) {
                    None => Some(format!("persistentvolumeclaim \"{name}\" not found")),
                    Some(claim) if !super::volumes::is_bound(&claim) => {
                        Some("pod has unbound immediate PersistentVolumeClaims".to_owned())
                    }
                    Some(_) => None,
                }
            })
    }

    async fn bind(&self, pod: &Pod, node: &str) -> Result<(), SyncError> {
        let namespace = pod.namespace().unwrap_or_default();
        let name = pod.name_any();
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &namespace);
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                uid: pod.uid(),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        let uid = pod.uid().unwrap_or_default();
        self.assume(&uid, Some(node));
        let outcome: Result<serde_json::Value, _> = api
            .create_subresource("binding", &name, &PostParams::default(), &binding)
            .await;
        match outcome {
            Ok(_) => {
                let message = format!("Successfully assigned {namespace}/{name} to {node}");
                self.cluster
                    .recorder
                    .write_action(
                        COMPONENT,
                        pod,
                        Severity::Normal,
                        ("Scheduled", "Binding"),
                        &message,
                    )
                    .await;
                Ok(())
            }
            Err(error) => {
                self.assume(&uid, None);
                if worker::is_not_found(&error) || worker::is_conflict(&error) {
                    // Gone, or bound already: the cache will show which.
                    return Ok(());
                }
                Err(error.into())
            }
        }
    }

    fn assume(&self, uid: &str, node: Option<&str>) {
        let mut assumed = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        match node {
            Some(node) => assumed.insert(uid.to_owned(), node.to_owned()),
            None => assumed.remove(uid),
        };
    }

    async fn refuse(&self, pod: &Pod, message: &str) -> Result<(), SyncError> {
        self.cluster
            .recorder
            .write_action(
                COMPONENT,
                pod,
                Severity::Warning,
                ("FailedScheduling", "Scheduling"),
                message,
            )
            .await;
        let Some(patch) = unschedulable_patch(pod, message, Timestamp::now()) else {
            return Ok(());
        };
        let api: Api<Pod> = Api::namespaced(
            self.cluster.client.clone(),
            &pod.namespace().unwrap_or_default(),
        );
        let params = PatchParams::default();
        match api
            .patch_status(&pod.name_any(), &params, &Patch::Merge(patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The status patch that says the pod cannot be scheduled; `None` when it says so already.
fn unschedulable_patch(pod: &Pod, message: &str, now: Timestamp) -> Option<serde_json::Value> {
    let current = pods::condition(pod, "PodScheduled");
    let unchanged = current.is_some_and(|current| {
        current.status == "False"
            && current.reason.as_deref() == Some("Unschedulable")
            && current.message.as_deref() == Some(message)
    });
    if unchanged {
        return None;
    }
    let since = current
        .filter(|current| current.status == "False")
        .and_then(|current| current.last_transition_time.clone())
        .unwrap_or(Time(now));
    let condition = PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some("Unschedulable".to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(since),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    let mut conditions: Vec<PodCondition> = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .filter(|condition| condition.type_ != "PodScheduled")
        .cloned()
        .collect();
    conditions.push(condition);
    let version = &pod.metadata.resource_version;
    Some(json!({
        "metadata": {"resourceVersion": version},
        "status": {"phase": "Pending", "conditions": conditions},
    }))
}

/// Waits for us and nobody else.
fn is_ours(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let scheduler = spec.and_then(|spec| spec.scheduler_name.as_deref());
    let gated = spec
        .and_then(|spec| spec.scheduling_gates.as_ref())
        .is_some_and(|gates| !gates.is_empty());
    pods::node(pod).is_none()
        && pods::is_active(pod)
        && !gated
        && matches!(scheduler, None | Some("" | "default-scheduler"))
}

fn node_changed(old: &Node, new: &Node) -> bool {
    let allocatable = |node: &Node| node.status.as_ref().and_then(|s| s.allocatable.clone());
    fit::is_ready(old) != fit::is_ready(new)
        || old.spec != new.spec
        || old.metadata.labels != new.metadata.labels
        || allocatable(old) != allocatable(new)
}

fn wake_waiting(cluster: &std::sync::Weak<Cluster>, queue: &WorkQueue<ObjectKey>) {
    let Some(cluster) = cluster.upgrade() else {
        return;
    };
    for pod in cluster.pods.all().iter().filter(|pod| is_ours(pod)) {
        queue.add(ObjectKey::of(pod.as_ref()));
    }
}

impl Reconcile for Scheduler {
    type Key = ObjectKey;
    const NAME: &'static str = COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(pod) = self.cluster.pods.get(key).filter(|pod| is_ours(pod)) else {
            return Ok(());
        };
        let assumed = self
            .assumed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if assumed.contains_key(&pod.uid().unwrap_or_default()) {
            return Ok(());
        }
        if let Some(problem) = self.claims_problem(&pod) {
            let message = format!(
                "0/1 nodes are available: {problem}. preemption: 0/1 nodes are available: 1 \
                 Preemption is not helpful for scheduling."
            );
            return self.refuse(&pod, &message).await;
        }
        let nodes = self.cluster.nodes.all();
        let all = self.cluster.pods.all();
        let promised: Vec<Pod> = all
            .iter()
            .filter_map(|pod| {
                let node = assumed.get(pod.metadata.uid.as_deref()?)?;
                let mut pod = Pod::clone(pod);
                pod.spec.get_or_insert_default().node_name = Some(node.clone());
                Some(pod)
            })
            .collect();
        let bound: Vec<&Pod> = all
            .iter()
            .map(AsRef::as_ref)
            .filter(|pod| pods::node(pod).is_some())
            .chain(&promised)
            .collect();
        match fit::decide(&pod, nodes.iter().map(AsRef::as_ref), &bound) {
            Verdict::Bind(node) => self.bind(&pod, &node).await,
            Verdict::Unschedulable(message) => self.refuse(&pod, &message).await,
        }
    }
}
