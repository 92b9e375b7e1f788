//! What the Helm side of Deploy has to say.

use std::ffi::OsStr;
use std::path::Path;

use app::model::{Finding, Holder, NextAction, ReleaseStatus, ReleaseView, RevisionRow, Subject};

use super::chart::ChartError;
use crate::adapters::helm::output::{LintLevel, LintLine};
use crate::adapters::helm::{HelmFailure, HelmVersion};
use crate::deploy::words::about_deploy;

/// At a field of the form.
pub(super) const SECRET_PROBLEM: &str =
    "this looks like a secret: set it on the Secrets page, and let the chart refer to the Secret";

fn command(command: impl Into<String>, why: &str) -> NextAction {
    NextAction::Command {
        command: command.into(),
        why: why.to_owned(),
    }
}

pub(super) fn helm_missing(program: &OsStr) -> Finding {
    about_deploy(Finding::new(
        "HELM_MISSING",
        "Helm is not installed",
        format!(
            "No program `{}` was found. Deploying by a chart is done by your own helm, 3 or 4.",
            program.to_string_lossy()
        ),
    ))
    .next(NextAction::advice(
        "Install helm, then check again; or deploy the raw manifests",
    ))
}

pub(super) fn helm_broken(program: &OsStr, said: &str) -> Finding {
    about_deploy(Finding::new(
        "HELM_BROKEN",
        "Helm does not answer as it should",
        format!(
            "`{}` was started and gave no answer that can be used.",
            program.to_string_lossy()
        ),
    ))
    .evidence("helm", said)
    .next(command("helm version", "See what it says by itself"))
}

/// Of a version below the floor.
pub(super) fn faults(version: HelmVersion) -> String {
    format!(
        "helm {version} has known security holes in how it handles charts; {} and later do not",
        HelmVersion::floor(version.major)
    )
}

pub(super) fn no_release_name(why: &str) -> Finding {
    about_deploy(Finding::new(
        "RELEASE_NAME_INVALID",
        "The project's name cannot be a release's name",
        format!("{why}."),
    ))
    .next(NextAction::advice(
        "Give the project a shorter name in slipway.toml",
    ))
}

pub(super) fn no_place(path: &Path, error: &std::io::Error) -> Finding {
    Finding::new(
        "STATE_DIR_UNUSABLE",
        "The state folder cannot be used",
        format!("{}: {error}.", path.display()),
    )
}

pub(super) fn internal(text: &str) -> Finding {
    Finding::new(
        "INTERNAL_ERROR",
        "A part of Slipway did not answer",
        text.to_owned(),
    )
}

pub(super) fn no_chart() -> Finding {
    about_deploy(Finding::new(
        "NO_CHART",
        "The project has no chart",
        "[deploy] of slipway.toml names none.",
    ))
    .next(NextAction::advice(
        "Add chart = \"FOLDER\" to [deploy] in slipway.toml",
    ))
}

