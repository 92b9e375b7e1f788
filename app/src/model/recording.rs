//! A walk that went well, kept as it was shown, for a stage on which the cluster dies.

use serde::{Deserialize, Serialize};

use super::{PanelEvent, PanelState, Slice, UnixMillis};

/// That there is a recording, and of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingView {
    pub started: UnixMillis,
    pub ended: UnixMillis,
}

/// What the demo screen showed from the first run of a walk until the app was healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    pub started: UnixMillis,
    pub ended: UnixMillis,
    /// How things stood when it began; only what a stage shows.
    pub state: PanelState,
    /// In the order of time.
    pub events: Vec<RecordedEvent>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    pub at: UnixMillis,
    pub event: PanelEvent,
}

impl Recording {
    pub fn view(&self) -> RecordingView {
        RecordingView {
            started: self.started,
            ended: self.ended,
        }
    }
}

impl PanelState {
    /// What the demo screen draws; nothing of plans, values, links and audiences is kept.
    pub fn on_stage(&self) -> Self {
        Self {
            project: self.project.clone(),
            cluster: self.cluster.clone(),
            steps: self.steps.clone(),
            runs: self
                .runs
                .iter()
                .map(|(id, run)| {
                    let mut run = run.clone();
                    run.tail.clear();
                    (*id, run)
                })
                .collect(),
            components: self.components.clone(),
            pods: self.pods.clone(),
            own_probes: self.own_probes.clone(),
            reasons: self.reasons.clone(),
            events: self.events.clone(),
            watch: self.watch,
            findings: self.findings.clone(),
            ..Self::default()
        }
    }
}

/// The slices of which [`PanelState::on_stage`] keeps something that moves; the project is the same all
/// through a walk.
const ON_STAGE: [Slice; 10] = [
    Slice::Cluster,
    Slice::Steps,
    Slice::Runs,
    Slice::Components,
    Slice::Pods,
    Slice::OwnProbes,
    Slice::Reasons,
    Slice::Events,
    Slice::Watch,
    Slice::Findings,
];

impl PanelEvent {
    /// Whether the demo screen shows something of it.
    pub fn is_on_stage(&self) -> bool {
        match self {
            // It shows no run's log, and a recording belongs to one cluster.
            Self::RunLog { .. } | Self::ClusterChosen(_) => false,
            _ => self.slices().iter().all(|slice| ON_STAGE.contains(slice)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SecretView, SharingView};

    #[test]
    fn a_stage_knows_neither_links_nor_secrets() {
        let state = PanelState {
            sharing: Some(SharingView {
                address: "192.168.1.5:4748".into(),
                since: UnixMillis(1),
                watching: 2,
            }),
            secrets: Vec::<SecretView>::new(),
            viewers: 3,
            ..PanelState::default()
        };
        assert_eq!(state.on_stage(), PanelState::default());
        assert!(!PanelEvent::Sharing(None).is_on_stage());
        assert!(!PanelEvent::Secrets(vec![]).is_on_stage());
        assert!(PanelEvent::Findings(vec![]).is_on_stage());
    }
}
