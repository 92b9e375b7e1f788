//! The status word and the restart count of a pod, as `kubectl get pods` shows them.

use jiff::Timestamp;
use serde_json::Value;

use super::columns::age;

fn list<'a>(pod: &'a Value, field: &str) -> &'a [Value] {
    pod["status"][field].as_array().map_or(&[], Vec::as_slice)
}

/// `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` and so on.
pub fn status(pod: &Value) -> String {
    let word = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let mut reason = word(&pod["status"]["reason"])
        .or_else(|| word(&pod["status"]["phase"]))
        .unwrap_or_else(|| "Unknown".to_owned());
    for condition in list(pod, "conditions") {
        if condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated" {
            reason = "SchedulingGated".to_owned();
        }
    }
    match init_reason(pod) {
        Some(init) => reason = init,
        None => container_reason(pod, &mut reason),
    }
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        let lost = pod["status"]["reason"] == "NodeLost";
        let ended = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        if lost {
            reason = "Unknown".to_owned();
        } else if !ended {
            reason = "Terminating".to_owned();
        }
    }
    reason
}

fn terminated_word(terminated: &Value) -> String {
    match terminated["reason"].as_str() {
        Some(reason) if !reason.is_empty() => reason.to_owned(),
        _ => match terminated["signal"].as_i64().filter(|s| *s != 0) {
            Some(signal) => format!("Signal:{signal}"),
            None => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        },
    }
}

/// What the first unfinished init container is doing.
fn init_reason(pod: &Value) -> Option<String> {
    let specs = pod["spec"]["initContainers"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let statuses = list(pod, "initContainerStatuses");
    for (at, status) in statuses.iter().enumerate() {
        let state = &status["state"];
        let sidecar = specs
            .iter()
            .any(|spec| spec["name"] == status["name"] && spec["restartPolicy"] == "Always");
        if state["terminated"]["exitCode"] == 0 || (sidecar && status["started"] == true) {
            continue;
        }
        if state["terminated"].is_object() {
            return Some(format!("Init:{}", terminated_word(&state["terminated"])));
        }
        return Some(match state["waiting"]["reason"].as_str() {
            Some(reason) if !reason.is_empty() && reason != "PodInitializing" => {
                format!("Init:{reason}")
            }
            _ => format!("Init:{at}/{}", specs.len()),
        });
    }
    None
}

fn container_reason(pod: &Value, reason: &mut String) {
    let mut running_ready = false;
    for status in list(pod, "containerStatuses").iter().rev() {
        let state = &status["state"];
        if let Some(waiting) = state["waiting"]["reason"]
            .as_str()
            .filter(|r| !r.is_empty())
        {
            waiting.clone_into(reason);
        } else if state["terminated"].is_object() {
            *reason = terminated_word(&state["terminated"]);
        } else if status["ready"] == true && state["running"].is_object() {
            running_ready = true;
        }
    }
    if *reason == "Completed" && running_ready {
        let ready = list(pod, "conditions")
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        *reason = if ready { "Running" } else { "NotReady" }.to_owned();
    }
}

/// `2 (35s ago)`.
pub fn restarts(pod: &Value, now: Timestamp) -> String {
    let statuses = list(pod, "containerStatuses");
    let count: i64 = statuses
        .iter()
        .filter_map(|s| s["restartCount"].as_i64())
        .sum();
    let last = statuses
        .iter()
        .filter_map(|s| s["lastState"]["terminated"]["finishedAt"].as_str())
        .max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", age(&last.into(), now)),
        _ => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_word_is_the_most_telling_one() {
        let waiting = json!({"status": {"phase": "Running", "containerStatuses": [
            {"ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        assert_eq!(status(&waiting), "CrashLoopBackOff");
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}});
        assert_eq!(status(&going), "Terminating");
        let init = json!({"spec": {"initContainers": [{"name": "a"}, {"name": "b"}]}, "status": {"phase": "Pending",
            "initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 0}}}, {"name": "b", "state": {"running": {}}}]}});
        assert_eq!(status(&init), "Init:1/2");
        let dead = json!({"status": {"phase": "Running", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}});
        assert_eq!(status(&dead), "ExitCode:3");
    }
}
