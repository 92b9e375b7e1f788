//! The status of a ReplicaSet, from its pods and from how managing them went.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::controllers::pod_control::Failure;
use crate::controllers::pods;
use crate::controllers::selector::Labels;

/// The status these pods give. `terminating` counts own pods on their way out.
pub fn calculate(
    set: &ReplicaSet,
    pods: &[Arc<Pod>],
    terminating: usize,
    failure: Option<&Failure>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let min_ready = set.spec.min_ready_seconds.unwrap_or_default();
    let template = set
        .spec
        .template
        .as_ref()
        .and_then(|template| template.metadata.as_ref());
    let template_labels = template
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    let fully_labeled = |pod: &Pod| {
        let labels: Option<&Labels> = pod.metadata.labels.as_ref();
        crate::controllers::selector::map_matches(&template_labels, labels)
    };
    let mut conditions = set
        .status
        .as_ref()
        .and_then(|status| status.conditions.clone())
        .unwrap_or_default();
    let is_failure =
        |condition: &ReplicaSetCondition| condition.type_.as_deref() == Some("ReplicaFailure");
    match failure {
        None => conditions.retain(|condition| !is_failure(condition)),
        Some(failure) if !conditions.iter().any(is_failure) => {
            conditions.push(ReplicaSetCondition {
                type_: Some("ReplicaFailure".to_owned()),
                status: Some("True".to_owned()),
                reason: Some(failure.reason.to_owned()),
                message: Some(failure.message.clone()),
                last_transition_time: Some(Time(now)),
            });
        }
        // The first failure stays until all is well again.
        Some(_) => {}
    }
    ReplicaSetStatus {
        replicas: count(pods.len()).unwrap_or_default(),
        fully_labeled_replicas: count(pods.iter().filter(|pod| fully_labeled(pod)).count()),
        ready_replicas: count(pods.iter().filter(|pod| pods::is_ready(pod)).count()),
        available_replicas: count(
            pods.iter()
                .filter(|pod| pods::is_available(pod, min_ready, now))
                .count(),
        ),
        terminating_replicas: Some(i32::try_from(terminating).unwrap_or(i32::MAX)),
        observed_generation: set.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

/// A count as the API writes it: zero is left out.
fn count(count: usize) -> Option<i32> {
    (count > 0).then(|| i32::try_from(count).unwrap_or(i32::MAX))
}

/// When the next of these pods becomes available by age alone.
pub fn next_availability(
    pods: &[Arc<Pod>],
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<std::time::Duration> {
    let wait = k8s_openapi::jiff::SignedDuration::from_secs(i64::from(min_ready_seconds));
    pods.iter()
        .filter(|pod| !pods::is_available(pod, min_ready_seconds, now))
        .filter_map(|pod| pods::ready_since(pod)?.checked_add(wait).ok())
        .min()
        .map(|at| std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSetSpec;
    use k8s_openapi::api::core::v1::{PodCondition, PodStatus};

    use super::*;

    fn ready_pod(since: i64) -> Arc<Pod> {
        Arc::new(Pod {
            status: Some(PodStatus {
                conditions: Some(vec![PodCondition {
                    type_: "Ready".to_owned(),
                    status: "True".to_owned(),
                    last_transition_time: Some(Time(Timestamp::from_second(since).unwrap())),
                    ..PodCondition::default()
                }]),
                ..PodStatus::default()
            }),
            ..Pod::default()
        })
    }

    fn set(min_ready_seconds: i32) -> ReplicaSet {
        ReplicaSet {
            spec: ReplicaSetSpec {
                min_ready_seconds: Some(min_ready_seconds),
                ..ReplicaSetSpec::default()
            },
            ..ReplicaSet::default()
        }
    }

    #[test]
    fn ready_becomes_available_after_the_minimum() {
        let now = Timestamp::from_second(100).unwrap();
        let pods = [ready_pod(85), ready_pod(95), Arc::new(Pod::default())];
        let status = calculate(&set(10), &pods, 0, None, now);
        assert_eq!(status.replicas, 3);
        assert_eq!(status.ready_replicas, Some(2));
        assert_eq!(status.available_replicas, Some(1));
        assert_eq!(
            next_availability(&pods, 10, now),
            Some(std::time::Duration::from_secs(5))
        );
    }

    #[test]
    fn a_failure_is_told_once_and_withdrawn_when_over() {
        let now = Timestamp::from_second(100).unwrap();
        let failure = Failure {
            reason: "FailedCreate",
            message: "exceeded quota".to_owned(),
        };
        let mut set = set(0);
        set.status = Some(calculate(&set, &[], 0, Some(&failure), now));
        let conditions = set.status.as_ref().unwrap().conditions.clone().unwrap();
        assert_eq!(conditions[0].message.as_deref(), Some("exceeded quota"));
        let later = Timestamp::from_second(200).unwrap();
        let again = calculate(&set, &[], 0, Some(&failure), later);
        assert_eq!(again.conditions.as_ref(), Some(&conditions));
        assert_eq!(calculate(&set, &[], 0, None, later).conditions, None);
    }
}
