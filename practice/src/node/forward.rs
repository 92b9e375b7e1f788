//! NodePort and LoadBalancer Services on this machine: real listeners on 127.0.0.1 that carry
//! connections to ready endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use rand::seq::IndexedRandom;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::events::{EventType, Recorder};
use super::services::{HostPort, HostPortKind, Services};

/// Keeps the listeners as the Services want them; ends when the table does.
pub async fn run(client: kube::Client, services: Arc<Services>, recorder: Recorder) {
    let mut changes = services.changes();
    let mut listeners: BTreeMap<HostPort, JoinHandle<()>> = BTreeMap::new();
    let mut refused: BTreeSet<HostPort> = BTreeSet::new();
    loop {
        changes.borrow_and_update();
        let wanted: BTreeSet<HostPort> = services.host_ports().into_iter().collect();
        listeners.retain(|port, task| {
            let keep = wanted.contains(port);
            if !keep {
                task.abort();
            }
            keep
        });
        refused.retain(|port| wanted.contains(port));
        // Aborted tasks close their listeners when they are next polled.
        tokio::task::yield_now().await;
        for port in &wanted {
            if listeners.contains_key(port) {
                continue;
            }
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port.listen)).await {
                Ok(listener) => {
                    refused.remove(port);
                    let task = tokio::spawn(accept(listener, port.clone(), services.clone()));
                    listeners.insert(port.clone(), task);
                }
                Err(error) => {
                    if refused.insert(port.clone()) {
                        report(&services, &recorder, port, &error);
                    }
                }
            }
        }
        publish(&client, &services, &wanted, &listeners).await;
        let retry = async {
            if refused.is_empty() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = retry => {}
        }
    }
}

fn report(services: &Services, recorder: &Recorder, port: &HostPort, error: &std::io::Error) {
    let Some(service) = services.service(&port.namespace, &port.service) else {
        return;
    };
    let what = match port.kind {
        HostPortKind::NodePort => "node port",
        HostPortKind::LoadBalancer => "load balancer port",
    };
    let about = ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Service".into()),
        namespace: Some(port.namespace.clone()),
        name: Some(port.service.clone()),
        uid: service.uid(),
        ..ObjectReference::default()
    };
    recorder.record(
        about,
        EventType::Warning,
        "PortNotAvailable",
        format!(
            "Cannot listen on 127.0.0.1:{} for the {what}: {error}",
            port.listen
        ),
    );
}

/// A LoadBalancer whose ports all have listeners has the address 127.0.0.1; else it is pending.
async fn publish(
    client: &kube::Client,
    services: &Services,
    wanted: &BTreeSet<HostPort>,
    listeners: &BTreeMap<HostPort, JoinHandle<()>>,
) {
    let mut balanced: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for port in wanted
        .iter()
        .filter(|port| port.kind == HostPortKind::LoadBalancer)
    {
        let all = balanced
            .entry((&port.namespace, &port.service))
            .or_insert(true);
        *all &= listeners.contains_key(port);
    }
    for ((namespace, name), up) in balanced {
        let Some(service) = services.service(namespace, name) else {
            continue;
        };
        let shown = service
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref())
            .and_then(|balancer| balancer.ingress.as_ref())
            .is_some_and(|ingress| !ingress.is_empty());
        if shown == up {
            continue;
        }
        let ingress = if up {
            serde_json::json!([{"ip": "127.0.0.1", "ipMode": "VIP"}])
        } else {
            serde_json::Value::Null
        };
        let api: Api<Service> = Api::namespaced(client.clone(), namespace);
        let patch = serde_json::json!({"status": {"loadBalancer": {"ingress": ingress}}});
        let patched = api
            .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        if let Err(error) = patched {
            tracing::warn!(%error, namespace, name, "load balancer address not published");
        }
    }
}

async fn accept(listener: TcpListener, port: HostPort, services: Arc<Services>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let (services, port) = (services.clone(), port.clone());
                    connections.spawn(async move { carry(client, &port, &services).await });
                }
                // Out of descriptors: wait for some to be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, port: &HostPort, services: &Services) {
    let endpoints = services.endpoints(&port.namespace, &port.service, &port.port_name);
    let chosen = endpoints.choose(&mut rand::rng()).copied();
    // Dropping the client closes the connection: there is nobody to serve it.
    let Some(endpoint) = chosen else { return };
    let Ok(mut server) = TcpStream::connect(endpoint).await else {
        return;
    };
    // Closes each direction when its source does, as a half-closed connection wants.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
