//! What to do about a Job, decided from its pods alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::status::{self, has, set};
use crate::controllers::pod_control::pod_from_template;
use crate::controllers::pods;
use crate::controllers::recorder::Severity;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// After the first failure; doubled by each further one.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// A Job and its pods, at one moment.
pub struct Observed<'a> {
    pub job: &'a Job,
    pub pods: &'a [Arc<Pod>],
    pub now: Timestamp,
}

/// Something to be told about the Job.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub severity: Severity,
    pub reason: &'static str,
    pub message: String,
}

/// What to do.
#[derive(Debug, Default)]
pub struct Plan {
    pub delete: Vec<Arc<Pod>>,
    pub create: Vec<Pod>,
    pub status: JobStatus,
    pub events: Vec<Told>,
    pub look_again: Option<Duration>,
}

impl Plan {
    fn tell(&mut self, severity: Severity, reason: &'static str, message: impl Into<String>) {
        self.events.push(Told {
            severity,
            reason,
            message: message.into(),
        });
    }

    fn look_at(&mut self, at: Timestamp, now: Timestamp) {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        self.look_again = Some(self.look_again.map_or(wait, |known| known.min(wait)));
    }
}

/// The pods by what has become of them.
struct Counted<'a> {
    active: Vec<&'a Arc<Pod>>,
    terminating: usize,
    succeeded: Vec<&'a Arc<Pod>>,
    failed: Vec<&'a Arc<Pod>>,
}

