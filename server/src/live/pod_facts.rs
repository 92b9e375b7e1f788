//! What is kept of a Pod: a few fields instead of the whole object, so that thousands fit.
//! The row on the screen is drawn from these together with events, ReplicaSets and the clock.

use std::collections::BTreeMap;

use app::model::{Bounds, ContainerState, ProbeKind, Termination, UnixMillis};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metrics::{kib, millis as cpu_millis};
use crate::adapters::kube::times::millis;
use crate::secrets::fingerprint::FINGERPRINT_ANNOTATION;
use crate::secrets::reads::{SecretRead, secret_reads};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodFacts {
    pub uid: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub phase: String,
    pub ready: bool,
    pub deleted: bool,
    pub created: UnixMillis,
    pub ip: Option<String>,
    pub node: Option<String>,
    /// The controlling owner: kind, name and UID.
    pub owner: Option<Owner>,
    pub containers: Vec<ContainerFacts>,
    /// What stands for the secret values it was started with.
    pub secret_fingerprint: Option<String>,
    pub reads_secrets: Vec<SecretRead>,
    /// `status.reason` and message: `Evicted`, `NodeLost`…
    pub reason: Option<String>,
    pub message: Option<String>,
    /// Why the scheduler cannot place it.
    pub unschedulable: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub kind: String,
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ContainerFacts {
    pub name: String,
    pub init: bool,
    pub image: String,
    pub image_id: String,
    pub state: ContainerState,
    pub started: bool,
    pub ready: bool,
    pub restarts: u32,
    pub last_termination: Option<Termination>,
    pub probes: BTreeMap<ProbeKind, ProbeFacts>,
    /// In thousandths of a processor.
    pub cpu: Bounds,
    /// In KiB.
    pub memory: Bounds,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFacts {
    pub target: String,
    pub act: ProbeAct,
    pub period_s: u32,
    pub timeout_s: u32,
    pub failure_threshold: u32,
    pub initial_delay_s: u32,
}

/// What a probe does, as far as somebody else could do it, too.
#[derive(Clone, PartialEq, Eq)]
pub enum ProbeAct {
    Http {
        https: bool,
        port: u16,
        /// With a leading slash, and the query if there is one.
        path: String,
        /// May hold what nobody else should see.
        headers: Vec<(String, String)>,
    },
    Tcp {
        port: u16,
    },
    Grpc {
        port: u16,
        service: String,
    },
    /// Only the kubelet can do it; why.
    KubeletOnly(&'static str),
}

impl std::fmt::Debug for ProbeAct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http { .. } => "Http",
            Self::Tcp { .. } => "Tcp",
            Self::Grpc { .. } => "Grpc",
            Self::KubeletOnly(_) => "KubeletOnly",
        })
    }
}

impl PodFacts {
    pub fn of(pod: &core::Pod) -> Self {
        let meta = &pod.metadata;
        let spec = pod.spec.as_ref();
        let status = pod.status.as_ref();
        let condition = |kind: &str| {
            status
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
                .find(|condition| condition.type_ == kind)
        };
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            labels: meta.labels.clone().unwrap_or_default(),
            phase: status
                .and_then(|status| status.phase.clone())
                .unwrap_or_else(|| "Pending".to_owned()),
            ready: condition("Ready").is_some_and(|ready| ready.status == "True"),
            deleted: meta.deletion_timestamp.is_some(),
            created: meta
                .creation_timestamp
                .as_ref()
                .map(millis)
                .unwrap_or_default(),
            ip: status.and_then(|status| status.pod_ip.clone()),
            node: spec.and_then(|spec| spec.node_name.clone()),
            owner: meta
                .owner_references
                .iter()
                .flatten()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| Owner {
                    kind: owner.kind.clone(),
                    name: owner.name.clone(),
                    uid: owner.uid.clone(),
                }),
            containers: spec
                .map(|spec| containers(spec, status))
                .unwrap_or_default(),
            secret_fingerprint: meta
                .annotations
                .as_ref()
                .and_then(|annotations| annotations.get(FINGERPRINT_ANNOTATION).cloned()),
            reads_secrets: spec.map(secret_reads).unwrap_or_default(),
            reason: status.and_then(|status| status.reason.clone()),
            message: status.and_then(|status| status.message.clone()),
            unschedulable: condition("PodScheduled")
                .filter(|scheduled| scheduled.status == "False")
                .map(|scheduled| scheduled.message.clone().unwrap_or_default()),
        }
    }
}

fn containers(spec: &core::PodSpec, status: Option<&core::PodStatus>) -> Vec<ContainerFacts> {
    let statuses = |init: bool| {
        status
            .and_then(|status| {
                if init {
                    status.init_container_statuses.as_ref()
                } else {
                    status.container_statuses.as_ref()
                }
            })
            .into_iter()
            .flatten()
    };
    let init = spec.init_containers.iter().flatten().map(|c| (true, c));
    let main = spec.containers.iter().map(|c| (false, c));
    init.chain(main)
        .map(|(init, container)| {
            let status = statuses(init).find(|status| status.name == container.name);
            container_facts(init, container, status)
        })
        .collect()
}

fn bounds(container: &core::Container, what: &str, read: fn(&str) -> Option<u32>) -> Bounds {
    let resources = container.resources.as_ref();
    let of = |list: Option<&BTreeMap<String, Quantity>>| read(&list?.get(what)?.0);
    Bounds {
        request: of(resources.and_then(|resources| resources.requests.as_ref())),
        limit: of(resources.and_then(|resources| resources.limits.as_ref())),
    }
}

