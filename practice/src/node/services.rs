//! Services and their ready endpoints as the node sees them: what kube-proxy, the DNS server and
//! the service environment variables are made from.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{PoisonError, RwLock};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use rand::seq::IndexedRandom;
use tokio::sync::watch;

use super::pod_net::Transport;

/// What a connection to an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    NotAService,
    NoEndpoints,
    Endpoint(SocketAddrV4),
}

/// What a service name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceName {
    Addresses(Vec<Ipv4Addr>),
    /// `spec.externalName`.
    Alias(String),
    Unknown,
}

/// A port of a Service that wants a listener on this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    pub namespace: String,
    pub service: String,
    /// Name of the Service's port; may be empty.
    pub port_name: String,
    /// The port to listen on.
    pub listen: u16,
    pub kind: HostPortKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPortKind {
    NodePort,
    LoadBalancer,
}

/// Names a Service: namespace and name.
type Key = (String, String);

#[derive(Debug, Default)]
struct Tables {
    services: HashMap<Key, Service>,
    slices: HashMap<Key, EndpointSlice>,
}

/// The live table, shared by supervisors (blocking threads) and tasks.
#[derive(Debug)]
pub struct Services {
    tables: RwLock<Tables>,
    changed: watch::Sender<u64>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            tables: RwLock::default(),
            changed: watch::channel(0).0,
        }
    }
}

const SERVICE_NETWORK: [u8; 2] = [10, 96];

impl Services {
    /// Fires after every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub fn put_service(&self, service: Service) {
        if let Some(key) = key(&service.metadata) {
            self.change(|tables| {
                tables.services.insert(key, service);
            });
        }
    }

    pub fn drop_service(&self, service: &Service) {
        if let Some(key) = key(&service.metadata) {
            self.change(|tables| {
                tables.services.remove(&key);
            });
        }
    }

    pub fn replace_services(&self, all: Vec<Service>) {
        self.change(|tables| {
            tables.services = all
                .into_iter()
                .filter_map(|s| Some((key(&s.metadata)?, s)))
                .collect();
        });
    }

    pub fn put_slice(&self, slice: EndpointSlice) {
        if let Some(key) = key(&slice.metadata) {
            self.change(|tables| {
                tables.slices.insert(key, slice);
            });
        }
    }

    pub fn drop_slice(&self, slice: &EndpointSlice) {
        if let Some(key) = key(&slice.metadata) {
            self.change(|tables| {
                tables.slices.remove(&key);
            });
        }
    }

    pub fn replace_slices(&self, all: Vec<EndpointSlice>) {
        self.change(|tables| {
            tables.slices = all
                .into_iter()
                .filter_map(|s| Some((key(&s.metadata)?, s)))
                .collect();
        });
    }

    fn change(&self, apply: impl FnOnce(&mut Tables)) {
        apply(&mut self.tables.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|revision| *revision += 1);
    }

    /// Where a connection to a Service's cluster address goes: a ready endpoint at random.
    pub fn lookup(&self, ip: Ipv4Addr, port: u16, transport: Transport) -> Lookup {
        if ip.octets()[..2] != SERVICE_NETWORK {
            return Lookup::NotAService;
        }
        let tables = self.read();
        let wanted = ip.to_string();
        let found = tables.services.iter().find_map(|(key, service)| {
            let spec = service.spec.as_ref()?;
            if spec.cluster_ip.as_deref() != Some(wanted.as_str()) {
                return None;
            }
            let service_port = spec.ports.iter().flatten().find(|candidate| {
                candidate.port == i32::from(port) && transport_of(candidate) == transport
            })?;
            Some((key, service_port.name.clone().unwrap_or_default()))
        });
        // An address of the service network nobody has is refused, as iptables rules do.
        let Some((key, port_name)) = found else {
            return Lookup::NoEndpoints;
        };
        let ready = tables.endpoints(key, &port_name);
        ready
            .choose(&mut rand::rng())
            .map_or(Lookup::NoEndpoints, |e| Lookup::Endpoint(*e))
    }

    /// All ready endpoints of a Service's port.
    pub fn endpoints(&self, namespace: &str, service: &str, port_name: &str) -> Vec<SocketAddrV4> {
        self.read()
            .endpoints(&(namespace.to_owned(), service.to_owned()), port_name)
    }

    /// Answers a name such as `backend` in `todo`; `pod` is the hostname part of a headless name.
    pub fn resolve(&self, namespace: &str, service: &str) -> ServiceName {
        let tables = self.read();
        let key = (namespace.to_owned(), service.to_owned());
        let Some(spec) = tables.services.get(&key).and_then(|s| s.spec.as_ref()) else {
            return ServiceName::Unknown;
        };
        if spec.type_.as_deref() == Some("ExternalName") {
            return ServiceName::Alias(spec.external_name.clone().unwrap_or_default());
        }
        match spec.cluster_ip.as_deref() {
            Some(ip) if ip != "None" => ServiceName::Addresses(ip.parse().into_iter().collect()),
            _ => ServiceName::Addresses(tables.addresses(&key)),
        }
    }

    /// `BACKEND_SERVICE_HOST` and its relatives for the Services of a namespace.
    pub fn environment(&self, namespace: &str, with_links: bool) -> BTreeMap<String, String> {
        let tables = self.read();
        let mut env = BTreeMap::new();
        for ((service_namespace, name), service) in &tables.services {
            let kubernetes = service_namespace == "default" && name == "kubernetes";
            if !(kubernetes || with_links && service_namespace == namespace) {
                continue;
            }
            if let Some(spec) = &service.spec {
                service_variables(
                    name,
                    spec.cluster_ip.as_deref(),
                    spec.ports.as_deref(),
                    &mut env,
                );
            }
        }
        env
    }

    /// Every listener this machine should have for NodePort and LoadBalancer Services.
    pub fn host_ports(&self) -> Vec<HostPort> {
        let tables = self.read();
        let mut wanted = Vec::new();
        for ((namespace, name), service) in &tables.services {
            let Some(spec) = &service.spec else { continue };
            let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
            for port in spec.ports.iter().flatten() {
                if transport_of(port) != Transport::Tcp {
                    continue;
                }
                let mut want = |listen: i32, kind| {
                    if let Ok(listen) = u16::try_from(listen)
                        && listen != 0
                    {
                        wanted.push(HostPort {
                            namespace: namespace.clone(),
                            service: name.clone(),
                            port_name: port.name.clone().unwrap_or_default(),
                            listen,
                            kind,
                        });
                    }
                };
                if matches!(kind, "NodePort" | "LoadBalancer") {
                    want(port.node_port.unwrap_or_default(), HostPortKind::NodePort);
                }
                if kind == "LoadBalancer" {
                    want(port.port, HostPortKind::LoadBalancer);
                }
            }
        }
        wanted.sort();
        wanted
    }

    /// A copy of one Service.
    pub fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        self.read()
            .services
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn slices_of(&self, (namespace, service): &Key) -> impl Iterator<Item = &EndpointSlice> {
        let (namespace, service) = (namespace.clone(), service.clone());
        self.slices
            .iter()
            .filter_map(move |((slice_namespace, _), slice)| {
                let label = slice
                    .metadata
                    .labels
                    .as_ref()?
                    .get("kubernetes.io/service-name")?;
                (*slice_namespace == namespace && *label == service).then_some(slice)
            })
    }

    fn endpoints(&self, key: &Key, port_name: &str) -> Vec<SocketAddrV4> {
        self.slices_of(key)
            .flat_map(|slice| {
                let ports: Vec<u16> = slice
                    .ports
                    .iter()
                    .flatten()
                    .filter(|port| port.name.as_deref().unwrap_or_default() == port_name)
                    .filter_map(|port| u16::try_from(port.port?).ok())
                    .collect();
                ready_addresses(slice).flat_map(move |ip| {
                    ports
                        .clone()
                        .into_iter()
                        .map(move |port| SocketAddrV4::new(ip, port))
                })
            })
            .collect()
    }

    fn addresses(&self, key: &Key) -> Vec<Ipv4Addr> {
        let mut all: Vec<Ipv4Addr> = self.slices_of(key).flat_map(ready_addresses).collect();
        all.sort();
        all.dedup();
        all
    }
}

