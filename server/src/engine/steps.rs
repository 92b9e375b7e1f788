//! The gates between the steps: where each step stands follows from the state alone.
//! Done only on live proof; what was done and cannot be seen any more is stale, never green.

use std::collections::BTreeMap;
use std::time::Duration;

use app::model::{
    CheckState, ComponentName, ComponentView, Finding, ImageState, Need, Outcome, PanelEvent,
    PanelState, ProjectView, Rollout, RunKind, SecretState, SecretView, Severity, StepId,
    StepState, UnixMillis,
};

use super::{Core, clock};

/// Freshness runs out without any event, so the gates are looked at this often too.
const TICK: Duration = Duration::from_secs(1);

/// Publishes the steps whenever the state changes, until the shutdown.
pub fn spawn(core: &Core) {
    let core = core.clone();
    let mut changed = core.hub.changed();
    core.tasks.clone().spawn(async move {
        loop {
            changed.mark_unchanged();
            let now = clock::now();
            let (steps, voice) = core.hub.read_to_tell(|state| gates(state, now));
            let news = steps
                .into_iter()
                .map(|(step, state)| PanelEvent::Step { step, state })
                .collect();
            voice.publish_all(news);
            tokio::select! {
                () = core.shutdown.cancelled() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    });
}

/// Where every step stands. `state.steps` holds where they stood before.
pub fn gates(state: &PanelState, now: UnixMillis) -> BTreeMap<StepId, StepState> {
    let gate = Gate { state, now };
    let setup = gate.setup();
    let secrets = gate.after(StepId::Secrets, &[(StepId::Setup, &setup)], Gate::secrets);
    let images = gate.after(StepId::Images, &[(StepId::Setup, &setup)], Gate::images);
    let mut before_deploy = vec![(StepId::Setup, &setup), (StepId::Images, &images)];
    // Where nobody may read Secrets there is never a proof, and one can go on at one's own risk.
    if !gate.entered_unseen() {
        before_deploy.insert(1, (StepId::Secrets, &secrets));
    }
    let deploy = gate.deploy(&before_deploy);
    let assist = gate.after(StepId::Assist, &[(StepId::Setup, &setup)], Gate::assist);
    let live = gate.after(StepId::Live, &[(StepId::Setup, &setup)], Gate::live);
    BTreeMap::from([
        (StepId::Setup, setup),
        (StepId::Secrets, secrets),
        (StepId::Images, images),
        (StepId::Deploy, deploy),
        (StepId::Assist, assist),
        (StepId::Live, live),
    ])
}

/// The images whose sources are not what they were, each with the first change.
fn outdated_images(state: &PanelState, project: &ProjectView) -> Vec<String> {
    let words = |component: &ComponentView| {
        let name = &component.name;
        let (count, first) = state.image_reports.get(name)?.outdated()?;
        let first = first.first()?;
        Some(match count {
            1 => format!("{name} ({first})"),
            more => format!("{name} ({first} and {} more)", more - 1),
        })
    };
    project.components.iter().filter_map(words).collect()
}

struct Gate<'a> {
    state: &'a PanelState,
    now: UnixMillis,
}

impl Gate<'_> {
    fn setup(&self) -> StepState {
        let state = self.state;
        if let Some(running) = self.running(&[RunKind::StartCluster]) {
            return running;
        }
        if let Some(problem) = &state.project_problem {
            return failed(problem);
        }
        let Some(cluster) = &state.cluster else {
            return match self.last_failure(RunKind::StartCluster) {
                Some(ended) => ended,
                None => todo("Choose a cluster"),
            };
        };
        if !cluster.freshness.is_fresh(self.now) {
            let why = format!("{} does not answer", cluster.choice.label());
            return match (&cluster.problem, self.was_done(StepId::Setup)) {
                (_, true) => StepState::Stale { why },
                (Some(problem), false) => failed(problem),
                (None, false) => todo(format!("Waiting for {} to answer", cluster.choice.label())),
            };
        }
        if let Some(problem) = &cluster.problem {
            return failed(problem);
        }
        let required = || {
            state
                .checks
                .iter()
                .filter(|check| check.need == Need::Required)
        };
        for check in required() {
            if let CheckState::Missing { finding } | CheckState::Broken { finding } = &check.state {
                return failed(finding);
            }
        }
        let checking = required().find(|check| check.state == CheckState::Checking);
        if let Some(check) = checking
            && !self.was_done(StepId::Setup)
        {
            return todo(format!("Checking: {}", check.title));
        }
        let version = cluster.version.as_deref().unwrap_or("unknown version");
        self.done(
            StepId::Setup,
            format!(
                "{} answers ({version}); {} of {} required checks passed",
                cluster.choice.label(),
                required()
                    .filter(|check| matches!(check.state, CheckState::Ok { .. }))
                    .count(),
                required().count()
            ),
        )
    }

    /// Everything required was entered here, and the cluster does not let us look whether it is there.
    fn entered_unseen(&self) -> bool {
        let required = || self.state.secrets.iter().filter(|secret| secret.required);
        let is_entered = |secret: &SecretView| {
            matches!(
                secret.state,
                SecretState::Unknown {
                    entered: Some(_),
                    ..
                }
            )
        };
        required().count() > 0 && required().all(is_entered)
    }

    fn secrets(&self) -> StepState {
        let secrets = &self.state.secrets;
        let unknown = secrets.iter().find_map(|secret| match &secret.state {
            SecretState::Unknown { why, .. } => Some(why),
            _ => None,
        });
        if let Some(why) = unknown {
            return match self.was_done(StepId::Secrets) || self.entered_unseen() {
                true => StepState::Stale { why: why.clone() },
                false => StepState::Unknown,
            };
        }
        // Without keys either the project has none or nobody has looked yet.
        if secrets.is_empty() && self.state.watch.heard.is_none() {
            return StepState::Unknown;
        }
        let is_missing = |secret: &&SecretView| secret.required && !secret.state.is_set();
        let missing: Vec<&str> = secrets
            .iter()
            .filter(is_missing)
            .map(|secret| secret.key.as_str())
            .collect();
        if missing.is_empty() {
            let set = secrets
                .iter()
                .filter(|secret| secret.state.is_set())
                .count();
            let proof = match secrets.len() {
                0 => "This project needs no secrets".to_owned(),
                all => format!("{set} of {all} values are in the cluster"),
            };
            self.done(StepId::Secrets, proof)
        } else {
            todo(format!("Missing: {}", missing.join(", ")))
        }
    }

    fn images(&self) -> StepState {
        if let Some(running) = self.running(&[RunKind::Build]) {
            return running;
        }
        let Some(project) = &self.state.project else {
            return StepState::Unknown;
        };
        let in_cluster = |name: &ComponentName| {
            self.state.images.iter().any(|image| {
                &image.component == name && matches!(image.state, ImageState::InCluster { .. })
            })
        };
        let missing: Vec<&str> = project
            .components
            .iter()
            .filter(|component| !in_cluster(&component.name))
            .map(|component| component.name.as_str())
            .collect();
        let all = project.components.len();
        if missing.is_empty() {
            let outdated = outdated_images(self.state, project);
            if !outdated.is_empty() {
                return StepState::Stale {
                    why: format!("Changed since the image was built: {}", outdated.join("; ")),
                };
            }
            return self.done(
                StepId::Images,
                format!("{all} of {all} images are in the cluster"),
            );
        }
        if self.was_done(StepId::Images) {
            return StepState::Stale {
                why: format!("No longer in the cluster: {}", missing.join(", ")),
            };
        }
        self.last_failure(RunKind::Build)
            .unwrap_or_else(|| todo(format!("Build {}", missing.join(" and "))))
    }

    fn deploy(&self, before: &[(StepId, &StepState)]) -> StepState {
        if let Some(running) = self.running(&[
            RunKind::Deploy,
            RunKind::Restart,
            RunKind::Undo,
            RunKind::Scale,
            RunKind::Handover,
            RunKind::Down,
        ]) {
            return running;
        }
        // What is in the cluster counts, whatever has become of the values and images since.
        if !self.state.is_deployed() {
            return self.after(StepId::Deploy, before, |_| {
                self.last_failure(RunKind::Deploy)
                    .unwrap_or_else(|| todo("Look at the plan and deploy"))
            });
        }
        self.after(StepId::Deploy, &before[..1], Gate::rolled_out)
    }

    fn rolled_out(&self) -> StepState {
        let Some(project) = &self.state.project else {
            return StepState::Unknown;
        };
        if let Some(unseen) = self.unseen(StepId::Deploy) {
            return unseen;
        }
        let mut waiting = Vec::new();
        for component in &project.components {
            let name = &component.name;
            match self.state.components.get(name) {
                None => waiting.push(format!("{name} is not there")),
                Some(live) => match &live.rollout {
                    Rollout::Absent => waiting.push(format!("{name} is not there")),
                    Rollout::Progressing { note } => waiting.push(format!("{name}: {note}")),
                    Rollout::Stuck { why } => {
                        let finding = self.worst_finding().cloned().unwrap_or_else(|| {
                            Finding::new("ROLLOUT_STUCK", format!("{name} does not come up"), why)
                        });
                        return failed(&finding);
                    }
                    Rollout::Complete if live.image_proved == Some(false) => {
                        waiting.push(format!("{name} runs another image than the one built"));
                    }
                    Rollout::Complete => {}
                },
            }
        }
        if !waiting.is_empty() {
            return match self.was_done(StepId::Deploy) {
                true => StepState::Stale {
                    why: waiting.join("; "),
                },
                false => self
                    .last_failure(RunKind::Deploy)
                    .unwrap_or_else(|| todo(waiting.join("; "))),
            };
        }
        if let Some(why) = self.drifted() {
            return StepState::Stale { why };
        }
        let all = project.components.len();
        let what = match (self.state.helm.deployed(), &self.state.deployed) {
            (Some(row), _) => format!("Helm release revision {}", row.revision),
            (None, Some(deployed)) => format!("Revision {}", deployed.revision),
            (None, None) => "Deployed".to_owned(),
        };
        self.done(
            StepId::Deploy,
            format!("{what}: {all} of {all} rollouts are complete"),
        )
    }

    /// What somebody changed behind our back, and who.
    fn drifted(&self) -> Option<String> {
        // What was applied raw before Helm took over is no measure any more.
        let drift = match self.state.helm.deployed() {
            Some(_) => &self.state.helm.drift,
            None => &self.state.drift,
        };
        let drift = drift.as_deref().unwrap_or_default();
        let first = drift.first()?;
        let object = format!("{} {}", first.kind, first.name);
        let what = match first.fields.first() {
            _ if first.deleted => format!("{object} was deleted"),
            Some(field) => match field.owners.first() {
                Some(owner) => format!("{object}: {} by {}", field.path, owner.manager),
                None => format!("{object}: {}", field.path),
            },
            None => object,
        };
        Some(match drift.len() {
            1 => format!("Changed behind our back: {what}"),
            more => format!("Changed behind our back: {what}, and {} more", more - 1),
        })
    }

    fn assist(&self) -> StepState {
        if let Some(unseen) = self.unseen(StepId::Assist) {
            return unseen;
        }
        if let Some(finding) = self.worst_finding() {
            return failed(finding);
        }
        if !self.state.is_deployed() {
            return StepState::Blocked { by: StepId::Deploy };
        }
        let proof = match self.state.findings.len() {
            0 => "Nothing is wrong".to_owned(),
            1 => "Nothing is broken; 1 thing to look at".to_owned(),
            more => format!("Nothing is broken; {more} things to look at"),
        };
        self.done(StepId::Assist, proof)
    }

    fn live(&self) -> StepState {
        if !self.state.is_deployed() {
            return StepState::Blocked { by: StepId::Deploy };
        }
        if let Some(unseen) = self.unseen(StepId::Live) {
            return unseen;
        }
        let current = || {
            self.state
                .pods
                .values()
                .filter(|pod| pod.component.is_some() && pod.current && !pod.terminating)
        };
        let missing = self
            .state
            .project
            .iter()
            .flat_map(|project| &project.components)
            .find(|component| {
                !current().any(|pod| pod.component.as_ref() == Some(&component.name))
            });
        let waiting = match (missing, current().find(|pod| !pod.ready)) {
            (Some(component), _) => format!("{} has no pod", component.name),
            (None, Some(pod)) => match &pod.why_not_ready {
                Some(why) => format!("{}: {why}", pod.name),
                None => format!("{} is not ready", pod.name),
            },
            (None, None) => {
                let all = current().count();
                return self.done(StepId::Live, format!("{all} of {all} pods are ready"));
            }
        };
        match (self.worst_finding(), self.was_done(StepId::Live)) {
            (Some(finding), _) => failed(finding),
            (None, true) => StepState::Stale { why: waiting },
            (None, false) => todo(waiting),
        }
    }

    /// The step's own rule once all steps before it are done; else blocked, or stale if it was done.
    fn after(
        &self,
        step: StepId,
        before: &[(StepId, &StepState)],
        rule: impl Fn(&Self) -> StepState,
    ) -> StepState {
        let Some((by, state)) = before.iter().find(|(_, state)| !state.is_done()) else {
            return rule(self);
        };
        // A run goes on also while a step before it is in doubt.
        let own_runs: &[RunKind] = match step {
            StepId::Images => &[RunKind::Build],
            _ => &[],
        };
        if let Some(running) = self.running(own_runs) {
            return running;
        }
        match (state, self.was_done(step)) {
            (StepState::Stale { why }, true) => StepState::Stale { why: why.clone() },
            (_, true) => StepState::Stale {
                why: format!("{} is not done", by.title()),
            },
            (_, false) => StepState::Blocked { by: *by },
        }
    }

    /// Stale or unknown while the watches say nothing.
    fn unseen(&self, step: StepId) -> Option<StepState> {
        if self.state.watch.is_fresh(self.now) {
            return None;
        }
        Some(match self.was_done(step) {
            true => StepState::Stale {
                why: "The cluster's news have stopped".to_owned(),
            },
            false => StepState::Unknown,
        })
    }

    fn running(&self, kinds: &[RunKind]) -> Option<StepState> {
        let run = self
            .state
            .runs
            .values()
            .rev()
            .find(|run| run.is_going() && kinds.contains(&run.kind))?;
        Some(StepState::Running {
            run: run.id,
            hint: run.kind.title().to_owned(),
        })
    }

    /// What the newest run of a kind leaves behind, if it did not succeed.
    fn last_failure(&self, kind: RunKind) -> Option<StepState> {
        match &self.state.latest_run(kind)?.ending.as_ref()?.outcome {
            Outcome::Failed { finding } => Some(failed(finding)),
            Outcome::Interrupted { what_now } => Some(todo(what_now)),
            Outcome::Succeeded { .. } | Outcome::Cancelled => None,
        }
    }

    fn worst_finding(&self) -> Option<&Finding> {
        self.state
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Failed)
    }

    fn was_done(&self, step: StepId) -> bool {
        matches!(
            self.state.steps.get(&step),
            Some(StepState::Done { .. } | StepState::Stale { .. })
        )
    }

    fn done(&self, step: StepId, proof: String) -> StepState {
        let since = match self.state.steps.get(&step) {
            Some(StepState::Done { since, .. }) => *since,
            _ => self.now,
        };
        StepState::Done { proof, since }
    }
}

fn todo(hint: impl Into<String>) -> StepState {
    StepState::ToDo { hint: hint.into() }
}

fn failed(finding: &Finding) -> StepState {
    StepState::Failed {
        finding: Box::new(finding.clone()),
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
