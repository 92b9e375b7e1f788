//! What changes a profile: start, stop, pause, unpause, delete, and repairing its context.
//! minikube traps SIGINT only, so that is how it is asked to stop.

use std::time::Duration;

use app::model::{NewCluster, ProfileAct, ProfileName};

use super::minikube;
use crate::process::{CommandSpec, Signal};

/// The names of the steps of `start`, by their numbers.
pub const START_STEPS: [&str; 20] = [
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

fn long(verb: &str, profile: &ProfileName, minutes: u64) -> CommandSpec {
    let mut spec = minikube()
        .args([verb, "--profile", profile.as_str(), "--output", "json"])
        .deadline(Duration::from_secs(minutes * 60))
        .grace(Duration::from_secs(10));
    spec.interrupt = Signal::SIGINT;
    spec.parent_death = Signal::SIGINT;
    spec
}

/// Makes a new cluster. The docker runtime is asked for by name: docker-env needs it, and minikube's
/// own default changes to containerd with v1.39.
pub fn create(new: &NewCluster) -> CommandSpec {
    let mut spec = long("start", &new.profile, 30)
        .args([
            "--interactive=false",
            "--container-runtime=docker",
            "--nodes=1",
        ])
        .arg(format!("--cpus={}", new.cpus))
        .arg(format!("--memory={}mb", new.memory_mb))
        .arg(format!("--disk-size={}mb", new.disk_mb));
    if let Some(driver) = new.driver.flag() {
        spec = spec.arg(format!("--driver={driver}"));
    }
    if let Some(version) = &new.kubernetes {
        let version = version.as_str();
        spec = spec.arg(format!("--kubernetes-version={version}"));
    }
    spec
}

/// Does something to a profile that exists. A start takes no more options: minikube would ignore
/// them or refuse.
pub fn act(act: ProfileAct, profile: &ProfileName) -> CommandSpec {
    match act {
        ProfileAct::Start => long("start", profile, 30).arg("--interactive=false"),
        ProfileAct::Stop => long("stop", profile, 5),
        ProfileAct::Pause => long("pause", profile, 3),
        ProfileAct::Unpause => long("unpause", profile, 3),
        ProfileAct::Delete => long("delete", profile, 5),
        // Knows no JSON.
        ProfileAct::Repair => minikube()
            .args(["update-context", "--profile", profile.as_str()])
            .deadline(Duration::from_secs(60)),
    }
}

#[cfg(test)]
mod tests {
    use app::model::Driver;

    use super::*;

    fn words(spec: &CommandSpec) -> String {
        let words: Vec<_> = spec.args.iter().map(|arg| arg.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn a_new_cluster_has_the_docker_runtime_and_an_existing_one_keeps_its_own() {
        let profile: ProfileName = "demo".parse().expect("a name");
        let new = NewCluster {
            profile: profile.clone(),
            driver: Driver::Docker,
            cpus: 4,
            memory_mb: 4096,
            disk_mb: 20_000,
            kubernetes: Some("v1.34.0".parse().expect("a version")),
        };
        assert_eq!(
            words(&create(&new)),
            "start --profile demo --output json --interactive=false --container-runtime=docker --nodes=1 --cpus=4 --memory=4096mb --disk-size=20000mb --driver=docker --kubernetes-version=v1.34.0"
        );
        let auto = NewCluster {
            driver: Driver::Auto,
            kubernetes: None,
            ..new
        };
        assert!(!words(&create(&auto)).contains("driver"));
        assert_eq!(
            words(&act(ProfileAct::Start, &profile)),
            "start --profile demo --output json --interactive=false"
        );
        assert_eq!(create(&auto).interrupt, Signal::SIGINT);
    }
}
