//! The images of a profile: those of the scenario's docker daemon, through the docker CLI.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::profiles::State;
use super::scenario::ImageLoad;
use super::{Call, say};

pub fn docker_env(call: &Call) -> i32 {
    let profile = call.home.profile(call.args.profile());
    let code = match &profile {
        None => 85,
        Some(profile) if profile.state != State::Running => 83,
        Some(profile) if profile.nodes() > 1 => 81,
        Some(_) => 0,
    };
    if code != 0 {
        // Meant for eval.
        println!("false exit code {code}");
        return code;
    }
    let mut variables = call.scenario.docker_env.clone();
    variables.insert(
        "MINIKUBE_ACTIVE_DOCKERD".to_owned(),
        call.args.profile().to_owned(),
    );
    // `-o` is ignored without `--shell none`.
    match (call.args.get("shell"), call.args.output()) {
        (Some("none"), Some("json")) => {
            for empty in ["SSH_AGENT_PID", "SSH_AUTH_SOCK"] {
                variables.entry(empty.to_owned()).or_default();
            }
            say(&json!(variables));
        }
        (Some("none"), _) => {
            for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
                println!("{name}={value}");
            }
        }
        _ => {
            for (name, value) in &variables {
                println!("export {name}=\"{value}\"");
            }
        }
    }
    0
}

fn is_running(call: &Call) -> bool {
    call.home
        .profile(call.args.profile())
        .is_some_and(|profile| profile.state == State::Running)
}

/// The docker CLI on the cluster's daemon.
fn inside(call: &Call) -> Command {
    let mut docker = Command::new("docker");
    docker.envs(&call.scenario.docker_env);
    docker
}

/// Exit code 0 with an empty list when the cluster is not running.
pub fn list(call: &Call) -> i32 {
    if call.home.profile(call.args.profile()).is_none() {
        eprintln!("X Exiting due to MK_USAGE: loading profile");
        return 14;
    }
    let images = match is_running(call) {
        true => listed(call),
        false => Vec::new(),
    };
    say(&Value::from(images));
    0
}

fn listed(call: &Call) -> Vec<Value> {
    let output = inside(call)
        .args(["image", "ls", "--no-trunc", "--format", "{{json .}}"])
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|image| {
            let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
            let (repository, tag) = (text("Repository"), text("Tag"));
            let tags = match repository.as_str() {
                "<none>" => Vec::new(),
                name => vec![format!("{}:{tag}", expanded(name))],
            };
            // The size went through a human-readable column: a rounded number, as a string.
            json!({"id": text("ID").trim_start_matches("sha256:"), "repoDigests": [],
                "repoTags": tags, "size": "123000000"})
        })
        .collect()
}

/// Short names come with the default registry.
fn expanded(name: &str) -> String {
    practice::images::normalize(&format!("{name}:x"))
        .trim_end_matches(":x")
        .to_owned()
}

pub fn load(call: &Call, image: &str) -> i32 {
    match call.scenario.image_load {
        ImageLoad::SilentlyNot => return 0,
        ImageLoad::Fail => {
            eprintln!("X Exiting due to GUEST_IMAGE_LOAD: Failed to load image: save to dir");
            return 80;
        }
        ImageLoad::Ok => {}
    }
    // Nodes that do not run are skipped, and that is no error.
    if !is_running(call) {
        return 0;
    }
    if Path::new(image).is_file() || image.starts_with(['/', '.']) {
        let _ = quiet(inside(call).args(["load", "--input", image])).status();
        return 0;
    }
    // From the host's own daemon.
    let saved = Command::new("docker")
        .args(["save", image])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut saved) = saved else {
        return 80;
    };
    if let Some(pipe) = saved.stdout.take() {
        let _ = quiet(inside(call).arg("load")).stdin(pipe).status();
    }
    match saved.wait() {
        Ok(status) if status.success() => 0,
        _ => {
            eprintln!("X Exiting due to GUEST_IMAGE_LOAD: Failed to load image");
            80
        }
    }
}

/// A failing Dockerfile ends with exit code 0 as well.
pub fn build(call: &Call, context: &str) -> i32 {
    let mut docker = inside(call);
    docker.arg("build");
    for (option, value) in &call.args.options {
        match option.as_str() {
            "t" | "tag" => docker.args(["--tag", value]),
            "f" | "file" => docker.args(["--file", value]),
            _ => continue,
        };
    }
    let _ = docker.arg(context).status();
    0
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}
