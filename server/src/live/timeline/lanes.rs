//! What each strip of the timeline shows for a state. Pure.

use std::collections::BTreeMap;

use app::model::{
    ComponentName, ContainerRow, ContainerState, Lane, LaneState, PanelState, ProbeVerdict,
    Rollout, UnixMillis,
};

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
            // With some of them ready it still answers; and pods that only start have not failed.
            _ if component.ready < component.replicas => match component.ready {
                0 if has_trouble(state, name) => LaneState::Fail,
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

/// Whether a pod of the component shows more than that it is on its way.
fn has_trouble(state: &PanelState, component: &ComponentName) -> bool {
    state
        .pods
        .values()
        .filter(|pod| pod.component.as_ref() == Some(component) && !pod.terminating)
        .flat_map(|pod| &pod.containers)
        .any(is_in_trouble)
}

fn is_in_trouble(container: &ContainerRow) -> bool {
    let fails = |verdict: &ProbeVerdict| {
        matches!(
            verdict,
            ProbeVerdict::Failing { .. } | ProbeVerdict::Killed { .. }
        )
    };
    let by_state = match &container.state {
        ContainerState::Waiting { reason, .. } => !matches!(
            reason.as_str(),
            "" | "ContainerCreating" | "PodInitializing"
        ),
        ContainerState::Terminated(end) => end.exit_code != 0,
        ContainerState::Running { .. } | ContainerState::Unknown => false,
    };
    by_state || container.probes.values().any(|probe| fails(&probe.verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_state(state: ContainerState, verdict: ProbeVerdict) -> bool {
        let probe = app::model::ProbeLive {
            target: "GET /ready :8000".to_owned(),
            period_s: 5,
            failure_threshold: 2,
            verdict,
        };
        is_in_trouble(&ContainerRow {
            name: "app".to_owned(),
            image: "app:1".to_owned(),
            image_id: String::new(),
            state,
            started: false,
            ready: false,
            restarts: 0,
            last_termination: None,
            probes: BTreeMap::from([(app::model::ProbeKind::Readiness, probe)]),
        })
    }

    #[test]
    fn a_container_on_its_way_has_not_failed_yet() {
        let waits = |reason: &str| ContainerState::Waiting {
            reason: reason.to_owned(),
            message: String::new(),
        };
        let quiet = || ProbeVerdict::Waiting { why: String::new() };
        assert!(!in_state(waits("ContainerCreating"), quiet()));
        assert!(in_state(waits("CrashLoopBackOff"), quiet()));
        let failing = ProbeVerdict::Failing {
            message: "503".to_owned(),
        };
        assert!(in_state(waits("ContainerCreating"), failing));
    }
}
