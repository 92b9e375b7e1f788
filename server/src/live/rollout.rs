//! Where a Deployment's rollout stands, by the rules of `kubectl rollout status`, in its order.

use app::model::Rollout;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::adapters::kube::times::millis;
use crate::deploy::drill::DRILL;
use app::model::UnixMillis;

/// What is kept of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    pub uid: String,
    pub name: String,
    pub generation: i64,
    pub observed_generation: i64,
    pub paused: bool,
    /// A drill's fault is in.
    pub drill: bool,
    pub wanted: u32,
    pub replicas: u32,
    pub updated: u32,
    pub ready: u32,
    pub available: u32,
    pub revision: u64,
    pub image: String,
    /// Stands for the pod template, to tell one from another.
    pub template: u64,
    /// Reason and message of the condition Progressing when its status is False.
    pub not_progressing: Option<(String, String)>,
    /// Message of the condition ReplicaFailure when it is True: no pod could be made.
    pub replica_failure: Option<String>,
    pub created: UnixMillis,
    pub deleted: bool,
}

impl DeploymentFacts {
    /// The image is that of the container named like the Deployment, else of the first.
    pub fn of(deployment: &Deployment) -> Self {
        let meta = &deployment.metadata;
        let spec = Some(&deployment.spec);
        let status = deployment.status.as_ref();
        let count = |number: Option<i32>| {
            number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0)
        };
        let condition = |kind: &str, value: &str| {
            status
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
                .find(|condition| {
                    condition.type_.as_deref() == Some(kind)
                        && condition.status.as_deref() == Some(value)
                })
        };
        let name = meta.name.clone().unwrap_or_default();
        let containers = spec
            .and_then(|spec| spec.template.spec.as_ref())
            .map(|pod| pod.containers.as_slice())
            .unwrap_or_default();
        let image = containers
            .iter()
            .find(|container| container.name == name)
            .or_else(|| containers.first())
            .and_then(|container| container.image.clone())
            .unwrap_or_default();
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            name,
            generation: meta.generation.unwrap_or(0),
            observed_generation: status
                .and_then(|status| status.observed_generation)
                .unwrap_or(0),
            paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
            drill: meta
                .annotations
                .as_ref()
                .is_some_and(|annotations| annotations.contains_key(DRILL)),
            wanted: spec
                .and_then(|spec| spec.replicas)
                .map_or(1, |replicas| u32::try_from(replicas).unwrap_or(0)),
            replicas: count(status.and_then(|status| status.replicas)),
            updated: count(status.and_then(|status| status.updated_replicas)),
            ready: count(status.and_then(|status| status.ready_replicas)),
            available: count(status.and_then(|status| status.available_replicas)),
            revision: meta
                .annotations
                .as_ref()
                .and_then(|annotations| annotations.get(REVISION))
                .and_then(|revision| revision.parse().ok())
                .unwrap_or(0),
            image,
            template: fingerprint(&deployment.spec.template),
            not_progressing: condition("Progressing", "False").map(|condition| {
                (
                    condition.reason.clone().unwrap_or_default(),
                    condition.message.clone().unwrap_or_default(),
                )
            }),
            replica_failure: condition("ReplicaFailure", "True")
                .map(|condition| condition.message.clone().unwrap_or_default()),
            created: meta
                .creation_timestamp
                .as_ref()
                .map(millis)
                .unwrap_or_default(),
            deleted: meta.deletion_timestamp.is_some(),
        }
    }

    /// Where the rollout stands. Complete here is complete for kubectl.
    pub fn rollout(&self) -> Rollout {
        let progressing = |note: String| Rollout::Progressing { note };
        if self.generation > self.observed_generation {
            return progressing("The new spec is not seen by its controller yet".to_owned());
        }
        if let Some((reason, message)) = &self.not_progressing
            && reason == "ProgressDeadlineExceeded"
        {
            return Rollout::Stuck {
                why: if message.is_empty() {
                    "It made no progress within its progress deadline".to_owned()
                } else {
                    message.clone()
                },
            };
        }
        if let Some(message) = &self.replica_failure {
            return Rollout::Stuck {
                why: format!("No pod could be created: {message}"),
            };
        }
        if self.paused && self.updated < self.wanted {
            return progressing("Paused".to_owned());
        }
        if self.updated < self.wanted {
            return progressing(format!(
                "{} of {} pods are of the new revision",
                self.updated, self.wanted
            ));
        }
        if self.replicas > self.updated {
            let old = self.replicas - self.updated;
            return progressing(format!("{old} old {} still to end", pods(old)));
        }
        if self.available < self.updated {
            return progressing(format!(
                "{} of {} new pods are available",
                self.available, self.updated
            ));
        }
        Rollout::Complete
    }
}

