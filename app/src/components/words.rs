//! From the model to tone and word: one exhaustive match per kind of state, nowhere else.

use crate::model::{
    BuildDoing, BuildStepState, Change, CheckState, ClusterKind, ComponentLive, ContainerState,
    ContextState, DeployOutcome, HintSeverity, ImageState, ImageVerdict, MapState, Need, Outcome,
    OwnAnswer, OwnProbe, Owner, PanelState, PodRow, ProbeLive, ProbeVerdict, ProfileAct,
    ProfileState, ProfileView, Reach, Rollout, RunKind, SecretKind, SecretState, Severity,
    StageState, StepId, StepState, humanize_bytes,
};
use crate::ui::Tone;

/// Tone and word of a state.
pub type Said = (Tone, String);

fn said(tone: Tone, word: impl Into<String>) -> Said {
    (tone, word.into())
}

/// What may be said while it is not known to be true any more: nothing is green then.
pub fn aged((tone, word): Said, is_fresh: bool) -> Said {
    match tone {
        Tone::Ok if !is_fresh => said(Tone::Stale, "Stale"),
        _ => (tone, word),
    }
}

/// What the cluster said last: once that is old the word tells it, too, not the colour alone.
pub fn last_known((tone, word): Said, is_fresh: bool) -> Said {
    if is_fresh {
        (tone, word)
    } else {
        said(Tone::Stale, was(&word))
    }
}

/// `Was ready`; names like `CrashLoopBackOff` stay as they are.
fn was(word: &str) -> String {
    let mut letters = word.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let rest = letters.as_str();
    let is_name = rest
        .chars()
        .take_while(|letter| !letter.is_whitespace())
        .any(char::is_uppercase);
    if is_name {
        format!("Was {word}")
    } else {
        format!("Was {}{rest}", first.to_lowercase())
    }
}

pub fn step(state: Option<&StepState>) -> Said {
    match state {
        None | Some(StepState::Unknown) => said(Tone::Unknown, "Unknown"),
        Some(StepState::Blocked { by }) => said(Tone::Off, format!("After {}", by.title())),
        Some(StepState::ToDo { .. }) => said(Tone::ToDo, "To do"),
        Some(StepState::Running { .. }) => said(Tone::Working, "Working"),
        Some(StepState::Done { .. }) => said(Tone::Ok, "Done"),
        Some(StepState::Stale { .. }) => said(Tone::Stale, "Stale"),
        Some(StepState::Failed { .. }) => said(Tone::Failed, "Failed"),
    }
}

/// What the state adds in one line; empty when nothing.
pub fn step_hint(state: Option<&StepState>) -> String {
    match state {
        None | Some(StepState::Unknown) => String::new(),
        Some(StepState::Blocked { by }) => format!("Finish {} first", by.title()),
        Some(StepState::ToDo { hint } | StepState::Running { hint, .. }) => hint.clone(),
        Some(StepState::Done { proof, .. }) => proof.clone(),
        Some(StepState::Stale { why }) => why.clone(),
        Some(StepState::Failed { finding }) => finding.what.clone(),
    }
}

pub fn check(state: &CheckState, need: Need) -> Said {
    match (state, need) {
        (CheckState::Checking, _) => said(Tone::Working, "Checking"),
        (CheckState::Ok { .. }, _) => said(Tone::Ok, "Ready"),
        (CheckState::Missing { .. }, Need::Required) => said(Tone::Failed, "Missing"),
        (CheckState::Missing { .. }, Need::Optional) => said(Tone::Off, "Not here"),
        (CheckState::Broken { .. }, Need::Required) => said(Tone::Failed, "Broken"),
        (CheckState::Broken { .. }, Need::Optional) => said(Tone::Attention, "Broken"),
    }
}

pub fn reach(reach: &Reach) -> Said {
    match reach {
        Reach::Unknown => said(Tone::Unknown, "Not asked yet"),
        Reach::Startable => said(Tone::Off, "Not running"),
        Reach::Reachable { version } => said(Tone::Ok, format!("Answers, {version}")),
        Reach::Unreachable { .. } => said(Tone::Failed, "No answer"),
    }
}

