//! What to do about a failed minikube: by its id where it is known, else by the range of the exit
//! code, else what minikube itself advises.

use app::model::{NextAction, ProfileName, Remedy};

use crate::adapters::minikube::events::Fatal;
use crate::setup::{OsFamily, allow_docker, start_docker};

fn command(command: String, why: &str) -> NextAction {
    NextAction::Command {
        command,
        why: why.to_owned(),
    }
}

/// Never empty.
pub(super) fn next(
    exit: i32,
    fatal: Option<&Fatal>,
    profile: &ProfileName,
    os: OsFamily,
) -> Vec<NextAction> {
    let id = fatal.map_or("", |fatal| fatal.id.as_str());
    let mut next = by_id(id, profile, os);
    let said = fatal.map_or("", |fatal| fatal.advice.as_str());
    if !said.is_empty() {
        next.push(NextAction::advice(format!(
            "minikube advises: {}",
            said.replace('\n', "; ")
        )));
    }
    if next.is_empty() {
        next = by_range(exit);
    }
    next.push(command(
        format!("minikube logs --profile {profile} --file minikube.log"),
        "Writes down what minikube and the node know about it",
    ));
    next
}

fn by_id(id: &str, profile: &ProfileName, os: OsFamily) -> Vec<NextAction> {
    match id {
        "DRV_NOT_DETECTED" | "PROVIDER_DOCKER_NOT_FOUND" => vec![NextAction::advice(
            "Install Docker, the simplest of minikube's drivers; the Docker check on this page says how",
        )],
        // A catch-all of minikube: the daemon may also be too old, too slow or of another kind.
        "DRV_DOCKER_NOT_RUNNING" | "PROVIDER_DOCKER_NOT_RUNNING" | "DRV_NOT_HEALTHY" => {
            vec![start_docker(os)]
        }
        "PROVIDER_DOCKER_NEWGRP" => vec![allow_docker(os)],
        "DRV_AS_ROOT" => vec![NextAction::advice(
            "Run Slipway as an ordinary user: minikube refuses to run its docker driver as root",
        )],
        "RSRC_INSUFFICIENT_CORES" | "RSRC_DOCKER_CORES" => vec![NextAction::advice(
            "Give Docker at least 2 processors (Docker Desktop: Settings, Resources), or use the practice cluster",
        )],
        "RSRC_INSUFFICIENT_REQ_MEMORY"
        | "RSRC_INSUFFICIENT_SYS_MEMORY"
        | "RSRC_INSUFFICIENT_CONTAINER_MEMORY"
        | "RSRC_DOCKER_MEMORY" => vec![
            NextAction::advice("Ask for less memory, or close other programs"),
            NextAction::advice("With Docker Desktop, give it more memory in Settings, Resources"),
        ],
        "RSRC_DOCKER_STORAGE" | "GUEST_PROVISION_NOSPACE" => vec![command(
            "docker system prune".to_owned(),
            "Frees what docker keeps and nobody uses; it asks first",
        )],
        "GUEST_DRIVER_MISMATCH" => vec![NextAction::advice(format!(
            "The profile {profile} was made with another driver: start it as it is, or delete it and create it anew"
        ))],
        "GUEST_PROVISION_CONTAINER_EXITED" | "PR_DOCKER_NO_SSH" | "GUEST_PROVISION" => {
            vec![NextAction::advice(format!(
                "Delete the profile {profile} and create it anew; the node did not boot"
            ))]
        }
        "K8S_DOWNGRADE_UNSUPPORTED" => vec![NextAction::advice(
            "Ask for the version the cluster has or a newer one; for an older one, delete it first",
        )],
        "K8S_OLD_UNSUPPORTED" | "K8S_NEW_UNSUPPORTED" => vec![NextAction::advice(
            "Choose a version this minikube knows, or leave the field empty for its default",
        )],
        "HOST_HOME_PERMISSION" => vec![command(
            "sudo chown -R $USER $HOME/.minikube && chmod -R u+wrx $HOME/.minikube".to_owned(),
            "Some of minikube's files belong to root, after a run with sudo",
        )],
        "HOST_KUBECONFIG_PERMISSION" => vec![command(
            "sudo chown -R $USER $HOME/.kube && chmod 600 $HOME/.kube/config".to_owned(),
            "The kubeconfig belongs to root, after a run with sudo",
        )],
        "GUEST_MISSING_CONNTRACK" => vec![NextAction::advice(
            "Install conntrack with your system's package manager",
        )],
        _ if id.starts_with("INET_") => by_range(40),
        _ => Vec::new(),
    }
}

fn by_range(exit: i32) -> Vec<NextAction> {
    let practice = || NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".to_owned(),
    };
    match exit {
        10..=19 => vec![NextAction::advice("Change the settings and try again")],
        20..=29 => vec![
            NextAction::advice("Ask for less memory, processors or disk, or free some"),
            practice(),
        ],
        30..=39 => vec![NextAction::advice(
            "Mend what it names on this machine, then try again",
        )],
        40..=49 => vec![
            NextAction::advice(
                "Check the connection, VPN and proxy variables (the Network check on this page), then try again",
            ),
            practice(),
        ],
        50..=69 => vec![
            NextAction::advice("See the Docker check on this page, or choose another driver"),
            practice(),
        ],
        70..=79 => vec![NextAction::advice(
            "Look for a VPN or another network that uses the same addresses; `docker network prune` removes unused ones",
        )],
        80..=109 => vec![NextAction::advice(
            "Try once more; if it fails again, delete the profile and create it anew",
        )],
        _ => vec![NextAction::advice(
            "Try once more, and look at the log below",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_first_failures_have_a_command_of_this_system() {
        let profile: ProfileName = "demo".parse().expect("a name");
        let of = |id: &str, exit| {
            let fatal = Fatal {
                exit,
                id: id.to_owned(),
                ..Fatal::default()
            };
            next(exit, Some(&fatal), &profile, OsFamily::Debian).remove(0)
        };
        assert!(
            matches!(of("PROVIDER_DOCKER_NEWGRP", 69), NextAction::Command { command, .. }
            if command.contains("usermod"))
        );
        assert!(
            matches!(of("DRV_DOCKER_NOT_RUNNING", 55), NextAction::Command { command, .. }
            if command.contains("systemctl start docker"))
        );
        assert!(
            matches!(of("INET_DOWNLOAD_TIMEOUT", 41), NextAction::Advice { text }
            if text.contains("proxy"))
        );
        assert!(matches!(of("NEVER_SEEN", 63), NextAction::Advice { text }
            if text.contains("driver")));
    }
}
