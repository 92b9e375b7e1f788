//! Why helm did not succeed, told from its words. Both majors, with and without their prefixes:
//! an `upgrade --install` that installs prints none.

/// A failure we know. The text of one that we do not know stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelmFailure {
    /// A release is pending already.
    OperationInProgress,
    /// Objects exist that do not belong to the release.
    NotOurs {
        object: String,
        text: String,
    },
    /// A field that can only be set at creation.
    ImmutableField {
        object: String,
        text: String,
    },
    /// helm 4: another manager set a field.
    FieldConflict {
        object: String,
        text: String,
    },
    /// Pods did not become ready in time.
    TimedOut {
        text: String,
    },
    /// Failed, and was put back to what was there before.
    RolledBack {
        cause: Box<HelmFailure>,
    },
    /// An installation that failed and was removed again.
    UninstalledAgain {
        cause: Box<HelmFailure>,
    },
    /// A hook's Job or Pod failed.
    HookFailed {
        event: String,
        text: String,
    },
    ClusterUnreachable {
        text: String,
    },
    /// Values that the chart's schema refuses.
    Schema {
        text: String,
    },
    MissingDependencies {
        names: Vec<String>,
    },
    RemovedApi {
        text: String,
    },
    /// A template that cannot be rendered, or that renders no YAML.
    Template {
        text: String,
    },
    ReleaseNotFound,
    /// The record does not fit into a Secret.
    TooLarge {
        text: String,
    },
    /// Interrupted by a signal.
    Cancelled,
    Forbidden {
        text: String,
    },
    Other {
        text: String,
    },
}

impl HelmFailure {
    /// What went wrong before anything was taken back.
    pub fn cause(&self) -> &Self {
        match self {
            Self::RolledBack { cause } | Self::UninstalledAgain { cause } => cause.cause(),
            other => other,
        }
    }
}

/// Reads standard error (and what cancelling prints on standard output).
pub fn classify(stdout: &str, stderr: &str) -> HelmFailure {
    let message = error_message(stderr);
    let failure = from_message(&message);
    match failure {
        // The rollback tells in its own words; a bare cancellation only on standard output.
        HelmFailure::Other { .. } | HelmFailure::TimedOut { .. }
            if stdout.contains(" has been cancelled.") =>
        {
            HelmFailure::Cancelled
        }
        other => other,
    }
}

