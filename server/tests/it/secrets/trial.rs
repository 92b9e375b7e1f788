//! A value tried out on a pod of the app itself, in a real practice cluster, before it is stored.

use std::fs;
use std::path::Path;

use app::model::{Finding, Outcome, SecretInput, SecretState, StageState};
use app::ports::Secrets;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams};
use tempfile::TempDir;

use crate::deploy_world::{self, Setting, World, finding, succeeded};
use crate::standin_minikube::standin;

const GOOD: &str = "another-good-value-0815";

/// A deployed app that is ready or not as its token says.
async fn deployed() -> (World, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    write_project(&project);
    let setting = Setting {
        root: folder.path().to_owned(),
        cluster: None,
    };
    let world = World::open(setting).await;
    world.build().await;
    world.set(deploy_world::VALUE).await.expect("stored");
    succeeded(world.deploy().await);
    world
        .until("the pod is ready", |state| {
            state.pods.values().any(|pod| pod.ready)
        })
        .await;
    (world, folder)
}

fn write_project(folder: &Path) {
    deploy_world::write_project(folder, "t");
    fs::create_dir_all(folder.join("k8s")).expect("created");
    let toml = fs::read_to_string(folder.join("slipway.toml")).expect("read");
    let app = standin("standin-app");
    let toml = toml
        .replace("/bin/sleep", &app.display().to_string())
        .replace("args = [\"3600\"]", "args = [\"8000\"]")
        .replace(
            "port = 8000\n",
            "port = 8000\nprobes = { readiness = \"/ready\" }\n",
        );
    fs::write(folder.join("slipway.toml"), toml).expect("written");
}

async fn tried(world: &World, value: &str) -> Outcome {
    let key = "TOKEN".parse().expect("a key");
    let run = world
        .secrets
        .try_in_cluster(key, SecretInput(value.to_owned()))
        .await
        .expect("a run");
    world.core.runs.wait(run).await
}

fn failed(outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Failed { finding } => *finding,
        other => panic!("{other:#?}"),
    }
}

/// Nothing of a trial is left in the namespace, and what is stored has not changed.
async fn untouched(world: &World, before: &SecretState) {
    let ours = ListParams::default().labels("slipway.dev/trial");
    let client = world.client();
    let jobs: Api<Job> = Api::namespaced(client.clone(), "t");
    assert_eq!(jobs.list(&ours).await.expect("listed").items.len(), 0);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "t");
    assert_eq!(secrets.list(&ours).await.expect("listed").items.len(), 0);
    let pods: Api<Pod> = Api::namespaced(client, "t");
    let gone = async {
        while !pods.list(&ours).await.expect("listed").items.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone)
        .await
        .expect("the pod goes with its Job");
    assert_eq!(&state(world), before);
}

fn state(world: &World) -> SecretState {
    world.core.hub.read(|state| state.secrets[0].state.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_tried_on_a_pod_of_its_own_that_is_gone_afterwards() {
    let (world, folder) = deployed().await;
    let before = state(&world);
    let pods = world.core.hub.read(|state| state.pods.clone());
    succeeded(tried(&world, GOOD).await);
    untouched(&world, &before).await;

    let refused = failed(tried(&world, "crash-with-this-value").await);
    assert_eq!(refused.code, "TRIAL_FAILED");
    assert!(refused.why.contains("exit code 3"), "{refused:#?}");
    assert!(refused.why.contains("are ready, so it is the new value"));
    let log = &refused.evidence[0].text;
    assert!(log.contains("ERROR cannot work with"), "{log}");
    assert!(!log.contains("crash-with-this-value"), "{log}");
    untouched(&world, &before).await;

    let after = world.core.hub.read(|state| state.pods.clone());
    let names = |pods: &std::collections::BTreeMap<String, app::model::PodRow>| -> Vec<String> {
        pods.values()
            .filter(|pod| pod.component.is_some())
            .map(|pod| pod.name.clone())
            .collect()
    };
    assert_eq!(names(&after), names(&pods), "the app's own pods stay");
    world.end().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_does_not_get_ready_can_be_cancelled_and_leaves_nothing() {
    let (world, folder) = deployed().await;
    let before = state(&world);
    let key = "TOKEN".parse().expect("a key");
    let run = world
        .secrets
        .try_in_cluster(key, SecretInput("refused-by-the-app".to_owned()))
        .await
        .expect("a run");
    world
        .until("the pod was asked and is not ready", |state| {
            let lines = state.runs[&run].tail.iter();
            lines.clone().any(|line| line.text.contains("503"))
        })
        .await;
    world.core.runs.cancel(run).expect("going");
    let outcome = world.core.runs.wait(run).await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:#?}");
    world.core.hub.read(|state| {
        let removed = &state.runs[&run].stages[2].state;
        assert!(
            matches!(removed, StageState::Succeeded { .. }),
            "{removed:#?}"
        );
    });
    untouched(&world, &before).await;
    world.end().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_deploy_there_is_nobody_to_try_a_value_on() {
    let world = World::new().await;
    let key = "TOKEN".parse().expect("a key");
    let refused = world
        .secrets
        .try_in_cluster(key, SecretInput(GOOD.to_owned()))
        .await
        .expect_err("nobody reads it");
    assert_eq!(finding(refused).code, "TRIAL_NOT_POSSIBLE");
    world.end().await;
}
