//! The probe lights of a component: what all its containers say, folded into three lights.

use crate::components::words;
use crate::model::{
    ComponentName, ContainerState, OwnAnswer, PanelState, PodRow, ProbeKind, ProbeVerdict,
    UnixMillis,
};
use crate::ui::Tone;

/// One kind of probe over all pods of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Light {
    pub kind: ProbeKind,
    pub tone: Tone,
    pub word: String,
    /// What Slipway's own request was answered: `200 in 3 ms`. Empty when it asked nothing.
    pub note: String,
}

const KINDS: [ProbeKind; 3] = [
    ProbeKind::Startup,
    ProbeKind::Liveness,
    ProbeKind::Readiness,
];

/// The three lights, always all of them: a missing probe is told, too.
pub fn lights(state: &PanelState, component: &ComponentName) -> [Light; 3] {
    KINDS.map(|kind| {
        let verdicts: Vec<&ProbeVerdict> = verdicts(state, component, kind).collect();
        let (tone, word) = fold(&verdicts, pods(state, component).next().is_some());
        Light {
            kind,
            tone,
            word,
            note: note(state, component, kind),
        }
    })
}

/// Whether any probe of the component fails now.
pub fn is_failing(state: &PanelState, component: &ComponentName) -> bool {
    KINDS
        .into_iter()
        .any(|kind| verdicts(state, component, kind).any(is_failure))
}

/// Since when the component has been up without a break: the oldest container of a ready pod.
pub fn up_since(state: &PanelState, component: &ComponentName) -> Option<UnixMillis> {
    pods(state, component)
        .filter(|pod| pod.ready)
        .flat_map(|pod| &pod.containers)
        .filter_map(|container| match container.state {
            ContainerState::Running { since } => Some(since),
            _ => None,
        })
        .min()
}

fn pods<'a>(
    state: &'a PanelState,
    component: &'a ComponentName,
) -> impl Iterator<Item = &'a PodRow> {
    state
        .pods
        .values()
        .filter(move |pod| pod.component.as_ref() == Some(component) && !pod.terminating)
}

fn verdicts<'a>(
    state: &'a PanelState,
    component: &'a ComponentName,
    kind: ProbeKind,
) -> impl Iterator<Item = &'a ProbeVerdict> {
    pods(state, component)
        .flat_map(|pod| &pod.containers)
        .filter_map(move |container| Some(&container.probes.get(&kind)?.verdict))
}

fn is_failure(verdict: &ProbeVerdict) -> bool {
    matches!(
        verdict,
        ProbeVerdict::Failing { .. } | ProbeVerdict::Killed { .. }
    )
}

fn fold(verdicts: &[&ProbeVerdict], has_pods: bool) -> (Tone, String) {
    let passing = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, ProbeVerdict::Passing))
        .count();
    match verdicts {
        [] if has_pods => (Tone::Off, "Not set".to_owned()),
        [] => (Tone::Off, "No pods".to_owned()),
        [one] => words::probe(one),
        all if passing == all.len() => (Tone::Ok, "Passing".to_owned()),
        all if all.iter().any(|verdict| is_failure(verdict)) => {
            (Tone::Failed, format!("{passing} of {} pass", all.len()))
        }
        all if passing == 0 => words::probe(all[0]),
        all => (Tone::Working, format!("{passing} of {} pass", all.len())),
    }
}

/// The slowest of the newest answers, or a failed one: the worst is what counts.
fn note(state: &PanelState, component: &ComponentName, kind: ProbeKind) -> String {
    let of_kind = pods(state, component)
        .filter_map(|pod| state.own_probes.get(&pod.uid))
        .flatten()
        .filter(|own| own.kind == kind);
    let worst = of_kind.max_by_key(|own| match &own.answer {
        OwnAnswer::NotAsked { .. } => (0, 0),
        OwnAnswer::Passed { took_ms, .. } => (1, *took_ms),
        OwnAnswer::Failed { took_ms, .. } => (2, *took_ms),
    });
    match worst.map(|own| &own.answer) {
        Some(
            OwnAnswer::Passed {
                status: Some(status),
                took_ms,
            }
            | OwnAnswer::Failed {
                status: Some(status),
                took_ms,
                ..
            },
        ) => format!("{status} in {took_ms} ms"),
        Some(OwnAnswer::Failed { status: None, .. }) => "No answer".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> ProbeVerdict {
        ProbeVerdict::Failing {
            message: "503".into(),
        }
    }

    #[test]
    fn one_failing_pod_of_many_is_a_failed_light() {
        let (bad, good) = (failing(), ProbeVerdict::Passing);
        assert_eq!(
            fold(&[&good, &bad, &good], true),
            (Tone::Failed, "2 of 3 pass".to_owned())
        );
    }

    #[test]
    fn a_light_is_green_only_when_every_pod_passes() {
        let waiting = ProbeVerdict::Waiting { why: "new".into() };
        let good = ProbeVerdict::Passing;
        assert_eq!(fold(&[&good, &good], true).0, Tone::Ok);
        assert_eq!(
            fold(&[&good, &waiting], true),
            (Tone::Working, "1 of 2 pass".to_owned())
        );
        assert_eq!(fold(&[&waiting, &waiting], true).0, Tone::Off);
    }

    #[test]
    fn a_probe_that_is_not_set_is_not_called_passing() {
        assert_eq!(fold(&[], true), (Tone::Off, "Not set".to_owned()));
        assert_eq!(fold(&[], false), (Tone::Off, "No pods".to_owned()));
    }
}
