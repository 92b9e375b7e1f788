//! Rollout rules of StatefulSets and DaemonSets, by `kubectl rollout status`.

use app::model::Rollout;
use serde_json::Value;

/// Where the rollout of a StatefulSet or DaemonSet stands.
pub fn rollout(object: &Value) -> Rollout {
    let (spec, status) = (&object["spec"], &object["status"]);
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    let progressing = |note: String| Rollout::Progressing { note };
    let seen = count(&status["observedGeneration"]);
    if seen < count(&object["metadata"]["generation"]) {
        return progressing("The new spec is not seen by its controller yet".to_owned());
    }
    if spec["updateStrategy"]["type"] == "OnDelete" {
        // Nothing rolls by itself then; kubectl refuses to wait.
        return Rollout::Complete;
    }
    if object["kind"] == "DaemonSet" {
        let wanted = count(&status["desiredNumberScheduled"]);
        let updated = count(&status["updatedNumberScheduled"]);
        let available = count(&status["numberAvailable"]);
        if updated < wanted {
            return progressing(format!(
                "{updated} of {wanted} pods are of the new revision"
            ));
        }
        if available < wanted {
            return progressing(format!("{available} of {wanted} pods are available"));
        }
        return Rollout::Complete;
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let ready = count(&status["readyReplicas"]);
    if seen == 0 {
        return progressing("The new spec is not seen by its controller yet".to_owned());
    }
    if ready < wanted {
        return progressing(format!("{ready} of {wanted} pods are ready"));
    }
    let updated = count(&status["updatedReplicas"]);
    let partition = count(&spec["updateStrategy"]["rollingUpdate"]["partition"]);
    if !spec["updateStrategy"]["rollingUpdate"].is_null() {
        if updated < wanted - partition {
            return progressing(format!(
                "{updated} of {wanted} pods are of the new revision"
            ));
        }
    } else if status["updateRevision"] != status["currentRevision"] {
        return progressing(format!(
            "{updated} of {wanted} pods are of the new revision"
        ));
    }
    Rollout::Complete
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stateful_sets_and_daemon_sets_follow_their_own_rules() {
        let set = |ready: i64, updated: i64| {
            rollout(
                &json!({"kind": "StatefulSet", "metadata": {"generation": 2},
                "spec": {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
                "status": {"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": updated}}),
            )
        };
        assert_eq!(set(2, 2), Rollout::Complete);
        assert!(matches!(set(1, 2), Rollout::Progressing { .. }));
        assert!(matches!(set(2, 1), Rollout::Progressing { .. }));
        let daemon = |available: i64| {
            rollout(
                &json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "spec": {},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": available}}),
            )
        };
        assert_eq!(daemon(1), Rollout::Complete);
        assert!(matches!(daemon(0), Rollout::Progressing { .. }));
    }
}
