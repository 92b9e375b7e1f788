//! What just happened, from the cluster's events and from Slipway's own runs, newest first.

use crate::components::words;
use crate::model::{PanelState, UnixMillis};
use crate::ui::Tone;

/// One line of the ticker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Tells it from the others.
    pub key: String,
    pub at: UnixMillis,
    pub tone: Tone,
    pub title: String,
    pub text: String,
}

/// The newest so many.
pub fn happenings(state: &PanelState, most: usize) -> Vec<Happening> {
    let events = state.events.values().map(|event| Happening {
        key: format!("{}/{}", event.uid, event.count),
        at: event.at,
        tone: if event.warning {
            Tone::Attention
        } else {
            Tone::Off
        },
        title: event.reason.clone(),
        text: format!("{}: {}", event.name, event.message),
    });
    let begun = state.runs.values().map(|run| Happening {
        key: format!("run {}", run.id),
        at: run.started,
        tone: Tone::Working,
        title: run.kind.title().to_owned(),
        text: "Begun".to_owned(),
    });
    let ended = state.runs.values().filter_map(|run| {
        let ending = run.ending.as_ref()?;
        let (tone, word) = words::run(run.kind, Some(&ending.outcome));
        Some(Happening {
            key: format!("run {} ended", run.id),
            at: ending.at,
            tone,
            title: run.kind.title().to_owned(),
            text: word,
        })
    });
    let mut all: Vec<Happening> = events.chain(begun).chain(ended).collect();
    all.sort_by(|a, b| (b.at, &b.key).cmp(&(a.at, &a.key)));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ending, EventRow, Outcome, RunId, RunKind, RunView};

    #[test]
    fn events_and_runs_stand_in_one_row_newest_first() {
        let mut state = PanelState::default();
        let event = |uid: &str, at| EventRow {
            uid: uid.into(),
            kind: "Pod".into(),
            name: "backend".into(),
            object_uid: "u".into(),
            warning: uid == "b",
            reason: "Killing".into(),
            message: String::new(),
            count: 1,
            at: UnixMillis(at),
        };
        for row in [event("a", 10), event("b", 40)] {
            state.events.insert(row.uid.clone(), row);
        }
        let run = RunView {
            id: RunId(1),
            kind: RunKind::Deploy,
            started: UnixMillis(20),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: Some(Ending {
                at: UnixMillis(30),
                outcome: Outcome::Cancelled,
            }),
        };
        state.runs.insert(run.id, run);
        let at: Vec<i64> = happenings(&state, 9).iter().map(|one| one.at.0).collect();
        assert_eq!(at, [40, 30, 20, 10]);
        assert_eq!(happenings(&state, 2).len(), 2);
        assert_eq!(happenings(&state, 1)[0].tone, Tone::Attention);
    }
}
