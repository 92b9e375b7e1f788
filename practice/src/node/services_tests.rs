//! Services: which endpoint a call reaches, and what pods are told about them.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde_json::json;

use super::{HostPortKind, Lookup, ServiceName, Services};
use crate::node::pod_net::Transport;

fn services(ready: bool) -> Services {
    let services = Services::default();
    services.put_service(
        serde_json::from_value(json!({
            "metadata": {"name": "back-end", "namespace": "todo"},
            "spec": {"clusterIP": "10.96.0.7", "type": "NodePort", "ports": [
                {"name": "http", "port": 80, "targetPort": 8000, "protocol": "TCP", "nodePort": 30080}]}
        }))
        .unwrap(),
    );
    services.put_slice(
        serde_json::from_value(json!({
            "metadata": {"name": "back-end-x", "namespace": "todo",
                "labels": {"kubernetes.io/service-name": "back-end"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.77.1.10"], "conditions": {"ready": ready}}]
        }))
        .unwrap(),
    );
    services
}

const CLUSTER_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 7);

#[test]
fn a_call_reaches_a_ready_endpoint_at_its_target_port() {
    assert_eq!(
        services(true).lookup(CLUSTER_IP, 80, Transport::Tcp),
        Lookup::Endpoint(SocketAddrV4::new(Ipv4Addr::new(127, 77, 1, 10), 8000)),
    );
}

#[test]
fn without_ready_endpoints_a_call_is_refused() {
    assert_eq!(
        services(false).lookup(CLUSTER_IP, 80, Transport::Tcp),
        Lookup::NoEndpoints
    );
    assert_eq!(
        services(true).lookup(CLUSTER_IP, 81, Transport::Tcp),
        Lookup::NoEndpoints
    );
    assert_eq!(
        services(true).lookup(CLUSTER_IP, 80, Transport::Udp),
        Lookup::NoEndpoints
    );
}

#[test]
fn other_addresses_are_not_services() {
    let outside = Ipv4Addr::new(192, 0, 2, 1);
    assert_eq!(
        services(true).lookup(outside, 80, Transport::Tcp),
        Lookup::NotAService
    );
}

#[test]
fn names_resolve_by_namespace() {
    assert_eq!(
        services(true).resolve("todo", "back-end"),
        ServiceName::Addresses(vec![CLUSTER_IP]),
    );
    assert_eq!(
        services(true).resolve("other", "back-end"),
        ServiceName::Unknown
    );
}

#[test]
fn pods_are_told_about_the_services_of_their_namespace() {
    let env = services(true).environment("todo", true);
    assert_eq!(env["BACK_END_SERVICE_HOST"], "10.96.0.7");
    assert_eq!(env["BACK_END_SERVICE_PORT"], "80");
    assert_eq!(env["BACK_END_SERVICE_PORT_HTTP"], "80");
    assert_eq!(env["BACK_END_PORT_80_TCP"], "tcp://10.96.0.7:80");
    assert!(services(true).environment("other", true).is_empty());
    assert!(services(true).environment("todo", false).is_empty());
}

#[test]
fn a_node_port_wants_a_listener() {
    let ports = services(true).host_ports();
    assert_eq!(ports.len(), 1);
    assert_eq!(
        (ports[0].listen, ports[0].kind),
        (30080, HostPortKind::NodePort)
    );
}
