//! Break and heal: faults put in on purpose, one after the other, each until the panel itself has seen
//! it, and always taken out again: at the end, on a cancel, and by a button after a crash.

mod note;
mod words;

use std::time::Duration;

use app::model::{
    ComponentName, ContainerState, DrillWish, Failure, Fault, Finding, PanelState, PodRow,
    ProbeKind, ProbeVerdict, Rollout, RunId, RunKind, Stage, StageState,
};
use app::ports::Drills;
use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use self::note::DRILL;
use self::note::{Change, put_in, take_out};
use super::DeployRoom;
use super::follow_rollout::Follower;
use super::merge_patch::difference;
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::engine::{Core, RunError, RunHandle, StageHandle};

/// The name in the managed fields.
const MANAGER: &str = "slipway-drill";
/// How often a patch is made anew when the controller wrote in between.
const TRIES: u32 = 6;
/// How long a fault may take to show, and how long the healing of a killed pod.
const SHOWS_WITHIN: Duration = Duration::from_secs(90);
const HEALS_WITHIN: Duration = Duration::from_secs(180);
/// The last stage: whatever happened before, this one is gone through.
const HEAL: &str = "heal";

#[async_trait]
impl Drills for DeployRoom {
    async fn start(&self, wish: DrillWish) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        let component = wish.component.clone();
        if self.project.component(&component).is_none() || wish.faults.is_empty() {
            return Err(words::nothing_to_break(&component).into());
        }
        let is_practice = connected.practice.is_some();
        if !is_practice && wish.confirm.as_deref() != Some(connected.choice.label()) {
            return Err(words::unconfirmed(connected.choice.label()).into());
        }
        if !self.core.hub.read(|state| is_well(state, &component)) {
            return Err(words::not_well(&component).into());
        }
        let titles: Vec<&str> = wish.faults.iter().map(|fault| fault.title()).collect();
        let what = format!("Break and heal {component}: {}", titles.join(", "));
        self.core.journal.audit("operator", &what).await?;
        let mut stages = Vec::new();
        for (at, fault) in wish.faults.iter().enumerate() {
            let (breaks, heals) = words::titles(*fault, &component);
            stages.push(stage(&break_id(at), breaks, &component));
            stages.push(stage(&heal_id(at), heals, &component));
        }
        stages.push(stage(
            HEAL,
            format!("See that {component} is as it was"),
            &component,
        ));
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Drill, stages, move |run| async move {
                room.drill(&connected, &wish, &run).await
            })
    }

    async fn heal(&self, component: ComponentName) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        if self.project.component(&component).is_none() {
            return Err(words::nothing_to_break(&component).into());
        }
        let what = format!("Take a drill's fault out of {component}");
        self.core.journal.audit("operator", &what).await?;
        let stages = vec![stage(HEAL, format!("Heal {component}"), &component)];
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Drill, stages, move |run| async move {
                room.heal_in(&connected, &component, &run.stage(HEAL))
                    .await?;
                Ok(format!("{component} is healed"))
            })
    }
}

impl DeployRoom {
    async fn drill(
        &self,
        connected: &Connected,
        wish: &DrillWish,
        run: &RunHandle,
    ) -> Result<String, RunError> {
        let broken = self.break_all(connected, wish, run).await;
        // Also after a cancel and after a failure.
        self.heal_in(connected, &wish.component, &run.stage(HEAL))
            .await?;
        broken?;
        Ok(match wish.faults.len() {
            1 => format!("{} was broken once and is healed", wish.component),
            more => format!("{} was broken {more} times and is healed", wish.component),
        })
    }

    async fn break_all(
        &self,
        connected: &Connected,
        wish: &DrillWish,
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let namespace = self.project.spec().namespace.to_string();
        let hold = Duration::from_secs(u64::from(wish.hold_s.min(DrillWish::LONGEST_HOLD_S)));
        for (at, fault) in wish.faults.iter().enumerate() {
            let (breaks, heals) = (run.stage(&break_id(at)), run.stage(&heal_id(at)));
            breaks.start();
            let act = Act {
                core: &self.core,
                connected,
                component: &wish.component,
                namespace: &namespace,
                cancel: run.cancelled(),
                hold,
            };
            let result = match fault {
                Fault::KillPod => act.kill_pod(&breaks, &heals).await,
                Fault::FailReadiness => act.roll(Change::Readiness, &breaks, &heals).await,
                Fault::BadRollout => act.roll(Change::Image, &breaks, &heals).await,
            };
            match result {
                Ok(()) => {}
                Err((stage, RunError::Failed(finding))) => {
                    stage.fail((*finding).clone());
                    return Err(RunError::Failed(finding));
                }
                Err((stage, RunError::Cancelled)) => {
                    stage.cancel();
                    return Err(RunError::Cancelled);
                }
            }
        }
        Ok(())
    }

