//! The status of a Deployment: counts, conditions, and whether its rollout makes progress.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet, ReplicaSetCondition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::numbers;
use super::sets;

/// The condition that tells about the rollout.
pub const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const REPLICA_FAILURE: &str = "ReplicaFailure";
/// The rollout is complete.
pub const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// The rollout made no progress for too long.
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// The condition of this type.
pub fn condition<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_.as_deref() == Some(kind))
}

/// A condition that changed now.
pub fn new_condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: Some(kind.to_owned()),
        status: Some(status.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// Sets a condition; the same status and reason again change nothing.
pub fn set_condition(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    let kind = new.type_.clone().unwrap_or_default();
    if let Some(current) = condition(status, &kind) {
        if current.status == new.status && current.reason == new.reason {
            return;
        }
        if current.status == new.status {
            new.last_transition_time
                .clone_from(&current.last_transition_time);
        }
    }
    remove_condition(status, &kind);
    status.conditions.get_or_insert_default().push(new);
}

/// Removes a condition.
pub fn remove_condition(status: &mut DeploymentStatus, kind: &str) {
    if let Some(conditions) = status.conditions.as_mut() {
        conditions.retain(|condition| condition.type_.as_deref() != Some(kind));
    }
    status
        .conditions
        .take_if(|conditions| conditions.is_empty());
}

/// Seconds without progress after which a rollout counts as failed, if that is wanted.
pub fn progress_deadline(deployment: &Deployment) -> Option<i32> {
    deployment
        .spec
        .progress_deadline_seconds
        .filter(|seconds| *seconds != i32::MAX)
}

fn present(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// Counts and availability, from the sets.
pub fn calculate(
    deployment: &Deployment,
    all: &[ReplicaSet],
    new: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let old = deployment.status.clone().unwrap_or_default();
    let total: i32 = all.iter().map(sets::wanted).sum();
    let available: i32 = all.iter().map(sets::available).sum();
    let ready: i32 = all
        .iter()
        .filter_map(|set| set.status.as_ref()?.ready_replicas)
        .sum();
    let terminating: i32 = all
        .iter()
        .filter_map(|set| set.status.as_ref()?.terminating_replicas)
        .sum();
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: present(all.iter().map(sets::actual).sum()),
        updated_replicas: present(new.map(sets::actual).unwrap_or_default()),
        ready_replicas: present(ready),
        available_replicas: present(available),
        unavailable_replicas: present((total - available).max(0)),
        terminating_replicas: Some(terminating),
        collision_count: old.collision_count,
        conditions: old.conditions,
    };
    let least = numbers::replicas(deployment) - max_unavailable(deployment);
    let condition = if available >= least {
        let message = "Deployment has minimum availability.".to_owned();
        new_condition(AVAILABLE, "True", "MinimumReplicasAvailable", message, now)
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        new_condition(
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            message,
            now,
        )
    };
    set_condition(&mut status, condition);
    status
}

fn max_unavailable(deployment: &Deployment) -> i32 {
    numbers::strategy(&deployment.spec).max_unavailable()
}

/// All pods are of the new template and available, and none is left over.
pub fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wished = numbers::replicas(deployment);
    [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ]
    .iter()
    .all(|count| count.unwrap_or_default() == wished)
        && status.observed_generation.unwrap_or_default()
            >= deployment.metadata.generation.unwrap_or_default()
}

/// More new pods, fewer old pods, or more that serve.
fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let updated = |status: &DeploymentStatus| status.updated_replicas.unwrap_or_default();
    let outdated =
        |status: &DeploymentStatus| status.replicas.unwrap_or_default() - updated(status);
    let ready = |status: &DeploymentStatus| status.ready_replicas.unwrap_or_default();
    let available = |status: &DeploymentStatus| status.available_replicas.unwrap_or_default();
    updated(new) > updated(old)
        || outdated(new) < outdated(old)
        || ready(new) > ready(old)
        || available(new) > available(old)
}

