//! The rules: each looks at the facts and says what is wrong, why, and what to do.

mod cluster;
mod config;
mod crash;
mod image;
mod network;
mod probe;
mod proposals;
mod rollout;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_around;
#[cfg(test)]
mod world;

use app::model::Finding;

use super::facts::Facts;
use super::order::order;

/// Everything that is wrong, worst first, each root cause once. Empty for a healthy project.
pub fn diagnose(facts: &Facts<'_>) -> Vec<Finding> {
    let silent = cluster::unreachable(facts);
    // Without a sign of life everything else is old news.
    if !silent.is_empty() {
        return silent;
    }
    let rules: [fn(&Facts<'_>) -> Vec<Finding>; 19] = [
        image::never_pull,
        image::pull,
        image::gone,
        image::outdated,
        image::as_root,
        image::over_budget,
        config::container_config,
        config::secret_not_set,
        config::stale_secrets,
        crash::oom_killed,
        crash::crash_loop,
        probe::failing,
        network::service_port_mismatch,
        network::selector_matches_nothing,
        network::load_balancer_pending,
        rollout::stuck,
        rollout::unschedulable,
        rollout::refused,
        rollout::scaled_to_zero,
    ];
    let mut findings = order(rules.iter().flat_map(|rule| rule(facts)).collect());
    proposals::add(facts, &mut findings);
    findings
}
