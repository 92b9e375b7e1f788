//! Which addresses and ports stand behind a Service, from its selector and the pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerPort, ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::controllers::{pods, selector};

/// One resolved port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub name: String,
    pub protocol: String,
    pub number: i32,
    pub app_protocol: Option<String>,
}

/// One pod behind a Service.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    pub ip: String,
    pub node: Option<String>,
    pub hostname: Option<String>,
    pub target: ObjectReference,
    /// Its probes say so.
    pub serving: bool,
    pub terminating: bool,
    /// Traffic may go there.
    pub ready: bool,
}

/// The pods behind a Service, grouped by the ports they answer on: with named ports, pods of
/// different versions may use different numbers. Ordered, so that equal input gives equal output.
pub fn backends(service: &Service, pods: &[Arc<Pod>]) -> Option<BTreeMap<Vec<Port>, Vec<Backend>>> {
    let spec = service.spec.as_ref()?;
    let wanted = spec.selector.as_ref().filter(|wanted| !wanted.is_empty())?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let publish_all = spec.publish_not_ready_addresses == Some(true);
    let mut groups: BTreeMap<Vec<Port>, Vec<Backend>> = BTreeMap::new();
    for pod in pods {
        let fits = selector::map_matches(wanted, pod.metadata.labels.as_ref());
        if !fits || pods::is_finished(pod) {
            continue;
        }
        if let Some(backend) = backend(service, pod, publish_all) {
            let ports = spec
                .ports
                .iter()
                .flatten()
                .filter_map(|port| resolve(port, pod))
                .collect();
            groups.entry(ports).or_default().push(backend);
        }
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| a.target.name.cmp(&b.target.name));
    }
    Some(groups)
}

fn backend(service: &Service, pod: &Pod, publish_all: bool) -> Option<Backend> {
    let ip = pod
        .status
        .as_ref()?
        .pod_ip
        .clone()
        .filter(|ip| !ip.is_empty())?;
    let spec = pod.spec.as_ref();
    let serving = pods::is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let named = spec
        .filter(|spec| spec.subdomain.as_deref() == service.metadata.name.as_deref())
        .and_then(|spec| spec.hostname.clone())
        .filter(|name| !name.is_empty());
    Some(Backend {
        ip,
        node: pods::node(pod).map(str::to_owned),
        hostname: named,
        target: ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: pod.namespace(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        },
        serving,
        terminating,
        ready: publish_all || (serving && !terminating),
    })
}

/// The number a Service port leads to on this pod; `None` when the pod has no port of that name.
fn resolve(port: &ServicePort, pod: &Pod) -> Option<Port> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let number = match port.target_port.as_ref() {
        None | Some(IntOrString::Int(0)) => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) if name.is_empty() => port.port,
        Some(IntOrString::String(name)) => named_port(pod, name, protocol)?,
    };
    Some(Port {
        name: port.name.clone().unwrap_or_default(),
        protocol: protocol.to_owned(),
        number,
        app_protocol: port.app_protocol.clone(),
    })
}

fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let is_it = |port: &&ContainerPort| {
        port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
    };
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .find(is_it)
        .map(|port| port.container_port)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(change: impl FnOnce(&mut Value)) -> Service {
        let mut service = json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"app": "web"},
                     "ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]},
        });
        change(&mut service);
        serde_json::from_value(service).unwrap()
    }

    fn pod(name: &str, change: impl FnOnce(&mut Value)) -> Arc<Pod> {
        let mut pod = json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "practice", "containers": [
                {"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIP": "10.244.0.7",
                       "conditions": [{"type": "Ready", "status": "True"}]},
        });
        change(&mut pod);
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_named_port_is_looked_up_in_each_pod() {
        let old = pod("old", |_| {});
        let new = pod("new", |pod| {
            pod["spec"]["containers"][0]["ports"][0]["containerPort"] = json!(9090);
        });
        let groups = backends(&service(|_| {}), &[old, new]).unwrap();
        let numbers: Vec<i32> = groups.keys().map(|ports| ports[0].number).collect();
        assert_eq!(numbers, [8080, 9090]);
    }

    #[test]
    fn a_pod_without_the_named_port_has_no_such_port() {
        let other = pod("other", |pod| {
            pod["spec"]["containers"][0]["ports"][0]["name"] = json!("admin");
        });
        let groups = backends(&service(|_| {}), &[other]).unwrap();
        assert_eq!(groups.keys().next().unwrap().len(), 0);
    }

    #[test]
    fn readiness_and_leaving_decide_about_traffic() {
        let ready = pod("ready", |_| {});
        let starting = pod("starting", |pod| {
            pod["status"]["conditions"][0]["status"] = json!("False")
        });
        let leaving = pod("leaving", |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        });
        let done = pod("done", |pod| pod["status"]["phase"] = json!("Succeeded"));
        let no_ip = pod("no-ip", |pod| pod["status"]["podIP"] = Value::Null);
        let pods = [ready, starting, leaving, done, no_ip];
        let states = |service: &Service| -> Vec<(String, bool, bool, bool)> {
            let groups = backends(service, &pods).unwrap();
            groups
                .into_values()
                .flatten()
                .map(|b| (b.target.name.unwrap(), b.ready, b.serving, b.terminating))
                .collect()
        };
        assert_eq!(
            states(&service(|_| {})),
            [
                ("leaving".to_owned(), false, true, true),
                ("ready".to_owned(), true, true, false),
                ("starting".to_owned(), false, false, false),
            ]
        );
        let all = service(|service| service["spec"]["publishNotReadyAddresses"] = json!(true));
        assert!(states(&all).iter().all(|(_, ready, _, _)| *ready));
    }

    #[test]
    fn services_without_selector_are_left_to_others() {
        assert!(backends(&service(|s| s["spec"]["selector"] = Value::Null), &[]).is_none());
        assert!(backends(&service(|s| s["spec"]["type"] = json!("ExternalName")), &[]).is_none());
    }
}
