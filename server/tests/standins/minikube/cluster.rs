//! What a profile's cluster is and does: status, list, stop, pause, delete.

use std::fs;

use serde_json::{Value, json};

use super::kubeconfig::{self, Kubeconfig};
use super::profiles::{Profile, State};
use super::start::{event, step};
use super::{Call, say};

/// Prints the status; the exit code is a bit mask over all nodes.
pub fn status(call: &Call) -> i32 {
    let name = call.args.profile();
    let Some(profile) = call.home.profile(name) else {
        return not_found(call, name);
    };
    if profile.state == State::Gone {
        print!("null");
        return 7;
    }
    let kubeconfig = kubeconfig::state(call, name);
    let nodes: Vec<Value> = (0..profile.nodes())
        .map(|at| node_status(&profile, at, kubeconfig))
        .collect();
    match &nodes[..] {
        [one] => print!("{one}"),
        many => print!("{}", Value::from(many.to_vec())),
    }
    let host = if profile.state == State::Stopped {
        1
    } else {
        0
    };
    let kubernetes = if profile.state == State::Running {
        0
    } else {
        2
    };
    let context = match kubeconfig {
        Kubeconfig::Configured if profile.state != State::Stopped => 0,
        _ => 4,
    };
    host | kubernetes | context
}

fn node_status(profile: &Profile, at: usize, kubeconfig: Kubeconfig) -> Value {
    let control_plane = at == 0;
    let (host, kubelet, api) = match profile.state {
        State::Running => ("Running", "Running", "Running"),
        State::Paused => ("Running", "Stopped", "Paused"),
        State::Stopped | State::Gone => ("Stopped", "Stopped", "Stopped"),
    };
    let name = match at {
        0 => profile.name.clone(),
        _ => format!("{}-m{:02}", profile.name, at + 1),
    };
    let config = match (profile.state, kubeconfig) {
        (State::Stopped, _) => "Stopped",
        (_, Kubeconfig::Configured) => "Configured",
        (_, Kubeconfig::Misconfigured) => "Misconfigured",
    };
    json!({
        "Name": name,
        "Host": host,
        "Kubelet": kubelet,
        "APIServer": if control_plane { api } else { "Irrelevant" },
        "Kubeconfig": if control_plane { config } else { "Irrelevant" },
        "Worker": !control_plane,
    })
}

/// Not a status object: CloudEvents in JSON mode, and exit code 85.
fn not_found(call: &Call, name: &str) -> i32 {
    let lines = [
        format!(
            "Profile \"{name}\" not found. Run \"minikube profile list\" to view all profiles."
        ),
        format!("To start a cluster, run: \"minikube start -p {name}\""),
    ];
    for line in lines {
        match call.args.is_json() {
            true => event("info", &json!({"message": line})),
            false => println!("{line}"),
        }
    }
    85
}

pub fn profile_list(call: &Call) -> i32 {
    let (valid, invalid): (Vec<Profile>, Vec<Profile>) = call
        .home
        .profiles()
        .into_iter()
        .partition(|profile| profile.config.is_some());
    if !call.args.is_json() {
        if valid.is_empty() {
            eprintln!("! No minikube profile was found.");
            return 14;
        }
        for profile in valid {
            println!("| {} |", profile.name);
        }
        return 0;
    }
    let light = call.args.has("light") || call.args.has("l");
    let current = kubeconfig::current(call);
    let row = |profile: &Profile| {
        let status = match profile.state {
            _ if light => "Skipped",
            State::Running => "OK",
            State::Paused => "Paused",
            State::Stopped => "Stopped",
            State::Gone => "",
        };
        json!({
            "Name": profile.name,
            "Status": if profile.config.is_some() { status } else { "" },
            "Config": profile.config,
            "Active": profile.name == "minikube",
            "ActiveKubeContext": current.as_deref() == Some(profile.name.as_str()),
        })
    };
    say(&json!({
        "invalid": invalid.iter().map(row).collect::<Vec<_>>(),
        "valid": valid.iter().map(row).collect::<Vec<_>>(),
    }));
    0
}

pub fn stop(call: &Call) -> i32 {
    acted(call, "Stopping", State::Stopped, |name| {
        kubeconfig::forget_current(call, name);
        format!("Stopping node \"{name}\"  ...")
    })
}

pub fn pause(call: &Call, pause: bool) -> i32 {
    let (step, state) = match pause {
        true => ("Pausing", State::Paused),
        false => ("Unpausing", State::Running),
    };
    acted(call, step, state, |name| format!("{step} node {name} ... "))
}

fn acted(call: &Call, name: &str, state: State, act: impl Fn(&str) -> String) -> i32 {
    let profile = call.args.profile();
    if call.home.profile(profile).is_none() {
        return not_found(call, profile);
    }
    let message = act(profile);
    step(call, "0", name, &message);
    std::thread::sleep(call.scenario.step());
    call.home.set_state(profile, state);
    0
}

pub fn delete(call: &Call) -> i32 {
    let name = call.args.profile();
    if call.home.profile(name).is_none() {
        return not_found(call, name);
    }
    step(
        call,
        "0",
        "Deleting",
        &format!("Deleting \"{name}\" in docker ..."),
    );
    std::thread::sleep(call.scenario.step());
    kubeconfig::remove(call, name);
    let _ = fs::remove_dir_all(call.home.profile_folder(name));
    step(
        call,
        "0",
        "Deleting",
        &format!("Removed all traces of the \"{name}\" cluster."),
    );
    0
}

pub fn update_context(call: &Call) -> i32 {
    let name = call.args.profile();
    if call.home.profile(name).is_none() {
        return not_found(call, name);
    }
    kubeconfig::write(call, name);
    println!("* \"{name}\" context has been updated to point to 192.168.49.2:8443");
    println!("* Current context is \"{name}\"");
    0
}

pub fn ip(call: &Call) -> i32 {
    match call.home.profile(call.args.profile()) {
        Some(profile) if profile.state == State::Running => {
            println!("192.168.49.2");
            0
        }
        Some(_) => 83,
        None => 85,
    }
}
