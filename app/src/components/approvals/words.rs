//! What a proposal's state is called and looks like.

use crate::model::{
    Approval, ApprovalOutcome, ApprovalState, Classification, UndoState, UnixMillis, humanize_ms,
};
use crate::ui::Tone;

/// Tone and word of a card.
pub fn state(approval: &Approval, now: UnixMillis) -> (Tone, &'static str) {
    match &approval.state {
        ApprovalState::Waiting
            if matches!(approval.classification, Classification::Denied { .. }) =>
        {
            (Tone::Failed, "Denied")
        }
        ApprovalState::Waiting if now >= approval.expires => (Tone::Stale, "Expired"),
        ApprovalState::Waiting => (Tone::Attention, "Waits for you"),
        ApprovalState::Refused { .. } => (Tone::Failed, "Cannot be done"),
        ApprovalState::Declined { .. } => (Tone::Off, "Declined"),
        ApprovalState::Running { .. } => (Tone::Working, "Running"),
        ApprovalState::Ended { outcome, undo, .. } => match (undo, outcome) {
            (UndoState::Done { .. }, _) => (Tone::Off, "Undone"),
            (UndoState::Running { .. }, _) => (Tone::Working, "Undoing"),
            (_, ApprovalOutcome::Done) => (Tone::Ok, "Done"),
            (_, ApprovalOutcome::Healed) => (Tone::Ok, "Healed"),
            (_, ApprovalOutcome::NotHealed) => (Tone::Attention, "Not healed"),
            (_, ApprovalOutcome::Failed { .. }) => (Tone::Failed, "Failed"),
            (_, ApprovalOutcome::Cancelled) => (Tone::Off, "Cancelled"),
        },
    }
}

/// What came of it, in a sentence; none before there is something to say.
pub fn ending(approval: &Approval) -> Option<String> {
    let ApprovalState::Ended { outcome, undo, .. } = &approval.state else {
        return None;
    };
    if matches!(undo, UndoState::Done { .. }) {
        return Some("It was done, and then put back to what it was before.".to_owned());
    }
    let what = approval
        .heals
        .as_ref()
        .map_or("", |heals| heals.what.as_str());
    Some(match outcome {
        ApprovalOutcome::Done => "It was done.".to_owned(),
        ApprovalOutcome::Healed => format!("It was done, and the problem is gone: {what}."),
        ApprovalOutcome::NotHealed => {
            format!("It was done, and the problem is still there: {what}.")
        }
        ApprovalOutcome::Failed { what } => format!("It was not done as meant: {what}."),
        ApprovalOutcome::Cancelled => "It was stopped.".to_owned(),
    })
}

/// `9 min left`; none when the time is over.
pub fn time_left(approval: &Approval, now: UnixMillis) -> Option<String> {
    let left = u64::try_from(approval.expires.0 - now.0)
        .ok()
        .filter(|left| *left > 0)?;
    Some(format!(
        "{} left to decide",
        humanize_ms(left / 1000 * 1000)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApprovalId, Origin, RunId};

    fn approval(state: ApprovalState) -> Approval {
        Approval {
            id: ApprovalId("a".into()),
            hash: String::new(),
            origin: Origin::Operator,
            why: String::new(),
            argv: vec![],
            line: String::new(),
            classification: Classification::Change {
                verb: String::new(),
                targets: vec![],
                namespace: String::new(),
                flags: vec![],
            },
            objects: vec![],
            radius: vec![],
            undo: None,
            no_undo: None,
            heals: None,
            made: UnixMillis(0),
            expires: UnixMillis(90_000),
            state,
        }
    }

    #[test]
    fn a_card_whose_time_is_over_says_so_and_has_no_yes() {
        let card = approval(ApprovalState::Waiting);
        assert_eq!(state(&card, UnixMillis(0)).1, "Waits for you");
        assert!(time_left(&card, UnixMillis(0)).is_some());
        assert_eq!(state(&card, UnixMillis(90_000)).1, "Expired");
        assert_eq!(time_left(&card, UnixMillis(90_000)), None);
        assert!(!card.can_be_approved(UnixMillis(90_000)));
    }

    #[test]
    fn what_was_undone_is_not_called_healed() {
        let card = approval(ApprovalState::Ended {
            run: RunId(1),
            at: UnixMillis(1),
            outcome: ApprovalOutcome::Healed,
            undo: UndoState::Done {
                run: RunId(2),
                at: UnixMillis(2),
            },
        });
        assert_eq!(state(&card, UnixMillis(3)).1, "Undone");
        assert!(!card.can_be_undone());
    }
}