    /// Takes out what is in and waits until the rollout is complete.
    async fn heal_in(
        &self,
        connected: &Connected,
        component: &ComponentName,
        stage: &StageHandle,
    ) -> Result<(), RunError> {
        stage.start();
        match self.take_out_and_follow(connected, component, stage).await {
            Ok(note) => {
                stage.succeed(note);
                Ok(())
            }
            Err(finding) => {
                stage.fail((*finding).clone());
                Err(RunError::Failed(finding))
            }
        }
    }

    async fn take_out_and_follow(
        &self,
        connected: &Connected,
        component: &ComponentName,
        stage: &StageHandle,
    ) -> Result<&'static str, Box<Finding>> {
        let namespace = self.project.spec().namespace.to_string();
        let (deployment, was_in) = change(connected, &namespace, component, take_out).await?;
        let follower = Follower {
            core: &self.core,
            connected,
            namespace: &namespace,
            stage,
        };
        let generation = deployment.metadata.generation.unwrap_or(0);
        follower
            .follow("Deployment", component.as_str(), generation, None)
            .await
            .map_err(Box::new)?;
        Ok(if was_in {
            "A fault was still in; it is out"
        } else {
            "No fault is left in, and the rollout is complete"
        })
    }
}

/// Why an act did not come to its end, and in which stage.
type Broken = (StageHandle, RunError);

/// One fault being put in and taken out.
struct Act<'a> {
    core: &'a Core,
    connected: &'a Connected,
    component: &'a ComponentName,
    namespace: &'a str,
    cancel: &'a CancellationToken,
    hold: Duration,
}

impl Act<'_> {
    async fn kill_pod(&self, breaks: &StageHandle, heals: &StageHandle) -> Result<(), Broken> {
        let in_breaks = |error: RunError| (breaks.clone(), error);
        let in_heals = |error: RunError| (heals.clone(), error);
        let victim = self
            .core
            .hub
            .read(|state| {
                let ready = self.pods(state).filter(|pod| pod.ready);
                let newest = ready.max_by_key(|pod| pod.created);
                newest.map(|pod| (pod.name.clone(), pod.uid.clone()))
            })
            .ok_or_else(|| in_breaks(words::not_well(self.component).into()))?;
        let (name, uid) = victim;
        let pods: Api<Pod> = Api::namespaced(self.connected.client.clone(), self.namespace);
        within(
            REQUEST_LIMIT,
            pods.delete(&name, &DeleteParams::default().grace_period(0)),
        )
        .await
        .map_err(|error| in_breaks(words::refused(self.component, &error).into()))?;
        breaks.log(format!("Killed {name}"));
        let gone = |state: &PanelState| state.pods.get(&uid).is_none_or(|pod| pod.terminating);
        self.until(SHOWS_WITHIN, "the pod is gone", gone)
            .await
            .map_err(in_breaks)?;
        breaks.succeed(format!("{name} is gone"));
        heals.start();
        let well =
            |state: &PanelState| !state.pods.contains_key(&uid) && is_well(state, self.component);
        self.until(HEALS_WITHIN, "another pod is ready", well)
            .await
            .map_err(in_heals)?;
        heals.succeed("Kubernetes started another pod, and it is ready");
        self.look().await.map_err(in_heals)
    }

    async fn roll(
        &self,
        fault: Change,
        breaks: &StageHandle,
        heals: &StageHandle,
    ) -> Result<(), Broken> {
        let in_breaks = |error: RunError| (breaks.clone(), error);
        let in_heals = |error: RunError| (heals.clone(), error);
        let name = self.component.as_str();
        change(self.connected, self.namespace, self.component, |object| {
            put_in(object, name, fault)
        })
        .await
        .map_err(|finding| in_breaks(RunError::Failed(finding)))?;
        let shows = |state: &PanelState| self.pods(state).any(|pod| shows(pod, fault));
        self.until(SHOWS_WITHIN, "a new pod shows the fault", shows)
            .await
            .map_err(in_breaks)?;
        let still_up = self
            .core
            .hub
            .read(|state| self.pods(state).filter(|pod| pod.ready).count());
        breaks.succeed(match still_up {
            0 => "The new pod does not become ready, and no other is".to_owned(),
            1 => "The new pod does not become ready; 1 older pod keeps answering".to_owned(),
            more => format!("The new pod does not become ready; {more} older pods keep answering"),
        });
        self.look().await.map_err(in_heals)?;
        heals.start();
        let (deployment, _) = change(self.connected, self.namespace, self.component, take_out)
            .await
            .map_err(|finding| in_heals(RunError::Failed(finding)))?;
        let follower = Follower {
            core: self.core,
            connected: self.connected,
            namespace: self.namespace,
            stage: heals,
        };
        let generation = deployment.metadata.generation.unwrap_or(0);
        let note = tokio::select! {
            () = self.cancel.cancelled() => return Err(in_heals(RunError::Cancelled)),
            followed = follower.follow("Deployment", name, generation, None) => {
                followed.map_err(|finding| in_heals(finding.into()))?
            }
        };
        heals.succeed(note);
        Ok(())
    }

    /// Time for the audience.
    async fn look(&self) -> Result<(), RunError> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(RunError::Cancelled),
            () = tokio::time::sleep(self.hold) => Ok(()),
        }
    }

    /// Waits until the panel sees it: what nobody can see on the screen did not happen.
    async fn until(
        &self,
        limit: Duration,
        what: &str,
        holds: impl Fn(&PanelState) -> bool,
    ) -> Result<(), RunError> {
        let seen = self.core.hub.until(holds);
        tokio::select! {
            () = self.cancel.cancelled() => Err(RunError::Cancelled),
            seen = tokio::time::timeout(limit, seen) => {
                seen.map_err(|_| words::not_seen(self.component, what, limit).into())
            }
        }
    }

    fn pods<'s>(&'s self, state: &'s PanelState) -> impl Iterator<Item = &'s PodRow> {
        state
            .pods
            .values()
            .filter(|pod| pod.component.as_ref() == Some(self.component) && !pod.terminating)
    }
}

