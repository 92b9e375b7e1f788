//! The rules: each looks at the facts and says what is wrong, why, and what to do.

mod cluster;
mod code;
mod config;
mod crash;
mod drift;
mod image;
mod image_pull;
mod last_words;
mod machine;
mod network;
mod probe;
mod proposals;
mod release;
mod rollout;
mod schedule;
mod secrets;
mod service;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_around;
#[cfg(test)]
mod tests_causes;
mod volume;
#[cfg(test)]
mod world;

use app::model::Finding;

use super::facts::Facts;
use super::order::order;

pub use code::{Code, page};
pub use config::{Complaint, complaint};
pub use last_words::told_by;

type Rule = fn(&Facts<'_>) -> Vec<Finding>;

/// Of this machine and the cluster: without them everything else is old news.
const FIRST: [Rule; 2] = [machine::required, cluster::unreachable];

const RULES: [Rule; 31] = [
    rollout::not_deployed,
    image_pull::never_pull,
    image_pull::pull,
    image::gone,
    image::outdated,
    image::as_root,
    image::over_budget,
    config::container_config,
    volume::not_mounted,
    secrets::not_set,
    secrets::drifted,
    secrets::not_read,
    secrets::stale,
    crash::oom_killed,
    crash::crashed,
    crash::restarts_often,
    probe::failing,
    probe::disagrees,
    service::missing,
    service::port_unknown,
    service::not_exposed,
    network::service_port_mismatch,
    network::selector_matches_nothing,
    network::load_balancer_pending,
    rollout::stuck,
    rollout::paused,
    rollout::scaled_to_zero,
    schedule::unschedulable,
    schedule::refused,
    schedule::evicted,
    drift::drifted,
];

/// Every code there is, causes first: what comes later may follow from what comes earlier.
pub static CODES: &[&Code] = &[
    &cluster::CLUSTER_UNREACHABLE,
    &rollout::COMPONENT_NOT_DEPLOYED,
    &schedule::QUOTA_EXCEEDED,
    &schedule::QUOTA_NEEDS_RESOURCES,
    &schedule::LIMIT_RANGE_REFUSES,
    &schedule::POD_SECURITY_REFUSES,
    &schedule::SERVICE_ACCOUNT_MISSING,
    &schedule::WEBHOOK_DENIES,
    &schedule::QUOTA_OR_ADMISSION,
    &schedule::NODE_MEMORY_SHORT,
    &schedule::NODE_CPU_SHORT,
    &schedule::NODE_TAINTED,
    &schedule::NODE_CORDONED,
    &schedule::NODE_NOT_MATCHED,
    &schedule::HOST_PORT_TAKEN,
    &volume::CLAIM_NOT_BOUND,
    &schedule::UNSCHEDULABLE,
    &image_pull::IMAGE_NAME_INVALID,
    &image_pull::IMAGE_NEVER_PULL,
    &image_pull::IMAGE_NOT_FOUND,
    &image_pull::REGISTRY_REFUSES,
    &image_pull::REGISTRY_LIMIT,
    &image_pull::REGISTRY_UNREACHABLE,
    &image_pull::IMAGE_PULL_FAILED,
    &config::SECRET_OBJECT_MISSING,
    &config::SECRET_KEY_MISSING,
    &config::CONFIGMAP_MISSING,
    &config::CONFIGMAP_KEY_MISSING,
    &secrets::SECRET_NOT_SET,
    &volume::VOLUME_NOT_MOUNTED,
    &volume::POD_SANDBOX_FAILED,
    &config::CONTAINER_CONFIG,
    &config::RUNS_AS_ROOT,
    &crash::IMAGE_WRONG_PLATFORM,
    &crash::PROGRAM_NOT_FOUND,
    &crash::PROGRAM_NOT_EXECUTABLE,
    &crash::OOM_KILLED,
    &crash::INIT_CONTAINER_FAILS,
    &last_words::DEPENDENCY_NOT_FOUND,
    &last_words::DEPENDENCY_UNREACHABLE,
    &last_words::CERTIFICATE_REFUSED,
    &last_words::CREDENTIALS_REFUSED,
    &last_words::DATABASE_NOT_PREPARED,
    &last_words::SETTING_MISSING,
    &last_words::LIBRARY_MISSING,
    &last_words::PORT_TAKEN,
    &last_words::PORT_NOT_ALLOWED,
    &last_words::FILE_NOT_WRITABLE,
    &last_words::STORAGE_FULL,
    &crash::PROGRAM_ENDS,
    &crash::CRASH_LOOP,
    &probe::PROBE_WRONG_PORT,
    &probe::PROBE_WRONG_PATH,
    &probe::PROBE_WRONG_SCHEME,
    &probe::PROBE_NOTHING_LISTENS,
    &probe::PROBE_NEEDS_LOGIN,
    &probe::PROBE_TIMEOUT,
    &probe::PROBE_COMMAND_FAILS,
    &probe::PROBE_FAILING,
    &service::SERVICE_MISSING,
    &service::SERVICE_PORT_UNKNOWN,
    &network::SERVICE_PORT_MISMATCH,
    &network::SELECTOR_MATCHES_NOTHING,
    &release::RELEASE_STUCK,
    &release::RELEASE_FAILED,
    &rollout::ROLLOUT_STUCK,
    &rollout::SCALED_TO_ZERO,
    &rollout::DEPLOYMENT_PAUSED,
    &service::SERVICE_NOT_EXPOSED,
    &network::LOAD_BALANCER_PENDING,
    &probe::PROBE_DISAGREES,
    &crash::RESTARTS_OFTEN,
    &schedule::POD_EVICTED,
    &image::IMAGE_NOT_IN_CLUSTER,
    &secrets::SECRET_DRIFTED,
    &secrets::PODS_STALE_SECRETS,
    &secrets::SECRET_NOT_READ,
    &drift::DEPLOY_DRIFTED,
    &image::IMAGE_OUTDATED,
    &image::IMAGE_OVER_BUDGET,
];

/// The code of this name and its rank. The findings of other rooms have codes that are not here.
pub fn known(code: &str) -> Option<(usize, &'static Code)> {
    let rank = CODES.iter().position(|known| known.code == code)?;
    Some((rank, CODES[rank]))
}

/// Everything that is wrong, worst first, each root cause once. Empty for a healthy project.
pub fn diagnose(facts: &Facts<'_>) -> Vec<Finding> {
    let mut first: Vec<Finding> = FIRST.iter().flat_map(|rule| rule(facts)).collect();
    if cluster::is_silent(facts) {
        return order(first);
    }
    first.extend(RULES.iter().flat_map(|rule| rule(facts)));
    first.extend(release::stuck(facts));
    let mut findings = order(first);
    proposals::add(facts, &mut findings);
    findings
}
