//! Which pods stand ready behind a port of a Service, and at which of their own ports.

use app::model::{Finding, ObjectKey, ObjectKind};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};

use super::super::words;
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub pod: String,
    pub uid: String,
    pub port: u16,
}

/// Whether the port's name, protocol or number says that it speaks TLS. Refused when there is no such
/// port.
pub(super) async fn speaks_tls(
    connected: &Connected,
    namespace: &str,
    service: &str,
    port: u16,
) -> Result<bool, Box<Finding>> {
    let key = ObjectKey::new(ObjectKind::Service, service)
        .ok_or_else(|| Box::new(words::no_such_port(service, port)))?;
    let api: Api<Service> = Api::namespaced(connected.client.clone(), namespace);
    let found = within(REQUEST_LIMIT, api.get(key.name()))
        .await
        .map_err(|error| Box::new(words::unreadable(&key, &error)))?;
    let ports = found.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let port = ports
        .iter()
        .find(|entry| entry.port == i32::from(port) && is_tcp(entry.protocol.as_deref()))
        .ok_or_else(|| Box::new(words::no_such_port(service, port)))?;
    let is_https = |word: &Option<String>| {
        word.as_ref()
            .is_some_and(|word| word.to_ascii_lowercase().starts_with("https"))
    };
    Ok(is_https(&port.name) || is_https(&port.app_protocol) || port.port == 443)
}

fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("TCP"))
}

/// By the Service's EndpointSlices, which know the pods' own port also where it goes by a name.
pub(super) async fn ready_pods(
    connected: &Connected,
    namespace: &str,
    service: &str,
    port: u16,
) -> Result<Vec<Target>, String> {
    let services: Api<Service> = Api::namespaced(connected.client.clone(), namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(connected.client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let (found, list) = tokio::join!(
        within(REQUEST_LIMIT, services.get(service)),
        within(REQUEST_LIMIT, slices.list(&of_service)),
    );
    let found = found.map_err(|error| error.to_string())?;
    let list = list.map_err(|error| error.to_string())?;
    let name = port_name(&found, port)
        .ok_or_else(|| format!("Service {service} has no port {port} any more"))?;
    Ok(targets(&list.items, &name))
}

/// The name of a Service's port; empty where it has none, as in the slices.
fn port_name(service: &Service, port: u16) -> Option<String> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let entry = ports.iter().find(|entry| entry.port == i32::from(port))?;
    Some(entry.name.clone().unwrap_or_default())
}

fn targets(slices: &[EndpointSlice], name: &str) -> Vec<Target> {
    let mut found = Vec::new();
    for slice in slices {
        let port = slice
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref().unwrap_or_default() == name)
            .and_then(|port| u16::try_from(port.port?).ok());
        let Some(port) = port else { continue };
        for endpoint in slice.endpoints.iter().flatten() {
            let conditions = endpoint.conditions.as_ref();
            // Unknown counts as ready, by the API's definition.
            let is_ready = conditions.and_then(|c| c.ready).unwrap_or(true)
                && !conditions.and_then(|c| c.terminating).unwrap_or(false);
            let pod = endpoint
                .target_ref
                .as_ref()
                .filter(|target| is_ready && target.kind.as_deref() == Some("Pod"));
            if let Some(target) = pod
                && let Some(pod) = &target.name
            {
                found.push(Target {
                    pod: pod.clone(),
                    uid: target.uid.clone().unwrap_or_default(),
                    port,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ready_pods_count_and_at_their_own_port() {
        let service: Service = serde_json::from_value(json!({"metadata": {"name": "web"},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "app"}, {"name": "admin", "port": 81}]}}))
        .expect("a Service");
        assert_eq!(port_name(&service, 80).as_deref(), Some("http"));
        assert_eq!(port_name(&service, 82), None);
        let slice: EndpointSlice = serde_json::from_value(json!({"metadata": {"name": "web-1"},
            "addressType": "IPv4", "ports": [{"name": "admin", "port": 9}, {"name": "http", "port": 8000}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "a", "uid": "1"}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": true, "terminating": true}, "targetRef": {"kind": "Pod", "name": "b", "uid": "2"}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "c", "uid": "3"}},
                {"addresses": ["10.0.0.4"], "conditions": {"ready": true}}
            ]}))
        .expect("a slice");
        let wanted = Target {
            pod: "c".into(),
            uid: "3".into(),
            port: 8000,
        };
        assert_eq!(targets(&[slice], "http"), [wanted]);
    }
}
