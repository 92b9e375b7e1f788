//! The way from a Service to the program: selector, ports, load balancer.

use std::collections::BTreeMap;

use app::model::{ClusterKind, ComponentName, Finding, LoadBalancer, NextAction, StepId, Subject};

use super::code::{Code, NOT_UP, UPKEEP, WAY};
use crate::assist::Facts;
use crate::assist::cluster_facts::{DeploymentFacts, Port, ServiceFacts};
use crate::assist::facts::{about, capitalized};

pub const SERVICE_PORT_MISMATCH: Code = Code {
    code: "SERVICE_PORT_MISMATCH",
    what: "A Service sends to a port where nothing listens.",
    why: "`targetPort` is neither a port of the container nor the one in `slipway.toml`.",
    next: "Correct `targetPort`, then deploy.",
    ..WAY
};

pub const SELECTOR_MATCHES_NOTHING: Code = Code {
    code: "SELECTOR_MATCHES_NOTHING",
    follows: NOT_UP,
    what: "Nothing stands behind a Service although its pods are well, or nothing ever can.",
    why: "The Service's selector differs from the labels of the pod template.",
    next: "Make them equal, then deploy.",
    ..WAY
};

pub const LOAD_BALANCER_PENDING: Code = Code {
    code: "LOAD_BALANCER_PENDING",
    what: "A Service of type LoadBalancer has no address.",
    why: "Something has to give it one: on minikube that is `minikube tunnel`, in a cloud it takes a minute or two.",
    next: "Do what the finding says for this kind of cluster, or open the address it offers meanwhile.",
    ..UPKEEP
};

fn components<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a ComponentName> {
    facts
        .project()
        .into_iter()
        .flat_map(|project| project.components.iter().map(|component| &component.name))
}

fn edit_and_deploy() -> NextAction {
    NextAction::Open {
        step: StepId::Deploy,
        label: "Deploy after mending the manifest".to_owned(),
    }
}

/// SERVICE_PORT_MISMATCH: a Service leads to a port where nothing listens.
pub fn service_port_mismatch(facts: &Facts<'_>) -> Vec<Finding> {
    components(facts)
        .filter_map(|component| {
            let deployment = facts.cluster.deployments.get(component.as_str())?;
            let service = facts.cluster.services.get(component.as_str())?;
            // The selector is the problem then.
            if !selects(service, deployment) {
                return None;
            }
            let listens = facts.port_of(component);
            let (port, target) = service
                .ports
                .iter()
                .find(|(_, target)| leads_nowhere(target, deployment, listens))?;
            let has = match (declared(deployment).as_str(), listens) {
                ("", Some(listens)) => {
                    format!("slipway.toml says that {component} listens on {listens}")
                }
                ("", None) => "the container declares no port".to_owned(),
                (declared, _) => format!("the container has {declared}"),
            };
            let right = listens.map_or_else(|| declared(deployment), |port| port.to_string());
            Some(
                SERVICE_PORT_MISMATCH.finding(format!("Nothing can reach {component} through its Service"),
                    format!(
                        "Port {port} of the Service {component} leads to port {target}, and {has}."
                    ),
                )
                .about(about(component))
                .next(NextAction::advice(format!("Set targetPort of the Service to {right}")))
                .next(edit_and_deploy())
                .evidence(
                    format!("Service {component}"),
                    format!("port: {port}, targetPort: {target}"),
                ),
            )
        })
        .collect()
}

/// Declaring ports is optional, so a number is also right when slipway.toml knows it; a name must be
/// declared.
fn leads_nowhere(target: &Port, deployment: &DeploymentFacts, listens: Option<u16>) -> bool {
    let mut containers = deployment.containers.iter();
    if containers.any(|container| container.has(target)) {
        return false;
    }
    match target {
        Port::Name(_) => true,
        Port::Number(number) => match listens {
            Some(listens) => *number != listens,
            None => !declared(deployment).is_empty(),
        },
    }
}

fn declared(deployment: &DeploymentFacts) -> String {
    let ports: Vec<String> = deployment
        .containers
        .iter()
        .flat_map(|container| &container.ports)
        .map(|(name, number)| match name {
            Some(name) => format!("{number} (`{name}`)"),
            None => number.to_string(),
        })
        .collect();
    ports.join(", ")
}

fn selects(service: &ServiceFacts, deployment: &DeploymentFacts) -> bool {
    service
        .selector
        .iter()
        .all(|(key, value)| deployment.labels.get(key) == Some(value))
}

