//! Deployments, ReplicaSets and the other kinds that make pods.

use serde_json::Value;

use super::super::kinds::Kind;
use super::super::selectors::LabelSelector;
use super::super::status::FieldError;
use super::{labels, list, not_negative, one_of, pod, text};

pub fn check(kind: &Kind, object: &Value, existing: Option<&Value>, errors: &mut Vec<FieldError>) {
    if matches!(kind.kind, "ControllerRevision") {
        return;
    }
    let spec = &object["spec"];
    for field in [
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
        "backoffLimit",
        "parallelism",
        "completions",
    ] {
        not_negative(&spec[field], format!("spec.{field}"), errors);
    }
    selector(kind, spec, errors);
    if kind.kind == "Deployment" {
        strategy(spec, errors);
    }
    template(kind, spec, errors);
    let Some(existing) = existing else { return };
    if kind.kind == "StatefulSet" {
        return stateful_set_update(existing, spec, errors);
    }
    if existing["spec"]["selector"] != spec["selector"] {
        errors.push(FieldError::invalid(
            "spec.selector",
            &spec["selector"],
            "field is immutable",
        ));
    }
    if kind.kind == "Job" && existing["spec"]["template"] != spec["template"] {
        errors.push(FieldError::invalid(
            "spec.template",
            &Value::Null,
            "field is immutable",
        ));
    }
}

/// Most of a StatefulSet cannot be changed.
fn stateful_set_update(existing: &Value, spec: &Value, errors: &mut Vec<FieldError>) {
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |spec: &Value| {
        let mut fixed = spec.clone();
        for field in FREE {
            if let Some(fields) = fixed.as_object_mut() {
                fields.shift_remove(field);
            }
        }
        fixed
    };
    if fixed(&existing["spec"]) != fixed(spec) {
        errors.push(FieldError::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

fn selector(kind: &Kind, spec: &Value, errors: &mut Vec<FieldError>) {
    if kind.kind == "Job" {
        return;
    }
    let selector = &spec["selector"];
    if selector.is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    labels(
        &selector["matchLabels"],
        "spec.selector.matchLabels",
        errors,
    );
    let parsed = LabelSelector::from_object(selector);
    let empty = parsed.as_ref().is_none_or(LabelSelector::is_everything);
    if !selector.is_null() && empty {
        errors.push(FieldError::invalid(
            "spec.selector",
            selector,
            "empty selector is invalid for deployment",
        ));
    }
    let template_labels = &spec["template"]["metadata"]["labels"];
    if let Some(parsed) = parsed.filter(|p| !p.is_everything())
        && !parsed.matches(template_labels)
    {
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            template_labels,
            "`selector` does not match template `labels`",
        ));
    }
}

fn strategy(spec: &Value, errors: &mut Vec<FieldError>) {
    let strategy = &spec["strategy"];
    one_of(
        &strategy["type"],
        &["Recreate", "RollingUpdate"],
        "spec.strategy.type".into(),
        errors,
    );
    if strategy["type"] == "Recreate" && !strategy["rollingUpdate"].is_null() {
        errors.push(FieldError::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ));
    }
    let zero = |value: &Value| *value == 0 || *value == "0%" || *value == "0";
    let rolling = &strategy["rollingUpdate"];
    if zero(&rolling["maxUnavailable"]) && zero(&rolling["maxSurge"]) {
        errors.push(FieldError::invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            &rolling["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        ));
    }
    for field in ["maxUnavailable", "maxSurge"] {
        let value = &rolling[field];
        let percent = text(value)
            .strip_suffix('%')
            .is_some_and(|n| n.parse::<u32>().is_ok());
        if value.is_string() && !percent {
            errors.push(FieldError::invalid(
                format!("spec.strategy.rollingUpdate.{field}"),
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ));
        }
        not_negative(
            value,
            format!("spec.strategy.rollingUpdate.{field}"),
            errors,
        );
    }
}

fn template(kind: &Kind, spec: &Value, errors: &mut Vec<FieldError>) {
    let path = match kind.kind {
        "CronJob" => return,
        _ => "spec.template.spec",
    };
    let template = &spec["template"];
    labels(
        &template["metadata"]["labels"],
        "spec.template.metadata.labels",
        errors,
    );
    if kind.kind == "StatefulSet" {
        // A claim template is a volume of its pods.
        let mut with_claims = template["spec"].clone();
        for (_, claim) in list(&spec["volumeClaimTemplates"]) {
            let volume = serde_json::json!({"name": claim["metadata"]["name"], "emptyDir": {}});
            match &mut with_claims["volumes"] {
                Value::Array(volumes) => volumes.push(volume),
                none => *none = serde_json::json!([volume]),
            }
        }
        pod::spec(&with_claims, path, errors);
    } else {
        pod::spec(&template["spec"], path, errors);
    }
    let policy = &template["spec"]["restartPolicy"];
    if kind.kind == "Job" {
        if *policy == "Always" {
            errors.push(FieldError::required(
                "spec.template.spec.restartPolicy",
                "valid values: \"OnFailure\", \"Never\"",
            ));
        }
    } else if policy.is_string() && *policy != "Always" {
        errors.push(FieldError::not_supported(
            "spec.template.spec.restartPolicy",
            policy,
            &["Always"],
        ));
    }
}