fn ready_addresses(slice: &EndpointSlice) -> impl Iterator<Item = Ipv4Addr> {
    slice
        .endpoints
        .iter()
        .flatten()
        .filter(|endpoint| {
            // A missing condition means ready.
            endpoint
                .conditions
                .as_ref()
                .and_then(|c| c.ready)
                .unwrap_or(true)
        })
        .flat_map(|endpoint| endpoint.addresses.iter())
        .filter_map(|address| address.parse().ok())
}

fn transport_of(port: &ServicePort) -> Transport {
    if port.protocol.as_deref() == Some("UDP") {
        Transport::Udp
    } else {
        Transport::Tcp
    }
}

fn key(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Option<Key> {
    Some((metadata.namespace.clone()?, metadata.name.clone()?))
}

fn service_variables(
    name: &str,
    cluster_ip: Option<&str>,
    ports: Option<&[ServicePort]>,
    env: &mut BTreeMap<String, String>,
) {
    let Some(ip) = cluster_ip.filter(|ip| !ip.is_empty() && *ip != "None") else {
        return;
    };
    let Some(first) = ports.and_then(<[_]>::first) else {
        return;
    };
    let upper = |text: &str| text.to_uppercase().replace(['-', '.'], "_");
    let prefix = upper(name);
    env.insert(format!("{prefix}_SERVICE_HOST"), ip.to_owned());
    env.insert(format!("{prefix}_SERVICE_PORT"), first.port.to_string());
    for port in ports.into_iter().flatten() {
        if let Some(port_name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            env.insert(
                format!("{prefix}_SERVICE_PORT_{}", upper(port_name)),
                port.port.to_string(),
            );
        }
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let url = format!("{lower}://{ip}:{}", port.port);
        if port.port == first.port {
            env.insert(format!("{prefix}_PORT"), url.clone());
        }
        let stem = format!("{prefix}_PORT_{}_{protocol}", port.port);
        env.insert(format!("{stem}_PROTO"), lower);
        env.insert(format!("{stem}_PORT"), port.port.to_string());
        env.insert(format!("{stem}_ADDR"), ip.to_owned());
        env.insert(stem, url);
    }
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