pub fn cluster_kind(kind: &ClusterKind) -> String {
    match kind {
        ClusterKind::Practice => "Practice cluster, built in".to_owned(),
        ClusterKind::Minikube { profile } => format!("minikube, profile {profile}"),
        ClusterKind::Kind { name } => format!("kind, {name}"),
        ClusterKind::K3d { name } => format!("k3d, {name}"),
        ClusterKind::Desktop { app } => app.title().to_owned(),
        ClusterKind::OtherLocal => "On this machine".to_owned(),
        ClusterKind::Remote => "Not on this machine".to_owned(),
    }
}

pub fn secret(state: &SecretState, required: bool) -> Said {
    match state {
        SecretState::Unknown { .. } => said(Tone::Unknown, "Unknown"),
        SecretState::Unset if required => said(Tone::ToDo, "Not set"),
        SecretState::Unset => said(Tone::Off, "Not set"),
        SecretState::Set { .. } => said(Tone::Ok, "Set"),
        SecretState::Drifted { .. } => said(Tone::Attention, "Changed elsewhere"),
        SecretState::Foreign { .. } => said(Tone::Attention, "Set elsewhere"),
    }
}

pub fn secret_kind(kind: &SecretKind) -> String {
    match kind {
        SecretKind::PostgresUrl => "Postgres URL".to_owned(),
        SecretKind::Url => "URL".to_owned(),
        SecretKind::ApiKey {
            provider: Some(provider),
        } => format!("API key of {}", provider.title()),
        SecretKind::ApiKey { provider: None } => "API key".to_owned(),
        SecretKind::Random { min_length } => format!("Random, at least {min_length} characters"),
        SecretKind::Text => "Text".to_owned(),
        SecretKind::MultiLine => "Text of several lines".to_owned(),
        SecretKind::File => "File".to_owned(),
    }
}

pub fn image(state: &ImageState) -> Said {
    match state {
        ImageState::NotBuilt => said(Tone::ToDo, "Not built"),
        ImageState::NotInCluster { lost: Some(_), .. } => said(Tone::Attention, "Lost"),
        ImageState::NotInCluster { .. } => said(Tone::Attention, "Not in the cluster"),
        ImageState::InCluster { .. } => said(Tone::Ok, "In the cluster"),
    }
}

/// What a component's image card says in one word: a build that goes on or went wrong comes first.
pub fn image_card(state: Option<&ImageState>, doing: &BuildDoing) -> Said {
    match (doing, state) {
        (BuildDoing::Going { .. }, _) => said(Tone::Working, "Building"),
        (BuildDoing::Failed { .. }, _) => said(Tone::Failed, "Failed"),
        (_, Some(state)) => image(state),
        (_, None) => said(Tone::Unknown, "Unknown"),
    }
}

pub fn build_step(state: &BuildStepState) -> Said {
    match state {
        BuildStepState::Waiting => said(Tone::Pending, "Waiting"),
        BuildStepState::Running { .. } => said(Tone::Working, "Running"),
        BuildStepState::Cached => said(Tone::Ok, "Cached"),
        BuildStepState::Done { .. } => said(Tone::Ok, "Done"),
        BuildStepState::Failed { .. } => said(Tone::Failed, "Failed"),
        BuildStepState::Stopped => said(Tone::Off, "Not finished"),
    }
}

/// Why a step's act cannot be done now.
pub fn why_not(state: &PanelState, step: StepId) -> Option<String> {
    match state.steps.get(&step) {
        Some(StepState::Blocked { by }) => Some(format!("Finish {} first", by.title())),
        _ if state.project.is_none() => Some("There is no project".to_owned()),
        _ => None,
    }
}

pub fn image_check(verdict: &ImageVerdict) -> Said {
    match verdict {
        ImageVerdict::Good { .. } => said(Tone::Ok, "Good"),
        ImageVerdict::Note { .. } => said(Tone::Off, "Note"),
        ImageVerdict::Unknown { .. } => said(Tone::Unknown, "Unknown"),
        ImageVerdict::Found(finding) => severity(finding.severity),
    }
}

pub fn hint_severity(severity: HintSeverity) -> Said {
    match severity {
        HintSeverity::Error => said(Tone::Failed, "Error"),
        HintSeverity::Warning => said(Tone::Attention, "Warning"),
        HintSeverity::Advice => said(Tone::Off, "Advice"),
    }
}

