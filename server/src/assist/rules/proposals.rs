//! What Slipway itself can propose against a finding: one command, for which a person is asked.

use app::model::{ComponentLive, Finding, NextAction, Remedy, Rollout, Subject};

use super::code::Layer;
use super::config::{SECRET_KEY_MISSING, SECRET_OBJECT_MISSING};
use super::known;
use super::rollout::ROLLOUT_STUCK;
use super::secrets::SECRET_NOT_SET;
use crate::assist::Facts;

/// Not in a pod template, whoever is kept from starting by it.
const OF_SECRETS: [&str; 3] = [
    SECRET_OBJECT_MISSING.code,
    SECRET_KEY_MISSING.code,
    SECRET_NOT_SET.code,
];

/// A template brought it, so that going back to the one before can heal it.
fn is_of_template(code: &str) -> bool {
    let of_template = known(code).is_some_and(|(_, code)| {
        matches!(
            code.layer,
            Layer::Start | Layer::Memory | Layer::Told | Layer::Crash | Layer::Ready
        )
    });
    of_template && !OF_SECRETS.contains(&code) || code == ROLLOUT_STUCK.code
}

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
            "DEPLOYMENT_PAUSED" => (
                vec!["rollout", "resume", &deployment],
                format!("Propose to resume {component}"),
                format!("{component} is paused, so no change of it reaches a pod."),
            ),
            code if is_of_template(code) && can_go_back(live) => (
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
