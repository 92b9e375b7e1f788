//! DNS: cluster names in all their spellings.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;

use super::{Answerer, PodNamespaces};
use crate::node::services::Services;

fn answerer() -> Answerer {
    let services = Services::default();
    services.put_service(
        serde_json::from_value(json!({
            "metadata": {"name": "backend", "namespace": "todo"},
            "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 80}]}
        }))
        .unwrap(),
    );
    let pods = PodNamespaces::default();
    pods.write()
        .unwrap()
        .insert(Ipv4Addr::new(127, 77, 1, 10), "todo".into());
    Answerer {
        services: Arc::new(services),
        pods,
        upstream: Vec::new(),
    }
}

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    query
}

async fn ask(name: &str, kind: u16) -> Vec<u8> {
    let pod = IpAddr::V4(Ipv4Addr::new(127, 77, 1, 10));
    answerer()
        .answer(&query(name, kind), pod, false)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_spelling_of_a_service_gives_its_cluster_address() {
    for name in [
        "backend",
        "backend.todo",
        "backend.todo.svc",
        "backend.todo.svc.cluster.local",
    ] {
        let reply = ask(name, 1).await;
        assert_eq!(reply[3] & 0x0f, 0, "{name}");
        assert!(reply.ends_with(&[0, 4, 10, 96, 0, 7]), "{name}");
    }
}

#[tokio::test]
async fn a_service_has_no_ipv6_address_but_exists() {
    let reply = ask("backend.todo.svc.cluster.local", 28).await;
    assert_eq!((reply[3] & 0x0f, reply[7]), (0, 0));
}

#[tokio::test]
async fn an_unknown_cluster_name_does_not_exist() {
    assert_eq!(ask("nobody.todo.svc.cluster.local", 1).await[3] & 0x0f, 3);
}

#[tokio::test]
async fn an_outside_name_without_a_resolver_is_a_failure_not_a_lie() {
    assert_eq!(ask("www.example.com", 1).await[3] & 0x0f, 2);
}

#[tokio::test]
async fn rubbish_is_ignored() {
    let pod = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert!(answerer().answer(&[1, 2, 3], pod, false).await.is_none());
}