/// SELECTOR_MATCHES_NOTHING: nothing stands behind a component's Service although its pods are well,
/// or nothing ever can.
pub fn selector_matches_nothing(facts: &Facts<'_>) -> Vec<Finding> {
    components(facts)
        .filter_map(|component| {
            let service = facts.cluster.services.get(component.as_str());
            // Without a selector somebody else manages its endpoints.
            if service.is_some_and(|service| service.selector.is_empty()) {
                return None;
            }
            let row = facts.state.components.get(component)?.service.as_ref()?;
            if row.ready_endpoints > 0 {
                return None;
            }
            let ready = facts
                .pods()
                .filter(|(of, pod)| *of == component && pod.ready)
                .count();
            let deployment = facts.cluster.deployments.get(component.as_str());
            let difference = service
                .zip(deployment)
                .map(|(service, own)| difference(&service.selector, &own.labels))
                .filter(|difference| !difference.is_empty());
            let why = match (difference, ready) {
                (Some(difference), _) => {
                    format!("The Service {component} selects pods with {difference}.")
                }
                (None, 0) => return None,
                (None, 1) => format!("A pod of {component} is ready, and the Service {component} has no address behind it."),
                (None, more) => format!("{more} pods of {component} are ready, and the Service {component} has no address behind it."),
            };
            let mut finding = SELECTOR_MATCHES_NOTHING.finding(format!("{} is not reachable", capitalized(component)),
                why,
            )
            .about(about(component))
            .next(NextAction::advice("Make the Service's selector equal to the labels of the pod template"))
            .next(edit_and_deploy())
            .evidence(
                format!("Service {component}"),
                format!("0 ready addresses, {ready} ready pods"),
            );
            if let Some(service) = service {
                finding = finding.evidence(
                    format!("Service {component}, selector"),
                    written(&service.selector),
                );
            }
            Some(finding)
        })
        .collect()
}

fn written(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// `app=web, and the pods have app=backend`
fn difference(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> String {
    let wrong: Vec<String> = selector
        .iter()
        .filter(|(key, value)| labels.get(*key) != Some(*value))
        .map(|(key, value)| match labels.get(key) {
            Some(other) => format!("{key}={value}, and the pods have {key}={other}"),
            None => format!("{key}={value}, and the pods have no label {key}"),
        })
        .collect();
    wrong.join("; ")
}

/// LOAD_BALANCER_PENDING: nobody gives the Service an address.
pub fn load_balancer_pending(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(cluster) = &facts.state.cluster else {
        return Vec::new();
    };
    facts
        .state
        .components
        .iter()
        .filter_map(|(component, live)| {
            let service = live.service.as_ref()?;
            (service.load_balancer == LoadBalancer::Pending).then_some(())?;
            let (why, next) = pending_on(&cluster.kind);
            let mut finding = LOAD_BALANCER_PENDING
                .finding(
                    format!("{} waits for an address", capitalized(component)),
                    why,
                )
                .about(Subject::Object {
                    kind: "Service".to_owned(),
                    name: service.name.clone(),
                });
            finding.next = next;
            if let Some(url) = &service.open_url {
                finding = finding.evidence("It can be opened here meanwhile", url.clone());
            }
            Some(finding)
        })
        .collect()
}

fn pending_on(kind: &ClusterKind) -> (String, Vec<NextAction>) {
    match kind {
        ClusterKind::Minikube { profile } => (
            "On minikube a Service of type LoadBalancer gets an address while `minikube tunnel` runs.".to_owned(),
            vec![NextAction::Command {
                command: format!("minikube tunnel --profile {profile}"),
                why: "Leave it running in a terminal; it may ask for your password".to_owned(),
            }],
        ),
        ClusterKind::Kind { .. } => (
            "kind gives no addresses to Services of type LoadBalancer by itself.".to_owned(),
            vec![NextAction::advice("Run cloud-provider-kind beside it, or use a Service of type NodePort")],
        ),
        ClusterKind::K3d { .. } => (
            "k3d's load balancer takes each port only once.".to_owned(),
            vec![NextAction::advice("See whether another Service already has the same port")],
        ),
        ClusterKind::Practice => (
            "The practice cluster has not given it an address yet.".to_owned(),
            vec![NextAction::advice("Look at the Service's events; its port may be taken on this machine")],
        ),
        ClusterKind::Desktop { .. } | ClusterKind::OtherLocal | ClusterKind::Remote => (
            "The cluster has not given it an address yet; clouds take a minute or two, clusters without a load balancer never do.".to_owned(),
            vec![NextAction::advice("Wait a little; else install a load balancer controller or use type NodePort")],
        ),
    }
}
