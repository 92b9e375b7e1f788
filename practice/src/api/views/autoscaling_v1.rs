//! `autoscaling/v1`: one number for the processor is all it has a field for; the rest of what is
//! stored as `autoscaling/v2` travels in annotations, as it does on a real API server.

use serde_json::{Map, Value, json};

/// Annotation and the field of v2 it stands for: all metrics but the processor's, and the rest.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Whether this is what v1 has a field for: the processor's use in percent.
fn is_processor(metric: &Value, inside: &str) -> bool {
    metric["type"] == "Resource"
        && metric["resource"]["name"] == "cpu"
        && metric["resource"][inside]["averageUtilization"].is_i64()
}

/// Takes the processor's number out of a list of metrics; answers it and the others.
fn split(list: &Value, inside: &str) -> (Option<Value>, Vec<Value>) {
    let mut others: Vec<Value> = list.as_array().cloned().unwrap_or_default();
    let at = others
        .iter()
        .position(|metric| is_processor(metric, inside));
    let number = at.map(|at| others.remove(at)["resource"][inside]["averageUtilization"].clone());
    (number, others)
}

/// The stored autoscaler as v1 shows it.
pub fn outward(object: &Value) -> Value {
    let mut shown = object.clone();
    shown["apiVersion"] = "autoscaling/v1".into();
    let mut notes = Map::new();
    if let Some(spec) = shown["spec"].as_object_mut() {
        let metrics = spec.shift_remove("metrics").unwrap_or_default();
        let (target, others) = split(&metrics, "target");
        if let Some(target) = target {
            spec.insert("targetCPUUtilizationPercentage".into(), target);
        }
        if !others.is_empty() {
            notes.insert(METRICS.into(), Value::from(others).to_string().into());
        }
        if let Some(behavior) = spec
            .shift_remove("behavior")
            .filter(|value| !value.is_null())
        {
            notes.insert(BEHAVIOR.into(), behavior.to_string().into());
        }
    }
    if let Some(status) = shown.get_mut("status").and_then(Value::as_object_mut) {
        let metrics = status.shift_remove("currentMetrics").unwrap_or_default();
        let (current, others) = split(&metrics, "current");
        if let Some(current) = current {
            status.insert("currentCPUUtilizationPercentage".into(), current);
        }
        if !others.is_empty() {
            notes.insert(CURRENT.into(), Value::from(others).to_string().into());
        }
        if let Some(conditions) = status.shift_remove("conditions") {
            notes.insert(CONDITIONS.into(), conditions.to_string().into());
        }
    }
    if !notes.is_empty()
        && let Some(metadata) = shown["metadata"].as_object_mut()
    {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.extend(notes);
        }
    }
    shown
}

/// Takes an annotation off; nothing when it is not there or no JSON.
fn take(object: &mut Value, name: &str) -> Option<Value> {
    let annotations = object
        .pointer_mut("/metadata/annotations")?
        .as_object_mut()?;
    let text = annotations.shift_remove(name)?;
    serde_json::from_str(text.as_str()?).ok()
}

/// An autoscaler in v1, as it is stored.
pub fn inward(mut object: Value) -> Value {
    object["apiVersion"] = "autoscaling/v2".into();
    let [metrics, current, conditions, behavior] =
        [METRICS, CURRENT, CONDITIONS, BEHAVIOR].map(|name| take(&mut object, name));
    let annotations = object.pointer("/metadata/annotations");
    if annotations.is_some_and(|left| left.as_object().is_some_and(Map::is_empty))
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.shift_remove("annotations");
    }
    let others = |list: Option<Value>| match list {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let processor = |inside: &str, number: Value| {
        let mut value = json!({"averageUtilization": number});
        if inside == "target" {
            value["type"] = "Utilization".into();
        }
        json!({"type": "Resource", "resource": {"name": "cpu", inside: value}})
    };
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let mut list = others(metrics);
        if let Some(number) = spec.shift_remove("targetCPUUtilizationPercentage") {
            list.insert(0, processor("target", number));
        }
        if !list.is_empty() {
            spec.insert("metrics".into(), list.into());
        }
        if let Some(behavior) = behavior {
            spec.insert("behavior".into(), behavior);
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let mut list = others(current);
        if let Some(number) = status.shift_remove("currentCPUUtilizationPercentage") {
            list.insert(0, processor("current", number));
        }
        if !list.is_empty() {
            status.insert("currentMetrics".into(), list.into());
        }
        if let Some(conditions) = conditions {
            status.insert("conditions".into(), conditions);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way_through_the_older_version() {
        let stored = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "maxReplicas": 3,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80, "type": "Utilization"}}},
                    {"type": "Resource", "resource": {"name": "memory", "target": {"averageUtilization": 70, "type": "Utilization"}}}
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}
            }
        });
        let shown = outward(&stored);
        assert_eq!(shown["apiVersion"], "autoscaling/v1");
        assert_eq!(shown["spec"]["targetCPUUtilizationPercentage"], 80);
        assert!(shown["spec"].get("metrics").is_none());
        assert_eq!(inward(shown), stored);
    }
}
