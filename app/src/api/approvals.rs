//! Wishes about proposed changes, and questions to the audit journal.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{
    ApprovalId, AuditPage, AuditQuestion, ChangeProposal, Failure, ObjectDiff, RunId,
};

/// Makes a card of a proposal: parsed, tried by a dry run, and shown. Nothing is changed.
#[server(prefix = "/api", endpoint = "approvals/propose", input = Json, output = Json, client = PanelClient)]
pub async fn propose(proposal: ChangeProposal) -> Result<ApprovalId, Failure> {
    super::ports()?.approvals.propose(proposal).await
}

/// Does exactly what the card with this hash shows.
#[server(prefix = "/api", endpoint = "approvals/approve", input = Json, output = Json, client = PanelClient)]
pub async fn approve(id: ApprovalId, hash: String) -> Result<RunId, Failure> {
    super::ports()?.approvals.approve(id, hash).await
}

#[server(prefix = "/api", endpoint = "approvals/decline", input = Json, output = Json, client = PanelClient)]
pub async fn decline(id: ApprovalId) -> Result<(), Failure> {
    super::ports()?.approvals.decline(id).await
}

/// Looks at the world again: a new dry run, a new time to decide.
#[server(prefix = "/api", endpoint = "approvals/renew", input = Json, output = Json, client = PanelClient)]
pub async fn renew(id: ApprovalId) -> Result<(), Failure> {
    super::ports()?.approvals.renew(id).await
}

/// Puts back what an approved change changed.
#[server(prefix = "/api", endpoint = "approvals/undo", input = Json, output = Json, client = PanelClient)]
pub async fn undo(id: ApprovalId) -> Result<RunId, Failure> {
    super::ports()?.approvals.undo(id).await
}

/// The whole difference of the card's object at this place.
#[server(prefix = "/api", endpoint = "approvals/diff", input = Json, output = Json, client = PanelClient)]
pub async fn read_diff(id: ApprovalId, object: u32) -> Result<ObjectDiff, Failure> {
    super::ports()?.approvals.diff(id, object).await
}

/// Entries of the audit journal, newest first.
#[server(prefix = "/api", endpoint = "audit/search", input = Json, output = Json, client = PanelClient)]
pub async fn search_audit(question: AuditQuestion) -> Result<AuditPage, Failure> {
    super::ports()?.approvals.audit(question).await
}
