//! Pod status from the states of its containers: phase, conditions and container statuses as the
//! kubelet computes them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// What a container is doing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Waiting { reason: String, message: String },
    Running { since: Timestamp },
    Terminated(Termination),
}

/// One ended run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    pub exit_code: i32,
    pub signal: Option<i32>,
    pub reason: String,
    pub message: String,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub container_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Init,
    /// An init container that keeps running (restartPolicy Always).
    Sidecar,
    App,
}

/// What the status of one container is made from.
#[derive(Clone, Debug)]
pub struct ContainerView {
    pub name: String,
    pub role: Role,
    pub image: String,
    pub image_id: String,
    pub container_id: String,
    pub state: State,
    pub last: Option<Termination>,
    pub restarts: i32,
    pub started: bool,
    pub ready: bool,
}

/// The pod beyond its containers.
#[derive(Clone, Debug)]
pub struct PodView<'a> {
    pub pod: &'a Pod,
    pub containers: &'a [ContainerView],
    pub pod_ip: Option<String>,
    pub host_ip: &'a str,
    pub start_time: Timestamp,
}

fn ended_well(view: &ContainerView) -> bool {
    matches!(&view.state, State::Terminated(end) if end.exit_code == 0)
}

pub fn restart_policy(pod: &Pod) -> &str {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        .unwrap_or("Always")
}

/// The phase of the pod.
pub fn phase(containers: &[ContainerView], policy: &str) -> &'static str {
    let init_open = containers.iter().any(|view| match view.role {
        Role::Init => !ended_well(view),
        Role::Sidecar => !view.started,
        Role::App => false,
    });
    let init_failed = containers.iter().any(|view| {
        view.role == Role::Init
            && matches!(&view.state, State::Terminated(end) if end.exit_code != 0)
    });
    if init_failed && policy == "Never" {
        return "Failed";
    }
    let (mut waiting, mut running, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for view in containers.iter().filter(|view| view.role == Role::App) {
        match &view.state {
            State::Running { .. } => running += 1,
            State::Waiting { .. } if view.last.is_some() => stopped += 1,
            State::Waiting { .. } => waiting += 1,
            State::Terminated(end) => {
                stopped += 1;
                succeeded += i32::from(end.exit_code == 0);
            }
        }
    }
    if waiting > 0 || (init_open && running == 0 && stopped == 0) {
        "Pending"
    } else if running > 0 || policy == "Always" {
        "Running"
    } else if stopped > 0 && stopped == succeeded {
        "Succeeded"
    } else if policy == "Never" {
        "Failed"
    } else {
        "Running"
    }
}

/// The whole status as a merge patch.
pub fn pod_status(view: &PodView<'_>) -> Value {
    let containers = view.containers;
    let phase = phase(containers, restart_policy(view.pod));
    let statuses = |wanted: fn(Role) -> bool| -> Vec<Value> {
        containers
            .iter()
            .filter(|c| wanted(c.role))
            .map(container_status)
            .collect()
    };
    let init = statuses(|role| role != Role::App);
    let ip_list = view.pod_ip.as_ref().map(|ip| json!([{"ip": ip}]));
    json!({
        "phase": phase,
        "observedGeneration": view.pod.metadata.generation,
        "conditions": conditions(view, phase),
        "hostIP": view.host_ip,
        "hostIPs": [{"ip": view.host_ip}],
        "podIP": view.pod_ip,
        "podIPs": ip_list,
        "startTime": Time(view.start_time),
        "qosClass": qos_class(view.pod),
        "initContainerStatuses": if init.is_empty() { Value::Null } else { init.into() },
        "containerStatuses": statuses(|role| role == Role::App),
    })
}

fn container_status(view: &ContainerView) -> Value {
    let last = view
        .last
        .as_ref()
        .map_or(json!({}), |end| json!({"terminated": terminated(end)}));
    let state = match &view.state {
        State::Waiting { reason, message } if message.is_empty() => {
            json!({"waiting": {"reason": reason}})
        }
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": Time(seconds(*since))}}),
        State::Terminated(end) => json!({"terminated": terminated(end)}),
    };
    let mut status = json!({
        "name": view.name,
        "image": view.image,
        "imageID": view.image_id,
        "state": state,
        "lastState": last,
        "ready": view.ready,
        "started": view.started,
        "restartCount": view.restarts,
    });
    if !view.container_id.is_empty() {
        status["containerID"] = view.container_id.clone().into();
    }
    status
}

