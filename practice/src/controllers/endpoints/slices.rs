//! From backends to EndpointSlices and the legacy Endpoints object.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort as LegacyPort, EndpointSubset, Endpoints, Service,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use super::addresses::{Backend, Port};
use crate::controllers::owner;

/// Which Service a slice belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Who writes a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Our name in that label.
pub const MANAGER: &str = "endpointslice-controller.k8s.io";
const LEGACY_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Endpoints in one slice.
const SLICE_SIZE: usize = 100;
/// Addresses in one Endpoints object.
const LEGACY_SIZE: usize = 1000;

type Groups = BTreeMap<Vec<Port>, Vec<Backend>>;

/// What to change so that the slices say what the backends are.
#[derive(Debug, Default, PartialEq)]
pub struct SliceChanges {
    pub create: Vec<EndpointSlice>,
    pub update: Vec<EndpointSlice>,
    pub delete: Vec<String>,
}

/// Compares the slices that exist with those there should be; existing ones are used again.
pub fn slice_changes(
    service: &Service,
    groups: &Groups,
    existing: &[Arc<EndpointSlice>],
) -> SliceChanges {
    let mut changes = SliceChanges::default();
    let mut free: Vec<&Arc<EndpointSlice>> = existing.iter().collect();
    let mut wanted: Vec<(Vec<EndpointPort>, Vec<Endpoint>)> = Vec::new();
    for (ports, backends) in groups {
        let ports: Vec<EndpointPort> = ports.iter().map(slice_port).collect();
        for chunk in backends.chunks(SLICE_SIZE) {
            wanted.push((ports.clone(), chunk.iter().map(endpoint).collect()));
        }
    }
    if wanted.is_empty() {
        // A Service without pods has one empty slice, so that watchers know it was looked at.
        wanted.push((Vec::new(), Vec::new()));
    }
    for (ports, endpoints) in wanted {
        let at = free
            .iter()
            .position(|slice| slice.ports.as_deref().unwrap_or_default() == ports)
            .or_else(|| (!free.is_empty()).then_some(0));
        let base = at.map(|at| EndpointSlice::clone(free.remove(at)));
        let slice = EndpointSlice {
            metadata: slice_meta(service, base.as_ref().map(|base| &base.metadata)),
            address_type: "IPv4".to_owned(),
            ports: Some(ports),
            endpoints: Some(endpoints),
        };
        match base {
            None => changes.create.push(slice),
            Some(base) if same_slice(&base, &slice) => {}
            Some(_) => changes.update.push(slice),
        }
    }
    changes.delete = free.into_iter().map(|slice| slice.name_any()).collect();
    changes
}

fn same_slice(a: &EndpointSlice, b: &EndpointSlice) -> bool {
    a.ports.as_deref().unwrap_or_default() == b.ports.as_deref().unwrap_or_default()
        && a.endpoints.as_deref().unwrap_or_default() == b.endpoints.as_deref().unwrap_or_default()
        && a.metadata.labels == b.metadata.labels
}

fn is_headless(service: &Service) -> bool {
    let ip = service
        .spec
        .as_ref()
        .and_then(|spec| spec.cluster_ip.as_deref());
    matches!(ip, None | Some("" | "None"))
}

fn slice_meta(service: &Service, existing: Option<&ObjectMeta>) -> ObjectMeta {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), service.name_any());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    match existing {
        Some(meta) => ObjectMeta {
            labels: Some(labels),
            ..meta.clone()
        },
        None => ObjectMeta {
            generate_name: Some(format!("{}-", service.name_any())),
            namespace: service.namespace(),
            labels: Some(labels),
            owner_references: Some(vec![owner::controller_reference(
                "v1",
                "Service",
                &service.metadata,
            )]),
            ..ObjectMeta::default()
        },
    }
}

fn slice_port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.number),
        app_protocol: port.app_protocol.clone(),
    }
}

fn endpoint(backend: &Backend) -> Endpoint {
    Endpoint {
        addresses: vec![backend.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(backend.ready),
            serving: Some(backend.serving),
            terminating: Some(backend.terminating),
        }),
        hostname: backend.hostname.clone(),
        node_name: backend.node.clone(),
        target_ref: Some(backend.target.clone()),
        ..Endpoint::default()
    }
}

/// The legacy object that says the same; `existing` keeps its identity. `None`: nothing changes.
pub fn legacy(
    service: &Service,
    groups: &Groups,
    existing: Option<&Endpoints>,
) -> Option<Endpoints> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(
        LEGACY_MANAGED_BY.to_owned(),
        "endpoint-controller".to_owned(),
    );
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    let subsets: Vec<EndpointSubset> = groups
        .iter()
        .filter_map(|(ports, backends)| subset(ports, backends, is_headless(service)))
        .collect();
    let subsets = (!subsets.is_empty()).then_some(subsets);
    if let Some(existing) = existing {
        let same_subsets = existing.subsets.as_deref().unwrap_or_default()
            == subsets.as_deref().unwrap_or_default();
        if same_subsets && existing.metadata.labels.as_ref() == Some(&labels) {
            return None;
        }
    }
    let metadata = match existing {
        Some(existing) => ObjectMeta {
            labels: Some(labels),
            ..existing.metadata.clone()
        },
        None => ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.namespace(),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
    };
    Some(Endpoints { metadata, subsets })
}

