//! The project's chart and its release. Values are not part of the state that every page gets:
//! they may hold what nobody should see, and are asked for one by one, masked.

use serde::{Deserialize, Serialize};

use super::{DeployPlan, DriftedObject, Finding, ObjectDiff, RunId, UnixMillis};

/// What is known of helm, the chart and the release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelmView {
    pub tool: HelmTool,
    pub chart: Option<ChartView>,
    /// None while nothing is known; a release that is not there has no revisions.
    pub release: Option<ReleaseView>,
    /// What is no longer as the deployed revision says; none while nobody has looked.
    #[serde(default)]
    pub drift: Option<Vec<DriftedObject>>,
}

impl HelmView {
    /// The revision that is installed now, if one is.
    pub fn deployed(&self) -> Option<&RevisionRow> {
        self.release.as_ref()?.deployed()
    }
}

/// The user's own helm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelmTool {
    #[default]
    Unknown,
    Ready {
        version: String,
        major: u32,
        /// Known faults of this version; none when there are none.
        faults: Option<String>,
    },
    Unusable {
        finding: Box<Finding>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartView {
    /// As `slipway.toml` names it.
    pub path: String,
    pub name: String,
    pub version: String,
    pub app_version: String,
    pub description: String,
    /// Values files in the order in which they are laid over the chart's own.
    pub values_files: Vec<String>,
    pub dependencies: Vec<Dependency>,
    pub lint: LintState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub name: String,
    pub alias: Option<String>,
    /// The wanted version or range.
    pub version: String,
    /// The value that switches it on and off.
    pub condition: Option<String>,
    pub state: DependencyState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyState {
    /// In the chart's `charts/`, with its version.
    Present {
        version: String,
    },
    Missing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LintState {
    #[default]
    Unknown,
    /// Worst first; none is a clean chart.
    Done {
        at: UnixMillis,
        findings: Vec<Finding>,
    },
}

/// A release as its records in the cluster tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseView {
    pub name: String,
    pub namespace: String,
    /// Newest first.
    pub revisions: Vec<RevisionRow>,
    pub stuck: Option<StuckRelease>,
    /// Why the records cannot be read now, if so; the rest is then what was known last.
    pub lost: Option<String>,
}

impl ReleaseView {
    pub fn deployed(&self) -> Option<&RevisionRow> {
        self.revisions
            .iter()
            .find(|row| row.status == ReleaseStatus::Deployed)
    }

    pub fn newest(&self) -> Option<&RevisionRow> {
        self.revisions.first()
    }

    /// Whether it has objects in the cluster, or may have some.
    pub fn is_there(&self) -> bool {
        self.newest()
            .is_some_and(|row| row.status != ReleaseStatus::Uninstalled)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    pub revision: u32,
    pub status: ReleaseStatus,
    pub updated: Option<UnixMillis>,
    pub chart: String,
    pub chart_version: String,
    pub app_version: String,
    /// helm's own sentence: `Upgrade complete`, `Rollback to 2`.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseStatus {
    /// Not one of those that helm writes today.
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

impl ReleaseStatus {
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }

    /// As helm spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }
}

/// A release that blocks every later upgrade, or that stands on nothing good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckRelease {
    pub revision: u32,
    pub status: ReleaseStatus,
    pub holder: Holder,
    /// The newest revision that was deployed once; none when there is none to go back to.
    pub last_good: Option<u32>,
    pub finding: Finding,
}

/// Whether someone is still at work on a pending release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// Slipway's own run.
    Run {
        run: RunId,
    },
    /// Another helm on this machine.
    Process {
        pid: u32,
    },
    /// No helm on this machine, but the record is so young that one elsewhere may be at work.
    MaybeElsewhere {
        until: UnixMillis,
    },
    Nobody,
}

impl Holder {
    /// Whether unlocking would pull the release from under someone's hands.
    pub fn is_someone(&self) -> bool {
        !matches!(self, Self::Nobody)
    }
}

/// One edit of the values form. All inputs are text, read by the field's own kind of control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueEdit {
    /// From the top of the values.
    pub path: Vec<String>,
    pub text: String,
}

