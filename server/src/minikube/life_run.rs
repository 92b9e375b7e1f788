//! Doing something to a profile, as a run that ends only when the profile is seen to be as wanted.

use app::model::{
    ClusterChoice, ContextState, Failure, Finding, GoingRuns, NewCluster, NextAction, ProfileAct,
    ProfileName, ProfileState, Remedy, RunId, RunKind, Stage, StageState,
};
use tokio::sync::mpsc;

use super::MinikubeRoom;
use super::families;
use super::follower::{Follower, Steps};
use crate::adapters::minikube;
use crate::engine::{RunError, RunHandle};
use crate::process::{self, CommandSpec, Ending};

/// The stage that looks whether the profile is as wanted, and the one that switches to it.
const SEEN: &str = "seen";
const USE: &str = "use";

/// One thing to do.
#[derive(Debug)]
struct Task {
    kind: RunKind,
    profile: ProfileName,
    spec: CommandSpec,
    steps: Steps,
    wanted: Wanted,
}

/// What the profile must be seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Running, and then it is used.
    Running,
    /// Running as before a pause.
    Unpaused,
    Paused,
    Stopped,
    Absent,
    Configured,
}

impl MinikubeRoom {
    pub(super) async fn start_creating(&self, new: NewCluster) -> Result<RunId, Failure> {
        if let Some(why) = new.problem() {
            return Err(refused("These settings cannot work", why, &new.profile).into());
        }
        if self
            .state(&new.profile)
            .await
            .is_some_and(|(state, _)| !matches!(state, ProfileState::Unknown { .. }))
        {
            return Err(refused(
                &format!("There is a profile {} already", new.profile),
                "Start that one, or give the new cluster another name.".to_owned(),
                &new.profile,
            )
            .into());
        }
        self.go(Task {
            kind: RunKind::StartCluster,
            spec: minikube::create(&new),
            steps: Steps::Start {
                driver: new.driver.flag().unwrap_or_default().to_owned(),
            },
            wanted: Wanted::Running,
            profile: new.profile,
        })
        .await
    }

    pub(super) async fn start_acting(
        &self,
        act: ProfileAct,
        profile: ProfileName,
    ) -> Result<RunId, Failure> {
        let one = |id, verb: &str| Steps::One {
            id,
            title: format!("{verb} {profile}"),
        };
        let (kind, wanted, steps) = match act {
            ProfileAct::Start => {
                let driver = self.driver_of(&profile);
                (
                    RunKind::StartCluster,
                    Wanted::Running,
                    Steps::Start { driver },
                )
            }
            ProfileAct::Stop => (RunKind::StopCluster, Wanted::Stopped, one("stop", "Stop")),
            ProfileAct::Pause => (RunKind::PauseCluster, Wanted::Paused, one("pause", "Pause")),
            ProfileAct::Unpause => (
                RunKind::UnpauseCluster,
                Wanted::Unpaused,
                one("unpause", "Unpause"),
            ),
            ProfileAct::Delete => (
                RunKind::DeleteCluster,
                Wanted::Absent,
                one("delete", "Delete"),
            ),
            ProfileAct::Repair => (
                RunKind::RepairContext,
                Wanted::Configured,
                one("repair", "Repair the context of"),
            ),
        };
        if matches!(
            act,
            ProfileAct::Stop | ProfileAct::Pause | ProfileAct::Delete
        ) {
            self.refuse_while_in_use(&profile)?;
        }
        self.go(Task {
            kind,
            spec: minikube::act(act, &profile),
            steps,
            wanted,
            profile,
        })
        .await
    }

    fn driver_of(&self, profile: &ProfileName) -> String {
        self.inner.core.hub.read(|state| {
            state
                .minikube
                .iter()
                .flat_map(|view| &view.profiles)
                .find(|view| &view.name == profile)
                .map(|view| view.driver.clone())
                .unwrap_or_default()
        })
    }

    /// A build or deploy must not lose its cluster under its hands.
    fn refuse_while_in_use(&self, profile: &ProfileName) -> Result<(), Failure> {
        let in_the_way = self.inner.core.hub.read(|state| {
            let is_used = state.cluster.as_ref().is_some_and(|cluster| {
                matches!(&cluster.choice, ClusterChoice::Context(context) if context.as_str() == profile.as_str())
            });
            state
                .runs
                .values()
                .filter(|run| is_used && !RunKind::OF_MINIKUBE.contains(&run.kind))
                .find(|run| run.is_going())
                .map(|run| (run.id, run.kind))
        });
        match in_the_way {
            Some((run, kind)) => Err(families::in_the_way(run, kind).into()),
            None => Ok(()),
        }
    }