fn fingerprint(template: &PodTemplateSpec) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    // The order of its fields is fixed, and its maps are sorted.
    serde_json::to_string(template)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

/// The Deployment's and its ReplicaSets' revision annotation.
pub const REVISION: &str = "deployment.kubernetes.io/revision";

fn pods(count: u32) -> &'static str {
    if count == 1 { "pod has" } else { "pods have" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> DeploymentFacts {
        DeploymentFacts {
            name: "web".into(),
            generation: 3,
            observed_generation: 3,
            wanted: 2,
            replicas: 2,
            updated: 2,
            ready: 2,
            available: 2,
            revision: 3,
            ..DeploymentFacts::default()
        }
    }

    fn word(facts: &DeploymentFacts) -> String {
        match facts.rollout() {
            Rollout::Complete => "complete".into(),
            Rollout::Progressing { note } => note,
            Rollout::Stuck { why } => format!("stuck: {why}"),
            Rollout::Absent => "absent".into(),
        }
    }

    #[test]
    fn each_rule_of_kubectl_in_its_order() {
        let with = |change: fn(&mut DeploymentFacts)| {
            let mut facts = complete();
            change(&mut facts);
            word(&facts)
        };
        assert_eq!(with(|_| {}), "complete");
        assert!(with(|d| d.generation = 4).contains("not seen"));
        assert!(
            with(|d| d.not_progressing =
                Some(("ProgressDeadlineExceeded".into(), "timed out".into())))
            .contains("stuck: timed out")
        );
        assert!(with(|d| d.replica_failure = Some("quota".into())).contains("stuck: No pod"));
        assert!(with(|d| d.updated = 1).contains("1 of 2 pods"));
        assert_eq!(with(|d| d.replicas = 3), "1 old pod has still to end");
        assert_eq!(with(|d| d.replicas = 4), "2 old pods have still to end");
        assert!(with(|d| d.available = 1).contains("1 of 2 new pods"));
        // The generation comes first: an old failure must not damn a new spec.
        assert!(
            with(|d| {
                d.generation = 4;
                d.not_progressing = Some(("ProgressDeadlineExceeded".into(), String::new()));
            })
            .contains("not seen")
        );
        assert_eq!(
            with(|d| {
                d.wanted = 0;
                d.replicas = 0;
                d.updated = 0;
                d.available = 0;
            }),
            "complete"
        );
        assert_eq!(
            with(|d| {
                d.paused = true;
                d.updated = 1;
            }),
            "Paused"
        );
    }

    #[test]
    fn an_available_old_replica_set_is_not_a_finished_rollout() {
        let deployment: Deployment = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web", "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "2"}},
            "spec": {"replicas": 1, "selector": {}, "template": {"spec": {"containers": [
                {"name": "side", "image": "side:1"}, {"name": "web", "image": "web:2"}
            ]}}},
            "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1,
                "readyReplicas": 1, "availableReplicas": 1,
                "conditions": [{"type": "Available", "status": "True"}]}
        }))
        .expect("a Deployment");
        let facts = DeploymentFacts::of(&deployment);
        assert_eq!(facts.image, "web:2");
        assert_eq!(facts.revision, 2);
        assert!(matches!(facts.rollout(), Rollout::Progressing { .. }));
    }
}