/// What stands after the last `Error: ` that begins a line.
fn error_message(stderr: &str) -> String {
    let mut message = String::new();
    let mut inside = false;
    for line in stderr.lines() {
        if let Some(text) = line.strip_prefix("Error: ") {
            message.clear();
            message.push_str(text);
            inside = true;
        } else if inside && !line.starts_with("Use --debug") {
            message.push('\n');
            message.push_str(line);
        }
    }
    if message.is_empty() {
        message.push_str(stderr.trim());
    }
    let mut text = message.trim();
    for prefix in ["INSTALLATION FAILED: ", "UPGRADE FAILED: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.to_owned()
}

fn from_message(text: &str) -> HelmFailure {
    let lower = text.to_lowercase();
    let owned = || text.to_owned();
    for (mark, is_install) in [
        ("has been rolled back due to", false),
        ("has been uninstalled due to", true),
    ] {
        if let Some((_, rest)) = text.split_once(mark) {
            // "… due to atomic being set: CAUSE", "… due to rollback-on-failure being set: CAUSE"
            let cause = rest
                .split_once("being set: ")
                .map_or(rest, |(_, cause)| cause);
            let cause = Box::new(from_message(cause));
            return if is_install {
                HelmFailure::UninstalledAgain { cause }
            } else {
                HelmFailure::RolledBack { cause }
            };
        }
    }
    if lower.contains("another operation (install/upgrade/rollback) is in progress") {
        return HelmFailure::OperationInProgress;
    }
    if lower.contains("cannot be imported into the current release") {
        return HelmFailure::NotOurs {
            object: adoption_object(text),
            text: owned(),
        };
    }
    if lower.contains("values don't meet the specifications of the schema") {
        return HelmFailure::Schema { text: owned() };
    }
    if let Some((_, names)) = text.split_once("missing in charts/ directory: ") {
        return HelmFailure::MissingDependencies {
            names: names
                .split([',', '\n'])
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        };
    }
    if lower.contains("cluster unreachable") {
        return HelmFailure::ClusterUnreachable { text: owned() };
    }
    if let Some(event) = hook_event(text) {
        return HelmFailure::HookFailed {
            event,
            text: owned(),
        };
    }
    if lower.contains("contains removed kubernetes api") {
        return HelmFailure::RemovedApi { text: owned() };
    }
    if lower.contains("field is immutable") || lower.contains("spec: forbidden: updates to") {
        return HelmFailure::ImmutableField {
            object: quoted_object(text),
            text: owned(),
        };
    }
    if lower.contains("conflict occurred while applying object") {
        let object = text
            .split_once("applying object ")
            .and_then(|(_, rest)| rest.split_once(": "))
            .map(|(object, _)| object.to_owned())
            .unwrap_or_default();
        return HelmFailure::FieldConflict {
            object,
            text: owned(),
        };
    }
    if lower.contains("must have at most 1048576") {
        return HelmFailure::TooLarge { text: owned() };
    }
    if lower.contains("context canceled") || lower.contains("has been cancelled") {
        return HelmFailure::Cancelled;
    }
    if lower.contains("context deadline exceeded")
        || lower.contains("timed out waiting for the condition")
        || (lower.contains(" not ready. status: "))
    {
        return HelmFailure::TimedOut { text: owned() };
    }
    if lower.contains("release: not found") || lower.contains("has no deployed releases") {
        return HelmFailure::ReleaseNotFound;
    }
    if lower.contains("is forbidden: ") {
        return HelmFailure::Forbidden { text: owned() };
    }
    let is_template = lower.starts_with("template: ")
        || lower.starts_with("parse error at (")
        || lower.starts_with("yaml parse error on ")
        || lower.contains("executing \"")
        || lower.starts_with("execution error at (");
    if is_template {
        return HelmFailure::Template { text: owned() };
    }
    HelmFailure::Other { text: owned() }
}

/// `Deployment web` out of `…: Deployment "web" in namespace "n" exists and cannot be imported …`.
fn adoption_object(text: &str) -> String {
    let before = text
        .split_once(" exists and cannot be imported")
        .map_or(text, |(before, _)| before);
    let words: Vec<&str> = before.split(' ').collect();
    words
        .iter()
        .position(|word| word.starts_with('"'))
        .and_then(|at| {
            let kind = words.get(at.checked_sub(1)?)?;
            Some(format!("{kind} {}", words[at].trim_matches('"')))
        })
        .unwrap_or_default()
}

/// `Deployment web` out of `cannot patch "web" with kind Deployment: …`.
fn quoted_object(text: &str) -> String {
    let find = || {
        let (_, rest) = text.split_once("cannot patch \"")?;
        let (name, rest) = rest.split_once("\" with kind ")?;
        let kind = rest.split([':', ' ']).next()?;
        Some(format!("{kind} {name}"))
    };
    find().unwrap_or_default()
}

fn hook_event(text: &str) -> Option<String> {
    if let Some((event, _)) = text.split_once(" hooks failed: ") {
        return event.rsplit([' ', ':']).next().map(str::to_owned);
    }
    let (_, rest) = text.split_once("failed ")?;
    let (event, _) = rest.split_once(": ")?;
    [
        "pre-install",
        "post-install",
        "pre-upgrade",
        "post-upgrade",
        "pre-rollback",
        "post-rollback",
        "pre-delete",
        "post-delete",
    ]
    .contains(&event)
    .then(|| event.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(stderr: &str) -> HelmFailure {
        classify("", stderr)
    }

    #[test]
    fn known_failures_are_told_apart_in_both_majors() {
        use HelmFailure as F;
        let kind = |stderr: &str| match of(stderr) {
            F::OperationInProgress => "in progress".to_owned(),
            F::NotOurs { object, .. } => format!("not ours {object}"),
            F::ImmutableField { object, .. } => format!("immutable {object}"),
            F::FieldConflict { object, .. } => format!("conflict {object}"),
            F::TimedOut { .. } => "timed out".to_owned(),
            F::RolledBack { cause } => {
                format!("rolled back, {}", matches!(*cause, F::TimedOut { .. }))
            }
            F::UninstalledAgain { cause } => {
                format!("uninstalled, {}", matches!(*cause, F::TimedOut { .. }))
            }
            F::HookFailed { event, .. } => format!("hook {event}"),
            F::ClusterUnreachable { .. } => "unreachable".to_owned(),
            F::Schema { .. } => "schema".to_owned(),
            F::MissingDependencies { names } => format!("missing {}", names.join("+")),
            F::RemovedApi { .. } => "removed api".to_owned(),
            F::Template { .. } => "template".to_owned(),
            F::ReleaseNotFound => "not found".to_owned(),
            F::TooLarge { .. } => "too large".to_owned(),
            F::Cancelled => "cancelled".to_owned(),
            F::Forbidden { .. } => "forbidden".to_owned(),
            F::Other { text } => format!("other {text}"),
        };
        let rows = [
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n",
                "in progress",
            ),
            (
                "Error: another operation (install/upgrade/rollback) is in progress",
                "in progress",
            ),
            (
                "Error: Unable to continue with install: Service \"web\" in namespace \"n\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key",
                "not ours Service web",
            ),
            (
                "Error: UPGRADE FAILED: unable to continue with update: ConfigMap \"c\" in namespace \"n\" exists and cannot be imported into the current release: invalid ownership metadata",
                "not ours ConfigMap c",
            ),
            (
                "Error: UPGRADE FAILED: cannot patch \"web\" with kind Deployment: Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {}: field is immutable",
                "immutable Deployment web",
            ),
            (
                "Error: UPGRADE FAILED: conflict occurred while applying object n/web apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas",
                "conflict n/web apps/v1, Kind=Deployment",
            ),
            (
                "Error: UPGRADE FAILED: context deadline exceeded",
                "timed out",
            ),
            ("Error: timed out waiting for the condition", "timed out"),
            (
                "Error: UPGRADE FAILED: resource Deployment/n/web not ready. status: InProgress, message: Available: 0/1\ncontext deadline exceeded",
                "timed out",
            ),
            (
                "Error: UPGRADE FAILED: release web failed, and has been rolled back due to atomic being set: context deadline exceeded",
                "rolled back, true",
            ),
            (
                "Error: UPGRADE FAILED: release web failed, and has been rolled back due to rollback-on-failure being set: resource Deployment/n/web not ready. status: InProgress, message: Available: 0/1\ncontext deadline exceeded",
                "rolled back, true",
            ),
            (
                "Error: release web failed, and has been uninstalled due to atomic being set: context deadline exceeded",
                "uninstalled, true",
            ),
            (
                "Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred:\n\t* job web-migrate failed: BackoffLimitExceeded",
                "hook pre-upgrade",
            ),
            (
                "Error: INSTALLATION FAILED: failed post-install: 1 error occurred:\n\t* job failed",
                "hook post-install",
            ),
            (
                "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": dial tcp",
                "unreachable",
            ),
            ("Error: kubernetes cluster unreachable: x", "unreachable"),
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- at '/a': x\n",
                "schema",
            ),
            (
                "Error: An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis, db",
                "missing redis+db",
            ),
            (
                "Error: UPGRADE FAILED: current release manifest contains removed kubernetes api(s) for this kubernetes version and it is therefore unable to build",
                "removed api",
            ),
            (
                "Error: template: todo/templates/bad.yaml:1:10: executing \"x\" at <.a>: nil pointer\n\nUse --debug flag to render out invalid YAML",
                "template",
            ),
            (
                "Error: todo/templates/bad.yaml:1:10\n  executing \"todo/templates/bad.yaml\" at <.a>:\n    nil pointer",
                "template",
            ),
            (
                "Error: YAML parse error on todo/templates/bad.yaml: error converting",
                "template",
            ),
            (
                "Error: uninstall: Release not loaded: web: release: not found",
                "not found",
            ),
            (
                "Error: UPGRADE FAILED: \"web\" has no deployed releases",
                "not found",
            ),
            (
                "Error: query: failed to query with labels: secrets is forbidden: User \"v\" cannot list",
                "forbidden",
            ),
            ("WARNING: x\nError: something new\n", "other something new"),
        ];
        for (stderr, wanted) in rows {
            assert_eq!(kind(stderr), wanted, "{stderr}");
        }
        assert_eq!(
            classify(
                "Release web has been cancelled.\n",
                "Error: UPGRADE FAILED: context canceled"
            ),
            HelmFailure::Cancelled
        );
    }

    proptest! {
        #[test]
        fn any_text_is_some_failure(text in "\\PC{0,200}") {
            let _ = classify(&text, &text);
        }
    }
}