pub(super) fn chart_unreadable(error: &ChartError) -> Finding {
    about_deploy(Finding::new(
        "CHART_UNREADABLE",
        "The chart cannot be read",
        format!("{}.", first_upper(&error.to_string())),
    ))
    .next(NextAction::advice(
        "Mend the file; the chart is read again by itself",
    ))
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

pub(super) fn values_unreadable(file: &str, why: &str, line: Option<usize>) -> Finding {
    let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
    about_deploy(Finding::new(
        "VALUES_UNREADABLE",
        format!("The values in {file} cannot be read"),
        format!("{place}: {why}."),
    ))
    .next(NextAction::advice(
        "Mend the file; it is read again by itself",
    ))
}

pub(super) fn value_unreadable(path: &str, problem: &str) -> Finding {
    about_deploy(Finding::new(
        "VALUES_INVALID",
        "An edited value cannot be used",
        format!("{path}: {problem}."),
    ))
    .next(NextAction::advice("Correct it in the form, or reset it"))
}

pub(super) fn secret_in_values(path: &str, file: Option<&str>) -> Finding {
    let place = file.unwrap_or("The edit");
    about_deploy(Finding::new(
        "SECRET_IN_VALUES",
        format!("A secret stands in the values: {path}"),
        format!(
            "{place} sets {path} to what looks like a secret. Helm keeps all values in its release records, readable for everyone who may read Secrets there."
        ),
    ))
    .about(Subject::Object {
        kind: "Value".to_owned(),
        name: path.to_owned(),
    })
    .next(NextAction::Open {
        step: app::model::StepId::Secrets,
        label: "Enter it as a secret".to_owned(),
    })
    .next(NextAction::advice(
        "Take it out of the values, and let the chart refer to the project's Secret by name and key",
    ))
}

pub(super) fn nothing_to_save() -> Finding {
    about_deploy(Finding::new(
        "VALUES_INVALID",
        "There is nothing to save",
        "No value was edited.",
    ))
}

pub(super) fn no_such_target(file: &str) -> Finding {
    about_deploy(Finding::new(
        "VALUES_INVALID",
        "Values are not saved there",
        format!("{file} is none of the project's values files."),
    ))
}

pub(super) fn file_changed(file: &str) -> Finding {
    about_deploy(Finding::new(
        "VALUES_FILE_CHANGED",
        format!("{file} has changed meanwhile"),
        "Someone else wrote to it after the difference was shown, so nothing was saved.",
    ))
    .next(NextAction::advice(
        "Look at the new difference, then save again",
    ))
}

pub(super) fn not_saved(file: &str, why: &str) -> Finding {
    about_deploy(Finding::new(
        "VALUES_NOT_SAVED",
        format!("{file} could not be written"),
        format!("{why}."),
    ))
    .next(NextAction::advice(
        "Check that your user may write to the project's folder",
    ))
}

/// A line of `helm lint`, as a finding with its place.
pub(super) fn lint(chart: &str, folder: &Path, line: &LintLine) -> Finding {
    // helm 3 names a missing dependency by the chart's whole path.
    let file = line
        .file
        .strip_prefix(&*folder.to_string_lossy())
        .map_or(line.file.as_str(), |rest| rest.trim_start_matches('/'));
    let mut place = if file.is_empty() {
        chart.to_owned()
    } else {
        format!("{chart}/{file}")
    };
    if let Some(number) = line.line {
        place.push_str(&format!(":{number}"));
    }
    let (first, _) = line.text.split_once('\n').unwrap_or((&line.text, ""));
    let finding = Finding::new(
        "CHART_LINT",
        format!("{place} has a problem"),
        format!("{first}."),
    )
    .about(Subject::Object {
        kind: "Chart".to_owned(),
        name: place.clone(),
    })
    .evidence(format!("helm lint, {place}"), line.text.clone())
    .next(NextAction::advice(
        "Mend the file; the chart is checked again by itself",
    ));
    if line.level == LintLevel::Error {
        finding
    } else {
        finding.attention()
    }
}

/// Why a release is stuck, who holds it, and what to do.
pub(super) fn stuck(
    release: &ReleaseView,
    newest: &RevisionRow,
    holder: &Holder,
    last_good: Option<u32>,
) -> Finding {
    let (name, revision, status) = (&release.name, newest.revision, newest.status.word());
    let about = |finding: Finding| {
        finding.about(Subject::Object {
            kind: "Release".to_owned(),
            name: name.clone(),
        })
    };
    if newest.status == ReleaseStatus::Failed {
        let finding = Finding::new(
            "RELEASE_FAILED",
            format!("Revision {revision} of release {name} has failed"),
            "What runs now is partly of this revision and partly of the one before.",
        )
        .attention()
        .evidence("helm", newest.description.clone());
        let finding = match last_good {
            Some(good) => finding.next(NextAction::advice(format!("Roll back to revision {good}"))),
            None => finding,
        };
        return about(finding.next(NextAction::advice(
            "Or mend the cause and deploy again: helm goes on from there",
        )));
    }
    let at_work = match holder {
        Holder::Run { run } => format!("Slipway's own run {run} is at work on it."),
        Holder::Process { pid } => {
            format!("A helm on this machine (process {pid}) is at work on it.")
        }
        Holder::MaybeElsewhere { .. } => {
            "No helm on this machine works on it; one on another machine may.".to_owned()
        }
        Holder::Nobody => "No helm is at work on it any more: it was killed.".to_owned(),
    };
    let finding = Finding::new(
        "RELEASE_STUCK",
        format!("Release {name} is stuck: revision {revision} is {status}"),
        format!("{at_work} As long as it stands so, helm refuses every upgrade."),
    );
    let finding = match (holder.is_someone(), last_good) {
        (true, _) => finding.attention().next(NextAction::advice("Wait until it has ended")),
        (false, Some(good)) => finding
            .next(NextAction::advice(format!("Roll back to revision {good}, which was deployed")))
            .next(NextAction::advice("Or unlock: only the pending record is deleted, objects stay as they are")),
        (false, None) => finding
            .next(NextAction::advice("Unlock: only the pending record is deleted; the next deploy takes over its objects"))
            .next(NextAction::advice("Or uninstall, which removes what it has made")),
    };
    about(finding)
}

/// Why helm did not do it. The texts are redacted already.
pub(super) fn helm_failed(verb: &str, failure: &HelmFailure) -> Finding {
    use HelmFailure as F;
    let new = |code: &str, what: String, why: &str| about_deploy(Finding::new(code, what, why));
    match failure {
        F::OperationInProgress => new(
            "RELEASE_STUCK",
            format!("{verb} is not possible: the release is pending"),
            "Another helm is at work on it, or was killed while it was.",
        )
        .next(NextAction::advice("Wait for it, or unlock the release")),
        F::NotOurs { object, text } => new(
            "RELEASE_NOT_OWNER",
            format!("{object} exists and does not belong to the release"),
            "Helm only touches objects that carry its own marks.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Take it over, or delete it first"))
        .next(command(
            "helm upgrade --install … --take-ownership",
            "What taking over does (helm 3.17 and later, and 4)",
        )),
        F::ImmutableField { object, text } => new(
            "IMMUTABLE_FIELD",
            format!("{object} cannot be changed like that"),
            "A field that can only be set at its creation would change.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Delete the object, then deploy again; or leave the field as it is")),
        F::FieldConflict { object, text } => new(
            "APPLY_CONFLICT",
            format!("Someone else has set fields of {object}"),
            "Helm 4 applies on the server, and does not take over fields of others silently.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Give the field the value it has, or take it out of the chart")),
        F::TimedOut { text } => new(
            "RELEASE_TIMED_OUT",
            format!("{verb} did not become ready in time"),
            "Not all of its objects were ready before the time was up.",
        )
        .evidence("helm", text.clone()),
        F::RolledBack { cause } => {
            let mut finding = helm_failed(verb, cause);
            finding.why.push_str(" Helm has put back what was there before.");
            finding
        }
        F::UninstalledAgain { cause } => {
            let mut finding = helm_failed(verb, cause);
            finding
                .why
                .push_str(" It was the first installation, so helm has removed it again.");
            finding
        }
        F::HookFailed { event, text } => new(
            "HOOK_FAILED",
            format!("The chart's {event} hook failed"),
            "A Job or Pod the chart runs around a deploy did not succeed.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Read the log of its pod")),
        F::ClusterUnreachable { text } => new(
            "CLUSTER_UNREACHABLE",
            format!("{verb} is not possible now"),
            "Helm did not reach the API server.",
        )
        .evidence("helm", text.clone()),
        F::Schema { text } => new(
            "VALUES_INVALID",
            "The chart refuses the values".to_owned(),
            "They break the rules in its values.schema.json.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("The form shows each rule at its field")),
        F::MissingDependencies { names } => missing_dependencies(names),
        F::RemovedApi { text } => new(
            "API_REMOVED",
            "The release uses an API that this cluster no longer serves".to_owned(),
            "Helm cannot compare with the last revision, whose objects are of that API.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Rewrite the old record with the plugin helm-mapkubeapis, or uninstall and deploy anew")),
        F::Template { text } => {
            let place = crate::adapters::helm::output::place_in_text(text);
            let place = place.map_or_else(
                || "a template".to_owned(),
                |(file, line)| line.map_or(file.clone(), |line| format!("{file}:{line}")),
            );
            new(
                "CHART_BROKEN",
                format!("The chart cannot be rendered: {place}"),
                "A template fails with these values.",
            )
            .evidence("helm", text.clone())
            .next(NextAction::advice("Mend the template, or the value it needs"))
        }
        F::ReleaseNotFound => new(
            "RELEASE_NOT_FOUND",
            "There is no such release".to_owned(),
            "It was removed meanwhile, or was never deployed.",
        ),
        F::TooLarge { text } => new(
            "RELEASE_TOO_LARGE",
            "The release is too large for its record".to_owned(),
            "Helm keeps chart and manifest of each revision in one Secret, which holds at most 1 MiB.",
        )
        .evidence("helm", text.clone())
        .next(NextAction::advice("Leave large files out of the chart with .helmignore")),
        F::Cancelled => new(
            "RUN_INTERRUPTED",
            format!("{verb} was cancelled"),
            "Helm was asked to stop.",
        ),
        F::Forbidden { text } => new(
            "FORBIDDEN",
            format!("{verb} is not allowed"),
            "The cluster refused.",
        )
        .evidence("helm", text.clone()),
        F::Other { text } => new(
            "HELM_FAILED",
            format!("{verb} failed"),
            "Helm says why in its own words.",
        )
        .evidence("helm", text.clone()),
    }
}