fn terminated(end: &Termination) -> Value {
    let mut value = json!({"exitCode": end.exit_code, "reason": end.reason});
    if let Some(signal) = end.signal {
        value["signal"] = signal.into();
    }
    if !end.message.is_empty() {
        value["message"] = end.message.clone().into();
    }
    if !end.container_id.is_empty() {
        value["containerID"] = end.container_id.clone().into();
    }
    value["startedAt"] = end
        .started
        .map_or(Value::Null, |at| json!(Time(seconds(at))));
    value["finishedAt"] = end
        .finished
        .map_or(Value::Null, |at| json!(Time(seconds(at))));
    value
}

/// Kubernetes keeps whole seconds in these fields.
pub fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn conditions(view: &PodView<'_>, phase: &str) -> Vec<Value> {
    let apps = || view.containers.iter().filter(|c| c.role == Role::App);
    let init_done = phase == "Succeeded"
        || view.containers.iter().all(|c| match c.role {
            Role::Init => ended_well(c),
            Role::Sidecar => c.started,
            Role::App => true,
        });
    let incomplete: Vec<&str> = view
        .containers
        .iter()
        .filter(|c| c.role != Role::App && !(ended_well(c) || c.role == Role::Sidecar && c.started))
        .map(|c| c.name.as_str())
        .collect();
    let unready: Vec<&str> = apps()
        .chain(view.containers.iter().filter(|c| c.role == Role::Sidecar))
        .filter(|c| !c.ready)
        .map(|c| c.name.as_str())
        .collect();
    let network = view.pod_ip.is_some() && !matches!(phase, "Succeeded" | "Failed");
    let ready = |kind: &str| match phase {
        "Succeeded" => condition(view, kind, false, "PodCompleted", ""),
        "Failed" => condition(view, kind, false, "PodFailed", ""),
        _ if unready.is_empty() && init_done => condition(view, kind, true, "", ""),
        _ => condition(
            view,
            kind,
            false,
            "ContainersNotReady",
            &format!("containers with unready status: [{}]", unready.join(" ")),
        ),
    };
    let initialized = if init_done {
        condition(view, "Initialized", true, "", "")
    } else {
        condition(
            view,
            "Initialized",
            false,
            "ContainersNotInitialized",
            &format!(
                "containers with incomplete status: [{}]",
                incomplete.join(" ")
            ),
        )
    };
    vec![
        condition(view, "PodReadyToStartContainers", network, "", ""),
        initialized,
        ready("Ready"),
        ready("ContainersReady"),
        condition(view, "PodScheduled", true, "", ""),
    ]
}

/// A condition keeps its transition time while its status stays the same.
fn condition(view: &PodView<'_>, kind: &str, status: bool, reason: &str, message: &str) -> Value {
    let status = if status { "True" } else { "False" };
    let known = view
        .pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.as_ref())
        .and_then(|all| all.iter().find(|c| c.type_ == kind && c.status == status))
        .and_then(|known| known.last_transition_time.clone());
    let mut value = json!({
        "type": kind,
        "status": status,
        "observedGeneration": view.pod.metadata.generation,
        "lastProbeTime": null,
        "lastTransitionTime": known.unwrap_or_else(|| Time(seconds(Timestamp::now()))),
    });
    if !reason.is_empty() {
        value["reason"] = reason.into();
    }
    if !message.is_empty() {
        value["message"] = message.into();
    }
    value
}

fn qos_class(pod: &Pod) -> &'static str {
    let Some(spec) = &pod.spec else {
        return "BestEffort";
    };
    let all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    let (mut any, mut guaranteed) = (false, true);
    for container in all {
        let resources = container.resources.as_ref();
        let requests = resources.and_then(|r| r.requests.as_ref());
        let limits = resources.and_then(|r| r.limits.as_ref());
        for kind in ["cpu", "memory"] {
            let request = requests.and_then(|r| r.get(kind));
            let limit = limits.and_then(|l| l.get(kind));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
