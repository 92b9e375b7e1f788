//! The cluster itself: silent, or not usable.

use app::model::{Finding, NextAction, Remedy, StepId, Subject, humanize_ms};

use crate::assist::Facts;

/// CLUSTER_UNREACHABLE: the heartbeat is lost. A cluster never heard of is merely not connected yet.
pub fn unreachable(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(cluster) = &facts.state.cluster else {
        return Vec::new();
    };
    if let Some(problem) = &cluster.problem {
        return vec![problem.clone()];
    }
    if cluster.freshness.heard.is_none() || cluster.freshness.is_fresh(facts.now) {
        return Vec::new();
    }
    let age = humanize_ms(cluster.freshness.age_ms(facts.now).unwrap_or(0));
    let finding = Finding::new(
        "CLUSTER_UNREACHABLE",
        format!("{} does not answer", cluster.choice.label()),
        format!(
            "The API server at {} was last heard {age} ago. What is shown is from then.",
            cluster.server
        ),
    )
    .about(Subject::Step {
        step: StepId::Setup,
    })
    .next(NextAction::Do {
        action: Remedy::Recheck,
        label: "Check again".to_owned(),
    })
    .next(NextAction::Open {
        step: StepId::Setup,
        label: "Look at the cluster".to_owned(),
    });
    vec![finding]
}
