//! Defaults of the kinds that make pods.

use serde_json::{Map, Value, json};

use super::{inner, pod, set, set_text, spec_of};

fn template(spec: &mut Map<String, Value>) {
    let pod_spec = spec
        .get_mut("template")
        .and_then(|t| t.get_mut("spec"))
        .and_then(Value::as_object_mut);
    if let Some(pod_spec) = pod_spec {
        pod::spec(pod_spec);
    }
}

pub fn deployment(object: &mut Value) {
    let Some(spec) = spec_of(object) else { return };
    set(Some(spec), "replicas", json!(1));
    set(Some(spec), "revisionHistoryLimit", json!(10));
    set(Some(spec), "progressDeadlineSeconds", json!(600));
    if let Some(strategy) = inner(spec, "strategy") {
        set_text(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = inner(strategy, "rollingUpdate")
        {
            set(Some(rolling), "maxUnavailable", json!("25%"));
            set(Some(rolling), "maxSurge", json!("25%"));
        }
    }
    template(spec);
}

pub fn replica_set(object: &mut Value) {
    if let Some(spec) = spec_of(object) {
        set(Some(spec), "replicas", json!(1));
        template(spec);
    }
    set(super::status_of(object), "replicas", json!(0));
}

pub fn stateful_set(object: &mut Value) {
    let Some(spec) = spec_of(object) else { return };
    set(Some(spec), "replicas", json!(1));
    set(Some(spec), "revisionHistoryLimit", json!(10));
    set_text(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = inner(spec, "updateStrategy") {
        set_text(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = inner(strategy, "rollingUpdate")
        {
            set(Some(rolling), "partition", json!(0));
        }
    }
    if let Some(policy) = inner(spec, "persistentVolumeClaimRetentionPolicy") {
        set_text(policy, "whenDeleted", "Retain");
        set_text(policy, "whenScaled", "Retain");
    }
    template(spec);
}

pub fn daemon_set(object: &mut Value) {
    let Some(spec) = spec_of(object) else { return };
    set(Some(spec), "revisionHistoryLimit", json!(10));
    if let Some(strategy) = inner(spec, "updateStrategy") {
        set_text(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = inner(strategy, "rollingUpdate")
        {
            set(Some(rolling), "maxUnavailable", json!(1));
            set(Some(rolling), "maxSurge", json!(0));
        }
    }
    template(spec);
}

pub fn job(object: &mut Value) {
    let uid = object["metadata"]["uid"].clone();
    let name = object["metadata"]["name"].clone();
    let Some(spec) = spec_of(object) else { return };
    job_spec(spec);
    // A job selects its own pods by its UID unless the author took that over.
    if spec.get("manualSelector") != Some(&Value::Bool(true)) {
        let labels = json!({"batch.kubernetes.io/controller-uid": uid});
        set(Some(spec), "selector", json!({"matchLabels": labels}));
        if let Some(template) = inner(spec, "template")
            && let Some(metadata) = inner(template, "metadata")
            && let Some(labels) = inner(metadata, "labels")
        {
            for (key, value) in [
                ("batch.kubernetes.io/controller-uid", &uid),
                ("batch.kubernetes.io/job-name", &name),
                ("controller-uid", &uid),
                ("job-name", &name),
            ] {
                labels.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
}

fn job_spec(spec: &mut Map<String, Value>) {
    let missing = |spec: &Map<String, Value>, name: &str| spec.get(name).is_none_or(Value::is_null);
    if missing(spec, "completions") && missing(spec, "parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    set(Some(spec), "parallelism", json!(1));
    set(Some(spec), "backoffLimit", json!(6));
    set(Some(spec), "completionMode", json!("NonIndexed"));
    set(Some(spec), "suspend", json!(false));
    set(Some(spec), "manualSelector", json!(false));
    set(
        Some(spec),
        "podReplacementPolicy",
        json!("TerminatingOrFailed"),
    );
    template(spec);
}

pub fn cron_job(object: &mut Value) {
    let Some(spec) = spec_of(object) else { return };
    set_text(spec, "concurrencyPolicy", "Allow");
    set(Some(spec), "suspend", json!(false));
    set(Some(spec), "successfulJobsHistoryLimit", json!(3));
    set(Some(spec), "failedJobsHistoryLimit", json!(1));
    let pod_spec = spec
        .get_mut("jobTemplate")
        .and_then(|t| t.get_mut("spec"))
        .and_then(|s| s.get_mut("template"))
        .and_then(|t| t.get_mut("spec"))
        .and_then(Value::as_object_mut);
    if let Some(pod_spec) = pod_spec {
        pod::spec(pod_spec);
    }
}
