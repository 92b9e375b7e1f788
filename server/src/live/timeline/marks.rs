//! What happened between two looks at the state. Pure.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{
    ComponentName, MarkKind, PanelState, RunId, RunKind, SecretKey, SecretState, TimelineMark,
    UnixMillis,
};

use crate::live::pod_row::ended;

/// What is remembered of a look, to tell what is new in the next.
#[derive(Debug, Default)]
pub struct Seen {
    revisions: BTreeMap<ComponentName, u64>,
    restarts: BTreeMap<(String, String), u32>,
    secrets: BTreeMap<SecretKey, UnixMillis>,
    runs: BTreeSet<RunId>,
}

impl Seen {
    /// What is there when looking begins did not happen just now.
    pub fn first(state: &PanelState) -> Self {
        let mut seen = Self::default();
        seen.look(state, UnixMillis(0));
        seen
    }

    /// What happened since the last look.
    pub fn look(&mut self, state: &PanelState, now: UnixMillis) -> Vec<TimelineMark> {
        let mut marks = Vec::new();
        self.rollouts(state, now, &mut marks);
        self.restarts(state, now, &mut marks);
        self.secrets(state, &mut marks);
        self.runs(state, &mut marks);
        marks
    }

    fn rollouts(&mut self, state: &PanelState, now: UnixMillis, marks: &mut Vec<TimelineMark>) {
        for (name, component) in &state.components {
            if component.revision == 0 {
                continue;
            }
            let before = self.revisions.insert(name.clone(), component.revision);
            if before.is_some_and(|before| before != component.revision) {
                marks.push(TimelineMark {
                    at: now,
                    kind: MarkKind::Rollout,
                    component: Some(name.clone()),
                    words: format!("{name} is rolled out as revision {}", component.revision),
                });
            }
        }
    }

    fn restarts(&mut self, state: &PanelState, now: UnixMillis, marks: &mut Vec<TimelineMark>) {
        let mut known = BTreeMap::new();
        for pod in state.pods.values() {
            for container in &pod.containers {
                let key = (pod.uid.clone(), container.name.clone());
                // A pod that is seen for the first time brings its history along.
                let before = self.restarts.get(&key).copied();
                known.insert(key, container.restarts);
                if before.is_none_or(|before| container.restarts <= before) {
                    continue;
                }
                let end = container.last_termination.as_ref();
                let how = end.map_or_else(
                    || "was restarted".to_owned(),
                    |end| format!("{}, and was restarted", ended(end)),
                );
                marks.push(TimelineMark {
                    at: end.and_then(|end| end.finished).unwrap_or(now),
                    kind: MarkKind::Restart,
                    component: pod.component.clone(),
                    words: format!("{} in {} {how}", container.name, pod.name),
                });
            }
        }
        self.restarts = known;
    }

    fn secrets(&mut self, state: &PanelState, marks: &mut Vec<TimelineMark>) {
        for secret in &state.secrets {
            let SecretState::Set { since, .. } = secret.state else {
                continue;
            };
            let before = self.secrets.insert(secret.key.clone(), since);
            if before.is_some_and(|before| before != since) {
                marks.push(TimelineMark {
                    at: since,
                    kind: MarkKind::Secret,
                    component: None,
                    words: format!("{} was changed", secret.key),
                });
            }
        }
    }

    fn runs(&mut self, state: &PanelState, marks: &mut Vec<TimelineMark>) {
        for run in state.runs.values() {
            let is_of_cluster = matches!(
                run.kind,
                RunKind::Deploy
                    | RunKind::Restart
                    | RunKind::Undo
                    | RunKind::Scale
                    | RunKind::Handover
                    | RunKind::Down
                    | RunKind::DeletePod
            );
            if is_of_cluster && self.runs.insert(run.id) {
                marks.push(TimelineMark {
                    at: run.started,
                    kind: MarkKind::Run,
                    component: None,
                    words: run.kind.title().to_owned(),
                });
            }
        }
    }
}
