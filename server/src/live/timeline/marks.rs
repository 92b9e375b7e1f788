//! What happened between two looks at the state. Pure.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{
    Approval, ApprovalState, ComponentName, MarkKind, PanelState, RunId, RunKind, RunView,
    SecretKey, SecretState, TimelineMark, UnixMillis,
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
            if self.runs.contains(&run.id) {
                continue;
            }
            let Some((kind, words)) = told(run, state) else {
                continue;
            };
            self.runs.insert(run.id);
            marks.push(TimelineMark {
                at: run.started,
                kind,
                component: None,
                words,
            });
        }
    }
}

/// What a run on the cluster is called on the timeline; nothing for the others, and for an approved
/// change only once it is known which.
fn told(run: &RunView, state: &PanelState) -> Option<(MarkKind, String)> {
    match run.kind {
        RunKind::Approved => Some((MarkKind::Approval, approved(run, state)?)),
        RunKind::Deploy
        | RunKind::Restart
        | RunKind::Undo
        | RunKind::Scale
        | RunKind::Handover
        | RunKind::Down
        | RunKind::TakeBack
        | RunKind::Drill
        | RunKind::DeletePod => Some((MarkKind::Run, run.kind.title().to_owned())),
        _ => None,
    }
}

fn approved(run: &RunView, state: &PanelState) -> Option<String> {
    let of_run = |approval: &&Approval| match approval.state {
        ApprovalState::Running { run: id } | ApprovalState::Ended { run: id, .. } => id == run.id,
        _ => false,
    };
    match state.approvals.iter().find(of_run) {
        Some(approval) => Some(format!("Approved: {}", approval.line)),
        // Its card is gone already.
        None if !run.is_going() => Some(run.kind.title().to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use app::model::{ApprovalId, Classification, Ending, Origin, Outcome};

    use super::*;

    fn run(kind: RunKind) -> RunView {
        RunView {
            id: RunId(7),
            kind,
            started: UnixMillis(50),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: None,
        }
    }

    fn approval(state: ApprovalState) -> Approval {
        Approval {
            id: ApprovalId("a".into()),
            hash: String::new(),
            origin: Origin::Operator,
            why: String::new(),
            argv: vec![],
            line: "kubectl -n todo rollout undo deployment/backend".into(),
            classification: Classification::Denied { why: String::new() },
            objects: vec![],
            radius: vec![],
            undo: None,
            no_undo: None,
            heals: None,
            made: UnixMillis(1),
            expires: UnixMillis(2),
            state,
        }
    }

    #[test]
    fn an_approved_change_is_marked_once_with_its_words_at_the_moment_it_began() {
        let mut seen = Seen::default();
        let mut state = PanelState::default();
        state.runs.insert(RunId(7), run(RunKind::Approved));
        state.approvals = vec![approval(ApprovalState::Waiting)];
        assert_eq!(seen.look(&state, UnixMillis(60)), []);
        state.approvals = vec![approval(ApprovalState::Running { run: RunId(7) })];
        let marks = seen.look(&state, UnixMillis(70));
        let [mark] = &marks[..] else {
            panic!("one mark, not {marks:?}");
        };
        assert_eq!((mark.at, mark.kind), (UnixMillis(50), MarkKind::Approval));
        assert_eq!(
            mark.words,
            "Approved: kubectl -n todo rollout undo deployment/backend"
        );
        assert_eq!(seen.look(&state, UnixMillis(80)), []);
    }

    #[test]
    fn an_approved_change_whose_card_is_gone_is_marked_all_the_same_and_a_build_is_not() {
        let mut state = PanelState::default();
        let ending = Some(Ending {
            at: UnixMillis(55),
            outcome: Outcome::Cancelled,
        });
        let ended = RunView {
            ending,
            ..run(RunKind::Approved)
        };
        state.runs.insert(RunId(7), ended);
        assert_eq!(Seen::default().look(&state, UnixMillis(60)).len(), 1);
        state.runs.insert(RunId(7), run(RunKind::Build));
        assert_eq!(Seen::default().look(&state, UnixMillis(60)), []);
    }
}
