//! How each tool is installed on each family of systems. Slipway shows the command and never runs it.

use app::model::NextAction;

use super::machine::OsFamily;

fn command(command: &str, why: &str) -> NextAction {
    NextAction::Command {
        command: command.to_owned(),
        why: why.to_owned(),
    }
}

/// What to do to get a tool, the best first.
pub fn install(tool: &str, os: OsFamily) -> Vec<NextAction> {
    use OsFamily::{Alpine, Arch, Debian, Fedora, MacOs, OtherLinux, Wsl};
    let install = "Install it, then check again";
    let next = match (tool, os) {
        ("docker", Debian) => command("sudo apt-get install docker.io", install),
        ("docker", Fedora) => command("sudo dnf install moby-engine docker-cli", install),
        ("docker", Arch) => command("sudo pacman -S docker", install),
        ("docker", Alpine) => command("sudo apk add docker docker-cli-buildx", install),
        ("docker", MacOs) => command("brew install --cask docker-desktop", install),
        ("docker", Wsl) => NextAction::advice(
            "Install Docker Desktop on Windows and switch on its integration with this distribution (Settings, Resources, WSL integration)",
        ),
        ("docker", OtherLinux) => {
            NextAction::advice("Install docker with your system's package manager")
        }
        ("minikube", Debian | Fedora | Alpine | Wsl | OtherLinux) => command(
            if cfg!(target_arch = "aarch64") {
                "curl -LO https://github.com/kubernetes/minikube/releases/latest/download/minikube-linux-arm64 && sudo install minikube-linux-arm64 /usr/local/bin/minikube"
            } else {
                "curl -LO https://github.com/kubernetes/minikube/releases/latest/download/minikube-linux-amd64 && sudo install minikube-linux-amd64 /usr/local/bin/minikube"
            },
            "Download the program of the minikube project and put it on the PATH",
        ),
        ("minikube", Arch) => command("sudo pacman -S minikube", install),
        ("kubectl", Debian) => command("sudo apt-get install kubernetes-client", install),
        ("kubectl", Fedora) => command("sudo dnf install kubernetes-client", install),
        ("kubectl", Alpine) => command("sudo apk add kubectl", install),
        ("kubectl", Arch) => command("sudo pacman -S kubectl", install),
        ("kubectl", Wsl | OtherLinux) => NextAction::advice(
            "Install kubectl with your system's package manager; where minikube is installed, `minikube kubectl --` is one",
        ),
        ("helm", Fedora) => command("sudo dnf install helm", install),
        ("helm", Alpine) => command("sudo apk add helm", install),
        ("helm", Arch) => command("sudo pacman -S helm", install),
        ("helm", Debian | Wsl | OtherLinux) => command(
            "curl -fsSL https://raw.githubusercontent.com/helm/helm/main/scripts/get-helm-3 | bash",
            "The helm project's own installer",
        ),
        ("minikube" | "kubectl" | "helm", MacOs) => {
            return vec![command(&format!("brew install {tool}"), install)];
        }
        ("cargo", _) => NextAction::advice("Install Rust with rustup, as rustup.rs describes"),
        ("kubectl-ai", MacOs) => command("brew install kubectl-ai", install),
        ("kubectl-ai", _) => command(
            "kubectl krew install ai",
            "With krew, the plugin manager of kubectl; the project's releases also have it",
        ),
        ("kagent", MacOs) => command("brew install kagent", install),
        ("kagent", _) => {
            NextAction::advice("Follow the kagent project's installation page (kagent.dev)")
        }
        ("gordon", MacOs | Wsl) => NextAction::advice(
            "Gordon comes with Docker Desktop 4.74 or newer: install it, sign in, and switch on Settings, AI, Enable Gordon",
        ),
        ("gordon", _) => NextAction::advice(
            "Gordon comes with Docker Desktop only, not with the docker engine of this system's packages",
        ),
        _ => NextAction::advice("Install it with your system's package manager"),
    };
    vec![next]
}

/// How the docker daemon is started.
pub fn start_docker(os: OsFamily) -> NextAction {
    match os {
        OsFamily::MacOs => command("open -a Docker", "Starts Docker Desktop"),
        OsFamily::Wsl => NextAction::advice("Start Docker Desktop on Windows"),
        OsFamily::Alpine => command("sudo rc-service docker start", "Starts the docker daemon"),
        _ => command("sudo systemctl start docker", "Starts the docker daemon"),
    }
}

/// How a user gets to use the docker daemon.
pub fn allow_docker(os: OsFamily) -> NextAction {
    match os {
        OsFamily::MacOs | OsFamily::Wsl => start_docker(os),
        OsFamily::Alpine => command(
            "sudo addgroup $USER docker && newgrp docker",
            "Lets your user talk to the daemon; members of that group have root's power",
        ),
        _ => command(
            "sudo usermod -aG docker $USER && newgrp docker",
            "Lets your user talk to the daemon; members of that group have root's power",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_fix_on_every_system() {
        use OsFamily::{Alpine, Arch, Debian, Fedora, MacOs, OtherLinux, Wsl};
        for os in [Alpine, Arch, Debian, Fedora, MacOs, OtherLinux, Wsl] {
            for tool in [
                "docker",
                "minikube",
                "kubectl",
                "helm",
                "cargo",
                "kubectl-ai",
                "kagent",
                "gordon",
            ] {
                assert!(!install(tool, os).is_empty(), "{tool} on {os:?}");
            }
        }
        assert_ne!(install("docker", Debian), install("docker", MacOs));
    }
}
