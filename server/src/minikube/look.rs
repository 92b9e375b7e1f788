//! Looking at the profiles: the list without asking any cluster, then each one's status side by side,
//! so that a dead one delays nobody.

use app::model::{
    ContextState, Finding, MinikubeView, NextAction, PanelEvent, ProfileName, ProfileState,
    ProfileView, Remedy, StepId, Subject,
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::offer::{self, Machine};
use super::{Demand, MinikubeRoom};
use crate::adapters::minikube::{self, ListedProfile, ProfileConfig};
use crate::process::{self, Captured, CommandSpec, Ending, SpawnError};
use crate::setup::{first_lines, machine_memory};

/// How many profiles are asked at the same time.
const AT_ONCE: usize = 4;

impl MinikubeRoom {
    /// Looks at everything and tells the store.
    pub async fn look(&self) {
        let _one = self.inner.looking.lock().await;
        if self.inner.around.find("minikube").is_none() {
            self.inner
                .core
                .hub
                .voice()
                .publish(PanelEvent::Minikube(None));
            return;
        }
        let before = self
            .inner
            .core
            .hub
            .read(|state| state.minikube.as_ref().map(|view| view.profiles.clone()))
            .unwrap_or_default();
        let (profiles, problem) = match self.profiles().await {
            Ok(profiles) => (profiles, None),
            Err(finding) => (before, Some(*finding)),
        };
        let view = MinikubeView {
            offer: self.offer(&profiles).await,
            profiles,
            problem,
        };
        self.inner
            .core
            .hub
            .voice()
            .publish(PanelEvent::Minikube(Some(Box::new(view))));
    }

    async fn profiles(&self) -> Result<Vec<ProfileView>, Box<Finding>> {
        let captured = self.ask(&minikube::profile_list()).await;
        let captured = captured.map_err(|error| Box::new(cannot_list(&error.to_string(), "")))?;
        let Some(listed) = minikube::parse_profile_list(&captured.stdout) else {
            return Err(Box::new(cannot_list(&why(&captured), &said(&captured))));
        };
        let mut profiles: Vec<ProfileView> = futures::stream::iter(listed)
            .map(|listed| self.one(listed))
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(profiles)
    }

    /// None for one that was deleted meanwhile, and for a name that cannot be handed to minikube.
    async fn one(&self, listed: ListedProfile) -> Option<ProfileView> {
        let Ok(name) = listed.name.parse::<ProfileName>() else {
            tracing::warn!(name = %listed.name, "a minikube profile has a name that is not one");
            return None;
        };
        let (state, context) = match &listed.config {
            Some(_) => self.state(&name).await?,
            None => (
                ProfileState::Unknown {
                    why: "Its configuration cannot be read".to_owned(),
                },
                ContextState::Unknown,
            ),
        };
        let ProfileConfig {
            driver,
            memory,
            cpus,
            kubernetes_config,
            nodes,
        } = listed.config.unwrap_or_default();
        Some(ProfileView {
            name,
            state,
            driver,
            runtime: kubernetes_config.container_runtime,
            kubernetes: kubernetes_config.kubernetes_version,
            cpus,
            memory_mb: memory,
            nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            context,
        })
    }

    /// What the profile's cluster is doing; none when there is no such profile.
    pub(super) async fn state(&self, name: &ProfileName) -> Option<(ProfileState, ContextState)> {
        match self.ask(&minikube::status(name)).await {
            Ok(captured) => minikube::profile_state(&captured),
            Err(error) => Some((
                ProfileState::Unknown {
                    why: error.to_string(),
                },
                ContextState::Unknown,
            )),
        }
    }

    async fn ask(&self, spec: &CommandSpec) -> Result<Captured, SpawnError> {
        let spec = self.inner.around.dress(spec.clone());
        process::capture(&spec, &CancellationToken::new()).await
    }

    async fn offer(&self, profiles: &[ProfileView]) -> app::model::ClusterOffer {
        let project = self.inner.project.clone();
        let demand = tokio::task::spawn_blocking(move || Demand::of(&project))
            .await
            .unwrap_or_default();
        let machine = Machine {
            cpus: std::thread::available_parallelism()
                .map_or(2, |cpus| u32::try_from(cpus.get()).unwrap_or(2)),
            memory_bytes: machine_memory().map(|memory| memory.total),
        };
        offer::make(machine, demand, profiles, &self.inner.around)
    }
}

fn why(captured: &Captured) -> String {
    match captured.ending {
        Ending::TimedOut { after } => {
            format!("minikube did not answer within {} s.", after.as_secs())
        }
        Ending::Exited(code) => format!("minikube ended with exit code {code} and no list."),
        Ending::Signaled(signal) => format!("minikube was killed by signal {signal}."),
        Ending::Cancelled { .. } => "The question was cancelled.".to_owned(),
    }
}

fn said(captured: &Captured) -> String {
    let text = match captured.stderr.trim() {
        "" => &captured.stdout,
        _ => &captured.stderr,
    };
    first_lines(text)
}

fn cannot_list(why: &str, said: &str) -> Finding {
    let mut finding = Finding::new(
        "MINIKUBE_PROFILES_UNKNOWN",
        "minikube does not list its profiles",
        why,
    )
    .attention()
    .about(Subject::Step {
        step: StepId::Setup,
    })
    .next(NextAction::Do {
        action: Remedy::Recheck,
        label: "Check again".to_owned(),
    })
    .next(NextAction::Command {
        command: "minikube profile list".to_owned(),
        why: "Asks the same question outside Slipway".to_owned(),
    });
    if !said.is_empty() {
        finding = finding.evidence("minikube said", said);
    }
    finding
}
