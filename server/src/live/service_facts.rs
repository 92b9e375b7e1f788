//! What is kept of Services and EndpointSlices, and the address a component opens at.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{ClusterKind, LoadBalancer, ServiceRow, Way, WayTried};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::reach::Address;

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

    pub fn row(&self, ready_endpoints: u32, outside: &Outside<'_>) -> ServiceRow {
        let load_balancer = match (self.kind.as_str(), self.ingress.first()) {
            ("LoadBalancer", Some(address)) => LoadBalancer::Assigned {
                address: address.clone(),
            },
            ("LoadBalancer", None) => LoadBalancer::Pending,
            _ => LoadBalancer::No,
        };
        let ways: Vec<WayTried> = self
            .ways(outside)
            .into_iter()
            .map(|path| path.tried(outside))
            .collect();
        ServiceRow {
            name: self.name.clone(),
            kind: self.kind.clone(),
            ports: self.ports.iter().map(|port| port.port).collect(),
            ready_endpoints,
            load_balancer,
            open_url: ways
                .iter()
                .find(|way| way.works())
                .and_then(|way| way.url.clone()),
            ways,
        }
    }

    /// What would have to answer for its ways to work.
    pub fn addresses(&self, outside: &Outside<'_>) -> Vec<Address> {
        let ways = self.ways(outside).into_iter();
        ways.filter_map(|path| path.address.ok()).collect()
    }

    /// Where this machine's browser could open it: the load balancer's address, then a node port of
    /// a node that can be reached from here.
    fn ways(&self, outside: &Outside<'_>) -> Vec<PathIn> {
        let mut ways = Vec::new();
        let Some(port) = self.ports.first() else {
            return ways;
        };
        if self.kind == "LoadBalancer" {
            ways.push(PathIn {
                way: Way::LoadBalancer,
                address: match self.ingress.first() {
                    Some(address) => Ok((address.clone(), port.port)),
                    None => Err(no_address(outside.kind)),
                },
            });
        }
        if let Some(node_port) = port.node_port
            && (self.kind == "LoadBalancer" || self.kind == "NodePort")
        {
            let host = match outside.kind {
                // Desktop apps forward the ports of their machine to this one.
                ClusterKind::Practice | ClusterKind::Desktop { .. } => Ok("127.0.0.1"),
                ClusterKind::Minikube { .. }
                | ClusterKind::Kind { .. }
                | ClusterKind::OtherLocal => outside.node_ip.ok_or("no node's address is known"),
                ClusterKind::K3d { .. } => Err("k3d's nodes are behind a proxy container"),
                ClusterKind::Remote => Err("its nodes are not on this machine"),
            };
            ways.push(PathIn {
                way: Way::NodePort,
                address: host.map(|host| (host.to_owned(), node_port)),
            });
        }
        ways
    }
}

/// What decides about the ways besides the Service itself.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a> {
    pub kind: &'a ClusterKind,
    pub node_ip: Option<&'a str>,
    /// Which addresses answer from this machine.
    pub reached: &'a BTreeMap<Address, bool>,
}

/// A way before anybody tried it: where it leads, or why nowhere.
struct PathIn {
    way: Way,
    address: Result<Address, &'static str>,
}

impl PathIn {
    fn tried(self, outside: &Outside<'_>) -> WayTried {
        let (url, why_not) = match self.address {
            Err(why) => (None, Some(why.to_owned())),
            Ok(address) => {
                let is_silent = outside.reached.get(&address) == Some(&false);
                let (host, port) = address;
                let why = is_silent
                    .then(|| format!("{} does not answer from this machine", place(&host, port)));
                (Some(url(&host, port)), why)
            }
        };
        WayTried {
            way: self.way,
            url,
            why_not,
        }
    }
}

fn no_address(kind: &ClusterKind) -> &'static str {
    match kind {
        ClusterKind::Minikube { .. } => {
            "no address was assigned; `minikube tunnel` would assign one"
        }
        _ => "no load balancer assigned an address",
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn place(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

fn url(host: &str, port: u16) -> String {
    let host = bracketed(host);
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
        let unknown = BTreeMap::new();
        let outside = |kind, node_ip| Outside {
            kind,
            node_ip,
            reached: &unknown,
        };
        for (service, kind, node, expected) in cases {
            assert_eq!(
                service.row(1, &outside(kind, node)).open_url.as_deref(),
                expected,
                "{kind:?}"
            );
        }
        let row = pending.row(1, &outside(&minikube, node));
        assert_eq!(row.load_balancer, LoadBalancer::Pending);
        let words = row.way_in_words().expect("a way");
        assert!(words.starts_with("By its node port: no address"), "{words}");
    }

    #[test]
    fn an_address_that_does_not_answer_is_not_offered_and_says_so() {
        let both = service(json!({"metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 3000, "nodePort": 31000}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}}));
        let kind = ClusterKind::OtherLocal;
        let mut reached = BTreeMap::new();
        let row = |reached: &BTreeMap<Address, bool>| {
            let outside = Outside {
                kind: &kind,
                node_ip: Some("10.0.0.9"),
                reached,
            };
            both.row(1, &outside)
        };
        reached.insert(("10.1.2.3".to_owned(), 3000), false);
        let by_node = row(&reached);
        assert_eq!(by_node.open_url.as_deref(), Some("http://10.0.0.9:31000/"));
        assert_eq!(
            by_node.way_in_words().as_deref(),
            Some("By its node port: 10.1.2.3:3000 does not answer from this machine")
        );
        reached.insert(("10.0.0.9".to_owned(), 31000), false);
        let by_none = row(&reached);
        assert_eq!(by_none.open_url, None);
        assert!(
            by_none
                .why_forward()
                .is_some_and(|why| why.contains("10.0.0.9:31000"))
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