pub(super) fn missing_dependencies(names: &[String]) -> Finding {
    about_deploy(Finding::new(
        "CHART_DEPENDENCIES",
        "The chart's dependencies are missing",
        format!("Not in its charts folder: {}.", names.join(", ")),
    ))
    .next(NextAction::advice("Get the dependencies"))
    .next(command("helm dependency build CHART", "The same by hand"))
}

pub(super) fn dependencies_failed(failure: &HelmFailure) -> Finding {
    let said = match failure {
        HelmFailure::Other { text } => text.clone(),
        other => format!("{other:?}"),
    };
    about_deploy(Finding::new(
        "CHART_DEPENDENCIES",
        "The chart's dependencies could not be fetched",
        "Helm could not get them from where Chart.yaml says they are.",
    ))
    .evidence("helm dependency build", said)
    .next(NextAction::advice(
        "Check the repository in Chart.yaml; one that needs a login is added with `helm repo add`",
    ))
}

pub(super) fn no_revision(revision: u32) -> Finding {
    about_deploy(Finding::new(
        "REVISION_NOT_FOUND",
        format!("There is no revision {revision}"),
        "Helm keeps the last ten only, or the release was removed meanwhile.",
    ))
}

pub(super) fn no_release(name: &str) -> Finding {
    about_deploy(Finding::new(
        "RELEASE_NOT_FOUND",
        format!("There is no release {name}"),
        "It was never deployed, or was removed meanwhile.",
    ))
}

