//! metrics.k8s.io as metrics-server serves it, for pods: what the node measured last.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::pod_backend::{ContainerUsage, Usage};
use super::request::{Query, Target};
use super::serve::{ApiServer, json_response};
use super::status::StatusError;

/// Answers a get or a list.
pub fn answer(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: &Request<Body>,
) -> Result<Response, StatusError> {
    if *request.method() != Method::GET || query.flag("watch") || target.subresource.is_some() {
        return Err(StatusError::method_not_allowed());
    }
    let pods = kinds::by_kind("", "Pod").ok_or_else(StatusError::no_such_path)?;
    let usage = api.backend()?.usage();
    if let Some(name) = &target.name {
        let pod = api.store.get(pods, target.ns(), name);
        return pod
            .and_then(|pod| pod_metrics(target.kind, &pod, usage.as_ref()?))
            .map(|metrics| json_response(200, &metrics))
            .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name));
    }
    let selectors = query.selectors(pods)?;
    let items: Vec<Value> = api
        .store
        .list(pods, target.namespace.as_deref())
        .objects
        .iter()
        .filter(|pod| selectors.matches(pod))
        .filter_map(|pod| pod_metrics(target.kind, pod, usage.as_ref()?))
        .collect();
    let list = json!({
        "kind": target.kind.list_kind(), "apiVersion": target.kind.api_version(),
        "metadata": {}, "items": items
    });
    Ok(json_response(200, &list))
}

/// None for a pod whose containers were not measured yet.
fn pod_metrics(kind: &Kind, pod: &Value, usage: &Usage) -> Option<Value> {
    let metadata = &pod["metadata"];
    let containers = usage.pods.get(metadata["uid"].as_str()?)?;
    let containers: Vec<Value> = containers.iter().map(container).collect();
    let mut metrics = json!({
        "kind": kind.kind, "apiVersion": kind.api_version(),
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"],
            "creationTimestamp": usage.at.strftime("%FT%TZ").to_string()
        },
        "timestamp": usage.at.strftime("%FT%TZ").to_string(),
        "window": format!("{:.3}s", usage.window.as_secs_f64()),
        "containers": containers
    });
    if metadata["labels"].is_object() {
        metrics["metadata"]["labels"] = metadata["labels"].clone();
    }
    Some(metrics)
}

fn container(usage: &ContainerUsage) -> Value {
    json!({
        "name": usage.container,
        "usage": {
            "cpu": format!("{}n", usage.cpu_nanocores),
            "memory": format!("{}Ki", usage.memory_bytes / 1024)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_pod_is_measured_by_its_uid_in_the_units_of_metrics_server() {
        let kind = kinds::by_kind("metrics.k8s.io", "PodMetrics").expect("is served");
        let of_one = vec![ContainerUsage {
            container: "app".into(),
            cpu_nanocores: 2_500_000,
            memory_bytes: 18 << 20,
        }];
        let usage = Usage {
            at: Timestamp::UNIX_EPOCH,
            window: Duration::from_millis(5_001),
            pods: HashMap::from([("u1".to_owned(), of_one)]),
        };
        let pod = |uid: &str| json!({"metadata": {"name": "web", "namespace": "t", "uid": uid, "labels": {"a": "b"}}});
        let metrics = pod_metrics(kind, &pod("u1"), &usage).expect("is measured");
        assert_eq!(
            metrics["containers"][0]["usage"],
            json!({"cpu": "2500000n", "memory": "18432Ki"})
        );
        assert_eq!(metrics["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(metrics["window"], "5.001s");
        assert_eq!(metrics["metadata"]["labels"]["a"], "b");
        assert_eq!(pod_metrics(kind, &pod("u2"), &usage), None);
    }
}