/// A component as the cluster runs it; none while the cluster has not been asked about it.
pub fn component(row: Option<&ComponentLive>) -> Said {
    match row {
        None => said(Tone::Unknown, "Not seen yet"),
        // Complete, and nothing runs: no proof of anything.
        Some(row) if row.is_scaled_to_0() => said(Tone::Off, "Scaled to 0"),
        Some(row) if row.rollout == Rollout::Complete && row.ready < row.replicas => {
            said(Tone::Attention, "Degraded")
        }
        Some(row) => rollout(&row.rollout),
    }
}

pub fn rollout(rollout: &Rollout) -> Said {
    match rollout {
        Rollout::Absent => said(Tone::Off, "Not deployed"),
        Rollout::Progressing { .. } => said(Tone::Working, "Rolling out"),
        Rollout::Complete => said(Tone::Ok, "Ready"),
        Rollout::Stuck { .. } => said(Tone::Failed, "Stuck"),
    }
}

pub fn pod(pod: &PodRow) -> Said {
    if pod.terminating {
        return said(Tone::Off, "Terminating");
    }
    if pod.ready {
        return if pod.stale_secrets {
            said(Tone::Attention, "Old secrets")
        } else {
            said(Tone::Ok, "Ready")
        };
    }
    let trouble = pod
        .containers
        .iter()
        .find_map(|container| match &container.state {
            ContainerState::Waiting { reason, .. }
                if !matches!(
                    reason.as_str(),
                    "ContainerCreating" | "PodInitializing" | ""
                ) =>
            {
                Some(reason.clone())
            }
            ContainerState::Terminated(end) if end.exit_code != 0 => Some(end.reason.clone()),
            _ => None,
        });
    match trouble {
        Some(reason) => said(Tone::Failed, reason),
        None if pod.phase == "Succeeded" => said(Tone::Off, "Succeeded"),
        None if pod.phase == "Failed" => said(Tone::Failed, "Failed"),
        None if pod.phase == "Unknown" => said(Tone::Unknown, "Unknown"),
        None if pod.containers.iter().any(|container| container.started) => {
            said(Tone::Attention, "Not ready")
        }
        None => said(Tone::Working, "Starting"),
    }
}

pub fn probe(verdict: &ProbeVerdict) -> Said {
    match verdict {
        ProbeVerdict::Waiting { .. } => said(Tone::Off, "Waiting"),
        ProbeVerdict::Passing => said(Tone::Ok, "Passing"),
        ProbeVerdict::Failing { .. } => said(Tone::Failed, "Failing"),
        ProbeVerdict::Killed { .. } => said(Tone::Failed, "Killed for it"),
    }
}

/// What Slipway's own request was answered: `200 in 12 ms`.
pub fn own_probe(own: &OwnProbe, probe: &ProbeLive) -> String {
    match &own.answer {
        OwnAnswer::Passed {
            status: Some(status),
            took_ms,
        } => format!("{status} in {took_ms} ms"),
        OwnAnswer::Passed { status: None, .. } => "Passes".to_owned(),
        OwnAnswer::Failed {
            status,
            took_ms,
            why,
        } => {
            let what = match status {
                Some(status) => format!("{status} in {took_ms} ms"),
                None => why.clone(),
            };
            match own.failures(probe) {
                Some(failures) => format!("{what}, {failures} failures"),
                None => what,
            }
        }
        OwnAnswer::NotAsked { why } => why.clone(),
    }
}

/// What a probe's verdict adds; empty when nothing.
pub fn probe_note(verdict: &ProbeVerdict) -> String {
    match verdict {
        ProbeVerdict::Waiting { why } => why.clone(),
        ProbeVerdict::Passing => String::new(),
        ProbeVerdict::Failing { message } | ProbeVerdict::Killed { message } => message.clone(),
    }
}

pub fn stage(state: &StageState) -> Said {
    match state {
        StageState::Pending => said(Tone::Pending, "Waiting"),
        StageState::Running { .. } => said(Tone::Working, "Running"),
        StageState::Succeeded { .. } => said(Tone::Ok, "Done"),
        StageState::Skipped { .. } => said(Tone::Off, "Skipped"),
        StageState::Failed { .. } => said(Tone::Failed, "Failed"),
        StageState::Cancelled => said(Tone::Off, "Cancelled"),
        StageState::NotReached { .. } => said(Tone::Off, "Not reached"),
    }
}

