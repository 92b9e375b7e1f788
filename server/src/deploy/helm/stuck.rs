//! Releases that are stuck: a helm that was killed leaves its revision pending, and helm refuses
//! every later upgrade until that is undone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    ClusterKind, Holder, ReleaseStatus, ReleaseView, RunKind, StuckRelease, UnixMillis,
};
use tokio_util::sync::CancellationToken;

use super::{ReleasesRoom, words};
use crate::adapters::helm::record::Record;
use crate::engine::clock;
use crate::process::{self, CommandSpec};

/// On a cluster that others can reach, a helm elsewhere may hold a young record; helm's own default
/// timeout is five minutes, for the upgrade and again for its rollback.
const LEASE: Duration = Duration::from_secs(10 * 60);
/// Stages of our own runs that have helm at work begin so.
pub(super) const HELM_STAGE: &str = "helm";

impl ReleasesRoom {
    /// What is stuck about a release; none when nothing is.
    pub(super) async fn stuck(
        &self,
        release: &ReleaseView,
        records: &BTreeMap<u32, Arc<Record>>,
    ) -> Option<StuckRelease> {
        let newest = release.newest()?;
        let last_good = last_good(records, newest.revision);
        let holder = match newest.status {
            status if status.is_pending() || status == ReleaseStatus::Uninstalling => {
                self.holder(&release.name, &release.namespace, newest.updated)
                    .await
            }
            // helm itself goes on from there, but what runs is half of one and half of the other.
            ReleaseStatus::Failed => Holder::Nobody,
            _ => return None,
        };
        // While our own run is at work nothing is stuck.
        if matches!(holder, Holder::Run { .. }) {
            return None;
        }
        if newest.status == ReleaseStatus::Failed && self.own_run().is_some() {
            return None;
        }
        let finding = words::stuck(release, newest, &holder, last_good);
        Some(StuckRelease {
            revision: newest.revision,
            status: newest.status,
            holder,
            last_good,
            finding,
        })
    }

    /// Who is at work on a pending release.
    pub(super) async fn holder(
        &self,
        release: &str,
        namespace: &str,
        since: Option<UnixMillis>,
    ) -> Holder {
        if let Some(run) = self.own_run() {
            return Holder::Run { run };
        }
        if let Some(pid) = running_helm(release, namespace).await {
            return Holder::Process { pid };
        }
        let is_shared = self
            .inner
            .cluster
            .current()
            .is_some_and(|connected| connected.kind == ClusterKind::Remote);
        if let Some(since) = since.filter(|_| is_shared) {
            let until = UnixMillis(since.0 + i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX));
            if clock::now() < until {
                return Holder::MaybeElsewhere { until };
            }
        }
        Holder::Nobody
    }

    /// Our own run that has helm at work.
    pub(super) fn own_run(&self) -> Option<app::model::RunId> {
        self.inner.core.hub.read(|state| {
            state
                .runs
                .values()
                .find(|run| {
                    run.is_going()
                        && matches!(run.kind, RunKind::Deploy | RunKind::Down)
                        && run
                            .stages
                            .iter()
                            .any(|stage| stage.id.starts_with(HELM_STAGE))
                })
                .map(|run| run.id)
        })
    }
}

/// The newest revision before this one that was deployed once.
pub(super) fn last_good(records: &BTreeMap<u32, Arc<Record>>, before: u32) -> Option<u32> {
    records
        .range(..before)
        .rev()
        .find(|(_, record)| {
            matches!(
                record.status(),
                ReleaseStatus::Deployed | ReleaseStatus::Superseded
            )
        })
        .map(|(revision, _)| *revision)
}

/// The process number of a helm on this machine that works on this release.
async fn running_helm(release: &str, namespace: &str) -> Option<u32> {
    let lines = if std::path::Path::new("/proc/self/cmdline").exists() {
        tokio::task::spawn_blocking(proc_lines).await.ok()?
    } else {
        ps_lines().await
    };
    lines
        .into_iter()
        .find(|(_, args)| works_on(args, release, namespace))
        .map(|(pid, _)| pid)
}

fn proc_lines() -> Vec<(u32, Vec<String>)> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let args: Vec<String> = line
                .split(|byte| *byte == 0)
                .map(|arg| String::from_utf8_lossy(arg).into_owned())
                .collect();
            // A zombie has no command line left.
            (args.len() > 1).then_some((pid, args))
        })
        .collect()
}

async fn ps_lines() -> Vec<(u32, Vec<String>)> {
    let spec = CommandSpec::new("ps")
        .args(["-axo", "pid=,command="])
        .deadline(Duration::from_secs(5));
    let Ok(captured) = process::capture(&spec, &CancellationToken::new()).await else {
        return Vec::new();
    };
    captured
        .stdout
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok()?;
            Some((pid, words.map(str::to_owned).collect()))
        })
        .collect()
}

/// Whether a command line is a helm that changes this release.
fn works_on(args: &[String], release: &str, namespace: &str) -> bool {
    const VERBS: [&str; 7] = [
        "install",
        "upgrade",
        "rollback",
        "uninstall",
        "delete",
        "del",
        "un",
    ];
    let Some((program, rest)) = args.split_first() else {
        return false;
    };
    let name = program.rsplit('/').next().unwrap_or_default();
    if !name.starts_with("helm") || !rest.iter().any(|arg| VERBS.contains(&arg.as_str())) {
        return false;
    }
    if rest.iter().any(|arg| arg.starts_with("--dry-run")) || !rest.iter().any(|arg| arg == release)
    {
        return false;
    }
    // Without a word about the namespace it may be this one.
    let said = rest.iter().enumerate().find_map(|(at, arg)| {
        if arg == "-n" || arg == "--namespace" {
            return rest.get(at + 1).map(String::as_str);
        }
        arg.strip_prefix("--namespace=").or(arg.strip_prefix("-n="))
    });
    said.is_none_or(|said| said == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_helm_that_changes_this_very_release_holds_it() {
        let is = |line: &str| {
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            works_on(&args, "web", "shop")
        };
        assert!(is("helm upgrade --install web ./chart -n shop"));
        assert!(is("/opt/helm4 rollback web 2 --namespace=shop"));
        assert!(is("helm uninstall web"));
        assert!(!is("helm upgrade web ./chart -n other"));
        assert!(!is("helm upgrade web ./chart -n shop --dry-run=server"));
        assert!(!is("helm status web -n shop"));
        assert!(!is("helm upgrade website ./chart"));
        assert!(!is("vim helm upgrade web"));
    }

    #[test]
    fn a_helm_on_this_machine_is_found_by_its_command_line() {
        use std::os::unix::process::CommandExt;
        // A name of its own: tests with real releases run beside this one.
        let release = "found-by-its-command-line";
        let mut child = std::process::Command::new("sh")
            .arg0("helm")
            // Waits without a child of its own, which would outlive it.
            .args(["-c", "read -r end; true", "upgrade", release])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        let pid = child.id();
        let give_up = std::time::Instant::now() + Duration::from_secs(10);
        // Between fork and exec the child still has our own command line.
        let is_found = || {
            proc_lines()
                .iter()
                .any(|(found, args)| *found == pid && works_on(args, release, "shop"))
        };
        while !is_found() && std::time::Instant::now() < give_up {
            std::thread::yield_now();
        }
        let found = is_found();
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert!(found);
        assert!(!is_found(), "a dead one holds nothing");
    }
}