    async fn go(&self, task: Task) -> Result<RunId, Failure> {
        let core = &self.inner.core;
        // The store hears of a run's end a little later than the one who waits for it.
        let going = RunKind::OF_MINIKUBE
            .into_iter()
            .find(|kind| core.runs.is_going(*kind));
        if let Some(kind) = going {
            let run = core
                .hub
                .read(|state| state.latest_run(kind).map(|run| run.id));
            return Err(families::in_the_way(run.unwrap_or(RunId(0)), kind).into());
        }
        let what = format!("minikube: {} ({})", task.kind.title(), task.profile);
        core.journal.audit("operator", &what).await?;
        let stage = |id: &str, title: String| Stage {
            id: id.to_owned(),
            title,
            component: None,
            state: StageState::Pending,
        };
        let mut stages = task.steps.stages();
        stages.push(stage(SEEN, task.wanted.title(&task.profile)));
        if task.wanted == Wanted::Running {
            stages.push(stage(USE, format!("Use {} in Slipway", task.profile)));
        }
        let room = self.clone();
        core.runs.start(task.kind, stages, move |run| async move {
            let ended = room.carry_out(&run, task).await;
            // Whatever became of it, the page and the picker show what is.
            room.look().await;
            room.inner.cluster.refresh_options().await;
            ended
        })
    }

    async fn carry_out(&self, run: &RunHandle, task: Task) -> Result<String, RunError> {
        self.call(run, &task).await?;
        let context = self.see(run, &task).await?;
        if task.wanted == Wanted::Running {
            self.switch(run, &task.profile, context).await?;
        }
        Ok(task.wanted.summary(&task.profile))
    }

    /// Runs minikube and shows what it says.
    async fn call(&self, run: &RunHandle, task: &Task) -> Result<(), RunError> {
        let cache = self.home().unwrap_or_default().join("cache");
        let (lines, inbox) = mpsc::unbounded_channel();
        let spec = self.inner.around.dress(task.spec.clone());
        let reading = Follower::new(run.clone(), task.steps.clone(), cache).follow(inbox);
        let running = async {
            let ending = process::run(&spec, run.cancelled(), |pipe, line| {
                // The reader lives as long as this sender.
                let _ = lines.send((pipe, line.to_owned()));
            })
            .await;
            drop(lines);
            ending
        };
        let (ending, mut said) = tokio::join!(running, reading);
        let exit = match ending {
            Ok(Ending::Exited(0)) => {
                said.succeed();
                return Ok(());
            }
            Ok(Ending::Cancelled { .. }) => return Err(RunError::Cancelled),
            Ok(Ending::Exited(code)) => code,
            Ok(Ending::Signaled(signal)) => 128 + signal,
            Ok(Ending::TimedOut { after }) => {
                return Err(self.too_long(&said, &task.profile, after.as_secs()).into());
            }
            Err(error) => {
                return Err(refused(
                    "minikube could not be started",
                    format!("{error}."),
                    &task.profile,
                )
                .into());
            }
        };
        let finding = families::finding(
            exit,
            said.fatal.as_ref(),
            &said.last_lines(),
            &task.profile,
            self.inner.os,
        );
        if let Some(stage) = said.stage() {
            stage.fail(finding.clone());
        }
        Err(finding.into())
    }

    fn too_long(&self, said: &Follower, profile: &ProfileName, seconds: u64) -> Finding {
        let finding = Finding::new(
            "MINIKUBE_TOO_SLOW",
            "minikube did not come to an end",
            format!("It was stopped after {} minutes.", seconds / 60),
        )
        .about(families::subject(profile))
        .next(NextAction::advice(
            "Look at the last lines below for what it waited for, then try again",
        ))
        .evidence("The last lines", said.last_lines());
        if let Some(stage) = said.stage() {
            stage.fail(finding.clone());
        }
        finding
    }