fn subset(ports: &[Port], backends: &[Backend], headless: bool) -> Option<EndpointSubset> {
    if ports.is_empty() && !headless {
        return None;
    }
    // The legacy object knows nothing of leaving pods that still serve.
    let staying = backends
        .iter()
        .filter(|backend| !backend.terminating)
        .take(LEGACY_SIZE);
    let (ready, waiting): (Vec<&Backend>, Vec<&Backend>) =
        staying.partition(|backend| backend.ready);
    let addresses = |backends: Vec<&Backend>| -> Option<Vec<EndpointAddress>> {
        let addresses: Vec<EndpointAddress> = backends.into_iter().map(address).collect();
        (!addresses.is_empty()).then_some(addresses)
    };
    let (addresses, not_ready_addresses) = (addresses(ready), addresses(waiting));
    if addresses.is_none() && not_ready_addresses.is_none() {
        return None;
    }
    let ports: Vec<LegacyPort> = ports
        .iter()
        .map(|port| LegacyPort {
            name: Some(port.name.clone()).filter(|name| !name.is_empty()),
            protocol: Some(port.protocol.clone()),
            port: port.number,
            app_protocol: port.app_protocol.clone(),
        })
        .collect();
    let ports = (!ports.is_empty()).then_some(ports);
    Some(EndpointSubset {
        addresses,
        not_ready_addresses,
        ports,
    })
}

fn address(backend: &Backend) -> EndpointAddress {
    EndpointAddress {
        ip: backend.ip.clone(),
        hostname: backend.hostname.clone(),
        node_name: backend.node.clone(),
        target_ref: Some(backend.target.clone()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use serde_json::json;

    use super::*;

    fn service() -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "s", "labels": {"tier": "front"}},
            "spec": {"clusterIP": "10.96.0.9", "selector": {"app": "web"}},
        }))
        .unwrap()
    }

    fn port(number: i32) -> Port {
        Port {
            name: String::new(),
            protocol: "TCP".to_owned(),
            number,
            app_protocol: None,
        }
    }

    fn backend(name: &str, ready: bool) -> Backend {
        Backend {
            ip: "10.244.0.7".to_owned(),
            node: Some("practice".to_owned()),
            hostname: None,
            target: ObjectReference {
                name: Some(name.to_owned()),
                ..ObjectReference::default()
            },
            serving: ready,
            terminating: false,
            ready,
        }
    }

    #[test]
    fn slices_are_labeled_owned_and_split_at_a_hundred() {
        let many = (0..150)
            .map(|at| backend(&format!("web-{at}"), true))
            .collect();
        let changes = slice_changes(&service(), &[(vec![port(80)], many)].into(), &[]);
        let sizes: Vec<usize> = changes
            .create
            .iter()
            .map(|slice| slice.endpoints.as_ref().unwrap().len())
            .collect();
        assert_eq!(sizes, [100, 50]);
        let meta = &changes.create[0].metadata;
        let labels = meta.labels.as_ref().unwrap();
        assert_eq!(labels[SERVICE_NAME], "web");
        assert_eq!(labels[MANAGED_BY], MANAGER);
        assert_eq!(labels["tier"], "front");
        assert!(!labels.contains_key(HEADLESS));
        assert!(owner::is_controlled_by(meta, "s"));
    }

    #[test]
    fn an_existing_slice_is_used_again_and_left_alone_when_right() {
        let groups: Groups = [(vec![port(80)], vec![backend("a", true)])].into();
        let mut slice = slice_changes(&service(), &groups, &[]).create.remove(0);
        slice.metadata.name = Some("web-x".to_owned());
        let existing = [Arc::new(slice)];
        assert_eq!(
            slice_changes(&service(), &groups, &existing),
            SliceChanges::default()
        );

        let groups: Groups = [(vec![port(80)], vec![backend("a", false)])].into();
        let changes = slice_changes(&service(), &groups, &existing);
        assert_eq!(changes.update[0].metadata.name.as_deref(), Some("web-x"));
        assert!(changes.create.is_empty() && changes.delete.is_empty());

        let changes = slice_changes(&service(), &Groups::new(), &existing);
        assert_eq!(changes.update[0].endpoints.as_ref().unwrap().len(), 0);
    }

    #[test]
    fn the_legacy_object_parts_ready_from_not_ready() {
        let groups: Groups = [(
            vec![port(80)],
            vec![backend("a", true), backend("b", false)],
        )]
        .into();
        let endpoints = legacy(&service(), &groups, None).unwrap();
        let subset = &endpoints.subsets.as_ref().unwrap()[0];
        assert_eq!(subset.addresses.as_ref().unwrap().len(), 1);
        assert_eq!(subset.not_ready_addresses.as_ref().unwrap().len(), 1);
        assert!(legacy(&service(), &groups, Some(&endpoints)).is_none());
    }
}
