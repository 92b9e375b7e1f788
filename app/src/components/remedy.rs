//! What a finding's button does: the remedies that Slipway can carry out itself.

use crate::api::{
    approvals, clusters, deploys, handovers, images, minikube, rollouts, runs, setup,
};
use crate::model::{
    Change, ChangeProposal, ClusterChoice, ClusterKind, Failure, Finding, GoingRuns, NextAction,
    PlanChoices, Rebuild, Remedy, RolloutAct, StepId,
};

/// Carries a remedy out. A deploy that needs a look first is handed to the Deploy page instead.
pub async fn carry_out(remedy: Remedy, kind: Option<ClusterKind>) -> Result<(), Failure> {
    match remedy {
        Remedy::UsePractice => {
            clusters::use_cluster(ClusterChoice::Practice, GoingRuns::Refuse).await
        }
        Remedy::UseCluster { choice, going } => clusters::use_cluster(choice, going).await,
        // Only a person can type it: the finding's button opens the dialog instead.
        Remedy::AllowChanges { .. } => Ok(()),
        Remedy::Recheck => setup::recheck().await,
        Remedy::BuildImages => images::build_images(Vec::new(), Rebuild::IfChanged)
            .await
            .map(drop),
        Remedy::Deploy => deploy_what_needs_no_look(kind).await,
        Remedy::RestartComponent { component } => rollouts::steer(component, RolloutAct::Restart)
            .await
            .map(drop),
        Remedy::PlanHandover { to } => handovers::plan_handover(to).await.map(drop),
        Remedy::Propose { argv, heals, why } => approvals::propose(ChangeProposal {
            argv,
            why,
            heals: Some(heals),
        })
        .await
        .map(drop),
        Remedy::CancelRun { run } => runs::cancel_run(run).await,
        Remedy::Minikube { act, profile } => minikube::act_on_profile(act, profile).await.map(drop),
    }
}

async fn deploy_what_needs_no_look(kind: Option<ClusterKind>) -> Result<(), Failure> {
    let plan = deploys::make_plan(PlanChoices::default()).await?;
    let deletes = plan
        .objects
        .iter()
        .any(|object| matches!(object.change, Change::Delete | Change::Replace));
    if deletes || kind == Some(ClusterKind::Remote) {
        return Err(Finding::new(
            "PLAN_NEEDS_A_LOOK",
            "The plan needs your look first",
            "It deletes objects or goes to a remote cluster.",
        )
        .attention()
        .next(NextAction::Open {
            step: StepId::Deploy,
            label: "Review the plan".to_owned(),
        })
        .into());
    }
    deploys::deploy(plan.hash, false).await.map(drop)
}
