//! Why a cluster does not answer: what can be told from the symptom, and what the tools that run
//! local clusters say about theirs.

use std::time::Duration;

use app::model::{ClusterKind, ContextState, Finding, ProfileState};
use tokio_util::sync::CancellationToken;

use super::{ClusterRoom, Connected, words};
use crate::adapters::docker::{self, DaemonProblem};
use crate::adapters::kube::client::{Beat, KubeError};
use crate::adapters::{kind, minikube};
use crate::process::{self, Captured, CommandSpec, Ending};

/// How it shows that something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symptom {
    /// The connection stands or is being made, and nothing comes back.
    Silent(Duration),
    /// Nobody listens there.
    Refused,
    /// The server's name is not known.
    UnknownName(String),
    /// Its certificate is not one that this kubeconfig trusts.
    Untrusted(String),
    /// It answers, and does not know us.
    Unauthorized,
    /// There are no credentials to show.
    NoLogin(String),
    /// It answers that it is not ready.
    NotReady(String),
    Other(String),
}

impl Symptom {
    pub fn of(beat: &Beat) -> Self {
        match beat {
            Beat::Unauthorized => Self::Unauthorized,
            Beat::NotReady(what) => Self::NotReady(what.clone()),
            Beat::Silent(limit) => Self::Silent(*limit),
            Beat::Broken(error) => Self::of_error(error),
            // Heard again after a loss that has no cause of its own, such as a sleep.
            Beat::Alive => Self::Other(String::new()),
        }
    }

    pub fn of_error(error: &KubeError) -> Self {
        if let KubeError::Silent(limit) = error {
            return Self::Silent(*limit);
        }
        if error.code() == Some(401) {
            return Self::Unauthorized;
        }
        let text = error.to_string();
        if error.login().is_some() {
            return Self::NoLogin(text);
        }
        let lower = text.to_lowercase();
        if lower.contains("certificate") {
            Self::Untrusted(text)
        } else if lower.contains("connection refused") {
            Self::Refused
        } else if lower.contains("lookup address") || lower.contains("dns error") {
            Self::UnknownName(text)
        } else {
            Self::Other(text)
        }
    }

    /// Whether a cluster that is stopped, paused or moved would show the same.
    fn may_be_the_clusters(&self) -> bool {
        matches!(
            self,
            Self::Silent(_)
                | Self::Refused
                | Self::Untrusted(_)
                | Self::NotReady(_)
                | Self::Other(_)
        )
    }
}

/// What runs the nodes of a local cluster says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeState {
    Running,
    Paused,
    Stopped,
    /// There is no such machine any more.
    Gone,
    /// It runs, and the kubeconfig points elsewhere: ports change with a restart.
    Moved,
}

impl ClusterRoom {
    /// What is wrong and how it is put right.
    pub(super) async fn why(&self, connected: &Connected, symptom: Symptom) -> Finding {
        let finding = words::lost(connected, &symptom);
        if !symptom.may_be_the_clusters() {
            return finding;
        }
        let state = match &connected.kind {
            ClusterKind::Minikube { profile } => self.profile_state(profile).await,
            ClusterKind::Kind { name } => self.container_state(&kind::kind_node(name)).await,
            ClusterKind::K3d { name } => self.container_state(&kind::k3d_node(name)).await,
            _ => return finding,
        };
        if let Some(state) = state.filter(|state| *state != NodeState::Running) {
            return words::node(&connected.kind, state).unwrap_or(finding);
        }
        // Without the daemon nobody knows what the nodes do.
        match self.daemon_problem().await {
            Some((problem, said)) => words::no_daemon(&connected.kind, problem, &said),
            None => finding,
        }
    }

    async fn profile_state(&self, profile: &str) -> Option<NodeState> {
        let captured = self.ask(minikube::status(&profile.parse().ok()?)).await?;
        let Some((state, context)) = minikube::profile_state(&captured) else {
            return Some(NodeState::Gone);
        };
        match state {
            ProfileState::Running if context == ContextState::Misconfigured => {
                Some(NodeState::Moved)
            }
            ProfileState::Running => Some(NodeState::Running),
            ProfileState::Paused => Some(NodeState::Paused),
            ProfileState::Stopped => Some(NodeState::Stopped),
            ProfileState::Gone => Some(NodeState::Gone),
            _ => None,
        }
    }

    async fn container_state(&self, container: &str) -> Option<NodeState> {
        let captured = self.ask(kind::node_state(container)).await?;
        let is_missing = captured.stderr.to_lowercase().contains("no such");
        match (captured.ending, captured.stdout.trim()) {
            (Ending::Exited(0), "running" | "restarting") => Some(NodeState::Running),
            (Ending::Exited(0), "paused") => Some(NodeState::Paused),
            (Ending::Exited(0), "exited" | "created" | "dead") => Some(NodeState::Stopped),
            (Ending::Exited(_), _) if is_missing => Some(NodeState::Gone),
            _ => None,
        }
    }

    /// Why docker's daemon does not answer; none when it does, or when there is no docker here.
    async fn daemon_problem(&self) -> Option<(DaemonProblem, String)> {
        let captured = self.ask(docker::version()).await?;
        let version = docker::parse_version(&captured.stdout);
        if version.is_some_and(|version| version.server.is_some()) {
            return None;
        }
        Some((docker::daemon_problem(&captured.stderr), captured.stderr))
    }

    async fn ask(&self, spec: CommandSpec) -> Option<Captured> {
        let spec = self.inner.options.around.dress(spec);
        process::capture(&spec, &CancellationToken::new())
            .await
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_is_told_from_the_error() {
        let service = |text: &str| {
            KubeError::Kube(kube::Error::Service(Box::new(std::io::Error::other(
                text.to_owned(),
            ))))
        };
        let cases = [
            (
                "tcp connect error: Connection refused (os error 111)",
                Symptom::Refused,
            ),
            (
                "invalid peer certificate: UnknownIssuer",
                Symptom::Untrusted("invalid peer certificate: UnknownIssuer".into()),
            ),
            (
                "failed to lookup address information: Name or service not known",
                Symptom::UnknownName(
                    "failed to lookup address information: Name or service not known".into(),
                ),
            ),
            (
                "connection reset",
                Symptom::Other("connection reset".into()),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Symptom::of_error(&service(text)), expected);
        }
        let silent = KubeError::Silent(Duration::from_secs(1));
        assert_eq!(
            Symptom::of_error(&silent),
            Symptom::Silent(Duration::from_secs(1))
        );
        let unauthorized =
            kube::core::Status::failure("Unauthorized", "Unauthorized").with_code(401);
        let unauthorized = KubeError::Kube(kube::Error::Api(Box::new(unauthorized)));
        assert_eq!(Symptom::of_error(&unauthorized), Symptom::Unauthorized);
    }
}