    /// Looks whether the profile is as wanted: exit code 0 is not enough.
    async fn see(&self, run: &RunHandle, task: &Task) -> Result<ContextState, RunError> {
        let stage = run.stage(SEEN);
        stage.start();
        let found = tokio::select! {
            found = self.state(&task.profile) => found,
            () = run.cancelled().cancelled() => return Err(RunError::Cancelled),
        };
        if task.wanted.is_met(found.as_ref()) {
            stage.succeed(describe(found.as_ref()));
            return Ok(found.map_or(ContextState::Unknown, |(_, context)| context));
        }
        let finding = Finding::new(
            "MINIKUBE_NO_EFFECT",
            format!("{} is not as it should be", task.profile),
            format!(
                "minikube ended without an error, and then said: {}.",
                describe(found.as_ref())
            ),
        )
        .about(families::subject(&task.profile))
        .next(NextAction::Do {
            action: Remedy::Recheck,
            label: "Check again".to_owned(),
        })
        .next(NextAction::Command {
            command: format!("minikube status --profile {}", task.profile),
            why: "Asks the same question outside Slipway".to_owned(),
        });
        stage.fail(finding.clone());
        Err(finding.into())
    }

    /// Slipway goes on with the cluster that was started, unless other work needs the one in use.
    async fn switch(
        &self,
        run: &RunHandle,
        profile: &ProfileName,
        context: ContextState,
    ) -> Result<(), RunError> {
        let stage = run.stage(USE);
        stage.start();
        if context == ContextState::Misconfigured {
            stage.log("The kubeconfig context points elsewhere; repairing it");
            let spec = self
                .inner
                .around
                .dress(minikube::act(ProfileAct::Repair, profile));
            // What came of it shows when the cluster is asked.
            let _ = process::run(&spec, run.cancelled(), |_, line| stage.log(line)).await;
        }
        let Ok(name) = profile.as_str().parse() else {
            return Ok(());
        };
        match self
            .inner
            .cluster
            .choose(ClusterChoice::Context(name), GoingRuns::Refuse)
            .await
        {
            Ok(()) => {
                stage.succeed("It answers");
                Ok(())
            }
            Err(Failure::Finding(finding)) if finding.code == "RUN_IN_PROGRESS" => {
                stage.skip(format!(
                    "{}; choose the cluster when that has ended",
                    finding.what
                ));
                Ok(())
            }
            Err(failure) => {
                if let Failure::Finding(finding) = &failure {
                    stage.fail((**finding).clone());
                }
                Err(failure.into())
            }
        }
    }
}

impl Wanted {
    fn title(self, profile: &ProfileName) -> String {
        match self {
            Self::Running | Self::Unpaused => format!("See {profile} run"),
            Self::Paused => format!("See {profile} paused"),
            Self::Stopped => format!("See {profile} stopped"),
            Self::Absent => format!("See {profile} gone"),
            Self::Configured => format!("See the context point at {profile}"),
        }
    }

    fn summary(self, profile: &ProfileName) -> String {
        match self {
            Self::Running => format!("{profile} runs"),
            Self::Unpaused => format!("{profile} goes on"),
            Self::Paused => format!("{profile} is paused"),
            Self::Stopped => format!("{profile} is stopped; what is in it is kept"),
            Self::Absent => format!("{profile} is deleted"),
            Self::Configured => format!("The context {profile} points at its cluster"),
        }
    }

    fn is_met(self, found: Option<&(ProfileState, ContextState)>) -> bool {
        match (self, found) {
            (Self::Absent, found) => found.is_none(),
            (_, None) => false,
            (Self::Running | Self::Unpaused, Some((state, _))) => *state == ProfileState::Running,
            (Self::Paused, Some((state, _))) => *state == ProfileState::Paused,
            (Self::Stopped, Some((state, _))) => *state == ProfileState::Stopped,
            (Self::Configured, Some((_, context))) => *context == ContextState::Configured,
        }
    }
}

fn describe(found: Option<&(ProfileState, ContextState)>) -> String {
    let Some((state, context)) = found else {
        return "there is no such profile".to_owned();
    };
    let state = match state {
        ProfileState::Running => "running".to_owned(),
        ProfileState::Paused => "paused".to_owned(),
        ProfileState::Stopped => "stopped".to_owned(),
        ProfileState::Starting => "starting".to_owned(),
        ProfileState::Stopping => "stopping".to_owned(),
        ProfileState::Gone => "its machine is gone".to_owned(),
        ProfileState::Full => "its disk is full".to_owned(),
        ProfileState::Partly { why } | ProfileState::Unknown { why } => why.clone(),
    };
    match context {
        ContextState::Configured => format!("{state}, its context points at it"),
        ContextState::Misconfigured => format!("{state}, its context points elsewhere"),
        ContextState::Unknown => state,
    }
}

fn refused(what: &str, why: String, profile: &ProfileName) -> Finding {
    Finding::new("MINIKUBE_NOT_STARTED", what, why)
        .about(families::subject(profile))
        .next(NextAction::advice("Change the settings and try again"))
}