/// Whether a pod shows what the fault does.
fn shows(pod: &PodRow, fault: Change) -> bool {
    pod.current
        && !pod.ready
        && pod.containers.iter().any(|container| match fault {
            Change::Image => {
                matches!(&container.state, ContainerState::Waiting { reason, .. } if reason.contains("Image"))
            }
            Change::Readiness => container
                .probes
                .get(&ProbeKind::Readiness)
                .is_some_and(|probe| matches!(probe.verdict, ProbeVerdict::Failing { .. })),
        })
}

/// Whether the component is complete and ready, so that breaking it shows something, and no fault of
/// a drill is in.
fn is_well(state: &PanelState, component: &ComponentName) -> bool {
    state.components.get(component).is_some_and(|row| {
        row.rollout == Rollout::Complete
            && row.replicas > 0
            && row.ready >= row.replicas
            && !row.paused
            && !row.drill
    })
}

/// Changes the Deployment; the answer is how it is then, and whether there was anything to change.
async fn change(
    connected: &Connected,
    namespace: &str,
    component: &ComponentName,
    edit: impl Fn(&mut Value) -> bool,
) -> Result<(Deployment, bool), Box<Finding>> {
    let api: Api<Deployment> = Api::namespaced(connected.client.clone(), namespace);
    let no = |error| Box::new(words::refused(component, &error));
    let mut tries = 0;
    loop {
        let live = within(REQUEST_LIMIT, api.get(component.as_str()))
            .await
            .map_err(no)?;
        let now = serde_json::to_value(&live).unwrap_or_default();
        let mut wanted = now.clone();
        if !edit(&mut wanted) {
            return Ok((live, false));
        }
        let Some(patch) = difference(&now, &wanted) else {
            return Ok((live, false));
        };
        let mut patch = patch;
        if let Some(version) = &live.metadata.resource_version {
            patch["metadata"]["resourceVersion"] = Value::String(version.clone());
        }
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = within(
            REQUEST_LIMIT,
            api.patch(component.as_str(), &params, &Patch::Merge(&patch)),
        )
        .await;
        match patched {
            Ok(deployment) => return Ok((deployment, true)),
            Err(error) if error.code() == Some(409) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(25 << tries)).await;
            }
            Err(error) => return Err(no(error)),
        }
    }
}

fn stage(id: &str, title: String, component: &ComponentName) -> Stage {
    Stage {
        id: id.to_owned(),
        title,
        component: Some(component.clone()),
        state: StageState::Pending,
    }
}

fn break_id(at: usize) -> String {
    format!("{at}/break")
}

fn heal_id(at: usize) -> String {
    format!("{at}/heal")
}
