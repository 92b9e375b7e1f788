//! What to do about a StatefulSet, decided from its pods alone: one step at a time in order, or
//! all at once with parallel management.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::pod::ordinal_of;
use crate::controllers::pods;
use crate::controllers::replica_set::next_availability;
use crate::controllers::revisions::POD_LABEL;

/// A set and its pods, at one moment.
pub struct Observed<'a> {
    pub set: &'a StatefulSet,
    pub pods: &'a [Arc<Pod>],
    /// Names of the revisions before and after the update.
    pub current: &'a str,
    pub update: &'a str,
    pub now: Timestamp,
}

/// What to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// Numbers, each with the revision to make it from.
    pub create: Vec<(i32, String)>,
    pub delete: Vec<Arc<Pod>>,
    pub status: StatefulSetStatus,
    pub look_again: Option<Duration>,
}

fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(POD_LABEL).map_or("", String::as_str)
}

fn going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

fn running_and_ready(pod: &Pod) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod) && !going(pod)
}

/// The update strategy's partition; `None` when pods are only replaced when someone deletes them.
fn partition(spec: &StatefulSetSpec) -> Option<i32> {
    let strategy = spec.update_strategy.as_ref();
    if strategy.and_then(|s| s.type_.as_deref()) == Some("OnDelete") {
        return None;
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    Some(rolling.and_then(|rolling| rolling.partition).unwrap_or(0))
}

/// Decides.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let Observed { set, pods, now, .. } = *observed;
    let spec = &set.spec;
    let name = set.name_any();
    let by_number: BTreeMap<i32, &Arc<Pod>> = pods
        .iter()
        .filter_map(|pod| Some((ordinal_of(&name, pod)?, pod)))
        .collect();
    let mut plan = Plan {
        status: status(observed, spec),
        ..Plan::default()
    };
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    if min_ready > 0 {
        plan.look_again =
            next_availability(pods, min_ready, now).map(|wait| wait + Duration::from_millis(20));
    }
    steps(observed, spec, &by_number, &mut plan);
    plan
}

fn steps(
    observed: &Observed<'_>,
    spec: &StatefulSetSpec,
    by_number: &BTreeMap<i32, &Arc<Pod>>,
    plan: &mut Plan,
) {
    let first = spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0);
    let wanted = first..first + spec.replicas.unwrap_or(1);
    let ordered = spec.pod_management_policy.as_deref() != Some("Parallel");
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let settled =
        |pod: &Pod| running_and_ready(pod) && pods::is_available(pod, min_ready, observed.now);
    let revision_for = |number: i32| {
        let keeps = partition(spec).is_some_and(|partition| number < first + partition);
        if keeps {
            observed.current
        } else {
            observed.update
        }
    };
    for number in wanted.clone() {
        match by_number.get(&number) {
            None => plan.create.push((number, revision_for(number).to_owned())),
            // A pod that has ended is replaced by a new one of its name.
            Some(pod) if pods::is_finished(pod) && !going(pod) => plan.delete.push(Arc::clone(pod)),
            Some(pod) if settled(pod) => continue,
            Some(_) => {}
        }
        if ordered {
            return;
        }
    }
    // Those beyond the wished number go from the last one on.
    let condemned: Vec<&Arc<Pod>> = by_number
        .iter()
        .rev()
        .filter(|(number, _)| !wanted.contains(number))
        .map(|(_, pod)| *pod)
        .collect();
    for pod in &condemned {
        if !going(pod) {
            plan.delete.push(Arc::clone(pod));
        }
        if ordered {
            return;
        }
    }
    let Some(partition) = partition(spec) else {
        return;
    };
    if !plan.create.is_empty() || !plan.delete.is_empty() {
        return;
    }
    // The update too goes from the last one on, and waits for each to be well again.
    for number in wanted
        .rev()
        .take_while(|number| *number >= first + partition)
    {
        let Some(pod) = by_number.get(&number) else {
            return;
        };
        if going(pod) {
            return;
        }
        if revision_of(pod) != observed.update {
            plan.delete.push(Arc::clone(pod));
            return;
        }
        if !settled(pod) {
            return;
        }
    }
}

