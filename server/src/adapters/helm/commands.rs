//! Argument lists. The two majors differ in the flags that matter most; every difference is here.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::HelmVersion;
use crate::process::CommandSpec;

/// Reading and rendering a local chart is quick; a chart that calls `lookup` asks the API server.
const RENDER_LIMIT: Duration = Duration::from_secs(60);
/// Dependencies come over the network.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
/// After the polite signal helm rolls back or uninstalls, and waits for that.
const TIDY_UP: Duration = Duration::from_secs(75);

/// The user's helm, with its version asked for once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helm {
    pub program: OsString,
    pub version: HelmVersion,
}

/// Where helm works. All three are always said: its own defaults are whatever the shell was set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// One file; `--kubeconfig` takes no list.
    pub kubeconfig: PathBuf,
    pub context: String,
    pub namespace: String,
}

/// A release's name: an RFC 1123 label of at most 53 characters, helm's own limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseName(String);

impl ReleaseName {
    pub const LONGEST: usize = 53;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > Self::LONGEST {
            return Err(format!(
                "`{text}` has {} characters, and a release's name has at most {}",
                text.len(),
                Self::LONGEST
            ));
        }
        text.parse::<app::model::Namespace>()
            .map(|name| Self(name.as_str().to_owned()))
            .map_err(|error| error.to_string())
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an upgrade is asked to do beyond its chart and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeWish {
    /// For each of its waits.
    pub timeout: Duration,
    /// Take over objects that do not belong to the release.
    pub take_ownership: bool,
    /// helm 4 only: take over fields that another manager has set. Nothing in 3, which never minds.
    pub force_conflicts: bool,
}

impl Helm {
    fn is_4(&self) -> bool {
        self.version.major >= 4
    }

    fn command(&self) -> CommandSpec {
        CommandSpec::new(&self.program)
            // Slipway reads the records from Secrets, so they must go there.
            .env("HELM_DRIVER", "secret")
            .env("HELM_DEBUG", "false")
            .env("NO_COLOR", "1")
            .deadline(RENDER_LIMIT)
    }

    fn at(&self, verb: &[&str], place: &Place) -> CommandSpec {
        self.command()
            .args(verb)
            .arg("--kubeconfig")
            .arg(&place.kubeconfig)
            .args(["--kube-context", &place.context])
            .args(["--namespace", &place.namespace])
    }

    /// Prints findings about a chart as `[LEVEL] path: text`; exit code 1 with errors.
    pub fn lint(&self, chart: &Path, values: &[PathBuf], namespace: &str) -> CommandSpec {
        with_values(self.command().arg("lint").arg(chart), values).args(["--namespace", namespace])
    }

    /// Renders without asking any cluster.
    pub fn template(
        &self,
        release: &ReleaseName,
        chart: &Path,
        values: &[PathBuf],
        namespace: &str,
    ) -> CommandSpec {
        let spec = self
            .command()
            .args(["template", release.as_str()])
            .arg(chart);
        with_values(spec, values).args(["--namespace", namespace])
    }

    /// The definitions in the `crds/` folders of the chart and its dependencies, as YAML.
    pub fn show_crds(&self, chart: &Path) -> CommandSpec {
        self.command().args(["show", "crds"]).arg(chart)
    }

    /// Puts the chart's dependencies into its `charts/`, by the lock file where there is one.
    pub fn dependency_build(&self, chart: &Path) -> CommandSpec {
        self.command()
            .args(["dependency", "build"])
            .arg(chart)
            .deadline(FETCH_LIMIT)
    }

    /// What an upgrade would apply, rendered with the cluster's answers; JSON with the whole release.
    pub fn dry_upgrade(
        &self,
        place: &Place,
        release: &ReleaseName,
        chart: &Path,
        values: &[PathBuf],
        wish: UpgradeWish,
    ) -> CommandSpec {
        self.upgrade_base(place, release, chart, values, wish)
            .args(["--dry-run=server", "--output", "json"])
    }

