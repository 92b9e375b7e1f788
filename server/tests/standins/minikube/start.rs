//! `minikube start`: CloudEvents, one line each.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use super::profiles::State;
use super::{Call, interrupted, kubeconfig, say};

/// The step names in the order of their numbers.
const STEPS: [&str; 20] = [
    "Initial Minikube Setup",
    "Selecting Driver",
    "Downloading Artifacts",
    "Starting Node",
    "Updating Driver",
    "Pulling Base Image",
    "Running on Localhost",
    "Local OS Release",
    "Creating Container",
    "Creating VM",
    "Running Remotely",
    "Preparing Kubernetes",
    "Generating certificates",
    "Booting control plane",
    "Configuring RBAC rules",
    "Configuring CNI",
    "Configuring Localhost Environment",
    "Verifying Kubernetes",
    "Enabling Addons",
    "Done",
];
/// The steps of the docker driver, as recorded: some are skipped.
const DOCKER: [usize; 13] = [0, 1, 3, 5, 2, 8, 11, 12, 13, 14, 15, 17, 18];
const KUBERNETES: &str = "v1.35.1";

pub fn start(call: &Call) -> i32 {
    let name = call.args.profile();
    let known = call.home.profile(name);
    if let Some(config) = known.as_ref().and_then(|profile| profile.config.as_ref())
        && let Some(asked) = call.args.get("driver")
        && config.get("Driver").and_then(Value::as_str) != Some(asked)
    {
        return fatal(&json!({"name": "GUEST_DRIVER_MISMATCH", "exitcode": "81",
            "message": format!("The existing \"{name}\" cluster was created using another driver, which is incompatible with requested \"{asked}\" driver."),
            "advice": "Delete the existing cluster using: 'minikube delete', or start it with its own driver", "url": "", "issues": ""}));
    }
    if call.args.has("dry-run") {
        step(call, "0", STEPS[0], "minikube v1.38.1 on Debian 12.11");
        return 0;
    }
    let asked = call.args.get("kubernetes-version").unwrap_or(KUBERNETES);
    let kubernetes = match asked {
        "stable" | "latest" => KUBERNETES.to_owned(),
        version => format!("v{}", version.trim_start_matches('v')),
    };
    if call.args.output() != Some("json") {
        println!("* minikube {} on Debian 12.11", call.scenario.version);
    }
    // An error event without an exit code: a note on the error channel, not the end.
    event(
        "warning",
        &json!({"message": "minikube v1.39.0 will default to the containerd container runtime"}),
    );
    for at in DOCKER {
        step(
            call,
            &at.to_string(),
            STEPS[at],
            &message(at, name, &kubernetes),
        );
        if at == 2 {
            download(call);
        }
        if at == 8 && known.is_none() {
            call.home.create(&call.args, &kubernetes);
            call.home.set_state(name, State::Stopped);
        }
        if let Some(error) = call
            .scenario
            .start
            .error
            .as_ref()
            .filter(|error| error.at == at)
        {
            event(
                "error",
                &json!({"message": "Failed to do what was asked, will try again"}),
            );
            let mut data = error.data.clone();
            data.insert("exitcode".to_owned(), error.exitcode.to_string().into());
            return fatal(&Value::Object(data));
        }
        while call.scenario.start.hang_at == Some(at) && !interrupted() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        std::thread::sleep(call.scenario.step());
        if interrupted() {
            call.home.log("ended by SIGINT: start");
            return 2;
        }
    }
    call.home.set_state(name, State::Running);
    kubeconfig::write(call, name);
    step(
        call,
        "19",
        STEPS[19],
        &format!(
            "Done! kubectl is now configured to use \"{name}\" cluster and \"default\" namespace by default"
        ),
    );
    0
}

fn message(at: usize, name: &str, kubernetes: &str) -> String {
    match at {
        0 => "minikube v1.38.1 on Debian 12.11".to_owned(),
        1 => "Using the docker driver based on user configuration".to_owned(),
        2 => format!("Downloading Kubernetes {kubernetes} preload ..."),
        3 => format!("Starting \"{name}\" primary control-plane node in \"{name}\" cluster"),
        5 => "Pulling base image v0.0.50 ...".to_owned(),
        8 => "Creating docker container (CPUs=2, Memory=3072MB) ...".to_owned(),
        11 => format!("Preparing Kubernetes {kubernetes} on Docker 28.5.2 ..."),
        17 => "Verifying Kubernetes components...".to_owned(),
        18 => "Enabled addons: storage-provisioner, default-storageclass".to_owned(),
        _ => format!("{} ...", STEPS[at]),
    }
}

/// The file grows in the cache as the real one does.
fn download(call: &Call) {
    let Some(download) = &call.scenario.start.download else {
        return;
    };
    let known = json!({"currentstep": "2", "totalsteps": "19", "artifact": download.artifact});
    event("download", &known);
    let folder = call.home.folder.join("cache").join("preloaded-tarball");
    fs::create_dir_all(&folder).expect("made");
    let path = folder.join(format!("{}.download", download.artifact));
    let mut file = fs::File::create(&path).expect("made");
    for tenth in 0..=10 {
        let mut data = known.clone();
        data["progress"] = match (call.scenario.start.odd_progress, tenth) {
            (true, 0) => "NaN".into(),
            (true, 3) => "+Inf".into(),
            _ => (tenth as f64 / 10.0).to_string().into(),
        };
        if tenth > 0 {
            let part = usize::try_from(download.bytes / 10).expect("fits");
            file.write_all(&vec![0; part]).expect("written");
        }
        event("download.progress", &data);
        std::thread::sleep(call.scenario.step());
        if interrupted() {
            return;
        }
    }
    let _ = fs::rename(&path, folder.join(&download.artifact));
}

pub fn step(call: &Call, at: &str, name: &str, message: &str) {
    match call.args.output() {
        Some("json") => event(
            "step",
            &json!({"currentstep": at, "message": message, "name": name, "totalsteps": "19"}),
        ),
        _ => println!("* {message}"),
    }
}

/// Prints the error; the result is its exit code.
fn fatal(data: &Value) -> i32 {
    event("error", data);
    data["exitcode"]
        .as_str()
        .and_then(|code| code.parse().ok())
        .unwrap_or(1)
}

pub fn event(kind: &str, data: &Value) {
    say(&json!({
        "specversion": "1.0",
        "id": "8c1c1d5e-0000-4000-8000-000000000000",
        "source": "https://minikube.sigs.k8s.io/",
        "type": format!("io.k8s.sigs.minikube.{kind}"),
        "datacontenttype": "application/json",
        "data": data,
    }));
}
