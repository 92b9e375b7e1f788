//! Ended cards in the journal, so that an undo outlives Slipway.

use std::collections::BTreeMap;

use app::model::{Approval, ApprovalId, ApprovalState, ChangeProposal, UndoState};
use serde::{Deserialize, Serialize};

use super::take_back::Reversal;
use super::{ApprovalsRoom, Card};
use crate::engine::Core;
use crate::project::Project;

/// Where they are in the journal: by project, whose namespace an undo is for.
fn scope(project: &Project) -> String {
    format!("approval {}", project.root.display())
}

/// What outlives Slipway of an ended card.
#[derive(Serialize, Deserialize)]
struct Kept {
    view: Approval,
    cluster: String,
    reversals: Vec<Reversal>,
}

impl ApprovalsRoom {
    /// Writes an ended card down, with its undo unless there could be a secret in it.
    pub(super) fn keep(&self, id: &ApprovalId) {
        let Some(card) = self
            .cards()
            .iter()
            .find(|card| card.view.id == *id)
            .cloned()
        else {
            return;
        };
        let redactor = &self.inner.core.redactor;
        let is_clean = card.reversals.iter().all(|back| back.is_clean(redactor));
        let kept = Kept {
            view: card.view,
            cluster: card.cluster,
            reversals: if is_clean { card.reversals } else { Vec::new() },
        };
        if let Ok(text) = serde_json::to_string(&kept) {
            let scope = scope(&self.inner.project);
            self.inner.core.journal.put_fact(&scope, &id.0, &text);
        }
    }

    /// Nobody asks for this card any more.
    pub(super) fn let_go(&self, id: &ApprovalId) {
        let scope = scope(&self.inner.project);
        self.inner.core.journal.delete_fact(&scope, &id.0);
    }
}

/// The ended cards of earlier starts, oldest first.
pub(super) fn kept_cards(core: &Core, project: &Project) -> Vec<Card> {
    let facts: BTreeMap<String, String> = core.journal.facts_of(&scope(project));
    let mut cards: Vec<Card> = facts
        .values()
        .filter_map(|text| serde_json::from_str::<Kept>(text).ok())
        .map(|kept| {
            let mut view = kept.view;
            if let ApprovalState::Ended { undo, .. } = &mut view.state
                && !matches!(undo, UndoState::Done { .. })
            {
                *undo = match kept.reversals.is_empty() {
                    true => UndoState::None,
                    false => UndoState::Ready,
                };
            }
            Card {
                proposal: ChangeProposal {
                    argv: view.argv.clone(),
                    why: view.why.clone(),
                    heals: None,
                },
                view,
                cluster: kept.cluster,
                command: None,
                seen: Vec::new(),
                reversals: kept.reversals,
                taken: false,
            }
        })
        .collect();
    cards.sort_by_key(|card| card.view.made);
    cards
}
