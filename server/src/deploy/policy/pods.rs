//! Rules about the pods an object makes: probes, resources, rights, images.

use app::model::{Finding, NextAction, Remedy, StepId};
use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::{Item, World, containers};

pub(super) fn check(item: &Item<'_>, world: &World<'_>) -> Vec<Finding> {
    let Some(spec) = item.pods() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if item.is_long_running() {
        findings.extend(probes_missing(item, &spec));
    }
    findings.extend(probe_ports(item, &spec));
    findings.extend(resources_missing(item, &spec));
    findings.extend(as_root(item, &spec, world));
    findings.extend(privileged(item, &spec));
    findings.extend(escalation(item, &spec));
    findings.extend(host_path(item, &spec));
    findings.extend(images(item, &spec, world));
    findings
}

fn names<'a>(containers: impl IntoIterator<Item = &'a Container>) -> Vec<&'a str> {
    containers
        .into_iter()
        .map(|container| container.name.as_str())
        .collect()
}

/// Containers that answer somebody need probes; where none declares a port, all of them.
fn probes_missing(item: &Item<'_>, spec: &PodSpec) -> Option<Finding> {
    let listens = |container: &&Container| container.ports.iter().flatten().next().is_some();
    let any = spec.containers.iter().any(|container| listens(&container));
    let lacking: Vec<&Container> = spec
        .containers
        .iter()
        .filter(|container| !any || listens(container))
        .filter(|container| {
            container.readiness_probe.is_none() || container.liveness_probe.is_none()
        })
        .collect();
    let first = lacking.first()?;
    let what: Vec<String> = lacking
        .iter()
        .map(|container| {
            let which = match (&container.readiness_probe, &container.liveness_probe) {
                (None, None) => "neither a readiness nor a liveness probe",
                (None, _) => "no readiness probe",
                _ => "no liveness probe",
            };
            format!("{} has {which}", container.name)
        })
        .collect();
    let port = first.ports.iter().flatten().next();
    let port = port.map_or(json!("http"), |port| {
        port.name
            .as_ref()
            .map_or(json!(port.container_port), |name| json!(name))
    });
    let mut fix = json!({});
    if first.readiness_probe.is_none() {
        fix["readinessProbe"] = json!({"httpGet": {"path": "/ready", "port": port}});
    }
    if first.liveness_probe.is_none() {
        fix["livenessProbe"] = json!({"httpGet": {"path": "/health", "port": port}});
    }
    Some(
        item.about(Finding::new(
            "PROBE_MISSING",
            format!("Nobody would notice when {} does not answer", item.name()),
            "Without a readiness probe requests reach pods that cannot answer yet; without a liveness probe one that hangs stays.",
        ))
        .attention()
        .evidence(item.source, what.join("\n"))
        .next(item.container_patch(&[&first.name], &fix)),
    )
}

/// A probe asks a port the container does not have.
fn probe_ports(item: &Item<'_>, spec: &PodSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in containers(spec) {
        for (which, probe) in [
            ("startupProbe", &container.startup_probe),
            ("livenessProbe", &container.liveness_probe),
            ("readinessProbe", &container.readiness_probe),
        ] {
            let Some(port) = probe.as_ref().and_then(probe_port) else {
                continue;
            };
            if has_port(container, &port) {
                continue;
            }
            let shown = match &port {
                IntOrString::Int(number) => number.to_string(),
                IntOrString::String(name) => name.clone(),
            };
            let declared: Vec<String> = container
                .ports
                .iter()
                .flatten()
                .map(|port| match &port.name {
                    Some(name) => format!("{name} ({})", port.container_port),
                    None => port.container_port.to_string(),
                })
                .collect();
            let has = match declared.as_slice() {
                [] => "declares no port of that name".to_owned(),
                declared => format!("declares {}", declared.join(", ")),
            };
            let first = container.ports.iter().flatten().next();
            let right = first.map_or(json!(8080), |port| {
                port.name
                    .as_ref()
                    .map_or(json!(port.container_port), |name| json!(name))
            });
            let finding = item
                .about(Finding::new(
                    "PROBE_PORT_MISMATCH",
                    format!("The {which} of {} asks port {shown}", container.name),
                    format!("The container {has}, so the probe may never succeed."),
                ))
                .evidence(item.source, format!("{which}: port {shown}"))
                .attention();
            findings.push(finding.next(item.container_patch(
                &[&container.name],
                &json!({which: {"httpGet": {"port": right}}}),
            )));
        }
    }
    findings
}

fn probe_port(probe: &Probe) -> Option<IntOrString> {
    let http = probe.http_get.as_ref().map(|http| http.port.clone());
    let tcp = || probe.tcp_socket.as_ref().map(|tcp| tcp.port.clone());
    let grpc = || probe.grpc.as_ref().map(|grpc| IntOrString::Int(grpc.port));
    http.or_else(tcp).or_else(grpc)
}

