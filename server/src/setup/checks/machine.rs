//! Processors, memory and disk against what the cluster and the project want.

use std::path::Path;
use std::time::Duration;

use app::model::{CheckState, Finding, NextAction, humanize_bytes};

use super::Context;
use crate::setup::machine::{self, Memory};
use crate::setup::tool::about;

const DISK_LIMIT: Duration = Duration::from_secs(3);
/// What a build and its images want.
const DISK_WANTED: u64 = 3_000_000_000;

/// What the cluster takes before any pod: minikube's recommended least; the practice cluster runs
/// plain processes, and a build wants more.
fn base_memory(on_practice: bool) -> u64 {
    if on_practice { 800 << 20 } else { 1900 << 20 }
}

pub(super) fn processors(context: &Context) -> CheckState {
    let has = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    processors_state(
        u64::try_from(has).unwrap_or(u64::MAX),
        context.demand.cpu_millis,
        context.on_practice(),
    )
}

fn processors_state(has: u64, asked_millis: u64, on_practice: bool) -> CheckState {
    let base = if on_practice { 0 } else { 1 };
    let wanted = (base + asked_millis.div_ceil(1000)).max(if on_practice { 1 } else { 2 });
    let asks = match asked_millis {
        0 => String::new(),
        millis => {
            let exact = format!("{}.{:03}", millis / 1000, millis % 1000);
            let asked = exact.trim_end_matches('0').trim_end_matches('.');
            format!(", the project asks for {asked}")
        }
    };
    if has >= wanted {
        return CheckState::Ok {
            evidence: format!("{has}{asks}"),
        };
    }
    let finding = Finding::new(
        "PROCESSORS_FEW",
        "There are few processors",
        format!("This machine has {has}, and the cluster with the project wants {wanted}."),
    )
    .attention()
    .about(about("processors"))
    .next(NextAction::advice(
        "Ask for less CPU in the manifests, or use another machine's cluster",
    ));
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

pub(super) fn memory(context: &Context) -> CheckState {
    match machine::memory() {
        Some(memory) => memory_state(memory, context.demand.memory_bytes, context.on_practice()),
        None => CheckState::Ok {
            evidence: "this system does not say".to_owned(),
        },
    }
}

fn memory_state(memory: Memory, asked: u64, on_practice: bool) -> CheckState {
    let wanted = base_memory(on_practice) + asked;
    if memory.available >= wanted {
        let asks = match asked {
            0 => String::new(),
            bytes => format!("; the project asks for {}", humanize_bytes(bytes)),
        };
        // Whole gigabytes: the line would change with every look otherwise.
        return CheckState::Ok {
            evidence: format!(
                "{} GB, {} GB available{asks}",
                gigabytes(memory.total),
                gigabytes(memory.available)
            ),
        };
    }
    let finding = Finding::new(
        "MEMORY_LOW",
        "Memory is short",
        format!(
            "{} are available, and builds, the cluster and the project want {}.",
            humanize_bytes(memory.available),
            humanize_bytes(wanted)
        ),
    )
    .attention()
    .about(about("memory"))
    .next(NextAction::advice("Close programs you do not need"));
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

pub(super) async fn disk(paths: &[&Path]) -> CheckState {
    let mut least: Option<(u64, &Path)> = None;
    for path in paths {
        if let Some(free) = free_on(path).await {
            least = Some(least.map_or((free, *path), |least| least.min((free, *path))));
        }
    }
    match least {
        Some((free, path)) => match disk_problem(free, path, "a build") {
            None => CheckState::Ok {
                evidence: format!("{} GB free", gigabytes(free)),
            },
            Some(finding) => CheckState::Broken {
                finding: Box::new(finding.about(about("disk")).next(NextAction::advice(
                    "Free some space; old build folders named target are a good start",
                ))),
            },
        },
        None => CheckState::Ok {
            evidence: "this system does not say".to_owned(),
        },
    }
}

/// Free bytes; a file system that does not answer in time, such as a lost network drive, says nothing.
pub(super) async fn free_on(path: &Path) -> Option<u64> {
    let path = path.to_owned();
    let asked = tokio::task::spawn_blocking(move || machine::free_disk(&path));
    tokio::time::timeout(DISK_LIMIT, asked).await.ok()?.ok()?
}

/// What to say when less is free than `who` wants.
pub(super) fn disk_problem(free: u64, path: &Path, who: &str) -> Option<Finding> {
    (free < DISK_WANTED).then(|| {
        Finding::new(
            "DISK_LOW",
            "The disk is nearly full",
            format!(
                "{} are free at {}, and {who} want {}.",
                humanize_bytes(free),
                path.display(),
                humanize_bytes(DISK_WANTED)
            ),
        )
        .attention()
    })
}

/// Rounded, in decimal units.
pub(super) fn gigabytes(bytes: u64) -> f64 {
    (bytes as f64 / 1e9).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_is_pointed_out_against_what_the_project_asks() {
        let memory = Memory {
            total: 4 << 30,
            available: 1 << 30,
        };
        assert!(matches!(
            memory_state(memory, 0, true),
            CheckState::Ok { .. }
        ));
        assert!(matches!(
            memory_state(memory, 0, false),
            CheckState::Broken { .. }
        ));
        assert!(matches!(
            memory_state(memory, 1 << 30, true),
            CheckState::Broken { .. }
        ));
    }

    #[test]
    fn few_processors_are_pointed_out() {
        assert!(matches!(
            processors_state(1, 0, true),
            CheckState::Ok { .. }
        ));
        assert!(matches!(
            processors_state(1, 0, false),
            CheckState::Broken { .. }
        ));
        let fits = processors_state(4, 1_500, false);
        assert_eq!(
            fits,
            CheckState::Ok {
                evidence: "4, the project asks for 1.5".into()
            }
        );
        let small = processors_state(2, 75, true);
        assert_eq!(
            small,
            CheckState::Ok {
                evidence: "2, the project asks for 0.075".into()
            }
        );
        assert!(matches!(
            processors_state(2, 1_500, false),
            CheckState::Broken { .. }
        ));
    }

    #[test]
    fn a_full_disk_is_pointed_out() {
        let root = Path::new("/");
        assert_eq!(disk_problem(10_000_000_000, root, "a build"), None);
        assert!(disk_problem(1, root, "a build").is_some());
    }
}