impl<'a> Counted<'a> {
    fn of(all: &'a [Arc<Pod>]) -> Self {
        let in_phase = |phase: &str| all.iter().filter(|p| pods::phase(p) == phase).collect();
        Self {
            active: all.iter().filter(|pod| pods::is_active(pod)).collect(),
            terminating: all.iter().filter(|pod| pods::is_terminating(pod)).count(),
            succeeded: in_phase("Succeeded"),
            failed: in_phase("Failed"),
        }
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Decides.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let Observed { job, pods, now } = *observed;
    let mut plan = Plan {
        status: job.status.clone().unwrap_or_default(),
        ..Plan::default()
    };
    let Some(spec) = &job.spec else { return plan };
    let counted = Counted::of(pods);
    let done = count(spec, &counted, &mut plan.status);
    let suspended = spec.suspend == Some(true);
    suspend_or_resume(suspended, now, &mut plan);
    if plan.status.start_time.is_none() && !suspended {
        plan.status.start_time = Some(Time(now));
    }
    if let Some((reason, message)) = failure(spec, &counted, &plan.status, now) {
        finish(
            &counted,
            ("FailureTarget", "Failed"),
            (&reason, &message),
            now,
            &mut plan,
        );
    } else if is_complete(spec, &counted, done) {
        let words = (
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        );
        finish(
            &counted,
            ("SuccessCriteriaMet", "Complete"),
            words,
            now,
            &mut plan,
        );
    } else if suspended {
        plan.delete = counted.active.iter().map(|pod| Arc::clone(pod)).collect();
    } else {
        manage(job, spec, &counted, done, now, &mut plan);
        deadline(spec, now, &mut plan);
    }
    plan
}

/// Writes the numbers; answers how many completions there are.
fn count(spec: &JobSpec, counted: &Counted<'_>, status: &mut JobStatus) -> i32 {
    let filled = |count: i32| (count > 0).then_some(count);
    // A finished pod may have been removed by hand: what was counted stays counted.
    let at_least = |known: Option<i32>, seen: usize| known.unwrap_or_default().max(number(seen));
    let succeeded = if is_indexed(spec) {
        let mut indexes = status
            .completed_indexes
            .as_deref()
            .map(status::read_indexes)
            .unwrap_or_default();
        indexes.extend(counted.succeeded.iter().filter_map(|pod| index_of(pod)));
        status.completed_indexes =
            Some(status::write_indexes(&indexes)).filter(|text| !text.is_empty());
        number(indexes.len())
    } else {
        at_least(status.succeeded, counted.succeeded.len())
    };
    status.succeeded = filled(succeeded);
    status.failed = filled(at_least(status.failed, counted.failed.len()));
    status.active = filled(number(counted.active.len()));
    status.terminating = Some(number(counted.terminating));
    let ready = counted.active.iter().filter(|pod| pods::is_ready(pod));
    status.ready = Some(number(ready.count()));
    status.uncounted_terminated_pods.get_or_insert_default();
    succeeded
}

fn suspend_or_resume(suspended: bool, now: Timestamp, plan: &mut Plan) {
    let was = has(&plan.status, "Suspended");
    if suspended && !was {
        let words = ("JobSuspended", "Job suspended");
        set(&mut plan.status, ("Suspended", "True"), words, now);
        plan.status.start_time = None;
        plan.tell(Severity::Normal, "Suspended", "Job suspended");
    } else if was && !suspended {
        let words = ("JobResumed", "Job resumed");
        set(&mut plan.status, ("Suspended", "False"), words, now);
        plan.status.start_time = Some(Time(now));
        plan.tell(Severity::Normal, "Resumed", "Job resumed");
    }
}

/// Why the Job cannot succeed any more.
fn failure(
    spec: &JobSpec,
    counted: &Counted<'_>,
    status: &JobStatus,
    now: Timestamp,
) -> Option<(String, String)> {
    if let Some(decided) = status::why(status, "FailureTarget") {
        return Some(decided);
    }
    let limit = spec.backoff_limit.unwrap_or(6);
    if status.failed.unwrap_or_default() > limit || restarted_too_often(spec, counted, limit) {
        return Some((
            "BackoffLimitExceeded".to_owned(),
            "Job has reached the specified backoff limit".to_owned(),
        ));
    }
    let late = ends_at(spec, status).is_some_and(|at| at <= now);
    (late && spec.suspend != Some(true)).then(|| {
        (
            "DeadlineExceeded".to_owned(),
            "Job was active longer than specified deadline".to_owned(),
        )
    })
}

/// With restartPolicy OnFailure the node restarts containers in place: those count as failures.
fn restarted_too_often(spec: &JobSpec, counted: &Counted<'_>, limit: i32) -> bool {
    let policy = spec
        .template
        .spec
        .as_ref()
        .and_then(|pod| pod.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let statuses = counted.active.iter().filter_map(|pod| pod.status.as_ref());
    let restarts: i32 = statuses
        .flat_map(|status| {
            let init = status.init_container_statuses.iter().flatten();
            init.chain(status.container_statuses.iter().flatten())
        })
        .map(|container| container.restart_count)
        .sum();
    if limit == 0 {
        restarts > 0
    } else {
        restarts >= limit
    }
}

fn ends_at(spec: &JobSpec, status: &JobStatus) -> Option<Timestamp> {
    let seconds = spec.active_deadline_seconds?;
    let start = status.start_time.as_ref()?.0;
    start.checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn deadline(spec: &JobSpec, now: Timestamp, plan: &mut Plan) {
    if let Some(at) = ends_at(spec, &plan.status) {
        plan.look_at(at, now);
    }
}

fn is_complete(spec: &JobSpec, counted: &Counted<'_>, done: i32) -> bool {
    match spec.completions {
        Some(wanted) => done >= wanted,
        // A work queue is empty when one worker says so and the others have ended.
        None => done > 0 && counted.active.is_empty(),
    }
}

/// Ends what still runs; the last condition comes when nothing does.
fn finish(
    counted: &Counted<'_>,
    (target, last): (&str, &str),
    (reason, message): (&str, &str),
    now: Timestamp,
    plan: &mut Plan,
) {
    plan.delete = counted.active.iter().map(|pod| Arc::clone(pod)).collect();
    set(&mut plan.status, (target, "True"), (reason, message), now);
    if !counted.active.is_empty() || counted.terminating > 0 {
        return;
    }
    plan.status.ready = Some(0);
    set(&mut plan.status, (last, "True"), (reason, message), now);
    if last == "Complete" {
        plan.status.completion_time = Some(Time(now));
        plan.tell(Severity::Normal, "Completed", "Job completed");
    } else {
        let reason = match reason {
            "DeadlineExceeded" => "DeadlineExceeded",
            _ => "BackoffLimitExceeded",
        };
        plan.tell(Severity::Warning, reason, message);
    }
}

/// Keeps as many pods going as are wanted.
fn manage(
    job: &Job,
    spec: &JobSpec,
    counted: &Counted<'_>,
    done: i32,
    now: Timestamp,
    plan: &mut Plan,
) {
    let parallelism = spec.parallelism.unwrap_or(1);
    let active = number(counted.active.len());
    let wanted = match spec.completions {
        Some(completions) => parallelism.min(completions - done),
        None if done > 0 => active,
        None => parallelism,
    };
    if active > wanted {
        let surplus = usize::try_from(active - wanted).unwrap_or_default();
        let mut victims = counted.active.clone();
        // Those that have done the least work first.
        victims.sort_by_key(|pod| {
            let started = pod.status.as_ref().and_then(|s| s.start_time.as_ref());
            (
                pods::is_ready(pod),
                std::cmp::Reverse(started.map(|time| time.0)),
            )
        });
        plan.delete = victims.into_iter().take(surplus).cloned().collect();
        return;
    }
    // Pods on their way out are replaced when they have gone.
    let missing =
        usize::try_from(wanted - active - number(counted.terminating)).unwrap_or_default();
    if missing == 0 {
        return;
    }
    if let Some(at) = retry_at(&counted.failed, &counted.succeeded)
        && at > now
    {
        plan.look_at(at, now);
        return;
    }
    let mut free = free_indexes(spec, counted, plan.status.completed_indexes.as_deref());
    plan.create = (0..missing)
        .filter_map(|_| {
            if is_indexed(spec) {
                let index = free.pop_first()?;
                Some(new_pod(job, spec, Some(index)))
            } else {
                Some(new_pod(job, spec, None))
            }
        })
        .collect();
    plan.status.active = Some(number(counted.active.len() + plan.create.len())).filter(|n| *n > 0);
}

/// After failures in a row, the next pod comes later each time.
fn retry_at(failed: &[&Arc<Pod>], succeeded: &[&Arc<Pod>]) -> Option<Timestamp> {
    let last_success = succeeded.iter().filter_map(|pod| finished_at(pod)).max();
    let recent: Vec<Timestamp> = failed
        .iter()
        .filter_map(|pod| finished_at(pod))
        .filter(|at| last_success.is_none_or(|success| *at > success))
        .collect();
    let last = recent.iter().max()?;
    let doublings = u32::try_from(recent.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let delay = FIRST_RETRY
        .saturating_mul(1_u32.checked_shl(doublings.min(16)).unwrap_or(u32::MAX))
        .min(LONGEST_RETRY);
    last.checked_add(SignedDuration::try_from(delay).ok()?).ok()
}

fn finished_at(pod: &Pod) -> Option<Timestamp> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ends = containers.iter().filter_map(|container| {
        let ended = container.state.as_ref()?.terminated.as_ref()?;
        Some(ended.finished_at.as_ref()?.0)
    });
    ends.max()
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn index_of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

fn free_indexes(spec: &JobSpec, counted: &Counted<'_>, done: Option<&str>) -> BTreeSet<i32> {
    let done = done.map(status::read_indexes).unwrap_or_default();
    let busy: BTreeSet<i32> = counted.active.iter().filter_map(|p| index_of(p)).collect();
    (0..spec.completions.unwrap_or_default())
        .filter(|index| !done.contains(index) && !busy.contains(index))
        .collect()
}

fn new_pod(job: &Job, spec: &JobSpec, index: Option<i32>) -> Pod {
    let mut pod = pod_from_template(job, &spec.template);
    let Some(index) = index else { return pod };
    let name = job.name_any();
    let meta = &mut pod.metadata;
    meta.generate_name = Some(format!("{name}-{index}-"));
    let text = index.to_string();
    let labels = meta.labels.get_or_insert_default();
    labels.insert(INDEX.to_owned(), text.clone());
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(INDEX.to_owned(), text);
    if let Some(spec) = &mut pod.spec {
        spec.hostname
            .get_or_insert_with(|| format!("{name}-{index}"));
        let field = EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: format!("metadata.labels['{INDEX}']"),
            }),
            ..EnvVarSource::default()
        };
        let variable = EnvVar {
            name: "JOB_COMPLETION_INDEX".to_owned(),
            value: None,
            value_from: Some(field),
        };
        let init = spec.init_containers.iter_mut().flatten();
        for container in init.chain(&mut spec.containers) {
            let env = container.env.get_or_insert_default();
            if !env.iter().any(|known| known.name == variable.name) {
                env.push(variable.clone());
            }
        }
    }
    pod
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn job(spec: Value, status: Value) -> Job {
        let mut object = json!({
            "metadata": {"name": "load", "namespace": "shop", "uid": "j"},
            "spec": {
                "completions": 1, "parallelism": 1, "backoffLimit": 2,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "app"}]}},
            },
            "status": status,
        });
        if let (Some(target), Value::Object(extra)) = (object["spec"].as_object_mut(), spec) {
            target.extend(extra);
        }
        serde_json::from_value(object).unwrap()
    }

    fn pod(phase: &str, finished: i64) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": format!("load-{finished}")},
            "status": {"phase": phase, "containerStatuses": [{
                "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "finishedAt": at(finished).to_string()}},
            }]},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn decide(job: &Job, pods: &[Arc<Pod>], now: i64) -> Plan {
        plan(&Observed {
            job,
            pods,
            now: at(now),
        })
    }

    #[test]
    fn a_new_job_starts_its_pod_and_its_clock() {
        let plan = decide(&job(json!({}), json!({})), &[], 100);
        assert_eq!(plan.create.len(), 1);
        assert_eq!(plan.status.start_time, Some(Time(at(100))));
        assert_eq!(plan.status.active, Some(1));
    }

    #[test]
    fn a_success_completes_it() {
        let plan = decide(&job(json!({}), json!({})), &[pod("Succeeded", 90)], 100);
        assert!(has(&plan.status, "Complete") && has(&plan.status, "SuccessCriteriaMet"));
        assert_eq!(plan.status.completion_time, Some(Time(at(100))));
        assert_eq!(plan.events[0].reason, "Completed");
    }

    #[test]
    fn a_failure_is_tried_again_after_a_while_and_at_last_given_up() {
        let job = job(json!({}), json!({}));
        let failed = |n: i64| (0..n).map(|at| pod("Failed", 90 + at)).collect::<Vec<_>>();
        let waits = decide(&job, &failed(1), 95);
        assert!(waits.create.is_empty());
        assert_eq!(waits.look_again, Some(Duration::from_secs(5)));
        assert_eq!(decide(&job, &failed(1), 100).create.len(), 1);
        assert_eq!(
            decide(&job, &failed(2), 100).look_again,
            Some(Duration::from_secs(11))
        );
        let given_up = decide(&job, &failed(3), 100);
        let (reason, _) = status::why(&given_up.status, "Failed").expect("failed");
        assert_eq!(reason, "BackoffLimitExceeded");
    }

    #[test]
    fn a_deadline_ends_what_runs_before_the_job_is_failed() {
        let job = job(
            json!({"activeDeadlineSeconds": 10}),
            json!({"startTime": at(80).to_string()}),
        );
        let running = pod("Running", 0);
        let plan = decide(&job, std::slice::from_ref(&running), 100);
        assert_eq!(plan.delete.len(), 1);
        assert!(has(&plan.status, "FailureTarget") && !has(&plan.status, "Failed"));
    }

    #[test]
    fn a_suspended_job_keeps_no_pods_and_resumes() {
        let suspended = job(
            json!({"suspend": true}),
            json!({"startTime": at(80).to_string()}),
        );
        let plan = decide(&suspended, &[pod("Running", 0)], 100);
        assert_eq!(plan.delete.len(), 1);
        assert!(has(&plan.status, "Suspended") && plan.status.start_time.is_none());
        let mut resumed = job(json!({}), json!({}));
        resumed.status = Some(plan.status);
        let plan = decide(&resumed, &[], 120);
        assert!(!has(&plan.status, "Suspended"));
        assert_eq!(plan.create.len(), 1);
    }

    #[test]
    fn indexed_jobs_run_each_index_once() {
        let indexed = json!({"completions": 3, "parallelism": 2, "completionMode": "Indexed"});
        let job = job(indexed, json!({"completedIndexes": "0"}));
        let plan = decide(&job, &[], 100);
        let indexes: Vec<Option<i32>> = plan.create.iter().map(index_of).collect();
        assert_eq!(indexes, [Some(1), Some(2)]);
        assert_eq!(plan.status.succeeded, Some(1));
    }

    #[test]
    fn what_was_counted_stays_counted() {
        let job = job(json!({"completions": 2}), json!({"succeeded": 1}));
        let plan = decide(&job, &[], 100);
        assert_eq!(plan.status.succeeded, Some(1));
        assert_eq!(plan.create.len(), 1);
    }
}
