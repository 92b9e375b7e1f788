//! Break and heal on a real practice cluster: real pods are killed, real rollouts get stuck.

use app::model::{DrillWish, Fault, Outcome, PanelState, Rollout, RunId, StageState};
use app::ports::{Drills, Rollouts};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use server::deploy::drill::DRILL;

use super::deploy_world::{World, app, finding, succeeded};

fn wish(world: &World, faults: &[Fault], hold_s: u32) -> DrillWish {
    let connected = world.cluster.current().expect("connected");
    DrillWish {
        component: app(),
        faults: faults.to_vec(),
        hold_s,
        // Only needed on a cluster that is not the practice cluster.
        confirm: Some(connected.choice.label().to_owned()),
    }
}

async fn deployed() -> World {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    world.until("it is well", is_well).await;
    world
}

fn is_well(state: &PanelState) -> bool {
    state
        .components
        .get(&app())
        .is_some_and(|row| row.rollout == Rollout::Complete && row.ready == 1 && !row.drill)
}

async fn deployment(world: &World) -> Deployment {
    let api: Api<Deployment> = Api::namespaced(world.client(), &world.namespace);
    api.get("app").await.expect("the Deployment")
}

fn is_noted(deployment: &Deployment) -> bool {
    let annotations = deployment.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(DRILL))
}

fn stage(state: &PanelState, run: RunId, id: &str) -> Option<StageState> {
    let stages = &state.runs.get(&run)?.stages;
    Some(stages.iter().find(|stage| stage.id == id)?.state.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_seen_and_healed_and_the_template_is_as_before() {
    let world = deployed().await;
    let before = deployment(&world).await;
    let pods: Vec<String> = world
        .core
        .hub
        .read(|state| state.pods.keys().cloned().collect());
    let run = world
        .deploys
        .start(wish(&world, &Fault::ALL, 0))
        .await
        .expect("a run");
    world
        .until("the page knows that it is broken on purpose", |state| {
            state.components.get(&app()).is_some_and(|row| row.drill)
        })
        .await;
    succeeded(world.core.runs.wait(run).await);
    let after = deployment(&world).await;
    assert_eq!(after.spec.template, before.spec.template);
    assert!(!is_noted(&after));
    world.until("it is well again", is_well).await;
    let now: Vec<String> = world
        .core
        .hub
        .read(|state| state.pods.keys().cloned().collect());
    assert!(
        pods.iter().all(|pod| !now.contains(pod)),
        "the killed pod is gone"
    );
    let stages = world.core.hub.read(|state| state.runs[&run].stages.clone());
    assert_eq!(stages.len(), 7);
    assert!(
        stages
            .iter()
            .all(|stage| matches!(stage.state, StageState::Succeeded { .. })),
        "{stages:#?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_drill_takes_its_fault_out_first() {
    let world = deployed().await;
    let before = deployment(&world).await;
    let run = world
        .deploys
        .start(wish(&world, &[Fault::BadRollout, Fault::KillPod], 60))
        .await
        .expect("a run");
    world
        .until("the bad rollout is seen", |state| {
            matches!(
                stage(state, run, "0/break"),
                Some(StageState::Succeeded { .. })
            )
        })
        .await;
    assert!(is_noted(&deployment(&world).await));
    // While it is broken nobody can break it again, nor anything else.
    let again = world
        .deploys
        .start(wish(&world, &[Fault::KillPod], 0))
        .await;
    assert_eq!(finding(again.expect_err("refused")).code, "DRILL_NOT_WELL");
    world.core.runs.cancel(run).expect("cancelled");
    assert_eq!(world.core.runs.wait(run).await, Outcome::Cancelled);
    let after = deployment(&world).await;
    assert_eq!(after.spec.template, before.spec.template);
    assert!(!is_noted(&after));
    let healed = world.core.hub.read(|state| stage(state, run, "heal"));
    assert!(
        matches!(healed, Some(StageState::Succeeded { .. })),
        "{healed:?}"
    );
    world.until("it is well again", is_well).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_broken_is_told_and_healed_on_a_wish() {
    let world = deployed().await;
    let before = deployment(&world).await;
    // As a Slipway leaves it that is killed right after it put the fault in.
    let container = &before
        .spec
        .template
        .spec
        .as_ref()
        .expect("a pod")
        .containers[0];
    let image = container.image.clone().expect("an image");
    let bad = format!(
        "{}:slipway-drill-no-such-image",
        image.rsplit_once(':').expect("a tag").0
    );
    let note = serde_json::json!({"fault": "image", "container": "app", "image": image});
    let mut broken = before.clone();
    broken
        .metadata
        .annotations
        .get_or_insert_default()
        .insert(DRILL.to_owned(), note.to_string());
    if let Some(pod) = broken.spec.template.spec.as_mut() {
        pod.containers[0].image = Some(bad);
    }
    let api: Api<Deployment> = Api::namespaced(world.client(), &world.namespace);
    api.replace("app", &kube::api::PostParams::default(), &broken)
        .await
        .expect("broken");
    world
        .until("the page says that a fault is left in", |state| {
            state.components.get(&app()).is_some_and(|row| row.drill)
        })
        .await;
    let run = world.deploys.heal(app()).await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    let after = deployment(&world).await;
    assert_eq!(after.spec.template, before.spec.template);
    assert!(!is_noted(&after));
    // Where nothing is in, healing is a look and no change.
    let again = world.deploys.heal(app()).await.expect("a run");
    succeeded(world.core.runs.wait(again).await);
    assert_eq!(
        deployment(&world).await.metadata.generation,
        after.metadata.generation
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_well_is_not_broken() {
    let world = deployed().await;
    let stop = app::model::RolloutAct::Pause;
    let run = world.deploys.steer(app(), stop).await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    world
        .until("it is paused", |state| {
            state.components.get(&app()).is_some_and(|row| row.paused)
        })
        .await;
    let refused = world
        .deploys
        .start(wish(&world, &[Fault::KillPod], 0))
        .await;
    assert_eq!(
        finding(refused.expect_err("refused")).code,
        "DRILL_NOT_WELL"
    );
    let nothing = world.deploys.start(wish(&world, &[], 0)).await;
    assert_eq!(finding(nothing.expect_err("refused")).code, "DRILL_EMPTY");
    let mut other = wish(&world, &[Fault::KillPod], 0);
    other.component = "nobody".parse().expect("a name");
    assert!(world.deploys.start(other).await.is_err());
    world.end().await;
}
