//! Defaults: what the API server fills in when an object leaves it out.

mod pod;
mod workloads;

use serde_json::{Map, Value, json};

use super::kinds::Kind;

/// Fills in the defaults of a kind.
pub fn apply(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.kind) {
        ("", "Pod") => {
            if let Some(spec) = spec_of(object) {
                pod::spec(spec);
                pod::requests_from_limits(spec);
            }
            set(status_of(object), "phase", json!("Pending"));
        }
        ("", "Namespace") => namespace(object),
        ("", "Service") => service(object),
        ("", "Secret") => {
            set(object.as_object_mut(), "type", json!("Opaque"));
        }
        ("", "PersistentVolumeClaim") => {
            set(spec_of(object), "volumeMode", json!("Filesystem"));
            set(status_of(object), "phase", json!("Pending"));
        }
        ("", "Node") => {
            if let Some(status) = status_of(object)
                && let Some(capacity) = status.get("capacity").cloned()
            {
                set(Some(status), "allocatable", capacity);
            }
        }
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "ReplicaSet") => workloads::replica_set(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("batch", "Job") => workloads::job(object),
        ("batch", "CronJob") => workloads::cron_job(object),
        ("discovery.k8s.io", "EndpointSlice") => endpoint_slice(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => role_binding(object),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(object),
        ("autoscaling", "HorizontalPodAutoscaler") => {
            set(spec_of(object), "minReplicas", json!(1));
        }
        _ => {}
    }
}

/// The spec of an object, when it is one.
fn spec_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("spec")?.as_object_mut()
}

fn status_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let object = object.as_object_mut()?;
    object
        .entry("status")
        .or_insert_with(|| json!({}))
        .as_object_mut()
}

/// Sets a field that is missing or null.
fn set(fields: Option<&mut Map<String, Value>>, name: &str, value: Value) {
    if let Some(fields) = fields
        && fields.get(name).is_none_or(Value::is_null)
    {
        fields.insert(name.to_owned(), value);
    }
}

/// Sets a text field that is missing, null or empty.
fn set_text(fields: &mut Map<String, Value>, name: &str, value: &str) {
    if fields
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or("")
        .is_empty()
    {
        fields.insert(name.to_owned(), value.into());
    }
}

/// The struct in a field, created when it is missing.
fn inner<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let slot = fields.entry(name).or_insert_with(|| json!({}));
    if slot.is_null() {
        *slot = json!({});
    }
    slot.as_object_mut()
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if let Some(metadata) = object["metadata"].as_object_mut()
        && let Some(labels) = inner(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".into(), name);
    }
    if let Some(fields) = object.as_object_mut() {
        set(inner(fields, "spec"), "finalizers", json!(["kubernetes"]));
    }
    set(status_of(object), "phase", json!("Active"));
}

fn service(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let Some(spec) = inner(fields, "spec") else {
        return;
    };
    set_text(spec, "sessionAffinity", "None");
    set_text(spec, "type", "ClusterIP");
    let kind = spec["type"].as_str().unwrap_or("").to_owned();
    if spec["sessionAffinity"] == "ClientIP"
        && let Some(config) = inner(spec, "sessionAffinityConfig")
        && let Some(client) = inner(config, "clientIP")
    {
        set(Some(client), "timeoutSeconds", json!(10800));
    }
    if kind != "ExternalName" {
        set_text(spec, "internalTrafficPolicy", "Cluster");
        set(Some(spec), "ipFamilies", json!(["IPv4"]));
        set_text(spec, "ipFamilyPolicy", "SingleStack");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(Some(spec), "allocateLoadBalancerNodePorts", json!(true));
    }
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let Some(port) = port.as_object_mut() else {
            continue;
        };
        set_text(port, "protocol", "TCP");
        let unset = match port.get("targetPort") {
            None | Some(Value::Null) => true,
            Some(value) => *value == 0 || *value == "",
        };
        if unset && let Some(number) = port.get("port").cloned() {
            port.insert("targetPort".into(), number);
        }
    }
    if let Some(status) = status_of(object) {
        set(Some(status), "loadBalancer", json!({}));
    }
}

fn endpoint_slice(object: &mut Value) {
    for port in object
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(port) = port.as_object_mut() {
            set(Some(port), "name", json!(""));
            set_text(port, "protocol", "TCP");
        }
    }
}

fn role_binding(object: &mut Value) {
    for subject in object
        .get_mut("subjects")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let Some(subject) = subject.as_object_mut() else {
            continue;
        };
        if subject
            .get("kind")
            .is_some_and(|k| k == "User" || k == "Group")
        {
            set_text(subject, "apiGroup", "rbac.authorization.k8s.io");
        }
    }
    if let Some(role) = object.get_mut("roleRef").and_then(Value::as_object_mut) {
        set_text(role, "apiGroup", "rbac.authorization.k8s.io");
    }
}

fn network_policy(object: &mut Value) {
    let Some(spec) = spec_of(object) else { return };
    let egress = spec
        .get("egress")
        .and_then(Value::as_array)
        .is_some_and(|e| !e.is_empty());
    let types = if egress {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    set(Some(spec), "policyTypes", types);
}