pub(super) fn helm_too_old(version: HelmVersion, needed: HelmVersion) -> Finding {
    about_deploy(Finding::new(
        "HELM_TOO_OLD",
        "This helm cannot take over objects",
        format!("It is {version}, and `--take-ownership` came with {needed}."),
    ))
    .next(NextAction::advice(
        "Install a newer helm, or delete the objects first",
    ))
}

pub(super) fn not_yaml(why: &str) -> Finding {
    about_deploy(Finding::new(
        "CHART_BROKEN",
        "The chart renders something that is not YAML",
        format!("{why}."),
    ))
}

pub(super) fn image_unused(component: &app::model::ComponentName, instead: &[String]) -> Finding {
    let why = match instead {
        [] => "No rendered pod has that image.".to_owned(),
        some => format!("The rendered pods have {} instead.", some.join(", ")),
    };
    Finding::new(
        "CHART_IMAGE_UNUSED",
        format!("The chart does not use the image that was built for {component}"),
        why,
    )
    .about(Subject::Component {
        component: component.clone(),
    })
    .next(NextAction::advice(format!(
        "Name the value that the chart takes it from, under [deploy.image_values] in slipway.toml: {component} = \"PATH.TO.image\""
    )))
}

pub(super) fn held(revision: u32, holder: &Holder) -> Finding {
    let who = match holder {
        Holder::Run { run } => format!("Slipway's own run {run} is at work on it"),
        Holder::Process { pid } => {
            format!("A helm on this machine is at work on it (process {pid})")
        }
        Holder::MaybeElsewhere { .. } => {
            "Its record is young, and the cluster is shared: a helm on another machine may be at work on it".to_owned()
        }
        Holder::Nobody => "Nobody is at work on it".to_owned(),
    };
    about_deploy(Finding::new(
        "RELEASE_HELD",
        format!("Somebody is at work on revision {revision}"),
        format!("{who}."),
    ))
    .next(NextAction::advice("Wait until it has ended"))
}

pub(super) fn not_stuck(revision: u32, status: ReleaseStatus) -> Finding {
    about_deploy(Finding::new(
        "REVISION_NOT_FOUND",
        format!("Revision {revision} is not stuck"),
        format!("It is {}, or no longer the newest one.", status.word()),
    ))
}

pub(super) fn rollback_to_itself(revision: u32) -> Finding {
    about_deploy(Finding::new(
        "REVISION_NOT_FOUND",
        format!("Revision {revision} is the one that is deployed"),
        "There is nothing to go back to; rolling back to it applies it once more.",
    ))
    .attention()
}

pub(super) fn hook_failed(name: &str, text: &str) -> Finding {
    Finding::new(
        "HOOK_FAILED",
        format!("The hook {name} failed"),
        "A Job the chart runs around a deploy did not succeed.",
    )
    .about(Subject::Object {
        kind: "Job".to_owned(),
        name: name.to_owned(),
    })
    .evidence(format!("Job {name}"), text)
    .next(NextAction::advice("Read the log of its pod"))
}

/// How the release stands after a helm that did not succeed.
pub(super) fn truth(newest: Option<&(u32, ReleaseStatus)>) -> String {
    match newest {
        None => "There is no release: what was installed is removed again".to_owned(),
        Some((revision, status)) if status.is_pending() => {
            format!(
                "Revision {revision} is {}: unlock it or roll back",
                status.word()
            )
        }
        Some((revision, status)) => format!("Revision {revision} is {}", status.word()),
    }
}