/// The form: what can be set, what is set, and where from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesForm {
    pub fields: Vec<ValueField>,
    /// What is wrong and belongs to no field.
    pub problems: Vec<String>,
    /// The values as the chart will see them.
    pub result: Vec<ResultRow>,
    /// Files that edits can be saved to.
    pub targets: Vec<String>,
    /// Values in files that should not be there, and the like.
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueField {
    pub path: Vec<String>,
    pub label: String,
    pub description: String,
    pub control: ValueControl,
    /// The value in force, as the control shows it; masked when it looks like a secret.
    pub text: String,
    /// The chart's own value in the same form, when there is one.
    pub default: Option<String>,
    pub origin: ValueOrigin,
    pub required: bool,
    /// Looks like a secret: cannot be edited here.
    pub secret: bool,
    /// What the chart's schema says against the value.
    pub problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueControl {
    Text {
        pattern: Option<String>,
        multiline: bool,
    },
    Number {
        integer: bool,
        minimum: Option<String>,
        maximum: Option<String>,
    },
    /// `true` or `false`.
    Switch,
    Choice {
        options: Vec<String>,
    },
    /// One item on each line.
    List,
    /// Anything that has no control of its own, as YAML.
    Yaml,
    /// Only a heading, with fields below it.
    Group {
        fields: Vec<ValueField>,
    },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueOrigin {
    /// The chart's own `values.yaml`, or a subchart's.
    Chart,
    File {
        name: String,
    },
    /// Edited here and not saved.
    Form,
    /// Put in by Slipway: a proved image.
    Slipway,
    /// Nobody sets it.
    Unset,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRow {
    /// How deep it is nested, from 0.
    pub depth: u32,
    pub key: String,
    /// Empty for a mapping whose entries follow; masked when it looks like a secret.
    pub value: String,
    /// None for a mapping whose entries follow.
    pub origin: Option<ValueOrigin>,
}

/// What saving the edits would make of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavePreview {
    pub file: String,
    /// Stands for the file as it was read; saving is refused when it has changed since.
    pub hash: String,
    pub is_new: bool,
    pub lines: Vec<DiffLine>,
    /// What to know before: comments that get lost, a later file that overrides.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffLine {
    Same(String),
    Removed(String),
    Added(String),
    /// So many unchanged lines are left out.
    Skipped(u32),
}

/// What is wished of the release: planned first, then carried out as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseWish {
    /// Install or upgrade, with edits of the form that may not be saved yet.
    Deploy {
        edits: Vec<ValueEdit>,
        /// Take over objects that belong to nobody's release.
        adopt: bool,
        /// Take over fields that other managers set; only helm 4 asks.
        #[serde(default)]
        force: bool,
    },
    Rollback {
        to: u32,
        /// As for a deploy.
        #[serde(default)]
        force: bool,
    },
    Uninstall {
        keep_history: bool,
    },
    /// Deletes the record of a pending revision whose helm is gone, and only that.
    Unlock {
        revision: u32,
    },
}

impl ReleaseWish {
    /// Whether fields are taken from their managers.
    pub fn is_forced(&self) -> bool {
        matches!(
            self,
            Self::Deploy { force: true, .. } | Self::Rollback { force: true, .. }
        )
    }

    /// The same wish, forced or not; none where helm knows no forcing.
    pub fn forced(mut self, wanted: bool) -> Option<Self> {
        match &mut self {
            Self::Deploy { force, .. } | Self::Rollback { force, .. } => *force = wanted,
            Self::Uninstall { .. } | Self::Unlock { .. } => return None,
        }
        Some(self)
    }
}

/// What a deploy, a rollback or a removal of the release would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePlan {
    /// Its hash stands for exactly this plan; the differences of its objects are asked for by it.
    pub plan: DeployPlan,
    /// What a press of the button does, in a few words: `Install todo-chatbot`.
    pub title: String,
    /// The revision it makes; none when it makes none.
    pub revision: Option<u32>,
    /// Objects that stay although they are not part of the release any more, and why.
    pub kept: Vec<String>,
    pub hooks: Vec<HookView>,
    /// What the chart says after the deploy.
    pub notes: String,
    /// What helm warned about.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookView {
    pub kind: String,
    pub name: String,
    /// `pre-install`, `post-upgrade`, `test`.
    pub events: Vec<String>,
    pub weight: i64,
    /// `Succeeded`, `Failed`, `Running`; empty when it has not run.
    pub phase: String,
}

/// One revision in full, masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionDetail {
    pub row: RevisionRow,
    /// YAML of what was given beyond the chart's own values.
    pub values: String,
    pub notes: String,
    pub manifest: String,
    pub hooks: Vec<HookView>,
}

/// What changed from one revision to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionComparison {
    pub from: u32,
    pub to: u32,
    pub values: ObjectDiff,
    /// The objects of both; their differences are asked for by its hash.
    pub plan: DeployPlan,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_as_helm_spells_it() {
        for status in [
            ReleaseStatus::PendingInstall,
            ReleaseStatus::Uninstalling,
            ReleaseStatus::Superseded,
        ] {
            assert_eq!(
                serde_json::to_value(status).expect("encodes"),
                status.word()
            );
        }
    }

    #[test]
    fn a_release_with_kept_history_is_not_there() {
        let row = |revision, status| RevisionRow {
            revision,
            status,
            updated: None,
            chart: "c".into(),
            chart_version: "1".into(),
            app_version: String::new(),
            description: String::new(),
        };
        let mut release = ReleaseView::default();
        assert!(!release.is_there());
        release.revisions = vec![row(1, ReleaseStatus::Uninstalled)];
        assert!(!release.is_there() && release.deployed().is_none());
        release.revisions = vec![
            row(2, ReleaseStatus::PendingUpgrade),
            row(1, ReleaseStatus::Deployed),
        ];
        assert!(release.is_there());
        assert_eq!(release.deployed().map(|row| row.revision), Some(1));
    }
}