/// What a stage's state adds; empty when nothing.
pub fn stage_note(state: &StageState) -> String {
    match state {
        StageState::Pending | StageState::Cancelled => String::new(),
        StageState::Running { progress, .. } => {
            progress
                .as_ref()
                .map_or_else(String::new, |progress| match progress.total {
                    Some(total) => match progress.note.strip_prefix("bytes") {
                        Some(rest) => format!(
                            "{} of {}{rest}",
                            humanize_bytes(progress.done),
                            humanize_bytes(total)
                        ),
                        None => format!("{} of {total} {}", progress.done, progress.note),
                    },
                    None => progress.note.clone(),
                })
        }
        StageState::Succeeded { note, .. } => note.clone(),
        StageState::Skipped { why } => why.clone(),
        StageState::Failed { finding, .. } => finding.what.clone(),
        StageState::NotReached { blocked_by } => format!("after {blocked_by}"),
    }
}

pub fn run(kind: RunKind, outcome: Option<&Outcome>) -> Said {
    match outcome {
        None => said(
            Tone::Working,
            match kind {
                RunKind::StartCluster => "Starting",
                RunKind::StopCluster => "Stopping",
                RunKind::PauseCluster => "Pausing",
                RunKind::UnpauseCluster => "Unpausing",
                RunKind::DeleteCluster => "Deleting",
                RunKind::RepairContext => "Repairing",
                RunKind::Build => "Building",
                RunKind::Deploy => "Deploying",
                RunKind::Restart => "Restarting",
                RunKind::Pause => "Pausing",
                RunKind::Resume => "Resuming",
                RunKind::Undo => "Going back",
                RunKind::Scale => "Scaling",
                RunKind::Handover => "Changing hands",
                RunKind::Down => "Removing",
                RunKind::Trial => "Trying",
                RunKind::Approved => "Changing",
                RunKind::TakeBack => "Taking back",
                RunKind::Dependencies => "Getting dependencies",
                RunKind::Drill => "Breaking and healing",
                RunKind::DeletePod => "Deleting",
            },
        ),
        Some(Outcome::Succeeded { .. }) => said(Tone::Ok, "Succeeded"),
        Some(Outcome::Failed { .. }) => said(Tone::Failed, "Failed"),
        Some(Outcome::Cancelled) => said(Tone::Off, "Cancelled"),
        Some(Outcome::Interrupted { .. }) => said(Tone::Attention, "Interrupted"),
    }
}

pub fn profile(state: &ProfileState) -> Said {
    match state {
        ProfileState::Running => said(Tone::Ok, "Running"),
        ProfileState::Paused => said(Tone::Attention, "Paused"),
        ProfileState::Stopped => said(Tone::Off, "Stopped"),
        ProfileState::Starting => said(Tone::Working, "Starting"),
        ProfileState::Stopping => said(Tone::Working, "Stopping"),
        ProfileState::Gone => said(Tone::Failed, "Machine gone"),
        ProfileState::Partly { .. } => said(Tone::Attention, "Partly up"),
        ProfileState::Full => said(Tone::Failed, "Disk full"),
        ProfileState::Unknown { .. } => said(Tone::Unknown, "Unknown"),
    }
}

/// What a profile is made of, in one line.
pub fn profile_facts(profile: &ProfileView) -> String {
    let mut facts: Vec<String> = Vec::new();
    let mut add = |condition: bool, text: String| {
        if condition {
            facts.push(text);
        }
    };
    add(
        !profile.kubernetes.is_empty(),
        format!("Kubernetes {}", profile.kubernetes),
    );
    add(
        !profile.driver.is_empty(),
        format!("{} driver", profile.driver),
    );
    add(
        !profile.runtime.is_empty(),
        format!("{} runtime", profile.runtime),
    );
    add(profile.cpus > 0, format!("{} CPUs", profile.cpus));
    add(
        profile.memory_mb > 0,
        format!("{} MB memory", profile.memory_mb),
    );
    add(profile.nodes > 1, format!("{} nodes", profile.nodes));
    facts.join(", ")
}