fn container_facts(
    init: bool,
    container: &core::Container,
    status: Option<&core::ContainerStatus>,
) -> ContainerFacts {
    ContainerFacts {
        name: container.name.clone(),
        init,
        image: status
            .map(|status| status.image.clone())
            .filter(|image| !image.is_empty())
            .or_else(|| container.image.clone())
            .unwrap_or_default(),
        image_id: status
            .map(|status| status.image_id.clone())
            .unwrap_or_default(),
        state: status
            .and_then(|status| status.state.as_ref())
            .map_or(ContainerState::Unknown, state),
        started: status.and_then(|status| status.started).unwrap_or(false),
        ready: status.is_some_and(|status| status.ready),
        restarts: status
            .and_then(|status| u32::try_from(status.restart_count).ok())
            .unwrap_or(0),
        last_termination: status
            .and_then(|status| status.last_state.as_ref())
            .and_then(|state| state.terminated.as_ref())
            .map(termination),
        probes: [
            (ProbeKind::Startup, &container.startup_probe),
            (ProbeKind::Liveness, &container.liveness_probe),
            (ProbeKind::Readiness, &container.readiness_probe),
        ]
        .into_iter()
        .filter_map(|(kind, probe)| Some((kind, probe_facts(probe.as_ref()?, container))))
        .collect(),
        cpu: bounds(container, "cpu", cpu_millis),
        memory: bounds(container, "memory", kib),
    }
}

fn state(state: &core::ContainerState) -> ContainerState {
    if let Some(running) = &state.running {
        ContainerState::Running {
            since: running.started_at.as_ref().map(millis).unwrap_or_default(),
        }
    } else if let Some(terminated) = &state.terminated {
        ContainerState::Terminated(termination(terminated))
    } else if let Some(waiting) = &state.waiting {
        ContainerState::Waiting {
            reason: waiting.reason.clone().unwrap_or_default(),
            message: waiting.message.clone().unwrap_or_default(),
        }
    } else {
        ContainerState::Unknown
    }
}

fn termination(terminated: &core::ContainerStateTerminated) -> Termination {
    Termination {
        exit_code: terminated.exit_code,
        reason: terminated.reason.clone().unwrap_or_default(),
        message: terminated.message.clone().unwrap_or_default(),
        finished: terminated.finished_at.as_ref().map(millis),
    }
}

fn probe_facts(probe: &core::Probe, container: &core::Container) -> ProbeFacts {
    let number = |value: Option<i32>, default: u32| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .unwrap_or(default)
    };
    ProbeFacts {
        target: target(probe, container),
        act: act(probe, container),
        period_s: number(probe.period_seconds, 10),
        timeout_s: number(probe.timeout_seconds, 1),
        failure_threshold: number(probe.failure_threshold, 3),
        initial_delay_s: number(probe.initial_delay_seconds, 0),
    }
}

fn act(probe: &core::Probe, container: &core::Container) -> ProbeAct {
    const ELSEWHERE: &str = "It asks another host than the pod, from the node";
    const NO_PORT: &str = "Its port is not declared";
    let elsewhere = |host: &Option<String>| host.as_deref().is_some_and(|host| !host.is_empty());
    if let Some(http) = &probe.http_get {
        if elsewhere(&http.host) {
            return ProbeAct::KubeletOnly(ELSEWHERE);
        }
        let Ok(port) = port(&http.port, container).parse() else {
            return ProbeAct::KubeletOnly(NO_PORT);
        };
        let path = http.path.as_deref().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        ProbeAct::Http {
            https: http.scheme.as_deref() == Some("HTTPS"),
            port,
            path: format!("{slash}{path}"),
            headers: http
                .http_headers
                .iter()
                .flatten()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
        }
    } else if let Some(tcp) = &probe.tcp_socket {
        if elsewhere(&tcp.host) {
            return ProbeAct::KubeletOnly(ELSEWHERE);
        }
        match port(&tcp.port, container).parse() {
            Ok(port) => ProbeAct::Tcp { port },
            Err(_) => ProbeAct::KubeletOnly(NO_PORT),
        }
    } else if let Some(grpc) = &probe.grpc {
        match u16::try_from(grpc.port) {
            Ok(port) => ProbeAct::Grpc {
                port,
                service: grpc.service.clone().unwrap_or_default(),
            },
            Err(_) => ProbeAct::KubeletOnly(NO_PORT),
        }
    } else if probe.exec.is_some() {
        ProbeAct::KubeletOnly("It runs a command in the container, which only the kubelet does")
    } else {
        ProbeAct::KubeletOnly("It is of a kind that Slipway does not know")
    }
}

fn target(probe: &core::Probe, container: &core::Container) -> String {
    if let Some(http) = &probe.http_get {
        let scheme = match http.scheme.as_deref() {
            Some("HTTPS") => "HTTPS ",
            _ => "",
        };
        format!(
            "{scheme}GET {} :{}",
            http.path.as_deref().unwrap_or("/"),
            port(&http.port, container)
        )
    } else if let Some(tcp) = &probe.tcp_socket {
        format!("TCP :{}", port(&tcp.port, container))
    } else if let Some(grpc) = &probe.grpc {
        format!("gRPC :{}", grpc.port)
    } else if let Some(exec) = &probe.exec {
        let command = exec.command.as_deref().unwrap_or_default().join(" ");
        let short: String = command.chars().take(80).collect();
        format!("exec {short}")
    } else {
        "unknown".to_owned()
    }
}

fn port(port: &IntOrString, container: &core::Container) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map_or_else(|| name.clone(), |port| port.container_port.to_string()),
    }
}
