//! The one hand: runs exactly what was approved, follows what comes of it, looks whether the problem
//! is gone, and puts things back when asked.

use std::time::Duration;

use app::model::{
    ApprovalId, ApprovalOutcome, ApprovalState, Failure, Finding, RunId, RunKind, UndoState,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::look::{collection, read};
use super::take_back::Reversal;
use super::{ApprovalsRoom, Card, stage, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::adapters::kubectl;
use crate::assist::command::{Command, MANAGER, Target, Verb};
use crate::cluster::Connected;
use crate::deploy::Follower;
use crate::deploy::preview::noise::essence;
use crate::engine::{RunError, RunHandle, StageHandle, clock};
use crate::process::{self, Ending};

const RUN: &str = "run";
const FOLLOW: &str = "rollout";
const HEAL: &str = "heal";
/// How long the problem may take to go after everything is rolled out.
const HEALS_WITHIN: Duration = Duration::from_secs(45);
/// It has to be gone for this many looks: what crashes again looks well for moments.
const LOOKS: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_millis(700);
const MOST_KEPT: usize = 4_096;
/// How often what a change left is asked for.
const READS: u32 = 4;

/// What a change left, as far as it was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    Same,
    Changed,
    /// At least one object could not be read afterwards.
    NotSeen,
}

impl ApprovalsRoom {
    /// Starts the run of a card that was taken.
    pub(super) fn start(&self, connected: &Connected, card: &Card) -> Result<RunId, Failure> {
        let Some(command) = card.command.clone() else {
            return Err(words::spent().into());
        };
        let mut stages = vec![stage(RUN, card.view.line.clone())];
        if follows(&command) {
            stages.push(stage(FOLLOW, "Follow the rollout"));
        }
        if let Some(heals) = &card.view.heals {
            stages.push(stage(HEAL, format!("Look for {} again", heals.code)));
        }
        let (room, connected, card) = (self.clone(), connected.clone(), card.clone());
        self.inner
            .core
            .runs
            .start(RunKind::Approved, stages, move |run| async move {
                let id = card.view.id.clone();
                room.change(&id, |card| {
                    card.view.state = ApprovalState::Running { run: run.id() };
                });
                let result = room.carry_out(&connected, &card, &command, &run).await;
                room.ended(&id, &run, &result).await;
                result
            })
    }

    async fn carry_out(
        &self,
        connected: &Connected,
        card: &Card,
        command: &Command,
        run: &RunHandle,
    ) -> Result<String, RunError> {
        let running = run.stage(RUN);
        running.start();
        // Between the yes and now there was the journal; nothing else may have come in between.
        if !self.is_unchanged(connected, card).await? {
            return Err(words::outdated().into());
        }
        let ran = self.run_kubectl(connected, command, run, &running).await;
        // What it changed is noted even if it failed half way.
        let noted = self.note_changes(connected, card).await;
        if noted == Noted::NotSeen {
            running.log("What it left could not be read, so there is no way back for it");
        }
        ran?;
        running.succeed(match noted {
            Noted::Same => "nothing had to change".to_owned(),
            Noted::Changed | Noted::NotSeen => "done".to_owned(),
        });
        if follows(command) {
            self.follow(connected, &command.targets, run).await?;
        }
        let Some(heals) = &card.view.heals else {
            return Ok(format!("Done: {}", command.verb.word()));
        };
        let healing = run.stage(HEAL);
        healing.start();
        let left = tokio::select! {
            () = run.cancelled().cancelled() => return Err(RunError::Cancelled),
            left = self.still_there(&heals.key) => left,
        };
        match left {
            None => {
                healing.succeed(format!("{} is gone", heals.code));
                Ok(format!("Healed: {}", heals.what))
            }
            Some(finding) => {
                let finding = words::not_healed(&heals.code, &finding.what);
                healing.fail(finding.clone());
                Err(finding.into())
            }
        }
    }

    async fn run_kubectl(
        &self,
        connected: &Connected,
        command: &Command,
        run: &RunHandle,
        stage: &StageHandle,
    ) -> Result<(), RunError> {
        let argv = command.argv(&connected.context);
        let spec = kubectl::command(&self.inner.kubectl, &argv[1..], &connected.kubeconfig);
        let mut said = String::new();
        let ended = process::run(&spec, run.cancelled(), |_, line| {
            stage.log(line);
            if said.len() < MOST_KEPT {
                said.push_str(line);
                said.push('\n');
            }
        })
        .await;
        match ended {
            Ok(ending) if ending.is_success() => Ok(()),
            Ok(Ending::Cancelled { .. }) => Err(RunError::Cancelled),
            Ok(ending) => Err(words::run_failed(&ending.words(), said.trim()).into()),
            Err(error) => Err(words::run_failed("no start", &error.to_string()).into()),
        }
    }

    /// Keeps the way back from what is there now with the card; what has none or changed nothing is
    /// left out.
    async fn note_changes(&self, connected: &Connected, card: &Card) -> Noted {
        let namespace = self.inner.project.spec().namespace.to_string();
        let mut reversals = Vec::new();
        let mut noted = Noted::Same;
        for seen in &card.seen {
            let Some(now) = read_patiently(connected, &seen.target, &namespace).await else {
                noted = Noted::NotSeen;
                continue;
            };
            if noted == Noted::Same && essence(&now) != essence(&seen.live) {
                noted = Noted::Changed;
            }
            claim(connected, &seen.target, &namespace, &seen.live, &now).await;
            let back = Reversal::between(&seen.target, &seen.live, &now);
            reversals.extend(back.filter(|back| !back.is_empty()));
        }
        if card.view.undo.is_some() {
            self.change(&card.view.id, |card| card.reversals = reversals);
        }
        noted
    }

    async fn follow(
        &self,
        connected: &Connected,
        targets: &[Target],
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let following = run.stage(FOLLOW);
        following.start();
        let namespace = self.inner.project.spec().namespace.to_string();
        let mut note = String::new();
        for target in targets.iter().filter(|target| target.kind.is_workload) {
            let now = read(connected, target, &namespace).await?;
            if now.is_null() || now["spec"]["paused"] == true {
                continue;
            }
            let generation = now["metadata"]["generation"].as_i64().unwrap_or(0);
            let follower = Follower {
                core: &self.inner.core,
                connected,
                namespace: &namespace,
                stage: &following,
            };
            let followed = tokio::select! {
                () = run.cancelled().cancelled() => {
                    following.log("Cancelled: the cluster goes on with what was begun");
                    return Err(RunError::Cancelled);
                }
                followed = follower.follow(target.kind.kind, &target.name, generation, None) => followed,
            };
            match followed {
                Ok(said) => note = said,
                Err(finding) => {
                    following.fail(finding.clone());
                    return Err(finding.into());
                }
            }
        }
        following.succeed(note);
        Ok(())
    }

    /// None when the finding is gone for good, as far as one can see.
    async fn still_there(&self, key: &str) -> Option<Finding> {
        let until = Instant::now() + HEALS_WITHIN;
        let mut gone = 0;
        loop {
            let findings = self.inner.assist.diagnose_now();
            match findings.into_iter().find(|finding| finding.key() == key) {
                None => gone += 1,
                Some(finding) if Instant::now() >= until => return Some(finding),
                Some(_) => gone = 0,
            }
            if gone >= LOOKS {
                return None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn ended(&self, id: &ApprovalId, run: &RunHandle, result: &Result<String, RunError>) {
        let outcome = match result {
            Ok(_) => None,
            Err(RunError::Cancelled) => Some(ApprovalOutcome::Cancelled),
            Err(RunError::Failed(_)) if run.cancelled().is_cancelled() => {
                Some(ApprovalOutcome::Cancelled)
            }
            Err(RunError::Failed(finding)) if finding.code == "FINDING_NOT_HEALED" => {
                Some(ApprovalOutcome::NotHealed)
            }
            Err(RunError::Failed(finding)) => Some(ApprovalOutcome::Failed {
                what: self.inner.core.redactor.redact(&finding.what).into_owned(),
            }),
        };
        let mut said = String::new();
        self.change(id, |card| {
            let outcome = outcome.unwrap_or(match card.view.heals {
                Some(_) => ApprovalOutcome::Healed,
                None => ApprovalOutcome::Done,
            });
            said = format!("ended ({id}): {}", in_words(&outcome));
            card.taken = false;
            card.view.state = ApprovalState::Ended {
                run: run.id(),
                at: clock::now(),
                outcome,
                undo: match card.reversals.is_empty() {
                    true => UndoState::None,
                    false => UndoState::Ready,
                },
            };
        });
        self.keep(id);
        if let Err(finding) = self.inner.core.journal.audit("Slipway", &said).await {
            tracing::error!(why = %finding.why, "the audit journal did not take an ending");
        }
    }

    /// Starts to put back what a card's change changed.
    pub(super) fn start_undo(&self, connected: &Connected, card: &Card) -> Result<RunId, Failure> {
        let reversals = card.reversals.clone();
        let targets: Vec<Target> = reversals.iter().filter_map(Reversal::target).collect();
        let mut stages = vec![stage(RUN, format!("Undo {}", card.view.line))];
        let follows = targets.iter().any(|target| target.kind.is_workload);
        if follows {
            stages.push(stage(FOLLOW, "Follow the rollout"));
        }
        let (room, connected, id) = (self.clone(), connected.clone(), card.view.id.clone());
        self.inner
            .core
            .runs
            .start(RunKind::TakeBack, stages, move |run| async move {
                room.set_undo(&id, UndoState::Running { run: run.id() });
                let result = room.put_back(&connected, &reversals, &run).await;
                room.set_undo(
                    &id,
                    match &result {
                        Ok(()) => UndoState::Done {
                            run: run.id(),
                            at: clock::now(),
                        },
                        Err(_) => UndoState::Ready,
                    },
                );
                result?;
                room.keep(&id);
                if follows {
                    room.follow(&connected, &targets, &run).await?;
                }
                Ok("It is as it was before the change".to_owned())
            })
    }

    async fn put_back(
        &self,
        connected: &Connected,
        reversals: &[Reversal],
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let stage = run.stage(RUN);
        stage.start();
        let namespace = self.inner.project.spec().namespace.to_string();
        for back in reversals.iter().rev() {
            if run.cancelled().is_cancelled() {
                return Err(RunError::Cancelled);
            }
            if let Err(finding) = back.carry_out(connected, &namespace).await {
                stage.fail(finding.clone());
                return Err(finding.into());
            }
        }
        stage.succeed("put back");
        Ok(())
    }

    fn set_undo(&self, id: &ApprovalId, now: UndoState) {
        self.change(id, |card| {
            if let ApprovalState::Ended { undo, .. } = &mut card.view.state {
                *undo = now;
            }
        });
    }
}

/// Whether there are new pods, or fewer, to wait for.
fn follows(command: &Command) -> bool {
    let changes_pods = !matches!(
        command.verb,
        Verb::Pause | Verb::Delete | Verb::Label | Verb::Annotate
    );
    changes_pods && command.targets.iter().any(|target| target.kind.is_workload)
}

/// The object as it is; a cluster that does not answer for a moment is asked again.
async fn read_patiently(connected: &Connected, target: &Target, namespace: &str) -> Option<Value> {
    for _ in 0..READS {
        if let Ok(now) = read(connected, target, namespace).await {
            return Some(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}

fn in_words(outcome: &ApprovalOutcome) -> String {
    match outcome {
        ApprovalOutcome::Done => "done".to_owned(),
        ApprovalOutcome::Healed => "done, and the finding is gone".to_owned(),
        ApprovalOutcome::NotHealed => "done, and the finding is still there".to_owned(),
        ApprovalOutcome::Failed { what } => format!("failed: {what}"),
        ApprovalOutcome::Cancelled => "cancelled".to_owned(),
    }
}

/// kubectl changes some fields as `kubectl`, whoever runs it. They are put under our own name, so that
/// the next deploy takes them back without a conflict. One that is not allowed changes nothing.
async fn claim(
    connected: &Connected,
    target: &Target,
    namespace: &str,
    before: &Value,
    now: &Value,
) {
    let entries = |object: &Value| {
        object["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let (known, mut all) = (entries(before), entries(now));
    let mut changed = false;
    for entry in &mut all {
        let is_kubectl =
            entry["manager"].as_str() == Some("kubectl") && entry["operation"] == "Update";
        if is_kubectl && !known.contains(entry) {
            entry["manager"] = json!(MANAGER);
            changed = true;
        }
    }
    if !changed {
        return;
    }
    let patch = json!({"metadata": {
        "managedFields": all,
        "resourceVersion": now["metadata"]["resourceVersion"],
    }});
    let api = collection(connected, target, namespace);
    let patched = within(
        REQUEST_LIMIT,
        api.patch(&target.name, &PatchParams::default(), &Patch::Merge(&patch)),
    )
    .await;
    if let Err(error) = patched {
        tracing::debug!(%error, "fields changed by kubectl stay under its name");
    }
}