/// Declaring ports is optional: a number is only wrong when others are declared.
fn has_port(container: &Container, port: &IntOrString) -> bool {
    let mut ports = container.ports.iter().flatten().peekable();
    match port {
        IntOrString::Int(number) => {
            ports.peek().is_none() || ports.any(|port| port.container_port == *number)
        }
        IntOrString::String(name) => match name.parse::<i32>() {
            Ok(number) => ports.peek().is_none() || ports.any(|port| port.container_port == number),
            Err(_) => ports.any(|port| port.name.as_ref() == Some(name)),
        },
    }
}

fn resources_missing(item: &Item<'_>, spec: &PodSpec) -> Option<Finding> {
    let lacking: Vec<(&Container, Vec<&str>)> = spec
        .containers
        .iter()
        .filter_map(|container| {
            let resources = container.resources.clone().unwrap_or_default();
            let (requests, limits) = (
                resources.requests.unwrap_or_default(),
                resources.limits.unwrap_or_default(),
            );
            // A limit without a request is the request too.
            let asks = |name: &str| requests.contains_key(name) || limits.contains_key(name);
            let mut missing = Vec::new();
            if !asks("cpu") {
                missing.push("requests.cpu");
            }
            if !asks("memory") {
                missing.push("requests.memory");
            }
            if !limits.contains_key("memory") {
                missing.push("limits.memory");
            }
            (!missing.is_empty()).then_some((container, missing))
        })
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let evidence: Vec<String> = lacking
        .iter()
        .map(|(container, missing)| format!("{} lacks {}", container.name, missing.join(", ")))
        .collect();
    let fix = json!({"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}});
    Some(
        item.about(Finding::new(
            "RESOURCES_MISSING",
            format!("{} says not what it needs", item.name()),
            "Without requests the scheduler packs pods blindly; without a memory limit one leak takes the node down.",
        ))
        .attention()
        .evidence(item.source, evidence.join("\n"))
        .next(item.container_patch(&names(lacking.iter().map(|(container, _)| *container)), &fix)),
    )
}

/// Whether the image itself says that it runs as somebody else.
fn image_user_is_root(container: &Container, world: &World<'_>) -> bool {
    let component = container
        .image
        .as_deref()
        .and_then(|image| world.project?.component_of_image(image));
    let Some(image) = component.and_then(|component| world.proved.get(&component.name)) else {
        return true;
    };
    let user = image.user.split(':').next().unwrap_or_default();
    matches!(user, "" | "0" | "root")
}

fn as_root(item: &Item<'_>, spec: &PodSpec, world: &World<'_>) -> Option<Finding> {
    let pod = spec.security_context.clone().unwrap_or_default();
    let roots: Vec<&Container> = containers(spec)
        .filter(|container| {
            let own = container.security_context.clone().unwrap_or_default();
            let user = own.run_as_user.or(pod.run_as_user);
            let promised = own.run_as_non_root.or(pod.run_as_non_root) == Some(true);
            match user {
                Some(0) => true,
                Some(_) => false,
                None => !promised && image_user_is_root(container, world),
            }
        })
        .collect();
    if roots.is_empty() {
        return None;
    }
    Some(
        item.about(Finding::new(
            "RUNS_AS_ROOT",
            format!("{} may run as root", item.name()),
            "Nothing says that its processes run as another user, so a hole in them is a hole in the node.",
        ))
        .attention()
        .evidence(item.source, names(roots).join(", "))
        .next(item.pod_patch(&json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 10001}}))),
    )
}

fn with_context(
    spec: &PodSpec,
    wanted: impl Fn(&k8s_openapi::api::core::v1::SecurityContext) -> bool,
) -> Vec<&Container> {
    containers(spec)
        .filter(|container| wanted(&container.security_context.clone().unwrap_or_default()))
        .collect()
}

fn privileged(item: &Item<'_>, spec: &PodSpec) -> Option<Finding> {
    let found = with_context(spec, |context| context.privileged == Some(true));
    let host = [
        (spec.host_network, "hostNetwork"),
        (spec.host_pid, "hostPID"),
        (spec.host_ipc, "hostIPC"),
    ];
    let host: Vec<&str> = host
        .into_iter()
        .filter(|(set, _)| *set == Some(true))
        .map(|(_, name)| name)
        .collect();
    if found.is_empty() && host.is_empty() {
        return None;
    }
    let names = names(found);
    let evidence = [
        names
            .iter()
            .map(|name| format!("{name}: privileged"))
            .collect::<Vec<_>>(),
        host.iter().map(|name| format!("pod: {name}")).collect(),
    ]
    .concat();
    let fix = if names.is_empty() {
        let off: serde_json::Map<String, Value> = host
            .iter()
            .map(|name| ((*name).to_owned(), json!(false)))
            .collect();
        item.pod_patch(&Value::Object(off))
    } else {
        item.container_patch(&names, &json!({"securityContext": {"privileged": false}}))
    };
    Some(
        item.about(Finding::new(
            "PRIVILEGED",
            format!("{} has the rights of the node", item.name()),
            "A privileged container, or one in the node's own namespaces, can do whatever the node can.",
        ))
        .attention()
        .evidence(item.source, evidence.join("\n"))
        .next(fix),
    )
}

