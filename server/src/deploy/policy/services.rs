//! Rules about the way from a Service to the program.

use app::model::{ClusterKind, Finding, NextAction};
use serde_json::{Value, json};

use super::{Item, World};

pub(super) fn check(service: &Item<'_>, items: &[Item<'_>], world: &World<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tunnel(service, world).into_iter().collect();
    let selector = &service.object["spec"]["selector"];
    // Without a selector somebody makes the endpoints by hand.
    let Some(wanted) = selector.as_object().filter(|map| !map.is_empty()) else {
        return findings;
    };
    let selects = |item: &&Item<'_>| {
        item.labels()
            .is_some_and(|labels| wanted.iter().all(|(key, value)| &labels[key] == value))
    };
    let selected: Vec<&Item<'_>> = items.iter().filter(selects).collect();
    if selected.is_empty() {
        findings.push(selects_nothing(service, selector, items));
        return findings;
    }
    let ports = service.object["spec"]["ports"].as_array();
    findings.extend(
        ports
            .into_iter()
            .flatten()
            .filter_map(|port| port_mismatch(service, port, &selected)),
    );
    findings
}

fn selects_nothing(service: &Item<'_>, selector: &Value, items: &[Item<'_>]) -> Finding {
    let finding = service
        .about(Finding::new(
            "SELECTOR_MATCHES_NOTHING",
            format!("The Service {} leads nowhere", service.name()),
            "No pod template in the manifests has the labels it selects.",
        ))
        .attention()
        .evidence(service.source, format!("selector: {selector}"));
    // Of the same name, it is most likely the one that is meant.
    let meant = items
        .iter()
        .find(|item| item.name() == service.name() && item.labels().is_some_and(Value::is_object));
    match meant.and_then(Item::labels) {
        Some(labels) => finding.next(service.patch(&json!({"spec": {"selector": labels}}))),
        None => finding.next(NextAction::advice(
            "Make the Service's selector equal to the labels of the pod template",
        )),
    }
}

/// The target port must be one the selected pods declare, when they declare any.
fn port_mismatch(service: &Item<'_>, port: &Value, selected: &[&Item<'_>]) -> Option<Finding> {
    let target = match &port["targetPort"] {
        Value::Null => &port["port"],
        target => target,
    };
    let mut declared = Vec::new();
    for item in selected {
        let spec = item.pods()?;
        let ports = spec
            .containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten());
        declared.extend(ports.map(|port| (port.name.clone(), i64::from(port.container_port))));
    }
    let has_number = |number: Option<i64>| {
        declared.is_empty() || declared.iter().any(|(_, port)| Some(*port) == number)
    };
    let fits = match target {
        Value::Number(number) => has_number(number.as_i64()),
        Value::String(wanted) => match wanted.parse::<i64>() {
            Ok(number) => has_number(Some(number)),
            Err(_) => declared
                .iter()
                .any(|(name, _)| name.as_ref() == Some(wanted)),
        },
        _ => true,
    };
    if fits {
        return None;
    }
    let known: Vec<String> = declared
        .iter()
        .map(|(name, port)| match name {
            Some(name) => format!("{name} ({port})"),
            None => port.to_string(),
        })
        .collect();
    let target = target
        .as_str()
        .map_or_else(|| target.to_string(), str::to_owned);
    let has = if known.is_empty() {
        "declare no port at all".to_owned()
    } else {
        format!("declare {}", known.join(", "))
    };
    let right = match declared.first() {
        Some((Some(name), _)) => json!(name),
        Some((None, number)) => json!(number),
        None => json!(8080),
    };
    let fix = json!({"spec": {"ports": [{"port": port["port"], "targetPort": right}]}});
    Some(
        service
            .about(Finding::new(
                "SERVICE_PORT_MISMATCH",
                format!("The Service {} sends to port {target}", service.name()),
                format!("The pods behind it {has}, so nothing may answer there."),
            ))
            .attention()
            .evidence(
                service.source,
                format!("port: {}, targetPort: {target}", port["port"]),
            )
            .next(service.patch(&fix)),
    )
}

/// On minikube a LoadBalancer waits for a tunnel.
fn tunnel(service: &Item<'_>, world: &World<'_>) -> Option<Finding> {
    let Some(ClusterKind::Minikube { profile }) = &world.kind else {
        return None;
    };
    (service.object["spec"]["type"] == "LoadBalancer").then(|| {
        service
            .about(Finding::new(
                "LOAD_BALANCER_PENDING",
                format!("The Service {} will wait for an address", service.name()),
                "On minikube a Service of type LoadBalancer gets an address while `minikube tunnel` runs.",
            ))
            .attention()
            .evidence(service.source, "type: LoadBalancer")
            .next(NextAction::Command {
                command: format!("minikube tunnel --profile {profile}"),
                why: "Leave it running in a terminal; it may ask for your password".to_owned(),
            })
    })
}