fn status(observed: &Observed<'_>, spec: &StatefulSetSpec) -> StatefulSetStatus {
    let Observed {
        set,
        pods,
        current,
        update,
        now,
    } = *observed;
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let filled = |count: i32| (count > 0).then_some(count);
    let count = |holds: &dyn Fn(&Pod) -> bool| number(pods.iter().filter(|pod| holds(pod)).count());
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let replicas = count(&|_| true);
    let ready = count(&running_and_ready);
    let updated = count(&|pod| !going(pod) && revision_of(pod) == update);
    let of_current = count(&|pod| !going(pod) && revision_of(pod) == current);
    let available = count(&|pod| running_and_ready(pod) && pods::is_available(pod, min_ready, now));
    // The update is through when everything there is was made from it and is ready.
    let through = partition(spec).is_some() && updated == replicas && ready == replicas;
    let (current, of_current) = if through {
        (update, updated)
    } else {
        (current, of_current)
    };
    StatefulSetStatus {
        available_replicas: Some(available),
        collision_count: Some(
            set.status
                .as_ref()
                .and_then(|status| status.collision_count)
                .unwrap_or_default(),
        ),
        conditions: set
            .status
            .as_ref()
            .and_then(|status| status.conditions.clone()),
        current_replicas: filled(of_current),
        current_revision: Some(current.to_owned()),
        observed_generation: set.metadata.generation,
        ready_replicas: filled(ready),
        replicas,
        update_revision: Some(update.to_owned()),
        updated_replicas: filled(updated),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn set(spec: Value) -> StatefulSet {
        let mut object = json!({
            "metadata": {"name": "db", "namespace": "shop", "generation": 1},
            "spec": {
                "replicas": 3, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "template": {"spec": {"containers": [{"name": "app"}]}},
            },
        });
        if let (Some(target), Value::Object(extra)) = (object["spec"].as_object_mut(), spec) {
            target.extend(extra);
        }
        serde_json::from_value(object).unwrap()
    }

    fn pod(number: i32, revision: &str, ready: bool) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": format!("db-{number}"), "labels": {POD_LABEL: revision}},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": if ready { "True" } else { "False" },
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn decide(set: &StatefulSet, pods: &[Arc<Pod>], current: &str) -> Plan {
        let now = Timestamp::now();
        plan(&Observed {
            set,
            pods,
            current,
            update: "new",
            now,
        })
    }

    fn created(plan: &Plan) -> Vec<i32> {
        plan.create.iter().map(|(number, _)| *number).collect()
    }

    fn deleted(plan: &Plan) -> Vec<String> {
        plan.delete.iter().map(|pod| pod.name_any()).collect()
    }

    #[test]
    fn pods_come_one_after_the_other_or_all_at_once() {
        assert_eq!(created(&decide(&set(json!({})), &[], "new")), [0]);
        let waits = decide(&set(json!({})), &[pod(0, "new", false)], "new");
        assert!(created(&waits).is_empty());
        assert_eq!(
            created(&decide(&set(json!({})), &[pod(0, "new", true)], "new")),
            [1]
        );
        let parallel = set(json!({"podManagementPolicy": "Parallel"}));
        assert_eq!(created(&decide(&parallel, &[], "new")), [0, 1, 2]);
    }

    #[test]
    fn the_last_one_goes_first() {
        let pods = [
            pod(0, "new", true),
            pod(1, "new", true),
            pod(2, "new", true),
        ];
        let smaller = set(json!({"replicas": 1}));
        assert_eq!(deleted(&decide(&smaller, &pods, "new")), ["db-2"]);
    }

    #[test]
    fn an_update_goes_from_the_last_one_down_to_the_partition() {
        let old = [
            pod(0, "old", true),
            pod(1, "old", true),
            pod(2, "old", true),
        ];
        assert_eq!(deleted(&decide(&set(json!({})), &old, "old")), ["db-2"]);
        let one_done = [
            pod(0, "old", true),
            pod(1, "old", true),
            pod(2, "new", true),
        ];
        let partition = json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}});
        assert!(deleted(&decide(&set(partition), &one_done, "old")).is_empty());
        let unready = [
            pod(0, "old", true),
            pod(1, "old", true),
            pod(2, "new", false),
        ];
        assert!(deleted(&decide(&set(json!({})), &unready, "old")).is_empty());
        let by_hand = json!({"updateStrategy": {"type": "OnDelete"}});
        assert!(deleted(&decide(&set(by_hand), &old, "old")).is_empty());
    }

    #[test]
    fn a_pod_below_the_partition_comes_back_as_it_was() {
        let partition = json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}});
        let plan = decide(&set(partition), &[pod(1, "old", true)], "old");
        assert_eq!(plan.create, [(0, "old".to_owned())]);
    }

    #[test]
    fn the_update_is_through_when_all_are_new_and_ready() {
        let pods = [
            pod(0, "new", true),
            pod(1, "new", true),
            pod(2, "new", true),
        ];
        let status = decide(&set(json!({})), &pods, "old").status;
        assert_eq!(status.current_revision.as_deref(), Some("new"));
        assert_eq!(
            (status.updated_replicas, status.current_replicas),
            (Some(3), Some(3))
        );
        assert_eq!(status.available_replicas, Some(3));
    }
}
