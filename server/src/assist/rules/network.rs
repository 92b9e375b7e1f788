//! The way from a Service to the program: selector, ports, load balancer.

use std::collections::BTreeMap;

use app::model::{ClusterKind, ComponentName, Finding, LoadBalancer, NextAction, StepId, Subject};

use crate::assist::Facts;
use crate::assist::cluster_facts::{DeploymentFacts, ServiceFacts};
use crate::assist::facts::{about, capitalized};

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

/// PORT_MISMATCH: a Service or a probe asks at a port the container does not have.
pub fn port_mismatch(facts: &Facts<'_>) -> Vec<Finding> {
    components(facts)
        .filter_map(|component| {
            let deployment = facts.cluster.deployments.get(component.as_str())?;
            // Declaring ports is optional; without any there is nothing to compare with.
            if deployment
                .containers
                .iter()
                .all(|container| container.ports.is_empty())
            {
                return None;
            }
            service_port(facts, component, deployment)
                .or_else(|| probe_port(facts, component, deployment))
        })
        .collect()
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

fn service_port(
    facts: &Facts<'_>,
    component: &ComponentName,
    deployment: &DeploymentFacts,
) -> Option<Finding> {
    let service = facts.cluster.services.get(component.as_str())?;
    if !selects(service, deployment) {
        return None;
    }
    let (port, target) = service.ports.iter().find(|(_, target)| {
        !deployment
            .containers
            .iter()
            .any(|container| container.has(target))
    })?;
    Some(
        Finding::new(
            "PORT_MISMATCH",
            format!("Nothing can reach {component} through its Service"),
            format!(
                "Port {port} of the Service {component} leads to port {target}, and the container has {}.",
                declared(deployment)
            ),
        )
        .about(about(component))
        .next(NextAction::Advice {
            text: format!("Set targetPort of the Service to a port the container has: {}", declared(deployment)),
        })
        .next(edit_and_deploy()),
    )
}

fn probe_port(
    facts: &Facts<'_>,
    component: &ComponentName,
    deployment: &DeploymentFacts,
) -> Option<Finding> {
    // A probe that passes is right, whatever is declared.
    let unwell = facts.pods().any(|(of, pod)| of == component && !pod.ready);
    if !unwell {
        return None;
    }
    deployment.containers.iter().find_map(|container| {
        let (kind, port) = container
            .probes
            .iter()
            .find(|(_, port)| !container.has(port))?;
        // The state names the probe as failing; a wrong declaration alone hurts nobody.
        let fails = facts.containers().any(|(of, _, row)| {
            of == component
                && row.name == container.name
                && row.probes.get(kind).is_some_and(|probe| {
                    matches!(
                        probe.verdict,
                        app::model::ProbeVerdict::Failing { .. }
                            | app::model::ProbeVerdict::Killed { .. }
                    )
                })
        });
        fails.then(|| {
            Finding::new(
                "PORT_MISMATCH",
                format!(
                    "The {} probe of {component} asks at the wrong port",
                    kind.title().to_lowercase()
                ),
                format!(
                    "It asks at port {port}, and the container has {}.",
                    declared(deployment)
                ),
            )
            .about(about(component))
            .next(NextAction::Advice {
                text: format!(
                    "Set the probe's port to one the container has: {}",
                    declared(deployment)
                ),
            })
            .next(edit_and_deploy())
        })
    })
}

fn selects(service: &ServiceFacts, deployment: &DeploymentFacts) -> bool {
    service
        .selector
        .iter()
        .all(|(key, value)| deployment.labels.get(key) == Some(value))
}

/// SELECTOR_MATCHES_NOTHING: a component's Service selects no pod template there is.
pub fn selector_matches_nothing(facts: &Facts<'_>) -> Vec<Finding> {
    components(facts)
        .filter_map(|component| {
            let service = facts.cluster.services.get(component.as_str())?;
            // Without a selector somebody else manages its endpoints.
            if service.selector.is_empty() || facts.cluster.deployments.is_empty() {
                return None;
            }
            if facts.cluster.deployments.values().any(|one| selects(service, one)) {
                return None;
            }
            let has_endpoints = facts
                .state
                .components
                .get(component)
                .and_then(|live| live.service.as_ref())
                .is_some_and(|row| row.ready_endpoints > 0);
            if has_endpoints {
                return None;
            }
            let own = facts.cluster.deployments.get(component.as_str());
            let why = match own.map(|deployment| difference(&service.selector, &deployment.labels)) {
                Some(difference) => format!("The Service {component} selects pods with {difference}."),
                None => format!(
                    "The Service {component} selects pods with {}, and no Deployment makes such pods.",
                    written(&service.selector)
                ),
            };
            Some(
                Finding::new(
                    "SELECTOR_MATCHES_NOTHING",
                    format!("{} is not reachable", capitalized(component)),
                    why,
                )
                .about(about(component))
                .next(NextAction::Advice {
                    text: "Make the Service's selector equal to the labels of the pod template".to_owned(),
                })
                .next(edit_and_deploy())
                .evidence(format!("Service {component}, selector"), written(&service.selector)),
            )
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
            let mut finding = Finding::new(
                "LOAD_BALANCER_PENDING",
                format!("{} waits for an address", capitalized(component)),
                why,
            )
            .attention()
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
    let advice = |text: &str| NextAction::Advice {
        text: text.to_owned(),
    };
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
            vec![advice("Run cloud-provider-kind beside it, or use a Service of type NodePort")],
        ),
        ClusterKind::K3d { .. } => (
            "k3d's load balancer takes each port only once.".to_owned(),
            vec![advice("See whether another Service already has the same port")],
        ),
        ClusterKind::Practice => (
            "The practice cluster has not given it an address yet.".to_owned(),
            vec![advice("Look at the Service's events; its port may be taken on this machine")],
        ),
        ClusterKind::OtherLocal | ClusterKind::Remote => (
            "The cluster has not given it an address yet; clouds take a minute or two, clusters without a load balancer never do.".to_owned(),
            vec![advice("Wait a little; else install a load balancer controller or use type NodePort")],
        ),
    }
}
