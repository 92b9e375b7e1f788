//! What a Job's status says, and how it is written.

use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The condition of this type that is True.
fn holds<'a>(status: &'a JobStatus, kind: &str) -> Option<&'a JobCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == kind && condition.status == "True")
}

/// Whether a condition of this type is True.
pub fn has(status: &JobStatus, kind: &str) -> bool {
    holds(status, kind).is_some()
}

/// The reason and message of a True condition.
pub fn why(status: &JobStatus, kind: &str) -> Option<(String, String)> {
    let condition = holds(status, kind)?;
    Some((
        condition.reason.clone().unwrap_or_default(),
        condition.message.clone().unwrap_or_default(),
    ))
}

/// Complete or Failed.
pub fn is_finished(job: &Job) -> bool {
    job.status
        .as_ref()
        .is_some_and(|status| has(status, "Complete") || has(status, "Failed"))
}

/// When a finished Job with a time to live goes.
pub fn expires_at(job: &Job) -> Option<Timestamp> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let status = job.status.as_ref()?;
    let finished = holds(status, "Complete").or_else(|| holds(status, "Failed"))?;
    let since = finished.last_transition_time.as_ref()?.0;
    since
        .checked_add(SignedDuration::from_secs(i64::from(ttl)))
        .ok()
}

/// Sets a condition; the time moves only with the status.
pub fn set(
    status: &mut JobStatus,
    (kind, value): (&str, &str),
    (reason, message): (&str, &str),
    now: Timestamp,
) {
    let conditions = status.conditions.get_or_insert_default();
    let since = conditions
        .iter()
        .find(|known| known.type_ == kind && known.status == value)
        .map_or(Some(Time(now)), |known| known.last_transition_time.clone());
    let new = JobCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: since.clone(),
        last_transition_time: since,
    };
    match conditions.iter_mut().find(|known| known.type_ == kind) {
        Some(known) => *known = new,
        None => conditions.push(new),
    }
}

/// Completed indexes as the API writes them: `0-2,5`.
pub fn write_indexes(indexes: &std::collections::BTreeSet<i32>) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let runs: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    runs.join(",")
}

/// Reads what [`write_indexes`] wrote.
pub fn read_indexes(text: &str) -> std::collections::BTreeSet<i32> {
    text.split(',')
        .filter_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Some(first.trim().parse::<i32>().ok()?..=last.trim().parse::<i32>().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_in_runs() {
        let indexes = [0, 1, 2, 5, 7, 8].into_iter().collect();
        assert_eq!(write_indexes(&indexes), "0-2,5,7,8");
        assert_eq!(read_indexes("0-2,5,7,8"), indexes);
        assert!(read_indexes("").is_empty());
    }
}
