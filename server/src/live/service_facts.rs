//! What is kept of Services and EndpointSlices, and the address a component opens at.

use std::collections::BTreeSet;

use app::model::{ClusterKind, LoadBalancer, ServiceRow};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    pub name: String,
    pub kind: String,
    pub ports: Vec<PortFacts>,
    /// Addresses from `status.loadBalancer.ingress`, a host name or an IP.
    pub ingress: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortFacts {
    pub port: u16,
    pub node_port: Option<u16>,
}

impl ServiceFacts {
    pub fn of(service: &Service) -> Self {
        let spec = service.spec.as_ref();
        let port = |number: i32| u16::try_from(number).ok();
        Self {
            name: service.metadata.name.clone().unwrap_or_default(),
            kind: spec
                .and_then(|spec| spec.type_.clone())
                .unwrap_or_else(|| "ClusterIP".to_owned()),
            ports: spec
                .and_then(|spec| spec.ports.as_ref())
                .into_iter()
                .flatten()
                .filter_map(|entry| {
                    Some(PortFacts {
                        port: port(entry.port)?,
                        node_port: entry.node_port.and_then(port).filter(|port| *port != 0),
                    })
                })
                .collect(),
            ingress: service
                .status
                .as_ref()
                .and_then(|status| status.load_balancer.as_ref())
                .and_then(|balancer| balancer.ingress.as_ref())
                .into_iter()
                .flatten()
                .filter_map(|ingress| ingress.ip.clone().or_else(|| ingress.hostname.clone()))
                .filter(|address| !address.is_empty())
                .collect(),
        }
    }

    pub fn row(
        &self,
        ready_endpoints: u32,
        kind: &ClusterKind,
        node_ip: Option<&str>,
    ) -> ServiceRow {
        let load_balancer = match (self.kind.as_str(), self.ingress.first()) {
            ("LoadBalancer", Some(address)) => LoadBalancer::Assigned {
                address: address.clone(),
            },
            ("LoadBalancer", None) => LoadBalancer::Pending,
            _ => LoadBalancer::No,
        };
        ServiceRow {
            name: self.name.clone(),
            kind: self.kind.clone(),
            ports: self.ports.iter().map(|port| port.port).collect(),
            ready_endpoints,
            load_balancer,
            open_url: self.open_url(kind, node_ip),
        }
    }

    /// Where this machine's browser can open it: the load balancer's address, else a node port of a
    /// node that can be reached from here.
    fn open_url(&self, kind: &ClusterKind, node_ip: Option<&str>) -> Option<String> {
        let port = self.ports.first()?;
        if self.kind == "LoadBalancer"
            && let Some(address) = self.ingress.first()
        {
            return Some(url(address, port.port));
        }
        if self.kind != "LoadBalancer" && self.kind != "NodePort" {
            return None;
        }
        let node_port = port.node_port?;
        let host = match kind {
            // Desktop apps forward the ports of their machine to this one.
            ClusterKind::Practice | ClusterKind::Desktop { .. } => "127.0.0.1",
            ClusterKind::Minikube { .. } | ClusterKind::Kind { .. } | ClusterKind::OtherLocal => {
                node_ip?
            }
            // Its nodes sit behind a proxy container, or far away.
            ClusterKind::K3d { .. } | ClusterKind::Remote => return None,
        };
        Some(url(host, node_port))
    }
}

fn url(host: &str, port: u16) -> String {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    match port {
        80 => format!("http://{host}/"),
        443 => format!("https://{host}/"),
        port => format!("http://{host}:{port}/"),
    }
}

/// What is kept of an EndpointSlice: whose it is and the addresses that are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceFacts {
    pub name: String,
    pub service: String,
    pub ready: BTreeSet<String>,
}

impl SliceFacts {
    pub fn of(slice: &EndpointSlice) -> Self {
        let ready = slice
            .endpoints
            .iter()
            .flatten()
            .filter(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                // Unknown counts as ready, by the API's definition.
                conditions.and_then(|c| c.ready).unwrap_or(true)
                    && !conditions.and_then(|c| c.terminating).unwrap_or(false)
            })
            .flat_map(|endpoint| {
                endpoint.addresses.iter().cloned().map(|address| {
                    // Several pods of one address exist where pods share the node's network.
                    match &endpoint.target_ref {
                        Some(target) => {
                            format!("{address} {}", target.uid.clone().unwrap_or_default())
                        }
                        None => address,
                    }
                })
            })
            .collect();
        Self {
            name: slice.metadata.name.clone().unwrap_or_default(),
            service: slice
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get("kubernetes.io/service-name").cloned())
                .unwrap_or_default(),
            ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(value: serde_json::Value) -> ServiceFacts {
        ServiceFacts::of(&serde_json::from_value(value).expect("a Service"))
    }

    #[test]
    fn the_address_that_works_from_this_machine_is_offered() {
        let pending = service(json!({"metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 31000}]}}));
        let assigned = service(json!({"metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 3000, "nodePort": 31000}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}}));
        let inner =
            service(json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}));
        let minikube = ClusterKind::Minikube {
            profile: "m".into(),
        };
        let node = Some("192.168.49.2");
        let cases = [
            (
                &pending,
                &ClusterKind::Practice,
                None,
                Some("http://127.0.0.1:31000/"),
            ),
            (
                &pending,
                &minikube,
                node,
                Some("http://192.168.49.2:31000/"),
            ),
            (&pending, &minikube, None, None),
            (&pending, &ClusterKind::Remote, node, None),
            (
                &assigned,
                &ClusterKind::Remote,
                None,
                Some("http://10.1.2.3:3000/"),
            ),
            (&inner, &minikube, node, None),
        ];
        for (service, kind, node, expected) in cases {
            assert_eq!(
                service.open_url(kind, node).as_deref(),
                expected,
                "{kind:?}"
            );
        }
        assert_eq!(
            pending.row(1, &minikube, node).load_balancer,
            LoadBalancer::Pending
        );
    }

    #[test]
    fn only_ready_addresses_that_stay_are_counted() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["127.0.0.1"], "conditions": {"ready": true}, "targetRef": {"uid": "a"}},
                {"addresses": ["127.0.0.1"], "conditions": {"ready": true}, "targetRef": {"uid": "b"}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.4"], "conditions": {"ready": true, "terminating": true}}
            ]
        }))
        .expect("an EndpointSlice");
        let facts = SliceFacts::of(&slice);
        assert_eq!(facts.service, "web");
        assert_eq!(facts.ready.len(), 2);
    }
}
