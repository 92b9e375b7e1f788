//! Phase and conditions from container states.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{ContainerView, PodView, Role, State, Termination, phase, pod_status};

fn view(role: Role, state: State) -> ContainerView {
    ContainerView {
        name: "app".into(),
        role,
        image: "app:1".into(),
        image_id: String::new(),
        container_id: String::new(),
        state,
        last: None,
        restarts: 0,
        started: false,
        ready: false,
    }
}

fn ended(code: i32) -> State {
    State::Terminated(Termination {
        exit_code: code,
        signal: None,
        reason: "Error".into(),
        message: String::new(),
        started: None,
        finished: None,
        container_id: String::new(),
    })
}

fn waiting() -> State {
    State::Waiting {
        reason: "ContainerCreating".into(),
        message: String::new(),
    }
}

fn running() -> State {
    State::Running {
        since: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn phases_follow_the_kubelet() {
    let app = |state| vec![view(Role::App, state)];
    assert_eq!(phase(&app(waiting()), "Always"), "Pending");
    assert_eq!(phase(&app(running()), "Always"), "Running");
    assert_eq!(phase(&app(ended(0)), "Always"), "Running");
    assert_eq!(phase(&app(ended(0)), "Never"), "Succeeded");
    assert_eq!(phase(&app(ended(1)), "Never"), "Failed");
    assert_eq!(phase(&app(ended(1)), "OnFailure"), "Running");
    let with_init = |init, app| vec![view(Role::Init, init), view(Role::App, app)];
    assert_eq!(phase(&with_init(running(), waiting()), "Always"), "Pending");
    assert_eq!(phase(&with_init(ended(1), waiting()), "Never"), "Failed");
    assert_eq!(phase(&with_init(ended(0), running()), "Always"), "Running");
}

#[test]
fn a_crashed_container_that_waits_for_its_restart_keeps_the_pod_running() {
    let mut app = view(Role::App, waiting());
    app.last = match ended(1) {
        State::Terminated(end) => Some(end),
        _ => None,
    };
    assert_eq!(phase(&[app], "Always"), "Running");
}

#[test]
fn an_unready_container_is_named_in_the_condition() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"generation": 3},
        "spec": {"containers": [{"name": "app"}]}
    }))
    .unwrap();
    let containers = [view(Role::App, running())];
    let status = pod_status(&PodView {
        pod: &pod,
        containers: &containers,
        pod_ip: Some("127.77.1.10".into()),
        host_ip: "127.0.0.1",
        start_time: Timestamp::UNIX_EPOCH,
    });
    let ready = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|condition| condition["type"] == "Ready")
        .unwrap();
    assert_eq!(ready["status"], "False");
    assert_eq!(ready["message"], "containers with unready status: [app]");
    assert_eq!(status["observedGeneration"], 3);
    assert_eq!(status["qosClass"], "BestEffort");
}
