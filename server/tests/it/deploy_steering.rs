//! Rollouts steered by hand, revisions and the way back, deletions with a yes of their own, and the
//! project that changes hands: on a real practice cluster.

use std::fs;
use std::process::Command;

use app::model::{
    Change, DeployMode, DeployOutcome, HandoverAct, Outcome, Owner, PlanChoices, RolloutAct,
};
use app::ports::{Deploys, Handovers, Revisions, Rollouts};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use server::deploy::revisions::{Book, Record, Unclaimed};

use super::deploy_world::{World, app, changes, finding, succeeded};
use crate::real_tools;

async fn steer(world: &World, act: RolloutAct) -> Outcome {
    let run = world.deploys.steer(app(), act).await.expect("a run");
    world.core.runs.wait(run).await
}

/// What the real kubectl says, where there is one.
fn kubectl(world: &World, args: &[&str]) -> Option<(bool, String)> {
    let connected = world.cluster.current().expect("connected");
    let output = Command::new(real_tools::kubectl())
        .arg("--kubeconfig")
        .arg(&connected.kubeconfig)
        .args([
            "--context",
            &connected.context,
            "--namespace",
            &world.namespace,
        ])
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((output.status.success(), text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_scaled_paused_resumed_and_taken_back() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    succeeded(steer(&world, RolloutAct::Scale { replicas: 2 }).await);
    world
        .until("two pods are ready", |state| {
            state
                .components
                .get(&app())
                .is_some_and(|row| row.replicas == 2 && row.ready == 2)
        })
        .await;
    if let Some((done, said)) = kubectl(
        &world,
        &["rollout", "status", "deployment/app", "--timeout=20s"],
    ) {
        assert!(done && said.contains("successfully rolled out"), "{said}");
    }
    // What was done by hand is no conflict for the next plan: it goes by the manifests.
    let plan = world.plan().await;
    assert!(
        plan.objects
            .iter()
            .all(|object| object.conflicts.is_empty()),
        "{plan:#?}"
    );
    assert!(changes(&plan).contains(&("Deployment/app".to_owned(), Change::Update)));

    succeeded(steer(&world, RolloutAct::Pause).await);
    world
        .until("it is paused", |state| {
            state.components.get(&app()).is_some_and(|row| row.paused)
        })
        .await;
    let Outcome::Failed { finding: refused } = steer(&world, RolloutAct::Restart).await else {
        panic!("a paused rollout is not restarted");
    };
    assert_eq!(refused.code, "ROLLOUT_PAUSED");
    succeeded(steer(&world, RolloutAct::Resume).await);

    succeeded(steer(&world, RolloutAct::Restart).await);
    let history = world.deploys.history(app()).await.expect("a history");
    assert_eq!(history.revisions.len(), 2, "{history:#?}");
    assert!(history.revisions[0].is_current && history.revisions[0].revision == 2);
    succeeded(steer(&world, RolloutAct::Undo { revision: 1 }).await);
    let history = world.deploys.history(app()).await.expect("a history");
    assert_eq!(
        history.revisions[0].revision, 3,
        "the template of 1 has a new number"
    );
    assert!(history.revisions.iter().all(|set| set.revision != 1));
    let gone = steer(&world, RolloutAct::Undo { revision: 77 }).await;
    assert!(matches!(gone, Outcome::Failed { finding } if finding.code == "ROLLOUT_REVISION_GONE"));
    succeeded(world.deploy().await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deploys_are_recorded_compared_and_gone_back_to() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    let config = world.manifest("config.yaml");
    let first = fs::read_to_string(&config).expect("read");
    fs::write(&config, first.replace("a: '1'", "a: '2'")).expect("written");
    succeeded(world.deploy().await);
    let differences = world
        .deploys
        .compare(1, 2)
        .await
        .expect("both are recorded");
    let names: Vec<&str> = differences.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["extra"], "{differences:#?}");
    assert!(
        differences[0]
            .fields
            .iter()
            .any(|field| field.after.as_deref() == Some("2"))
    );

    let choices = PlanChoices {
        back_to: Some(1),
        ..PlanChoices::default()
    };
    let plan = world.deploys.plan(choices).await.expect("a plan");
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.code == "BACK_TO_REVISION")
    );
    assert!(changes(&plan).contains(&("ConfigMap/extra".to_owned(), Change::Update)));
    let run = world.deploys.deploy(plan.hash, false).await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    let client = world.cluster.current().expect("connected").client.clone();
    let maps: Api<ConfigMap> = Api::namespaced(client, &world.namespace);
    let extra = maps.get("extra").await.expect("there");
    assert_eq!(extra.data.expect("data")["a"], "1");
    world
        .until("three deploys are recorded", |state| {
            state.revisions.len() == 3
                && state.revisions[0].back_to == Some(1)
                && state
                    .revisions
                    .iter()
                    .all(|one| one.outcome == DeployOutcome::Succeeded)
        })
        .await;

    // What is deleted needs a yes of its own.
    fs::remove_file(&config).expect("removed");
    let plan = world.plan().await;
    let refused = world
        .deploys
        .deploy(plan.hash.clone(), false)
        .await
        .expect_err("no yes");
    assert_eq!(finding(refused).code, "PRUNE_UNCONFIRMED");
    assert!(maps.get_opt("extra").await.expect("asked").is_some());
    let run = world.deploys.deploy(plan.hash, true).await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    assert!(maps.get_opt("extra").await.expect("asked").is_none());
    // And the way back brings it again.
    let choices = PlanChoices {
        back_to: Some(2),
        ..PlanChoices::default()
    };
    let plan = world.deploys.plan(choices).await.expect("a plan");
    assert!(changes(&plan).contains(&("ConfigMap/extra".to_owned(), Change::Create)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_slipways_that_deploy_at_once_one_wins() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    let client = world.cluster.current().expect("connected").client.clone();
    let other = Book::new(&client, &world.namespace, "t", "another-laptop".to_owned());
    let (revisions, _) = other.list().await.expect("listed");
    let mut theirs = revisions[0].clone();
    theirs.revision = 2;
    theirs.by = "bob@other".to_owned();
    theirs.outcome = DeployOutcome::Going;
    other
        .claim(&theirs, &Record::default())
        .await
        .expect("first");
    let third = Book::new(&client, &world.namespace, "t", "a-third".to_owned());
    assert!(matches!(
        third.claim(&theirs, &Record::default()).await,
        Err(Unclaimed::Taken)
    ));

    let plan = world.plan().await;
    let refused = finding(
        world
            .deploys
            .deploy(plan.hash, false)
            .await
            .expect_err("theirs is going"),
    );
    assert_eq!(refused.code, "DEPLOY_ELSEWHERE");
    assert!(refused.why.contains("bob@other"));
    // Their laptop was closed: nothing was heard of it for a while.
    let maps: Api<ConfigMap> = Api::namespaced(client, &world.namespace);
    let old = json!({"metadata": {"annotations": {"slipway.dev/heard": "2026-01-01T00:00:00Z"}}});
    maps.patch("slipway-t-r2", &PatchParams::default(), &Patch::Merge(&old))
        .await
        .expect("patched");
    succeeded(world.deploy().await);
    world
        .until("theirs is called interrupted", |state| {
            state
                .revisions
                .iter()
                .any(|one| one.revision == 2 && one.outcome == DeployOutcome::Interrupted)
                && state.revisions.first().is_some_and(|one| one.revision == 3)
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_changed_behind_our_back_outdates_the_plan() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    let plan = world.plan().await;
    let client = world.cluster.current().expect("connected").client.clone();
    let maps: Api<ConfigMap> = Api::namespaced(client, &world.namespace);
    let params = PatchParams {
        field_manager: Some("somebody".to_owned()),
        ..PatchParams::default()
    };
    let edit = json!({"data": {"a": "edited"}});
    maps.patch("extra", &params, &Patch::Merge(&edit))
        .await
        .expect("edited");
    let refused = finding(
        world
            .deploys
            .deploy(plan.hash, false)
            .await
            .expect_err("outdated"),
    );
    assert_eq!(refused.code, "PLAN_OUTDATED");
    let plan = world.plan().await;
    let extra = plan
        .objects
        .iter()
        .find(|object| object.name == "extra")
        .expect("planned");
    assert!(
        extra
            .conflicts
            .iter()
            .any(|conflict| conflict.owner.manager == "somebody"),
        "{extra:#?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_changes_hands_without_restarting_a_pod() {
    let world = World::prepared().await;
    let client = world.cluster.current().expect("connected").client.clone();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &world.namespace);
    let as_helm = PostParams {
        field_manager: Some("helm".to_owned()),
        ..PostParams::default()
    };
    let marked = |name: &str| -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": name,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": world.namespace}},
            "data": {"a": "0"}}))
        .expect("a ConfigMap")
    };
    for name in ["extra", "only-in-the-chart"] {
        maps.create(&as_helm, &marked(name)).await.expect("created");
    }
    let secrets: Api<Secret> = Api::namespaced(client, &world.namespace);
    let record: Secret = serde_json::from_value(json!({"type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.web.v1",
            "labels": {"owner": "helm", "name": "web", "status": "deployed", "version": "1"}}}))
    .expect("a Secret");
    secrets
        .create(&PostParams::default(), &record)
        .await
        .expect("created");

    let plan = world.plan().await;
    let guarded = plan
        .findings
        .iter()
        .find(|finding| finding.code == "OWNED_BY_HELM");
    assert!(guarded.is_some(), "{:#?}", plan.findings);
    let refused = world
        .deploys
        .deploy(plan.hash, false)
        .await
        .expect_err("guarded");
    let code = finding(refused).code;
    assert!(
        ["OWNED_BY_HELM", "APPLY_CONFLICT"].contains(&code.as_str()),
        "{code}"
    );

    let handover = world
        .deploys
        .plan_handover(DeployMode::Raw)
        .await
        .expect("a plan");
    assert_eq!(handover.count(HandoverAct::Take), 2, "{handover:#?}");
    assert_eq!(
        handover.forgets.as_deref(),
        Some("1 revision record of release web")
    );
    assert!(
        handover
            .findings
            .iter()
            .any(|finding| finding.code == "HANDOVER_LEFTOVERS")
    );
    let stale = world
        .deploys
        .hand_over(DeployMode::Raw, "another".into())
        .await;
    assert_eq!(
        finding(stale.expect_err("another plan")).code,
        "PLAN_OUTDATED"
    );
    let run = world
        .deploys
        .hand_over(DeployMode::Raw, handover.hash)
        .await
        .expect("a run");
    succeeded(world.core.runs.wait(run).await);
    world
        .until("all of it belongs to Slipway", |state| {
            state.ownership.as_ref().is_some_and(|view| {
                view.unfinished.is_none()
                    && view.objects.len() == 2
                    && view.objects.iter().all(|object| object.owner == Owner::Raw)
            })
        })
        .await;
    assert!(
        secrets
            .list(&ListParams::default().labels("owner=helm"))
            .await
            .expect("listed")
            .items
            .is_empty()
    );

    let plan = world.plan().await;
    let found = changes(&plan);
    assert!(
        found.contains(&("ConfigMap/extra".to_owned(), Change::Update)),
        "{plan:#?}"
    );
    assert!(found.contains(&("ConfigMap/only-in-the-chart".to_owned(), Change::Delete)));
    assert!(
        plan.objects
            .iter()
            .all(|object| object.conflicts.is_empty()),
        "helm's fields came along"
    );
    succeeded(world.deploy().await);
    world.end().await;
}
