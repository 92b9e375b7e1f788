//! Which pods go first when there are too many: those that serve least.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use crate::controllers::pods;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` pods to delete. `related` are the pods of all ReplicaSets of the same owner: where
/// more of them share a node, one is missed less.
pub fn pods_to_delete(
    mut pods: Vec<Arc<Pod>>,
    related: &[Arc<Pod>],
    count: usize,
    now: Timestamp,
) -> Vec<Arc<Pod>> {
    if count < pods.len() {
        let mut on_node: HashMap<Option<String>, usize> = HashMap::new();
        for pod in related.iter().filter(|pod| pods::is_active(pod)) {
            *on_node
                .entry(pods::node(pod).map(str::to_owned))
                .or_default() += 1;
        }
        let crowd = |pod: &Pod| {
            on_node
                .get(&pods::node(pod).map(str::to_owned))
                .copied()
                .unwrap_or_default()
        };
        pods.sort_by(|a, b| compare(a, b, (crowd(a), crowd(b)), now));
    }
    pods.truncate(count);
    pods
}

/// Less means: deleted earlier.
fn compare(a: &Pod, b: &Pod, crowds: (usize, usize), now: Timestamp) -> Ordering {
    let assigned = |pod: &Pod| pods::node(pod).is_some();
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase_rank(a).cmp(&phase_rank(b)))
        .then_with(|| pods::is_ready(a).cmp(&pods::is_ready(b)))
        .then_with(|| deletion_cost(a).cmp(&deletion_cost(b)))
        .then_with(|| crowds.1.cmp(&crowds.0))
        .then_with(|| match (pods::is_ready(a), pods::is_ready(b)) {
            (true, true) => younger_first(pods::ready_since(a), pods::ready_since(b), a, b, now),
            _ => Ordering::Equal,
        })
        .then_with(|| pods::most_restarts(b).cmp(&pods::most_restarts(a)))
        .then_with(|| younger_first(created(a), created(b), a, b, now))
}

fn phase_rank(pod: &Pod) -> u8 {
    match pods::phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(DELETION_COST)?.parse().ok())
        .unwrap_or_default()
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Compares ages by their order of magnitude, so that not always the very youngest goes; within
/// one order the UID decides, which is as good as chance.
fn younger_first(
    a_since: Option<Timestamp>,
    b_since: Option<Timestamp>,
    a: &Pod,
    b: &Pod,
    now: Timestamp,
) -> Ordering {
    match (a_since, b_since) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a_since), Some(b_since)) if a_since == b_since => Ordering::Equal,
        (Some(a_since), Some(b_since)) => magnitude(a_since, now)
            .cmp(&magnitude(b_since, now))
            .then_with(|| a.metadata.uid.cmp(&b.metadata.uid)),
    }
}

fn magnitude(since: Timestamp, now: Timestamp) -> Option<u32> {
    let age = u128::try_from(now.as_nanosecond() - since.as_nanosecond()).unwrap_or_default();
    age.checked_ilog2()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ContainerStatus, PodCondition, PodSpec, PodStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// A running, ready pod on the node, as old as the cluster.
    fn pod(name: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.uid = Some(name.to_owned());
        pod.metadata.creation_timestamp = Some(Time(at(0)));
        pod.spec = Some(PodSpec {
            node_name: Some("practice".to_owned()),
            ..PodSpec::default()
        });
        pod.status = Some(PodStatus {
            phase: Some("Running".to_owned()),
            conditions: Some(vec![PodCondition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(Time(at(0))),
                ..PodCondition::default()
            }]),
            ..PodStatus::default()
        });
        pod
    }

    fn first(a: Pod, b: Pod) -> String {
        let pods = vec![Arc::new(a), Arc::new(b)];
        let chosen = pods_to_delete(pods.clone(), &pods, 1, at(NOW));
        chosen[0].metadata.name.clone().unwrap()
    }

    fn with(mut pod: Pod, change: impl FnOnce(&mut Pod)) -> Pod {
        change(&mut pod);
        pod
    }

    #[test]
    fn those_that_serve_least_go_first() {
        type Flaw = fn(&mut Pod);
        let victims: [(&str, Flaw); 6] = [
            ("unassigned", |pod| {
                pod.spec.as_mut().unwrap().node_name = None
            }),
            ("pending", |pod| {
                pod.status.as_mut().unwrap().phase = Some("Pending".to_owned())
            }),
            ("not ready", |pod| {
                pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].status =
                    "False".to_owned();
            }),
            ("cheap", |pod| {
                pod.metadata.annotations =
                    Some([(DELETION_COST.to_owned(), "-5".to_owned())].into());
            }),
            ("freshly ready", |pod| {
                pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].last_transition_time =
                    Some(Time(at(NOW - 2)));
            }),
            ("young", |pod| {
                pod.metadata.creation_timestamp = Some(Time(at(NOW - 2)))
            }),
        ];
        for (what, change) in victims {
            assert_eq!(
                first(pod("stays"), with(pod("goes"), change)),
                "goes",
                "{what}"
            );
            assert_eq!(
                first(with(pod("goes"), change), pod("stays")),
                "goes",
                "{what}"
            );
        }
    }

    #[test]
    fn the_one_that_restarts_more_goes_first() {
        let restarting = with(pod("goes"), |pod| {
            pod.status.as_mut().unwrap().container_statuses = Some(vec![ContainerStatus {
                restart_count: 3,
                ..ContainerStatus::default()
            }]);
        });
        assert_eq!(first(pod("a-stays"), restarting), "goes");
    }

    #[test]
    fn readiness_weighs_more_than_age() {
        let not_ready = with(pod("goes"), |pod| {
            pod.status.as_mut().unwrap().conditions = None
        });
        let young = with(pod("stays"), |pod| {
            pod.metadata.creation_timestamp = Some(Time(at(NOW - 1)));
        });
        assert_eq!(first(young, not_ready), "goes");
    }
}