    /// Upgrades, or installs what is not there; waits, and takes everything back when it fails.
    pub fn upgrade(
        &self,
        place: &Place,
        release: &ReleaseName,
        chart: &Path,
        values: &[PathBuf],
        wish: UpgradeWish,
    ) -> CommandSpec {
        let spec = self.upgrade_base(place, release, chart, values, wish);
        let spec = if self.is_4() {
            spec.args(["--rollback-on-failure", "--wait=watcher"])
        } else {
            spec.args(["--atomic", "--wait"])
        };
        self.patient(spec.arg("--create-namespace"), wish.timeout)
    }

    fn upgrade_base(
        &self,
        place: &Place,
        release: &ReleaseName,
        chart: &Path,
        values: &[PathBuf],
        wish: UpgradeWish,
    ) -> CommandSpec {
        let spec = self
            .at(&["upgrade", "--install"], place)
            .arg(release.as_str())
            .arg(chart);
        let mut spec = with_values(spec, values);
        if wish.take_ownership {
            spec = spec.arg("--take-ownership");
        }
        if wish.force_conflicts && self.is_4() {
            spec = spec.arg("--force-conflicts");
        }
        // The files say it all: nothing is taken over silently from the release before.
        spec.arg("--reset-values")
    }

    /// Makes a new revision out of an old one.
    pub fn rollback(
        &self,
        place: &Place,
        release: &ReleaseName,
        revision: u32,
        force_conflicts: bool,
        timeout: Duration,
    ) -> CommandSpec {
        let mut spec = self
            .at(&["rollback"], place)
            .args([release.as_str(), &revision.to_string()])
            .arg(if self.is_4() {
                "--wait=watcher"
            } else {
                "--wait"
            });
        if force_conflicts && self.is_4() {
            spec = spec.arg("--force-conflicts");
        }
        self.patient(spec, timeout)
    }

    /// Removes a release and waits until its objects are gone.
    pub fn uninstall(
        &self,
        place: &Place,
        release: &ReleaseName,
        keep_history: bool,
        timeout: Duration,
    ) -> CommandSpec {
        let mut spec = self
            .at(&["uninstall"], place)
            .arg(release.as_str())
            .arg(if self.is_4() {
                "--wait=watcher"
            } else {
                "--wait"
            });
        if keep_history {
            spec = spec.arg("--keep-history");
        }
        self.patient(spec, timeout)
    }