fn has_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    let (Some(deadline), Some(condition)) = (
        progress_deadline(deployment),
        condition(status, PROGRESSING),
    ) else {
        return false;
    };
    match condition.reason.as_deref() {
        // A finished rollout cannot time out; losing a pod later is no rollout.
        Some(NEW_SET_AVAILABLE) => false,
        Some(TIMED_OUT) => true,
        _ => deadline_of(condition, deadline).is_some_and(|at| at < now),
    }
}

fn deadline_of(condition: &DeploymentCondition, seconds: i32) -> Option<Timestamp> {
    let updated = condition.last_update_time.as_ref()?.0;
    updated
        .checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .ok()
}

/// The whole status during a rollout, with progress and failures judged.
pub fn rollout(
    deployment: &Deployment,
    all: &[ReplicaSet],
    new: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let old = deployment.status.clone().unwrap_or_default();
    let mut status = calculate(deployment, all, new, now);
    let current = condition(&old, PROGRESSING).cloned();
    if progress_deadline(deployment).is_none() {
        remove_condition(&mut status, PROGRESSING);
    } else {
        let was_complete = status.replicas == status.updated_replicas
            && current
                .as_ref()
                .and_then(|current| current.reason.as_deref())
                == Some(NEW_SET_AVAILABLE);
        if !was_complete {
            judge_progress(deployment, &old, &mut status, current, new, now);
        }
    }
    match replica_failure(all, new) {
        Some(failure) => set_condition(&mut status, failure),
        None => remove_condition(&mut status, REPLICA_FAILURE),
    }
    status
}

fn judge_progress(
    deployment: &Deployment,
    old: &DeploymentStatus,
    status: &mut DeploymentStatus,
    current: Option<DeploymentCondition>,
    new: Option<&ReplicaSet>,
    now: Timestamp,
) {
    let subject = match new {
        Some(set) => format!("ReplicaSet \"{}\"", set.name_any()),
        None => format!("Deployment \"{}\"", deployment.name_any()),
    };
    if is_complete(deployment, status) {
        let message = format!("{subject} has successfully progressed.");
        let complete = new_condition(PROGRESSING, "True", NEW_SET_AVAILABLE, message, now);
        set_condition(status, complete);
    } else if is_progressing(old, status) {
        let message = format!("{subject} is progressing.");
        let mut progress = new_condition(PROGRESSING, "True", "ReplicaSetUpdated", message, now);
        // Each sign of progress is written down, even with the same words.
        if let Some(current) = current {
            if current.status.as_deref() == Some("True") {
                progress.last_transition_time = current.last_transition_time;
            }
            remove_condition(status, PROGRESSING);
        }
        set_condition(status, progress);
    } else if has_timed_out(deployment, status, now) {
        let message = format!("{subject} has timed out progressing.");
        set_condition(
            status,
            new_condition(PROGRESSING, "False", TIMED_OUT, message, now),
        );
    }
}

/// The failure of the new set, else of any.
fn replica_failure(all: &[ReplicaSet], new: Option<&ReplicaSet>) -> Option<DeploymentCondition> {
    let failure = |set: &ReplicaSet| -> Option<ReplicaSetCondition> {
        set.status
            .as_ref()?
            .conditions
            .as_ref()?
            .iter()
            .find(|condition| condition.type_.as_deref() == Some(REPLICA_FAILURE))
            .cloned()
    };
    let failure = new
        .and_then(failure)
        .or_else(|| all.iter().find_map(failure))?;
    Some(DeploymentCondition {
        type_: failure.type_,
        status: failure.status,
        reason: failure.reason,
        message: failure.message,
        last_update_time: failure.last_transition_time.clone(),
        last_transition_time: failure.last_transition_time,
    })
}

/// When to look again whether the rollout has timed out, if it still can.
pub fn next_check(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let deadline = progress_deadline(deployment)?;
    let condition = condition(status, PROGRESSING)?;
    if is_complete(deployment, status)
        || matches!(
            condition.reason.as_deref(),
            Some(TIMED_OUT | NEW_SET_AVAILABLE)
        )
    {
        return None;
    }
    let at = deadline_of(condition, deadline)?;
    // One second more, because times are stored in whole seconds.
    let wait = at.duration_since(now) + SignedDuration::from_secs(1);
    Some(Duration::try_from(wait).unwrap_or(Duration::from_secs(1)))
}