/// What a profile's state means and what to do; empty when there is nothing to say.
pub fn profile_note(profile: &ProfileView) -> String {
    let note = match &profile.state {
        ProfileState::Running if profile.context == ContextState::Misconfigured => {
            "Its kubeconfig context points elsewhere, so kubectl and Slipway do not reach it. Repair makes it point here again.".to_owned()
        }
        ProfileState::Paused => {
            "Kubernetes in it is frozen: nothing answers until it is unpaused.".to_owned()
        }
        ProfileState::Gone => {
            "Its machine was removed behind minikube's back. Start makes a new one; what was in it is lost.".to_owned()
        }
        ProfileState::Full => {
            "The disk inside it is full. Delete it and create it with a larger one, or free space in it.".to_owned()
        }
        ProfileState::Partly { why } => format!("{why}. Start brings up what is missing."),
        ProfileState::Unknown { why } => format!("{why}."),
        ProfileState::Running
        | ProfileState::Stopped
        | ProfileState::Starting
        | ProfileState::Stopping => String::new(),
    };
    match profile.runtime.as_str() {
        "" | "docker" => note,
        other => {
            format!("{note} Its runtime is {other}: images are built outside and then loaded.")
                .trim_start()
                .to_owned()
        }
    }
}

pub fn profile_act(act: ProfileAct) -> &'static str {
    match act {
        ProfileAct::Start => "Start",
        ProfileAct::Stop => "Stop",
        ProfileAct::Pause => "Pause",
        ProfileAct::Unpause => "Unpause",
        ProfileAct::Delete => "Delete",
        ProfileAct::Repair => "Repair context",
    }
}

/// What a person should know before it is done; none for what harms nobody.
pub fn profile_question(act: ProfileAct) -> Option<&'static str> {
    match act {
        ProfileAct::Start | ProfileAct::Unpause | ProfileAct::Repair => None,
        ProfileAct::Stop => Some(
            "Everything that runs in it ends. What is stored in it is kept, and it can be started again.",
        ),
        ProfileAct::Pause => {
            Some("Kubernetes in it is frozen and answers nobody until it is unpaused.")
        }
        ProfileAct::Delete => Some(
            "The cluster and everything in it is removed: pods, volumes, secrets and images. This cannot be undone.",
        ),
    }
}

pub fn change(change: Change) -> Said {
    match change {
        Change::Create => said(Tone::Ok, "Create"),
        Change::Update => said(Tone::ToDo, "Update"),
        Change::Unchanged => said(Tone::Off, "Unchanged"),
        Change::Delete => said(Tone::Failed, "Delete"),
        Change::Replace => said(Tone::Attention, "Replace"),
        Change::Refused => said(Tone::Failed, "Refused"),
    }
}

/// A sign beside the word, so that colour is never alone.
pub fn change_sign(change: Change) -> &'static str {
    match change {
        Change::Create => "+",
        Change::Update => "~",
        Change::Replace => "±",
        Change::Delete => "−",
        Change::Unchanged => "=",
        Change::Refused => "!",
    }
}

pub fn owner(owner: &Owner) -> Said {
    let tone = match owner {
        Owner::Raw => Tone::Ok,
        Owner::Helm { .. } => Tone::ToDo,
        Owner::KubectlApply | Owner::Other { .. } => Tone::Off,
        Owner::OtherProject { .. } | Owner::Controller { .. } => Tone::Attention,
    };
    said(tone, owner.title())
}

pub fn deploy_outcome(outcome: DeployOutcome) -> Said {
    match outcome {
        DeployOutcome::Going => said(Tone::Working, "Going"),
        DeployOutcome::Succeeded => said(Tone::Ok, "Succeeded"),
        DeployOutcome::Failed => said(Tone::Failed, "Failed"),
        DeployOutcome::Cancelled => said(Tone::Off, "Cancelled"),
        DeployOutcome::Interrupted => said(Tone::Attention, "Interrupted"),
    }
}

