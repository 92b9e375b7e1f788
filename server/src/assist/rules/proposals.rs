//! What Slipway itself can propose against a finding: one command, for which a person is asked.

use app::model::{ComponentLive, Finding, NextAction, Remedy, Rollout, Subject};

use crate::assist::Facts;

/// Findings that a template brings, so that going back to the one before can heal them.
const OF_THE_TEMPLATE: [&str; 9] = [
    "IMAGE_NEVER_PULL",
    "IMAGE_PULL_FAILED",
    "CONFIGMAP_MISSING",
    "CONTAINER_CONFIG",
    "RUNS_AS_ROOT",
    "OOM_KILLED",
    "CRASH_LOOP",
    "PROBE_FAILING",
    "ROLLOUT_STUCK",
];

/// Adds the proposals, after what the rules themselves say.
pub fn add(facts: &Facts<'_>, findings: &mut [Finding]) {
    for finding in findings {
        let Subject::Component { component } = &finding.subject else {
            continue;
        };
        let Some(live) = facts.state.components.get(component) else {
            continue;
        };
        let deployment = format!("deployment/{component}");
        let (words, label, why) = match finding.code.as_str() {
            "SCALED_TO_ZERO" => (
                vec!["scale", &deployment, "--replicas=1"],
                format!("Propose to start {component}"),
                format!("{component} has no pods because it is scaled to 0."),
            ),
            code if OF_THE_TEMPLATE.contains(&code) && can_go_back(live) => (
                vec!["rollout", "undo", &deployment],
                format!("Propose to take {component} back"),
                format!(
                    "Revision {} of {component} does not come up; the one before it did.",
                    live.revision
                ),
            ),
            _ => continue,
        };
        let argv = std::iter::once("kubectl").chain(words);
        finding.next.push(NextAction::Do {
            action: Remedy::Propose {
                argv: argv.map(str::to_owned).collect(),
                heals: finding.key(),
                why,
            },
            label,
        });
    }
}

/// A change is on its way that does not arrive, and there was something before it.
fn can_go_back(live: &ComponentLive) -> bool {
    live.revision > 1
        && !live.paused
        && matches!(
            live.rollout,
            Rollout::Progressing { .. } | Rollout::Stuck { .. }
        )
}
