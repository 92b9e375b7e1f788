//! What each strip of the timeline shows for a state. Pure.

use std::collections::BTreeMap;

use app::model::{ComponentName, Lane, LaneState, PanelState, ProbeVerdict, Rollout, UnixMillis};

pub type Lanes = BTreeMap<(ComponentName, Lane), LaneState>;

/// The lanes at `now`; everything is unknown while the watches are not believed.
pub fn lanes(state: &PanelState, now: UnixMillis) -> Lanes {
    let mut lanes = Lanes::new();
    for pod in state.pods.values().filter(|pod| !pod.terminating) {
        let Some(component) = &pod.component else {
            continue;
        };
        for container in &pod.containers {
            for (kind, probe) in &container.probes {
                let said = match probe.verdict {
                    ProbeVerdict::Passing => LaneState::Pass,
                    ProbeVerdict::Waiting { .. } => LaneState::Unknown,
                    ProbeVerdict::Failing { .. } | ProbeVerdict::Killed { .. } => LaneState::Fail,
                };
                let lane = lanes
                    .entry((component.clone(), Lane::of(*kind)))
                    .or_insert(said);
                *lane = (*lane).max(said);
            }
        }
    }
    for (name, component) in &state.components {
        let whole = match &component.rollout {
            Rollout::Absent => continue,
            Rollout::Stuck { .. } => LaneState::Fail,
            _ if component.ready < component.replicas => match component.ready {
                // With some of them ready it still answers.
                0 => LaneState::Fail,
                _ => LaneState::Unknown,
            },
            _ => LaneState::Pass,
        };
        lanes.insert((name.clone(), Lane::Component), whole);
    }
    if !state.watch.is_fresh(now) {
        lanes
            .values_mut()
            .for_each(|lane| *lane = LaneState::Unknown);
    }
    lanes
}