pub fn map_state(state: &MapState) -> Said {
    match state {
        MapState::Well(word) => said(Tone::Ok, word.as_str()),
        MapState::Working(word) => said(Tone::Working, word.as_str()),
        MapState::Attention(word) => said(Tone::Attention, word.as_str()),
        MapState::Failed(word) => said(Tone::Failed, word.as_str()),
        MapState::Off(word) => said(Tone::Off, word.as_str()),
        MapState::Unknown(word) => said(Tone::Unknown, word.as_str()),
    }
}

pub fn severity(severity: Severity) -> Said {
    match severity {
        Severity::Attention => said(Tone::Attention, "Attention"),
        Severity::Failed => said(Tone::Failed, "Failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Progress, UnixMillis};

    fn pod_waiting_for(reason: &str) -> PodRow {
        PodRow {
            uid: "u".into(),
            name: "backend-1".into(),
            component: None,
            owner: None,
            phase: "Pending".into(),
            ready: false,
            terminating: false,
            current: true,
            created: UnixMillis(0),
            ip: None,
            node: None,
            stale_secrets: false,
            containers: vec![crate::model::ContainerRow {
                name: "backend".into(),
                image: String::new(),
                image_id: String::new(),
                state: ContainerState::Waiting {
                    reason: reason.into(),
                    message: String::new(),
                },
                started: false,
                ready: false,
                restarts: 0,
                last_termination: None,
                probes: std::collections::BTreeMap::new(),
            }],
            why_not_ready: None,
        }
    }

    #[test]
    fn a_pod_that_is_only_starting_is_not_called_failed() {
        assert_eq!(pod(&pod_waiting_for("ContainerCreating")).0, Tone::Working);
        assert_eq!(
            pod(&pod_waiting_for("ErrImageNeverPull")),
            (Tone::Failed, "ErrImageNeverPull".to_owned())
        );
    }

    #[test]
    fn what_is_green_is_stale_once_nobody_vouches_for_it() {
        let done = said(Tone::Ok, "Done");
        assert_eq!(aged(done.clone(), true), done);
        assert_eq!(aged(done, false), (Tone::Stale, "Stale".to_owned()));
        assert_eq!(aged(step(None), false), step(None));
    }

    #[test]
    fn an_old_word_says_that_it_is_old() {
        let ready = said(Tone::Ok, "Ready");
        assert_eq!(last_known(ready.clone(), true), ready);
        assert_eq!(last_known(ready, false), said(Tone::Stale, "Was ready"));
        assert_eq!(was("Not ready"), "Was not ready");
        assert_eq!(was("CrashLoopBackOff"), "Was CrashLoopBackOff");
        assert_eq!(was(""), "");
    }

    #[test]
    fn an_optional_tool_that_is_not_here_is_no_failure() {
        let state = CheckState::Missing {
            finding: Box::new(crate::model::Finding::new("HELM_MISSING", "w", "y")),
        };
        assert_eq!(check(&state, Need::Optional).0, Tone::Off);
        assert_eq!(check(&state, Need::Required).0, Tone::Failed);
    }

    #[test]
    fn a_containerd_profile_says_how_images_get_in() {
        let profile = ProfileView {
            name: "old".parse().expect("a name"),
            state: ProfileState::Running,
            driver: "docker".into(),
            runtime: "containerd".into(),
            kubernetes: "v1.34.0".into(),
            cpus: 2,
            memory_mb: 3_072,
            nodes: 1,
            context: ContextState::Configured,
        };
        assert!(profile_note(&profile).starts_with("Its runtime is containerd"));
        assert_eq!(
            profile_facts(&profile),
            "Kubernetes v1.34.0, docker driver, containerd runtime, 2 CPUs, 3072 MB memory"
        );
    }

    #[test]
    fn progress_says_what_it_counts() {
        let running = |total| StageState::Running {
            since: UnixMillis(0),
            progress: Some(Progress {
                done: 3,
                total,
                note: "crates".into(),
            }),
        };
        assert_eq!(stage_note(&running(Some(9))), "3 of 9 crates");
        assert_eq!(stage_note(&running(None)), "crates");
        let download = StageState::Running {
            since: UnixMillis(0),
            progress: Some(Progress {
                done: 2_000_000,
                total: Some(4_000_000),
                note: "bytes, 3 s left".into(),
            }),
        };
        assert_eq!(stage_note(&download), "2.0 MB of 4.0 MB, 3 s left");
    }
}