/// Only where it is asked for: the default is told by RUNS_AS_ROOT.
fn escalation(item: &Item<'_>, spec: &PodSpec) -> Option<Finding> {
    let found = with_context(spec, |context| {
        context.allow_privilege_escalation == Some(true) && context.privileged != Some(true)
    });
    if found.is_empty() {
        return None;
    }
    let names = names(found);
    Some(
        item.about(Finding::new(
            "PRIVILEGE_ESCALATION",
            format!("Processes of {} may gain more rights", item.name()),
            "allowPrivilegeEscalation is true, so programs with setuid give whoever runs them root's rights.",
        ))
        .attention()
        .evidence(item.source, names.join(", "))
        .next(item.container_patch(
            &names,
            &json!({"securityContext": {"allowPrivilegeEscalation": false}}),
        )),
    )
}

fn host_path(item: &Item<'_>, spec: &PodSpec) -> Option<Finding> {
    let volumes: Vec<(String, String)> = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| {
            let path = volume.host_path.as_ref()?;
            Some((volume.name.clone(), path.path.clone()))
        })
        .collect();
    let (name, _) = volumes.first()?;
    let evidence: Vec<String> = volumes
        .iter()
        .map(|(name, path)| format!("{name}: {path}"))
        .collect();
    Some(
        item.about(Finding::new(
            "HOST_PATH",
            format!("{} mounts folders of the node", item.name()),
            "What is in them differs from node to node, and a pod that can write there can take the node over.",
        ))
        .attention()
        .evidence(item.source, evidence.join("\n"))
        .next(item.pod_patch(&json!({"volumes": [{"name": name, "emptyDir": {}}]})))
        .next(NextAction::advice("Use a PersistentVolumeClaim where the data has to stay")),
    )
}

/// The tag of a reference; none for a digest, `latest` where there is none.
fn tag(image: &str) -> Option<&str> {
    if image.contains('@') {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    Some(last.split_once(':').map_or("latest", |(_, tag)| tag))
}

fn images(item: &Item<'_>, spec: &PodSpec, world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut moving, mut unproved) = (Vec::new(), Vec::new());
    for container in containers(spec) {
        let Some(image) = container.image.as_deref() else {
            continue;
        };
        let component = world
            .project
            .and_then(|project| project.component_of_image(image));
        let policy = container.image_pull_policy.as_deref();
        match component {
            Some(component) if policy == Some("Always") => {
                findings.push(pull_always(item, container, component.name.as_str()));
            }
            Some(_) => {}
            None => {
                if tag(image) == Some("latest") {
                    moving.push(container);
                }
                if policy == Some("Never") {
                    unproved.push(container);
                }
            }
        }
    }
    let listed = |containers: &[&Container]| -> String {
        let lines: Vec<String> = containers
            .iter()
            .map(|container| {
                format!(
                    "{}: {}",
                    container.name,
                    container.image.as_deref().unwrap_or_default()
                )
            })
            .collect();
        lines.join("\n")
    };
    if let Some(first) = moving.first() {
        let repository = practice::images::repository(first.image.as_deref().unwrap_or_default());
        let fix = json!({"image": format!("{repository}:1.2.3")});
        findings.push(
            item.about(Finding::new(
                "IMAGE_TAG_MOVES",
                format!("{} runs whatever is newest", item.name()),
                "The tag latest, or none, means another image tomorrow: pods of one revision differ, and rolling back brings nothing back.",
            ))
            .attention()
            .evidence(item.source, listed(&moving))
            .next(item.container_patch(&[&first.name], &fix)),
        );
    }
    if let Some(first) = unproved.first() {
        let fix = json!({"imagePullPolicy": "IfNotPresent"});
        findings.push(
            item.about(Finding::new(
                "IMAGE_NEVER_PULL",
                format!(
                    "{} needs an image nobody has shown to be there",
                    item.name()
                ),
                "Its pull policy is Never, and the image is none that was built and proved here.",
            ))
            .attention()
            .evidence(item.source, listed(&unproved))
            .next(item.container_patch(&[&first.name], &fix))
            .next(NextAction::Do {
                action: Remedy::BuildImages,
                label: "Build the images".to_owned(),
            }),
        );
    }
    findings
}

/// An image that was built here is in no registry.
fn pull_always(item: &Item<'_>, container: &Container, component: &str) -> Finding {
    item.about(Finding::new(
        "IMAGE_PULL_ALWAYS",
        format!("{component} will not find its image"),
        "imagePullPolicy is Always, so the node asks a registry even though the image is already there.",
    ))
    .evidence(item.source, format!("{}: imagePullPolicy: Always", container.name))
    .next(item.container_patch(&[&container.name], &json!({"imagePullPolicy": "IfNotPresent"})))
    .next(NextAction::Open {
        step: StepId::Images,
        label: "Look at the images".to_owned(),
    })
}
