//! The reader on what the official Python SDK says (a2a-sdk 0.3.26, recorded 2026-11-21): an agent of
//! kagent's is built on it.

use super::a2a::{Part, TaskState, Update, read};

fn updates(recorded: &str) -> Vec<Update> {
    let lines = recorded
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    lines.filter_map(read).collect()
}

/// What a stream comes to: its last state, its texts, and whether it was final.
fn outcome(recorded: &str) -> (Option<TaskState>, Vec<String>, bool) {
    let (mut last, mut texts, mut is_final) = (None, Vec::new(), false);
    for update in updates(recorded) {
        let parts = match update {
            Update::Heard(heard) => {
                last = heard.state.or(last);
                is_final |= heard.is_final;
                heard.parts
            }
            Update::Artifact(parts) => parts,
            Update::Error(error) => panic!("{error}"),
        };
        for part in parts {
            if let Part::Text(text) = part {
                texts.push(text);
            }
        }
    }
    (last, texts, is_final)
}

#[test]
fn an_answer_is_in_a_message_and_once_more_in_the_artifact() {
    let recorded = include_str!("recorded/answer.sse");
    let (state, texts, is_final) = outcome(recorded);
    assert_eq!((state, is_final), (Some(TaskState::Completed), true));
    assert_eq!(texts, ["The pod has no route.", "The pod has no route."]);
    let updates = updates(recorded);
    assert!(
        matches!(&updates[0], Update::Heard(heard) if heard.task.is_some() && heard.parts.is_empty())
    );
    let calls = updates.iter().any(|update| {
        matches!(update, Update::Heard(heard) if matches!(&heard.parts[..], [Part::Called { name, .. }] if name == "k8s_get_pod_logs"))
    });
    assert!(calls, "{updates:#?}");
}

#[test]
fn a_pause_ends_the_stream_and_a_decision_goes_on_with_the_task() {
    let recorded = include_str!("recorded/pause.sse");
    let (state, _, is_final) = outcome(recorded);
    assert_eq!((state, is_final), (Some(TaskState::InputRequired), true));
    let task = |recorded: &str| {
        updates(recorded)
            .into_iter()
            .find_map(|update| match update {
                Update::Heard(heard) => heard.task,
                _ => None,
            })
    };
    let refused = include_str!("recorded/refused.sse");
    assert_eq!(task(recorded), task(refused));
    let (state, texts, _) = outcome(refused);
    assert_eq!(state, Some(TaskState::Completed));
    assert_eq!(texts[0], "Decided: [('fc1', 'reject')]");
}

#[test]
fn a_failure_is_final_and_says_why() {
    let (state, texts, is_final) = outcome(include_str!("recorded/failure.sse"));
    assert_eq!((state, is_final), (Some(TaskState::Failed), true));
    assert_eq!(texts, ["bad key"]);
}