    /// With helm's own timeout, and ours behind it; when stopped, it may tidy up first.
    fn patient(&self, spec: CommandSpec, timeout: Duration) -> CommandSpec {
        let mut spec = spec
            .args(["--timeout", &format!("{}s", timeout.as_secs().max(1))])
            // It waits for the upgrade, then for the rollback.
            .deadline(timeout * 2 + TIDY_UP)
            .grace(TIDY_UP);
        // Killed it would leave a release that blocks every later one.
        spec.parent_death = Signal::SIGTERM;
        spec
    }
}

fn with_values(mut spec: CommandSpec, values: &[PathBuf]) -> CommandSpec {
    for file in values {
        spec = spec.arg("--values").arg(file);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helm(major: u32) -> Helm {
        Helm {
            program: "helm".into(),
            version: HelmVersion::floor(major),
        }
    }

    fn line(spec: &CommandSpec) -> String {
        spec.args
            .iter()
            .map(|arg| arg.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn place() -> Place {
        Place {
            kubeconfig: "/s/kubeconfig".into(),
            context: "c".into(),
            namespace: "n".into(),
        }
    }

    const WISH: UpgradeWish = UpgradeWish {
        timeout: Duration::from_secs(300),
        take_ownership: false,
        force_conflicts: false,
    };

    #[test]
    fn each_major_gets_its_own_words_for_waiting_and_rolling_back() {
        let release: ReleaseName = "web".parse().expect("a name");
        let (chart, values) = (Path::new("/p/chart"), [PathBuf::from("/p/v.yaml")]);
        let at = "--kubeconfig /s/kubeconfig --kube-context c --namespace n";
        let upgrade =
            |major, wish| line(&helm(major).upgrade(&place(), &release, chart, &values, wish));
        let dry = |major| line(&helm(major).dry_upgrade(&place(), &release, chart, &values, WISH));
        let adopting = UpgradeWish {
            take_ownership: true,
            force_conflicts: true,
            ..WISH
        };
        let rows = [
            (
                upgrade(3, WISH),
                format!(
                    "upgrade --install {at} web /p/chart --values /p/v.yaml --reset-values --atomic --wait --create-namespace --timeout 300s"
                ),
            ),
            (
                upgrade(4, WISH),
                format!(
                    "upgrade --install {at} web /p/chart --values /p/v.yaml --reset-values --rollback-on-failure --wait=watcher --create-namespace --timeout 300s"
                ),
            ),
            (
                upgrade(3, adopting),
                format!(
                    "upgrade --install {at} web /p/chart --values /p/v.yaml --take-ownership --reset-values --atomic --wait --create-namespace --timeout 300s"
                ),
            ),
            (
                upgrade(4, adopting),
                format!(
                    "upgrade --install {at} web /p/chart --values /p/v.yaml --take-ownership --force-conflicts --reset-values --rollback-on-failure --wait=watcher --create-namespace --timeout 300s"
                ),
            ),
            (
                dry(3),
                format!(
                    "upgrade --install {at} web /p/chart --values /p/v.yaml --reset-values --dry-run=server --output json"
                ),
            ),
            (dry(4), dry(3)),
            (
                line(&helm(3).rollback(&place(), &release, 2, false, WISH.timeout)),
                format!("rollback {at} web 2 --wait --timeout 300s"),
            ),
            (
                line(&helm(4).rollback(&place(), &release, 2, false, WISH.timeout)),
                format!("rollback {at} web 2 --wait=watcher --timeout 300s"),
            ),
            (
                line(&helm(3).uninstall(&place(), &release, true, WISH.timeout)),
                format!("uninstall {at} web --wait --keep-history --timeout 300s"),
            ),
            (
                line(&helm(4).uninstall(&place(), &release, false, WISH.timeout)),
                format!("uninstall {at} web --wait=watcher --timeout 300s"),
            ),
            (
                line(&helm(4).lint(chart, &values, "n")),
                "lint /p/chart --values /p/v.yaml --namespace n".to_owned(),
            ),
            (
                line(&helm(4).template(&release, chart, &[], "n")),
                "template web /p/chart --namespace n".to_owned(),
            ),
            (
                line(&helm(3).dependency_build(chart)),
                "dependency build /p/chart".to_owned(),
            ),
        ];
        for (got, wanted) in rows {
            assert_eq!(got, wanted);
        }
    }

    #[test]
    fn helm_is_asked_politely_and_given_time_to_tidy_up() {
        let release = "web".parse().expect("a name");
        let spec = helm(3).upgrade(&place(), &release, Path::new("c"), &[], WISH);
        assert_eq!(
            (spec.interrupt, spec.parent_death),
            (Signal::SIGTERM, Signal::SIGTERM)
        );
        assert!(spec.grace >= Duration::from_secs(10));
        assert!(spec.deadline > WISH.timeout);
        let env = |name: &str| {
            spec.env
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(env("HELM_DRIVER").as_deref(), Some("secret"));
    }

    #[test]
    fn a_release_name_has_a_limit_of_its_own() {
        assert!("a".repeat(53).parse::<ReleaseName>().is_ok());
        assert!("a".repeat(54).parse::<ReleaseName>().is_err());
        assert!("My_App".parse::<ReleaseName>().is_err());
    }
}
