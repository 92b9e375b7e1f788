//! What components expect of each other's Services: that they are there, have the port, and are
//! open as `slipway.toml` says.

use app::model::{ComponentName, Finding, NextAction, Rollout, StepId};

use super::code::{Code, UPKEEP, WAY};
use crate::assist::Facts;
use crate::assist::cluster_facts::Call;
use crate::assist::facts::{about, capitalized};

pub const SERVICE_MISSING: Code = Code {
    code: "SERVICE_MISSING",
    what: "A component has no Service, and something needs one.",
    why: "Another component's environment names it in a URL, or `slipway.toml` exposes it; a name without a Service cannot be found.",
    next: "Add a Service of that name to the manifests, then deploy.",
    ..WAY
};

pub const SERVICE_PORT_UNKNOWN: Code = Code {
    code: "SERVICE_PORT_UNKNOWN",
    what: "A component calls another one at a port that its Service does not have.",
    why: "The URL in its environment names the container's port, or an old one; a Service answers at its own ports only.",
    next: "Correct the URL's port, or add the port to the Service, then deploy.",
    ..WAY
};

pub const SERVICE_NOT_EXPOSED: Code = Code {
    code: "SERVICE_NOT_EXPOSED",
    what: "`slipway.toml` exposes a component, and its Service is for the cluster only.",
    why: "The Service is of type ClusterIP, so that no browser outside the cluster reaches it.",
    next: "Set the Service's `type` to LoadBalancer or NodePort in the manifests or the chart's values, then deploy.",
    ..UPKEEP
};

fn mend() -> NextAction {
    NextAction::Open {
        step: StepId::Deploy,
        label: "Deploy after mending the manifest".to_owned(),
    }
}

/// A component that another one calls, and the call.
fn calls<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = (&'a ComponentName, &'a ComponentName, &'a Call)> {
    let project = facts.project();
    let names = move || {
        project
            .into_iter()
            .flat_map(|project| project.components.iter().map(|component| &component.name))
    };
    let deployments = &facts.cluster.deployments;
    names().flat_map(move |caller| {
        let own = deployments.get(caller.as_str());
        own.into_iter()
            .flat_map(|own| &own.calls)
            .filter_map(move |call| {
                let callee = names().find(|name| name.as_str() == call.host)?;
                Some((caller, callee, call))
            })
    })
}

/// SERVICE_MISSING: somebody needs it.
pub fn missing(facts: &Facts<'_>) -> Vec<Finding> {
    if !facts.cluster.services_listed {
        return Vec::new();
    }
    let is_missing = |component: &ComponentName| {
        let live = facts.state.components.get(component);
        live.is_some_and(|live| live.rollout != Rollout::Absent)
            && !facts.cluster.services.contains_key(component.as_str())
    };
    let called = calls(facts)
        .filter(|(_, callee, _)| is_missing(callee))
        .map(|(caller, callee, call)| {
            let why = format!(
                "{} calls it at {} ({}), and there is no Service of that name.",
                capitalized(caller),
                call.address(),
                call.variable
            );
            (callee, why)
        });
    let exposed = facts
        .project()
        .into_iter()
        .flat_map(|project| &project.components)
        .filter(|view| view.exposed && is_missing(&view.name))
        .map(|view| {
            let why = "slipway.toml exposes it, and there is no Service of that name.".to_owned();
            (&view.name, why)
        });
    called
        .chain(exposed)
        .map(|(component, why)| {
            let port = facts.port_of(component).unwrap_or(80);
            SERVICE_MISSING
                .finding(format!("{} has no Service", capitalized(component)), why)
                .about(about(component))
                .next(NextAction::Command {
                    command: format!(
                        "kubectl expose deployment {component} --port {port}{}",
                        facts.namespace_flag()
                    ),
                    why: "Makes one until the manifests have it".to_owned(),
                })
                .next(mend())
        })
        .collect()
}

/// SERVICE_PORT_UNKNOWN: the Service is there, the port is not.
pub fn port_unknown(facts: &Facts<'_>) -> Vec<Finding> {
    calls(facts)
        .filter_map(|(caller, callee, call)| {
            let service = facts.cluster.services.get(callee.as_str())?;
            let ports: Vec<u16> = service.ports.iter().map(|(port, _)| *port).collect();
            if ports.is_empty() || ports.contains(&call.port) {
                return None;
            }
            let has: Vec<String> = ports.iter().map(u16::to_string).collect();
            let has = has.join(", ");
            Some(
                SERVICE_PORT_UNKNOWN
                    .finding(
                        format!(
                            "{} calls {callee} at a port it does not have",
                            capitalized(caller)
                        ),
                        format!(
                            "{} says {}, and the Service {callee} has {has}.",
                            call.variable,
                            call.address()
                        ),
                    )
                    .about(about(caller))
                    .next(NextAction::advice(format!(
                        "Set the port in {} to {has}",
                        call.variable
                    )))
                    .next(mend())
                    .evidence(format!("Service {callee}"), format!("ports: {has}")),
            )
        })
        .collect()
}

/// SERVICE_NOT_EXPOSED: nobody outside reaches it.
pub fn not_exposed(facts: &Facts<'_>) -> Vec<Finding> {
    let project = facts.project();
    project
        .into_iter()
        .flat_map(|project| &project.components)
        .filter(|view| view.exposed)
        .filter_map(|view| {
            let component = &view.name;
            let service = facts.state.components.get(component)?.service.as_ref()?;
            (service.kind == "ClusterIP").then(|| {
                SERVICE_NOT_EXPOSED
                    .finding(
                        format!("{} cannot be opened from outside", capitalized(component)),
                        format!(
                            "slipway.toml exposes it, and the Service {} is of type ClusterIP.",
                            service.name
                        ),
                    )
                    .about(about(component))
                    .next(NextAction::advice(
                        "Set the Service's type to LoadBalancer or NodePort",
                    ))
                    .next(mend())
            })
        })
        .collect()
}
