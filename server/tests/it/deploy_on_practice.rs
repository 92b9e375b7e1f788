//! Secrets, deploy and live together on a real cluster: real pods, real watches.

use std::fs;

use app::model::{Change, Finding, Outcome, Rollout, RolloutAct, SecretState, Severity};
use app::ports::{Deploys, Live, Rollouts, Secrets};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use server::deploy::DownScope;

use super::deploy_world::{VALUE, World, app, changes, finding, succeeded};

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_planned_applied_followed_and_removed() {
    let world = World::prepared().await;
    world
        .until("the secret is known", |state| {
            state
                .secrets
                .iter()
                .all(|secret| matches!(secret.state, SecretState::Set { .. }))
        })
        .await;
    let plan = world.plan().await;
    let stops = |finding: &Finding| finding.severity == Severity::Failed;
    assert!(!plan.findings.iter().any(stops), "{:#?}", plan.findings);
    assert_eq!(
        changes(&plan),
        [
            ("ConfigMap/extra".to_owned(), Change::Create),
            ("Service/app".to_owned(), Change::Create),
            ("Deployment/app".to_owned(), Change::Create),
        ]
    );
    succeeded(world.deploy().await);
    world
        .until("everything is live and proved", |state| {
            state.components.get(&app()).is_some_and(|component| {
                component.rollout == Rollout::Complete
                    && (world.is_foreign || component.image_proved == Some(true))
            }) && state.pods.values().any(|pod| pod.ready && pod.current)
                && state
                    .deployed
                    .as_ref()
                    .is_some_and(|deployed| deployed.revision == 1 && deployed.objects == 3)
                && state.watch.heard.is_some()
                && state.watch.lost.is_none()
        })
        .await;

    let again = world.plan().await;
    assert!(
        again
            .objects
            .iter()
            .all(|object| object.change == Change::Unchanged),
        "{again:#?}"
    );
    // A plan that someone looked at long ago is refused.
    fs::remove_file(world.manifest("config.yaml")).expect("removed");
    let refused = world
        .deploys
        .deploy(again.hash, false)
        .await
        .expect_err("outdated");
    assert_eq!(finding(refused).code, "PLAN_OUTDATED");
    let plan = world.plan().await;
    assert!(changes(&plan).contains(&("ConfigMap/extra".to_owned(), Change::Delete)));

    // Another value makes another fingerprint, and so a new revision.
    world
        .set("another-secret-value-0815")
        .await
        .expect("stored");
    world
        .until("the pod is known to be stale", |state| {
            state.pods.values().any(|pod| pod.stale_secrets)
        })
        .await;
    succeeded(world.deploy().await);
    world
        .until("only new pods are left", |state| {
            state
                .deployed
                .as_ref()
                .is_some_and(|deployed| deployed.revision == 2 && deployed.objects == 2)
                && state.pods.len() == 1
                && state
                    .pods
                    .values()
                    .all(|pod| pod.ready && pod.current && !pod.stale_secrets)
        })
        .await;

    let run = world
        .deploys
        .steer(app(), RolloutAct::Restart)
        .await
        .expect("a run");
    succeeded(world.core.runs.wait(run).await);
    let restarted = world.plan().await;
    assert!(
        restarted
            .objects
            .iter()
            .all(|object| object.change == Change::Unchanged),
        "a restart is no change of the manifests: {restarted:#?}"
    );

    let run = world
        .deploys
        .run_down(DownScope::Applied)
        .await
        .expect("a run");
    succeeded(world.core.runs.wait(run).await);
    world
        .until("nothing is left but the secret", |state| {
            state.pods.is_empty()
                && state.deployed.is_none()
                && state
                    .components
                    .get(&app())
                    .is_some_and(|component| component.rollout == Rollout::Absent)
                && state.secrets.iter().all(|secret| secret.state.is_set())
        })
        .await;
    let shown = format!("{:?}", world.core.hub.read(Clone::clone));
    assert!(!shown.contains(VALUE), "no value is ever in the state");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_stops_the_rollout_with_the_cause() {
    let world = World::prepared().await;
    // The manifest asks for an image nobody built, in a container that is no component's.
    let path = world.manifest("app.yaml");
    let text = fs::read_to_string(&path).expect("read");
    let broken = text.replace(
        "          ports:",
        "        - name: side\n          image: nobody-built:this\n          imagePullPolicy: Never\n        - name: other\n          image: t-app:dev\n          ports:",
    );
    let broken = broken.replacen("imagePullPolicy: Never\n        - name: side", "imagePullPolicy: Never\n          env:\n            - name: TOKEN\n              valueFrom: {secretKeyRef: {name: t-secrets, key: TOKEN}}\n        - name: side", 1);
    fs::write(&path, broken).expect("written");
    let outcome = world.deploy().await;
    let Outcome::Failed { finding } = outcome else {
        panic!("it cannot succeed: {outcome:#?}");
    };
    assert_eq!(finding.code, "IMAGE_NEVER_PULL", "{finding:#?}");
    assert!(finding.why.contains("nobody-built:this"), "{finding:#?}");
    // Mended, deploying again finishes the job.
    fs::write(&path, text).expect("written");
    succeeded(world.deploy().await);
    let pod = world.core.hub.read(|state| {
        state
            .pods
            .values()
            .find(|pod| pod.current && pod.ready)
            .map(|pod| pod.name.clone())
    });
    let wish = app::model::LogWish {
        pod: Some(pod.expect("a ready pod")),
        ..Default::default()
    };
    let file = world.live.log_file(wish).await.expect("an answer");
    assert_eq!(file.lines, 0, "sleep prints nothing");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_before_anything_is_applied() {
    let world = World::new().await;
    world
        .until("the secret is known to be unset", |state| {
            state
                .secrets
                .iter()
                .all(|secret| secret.state == SecretState::Unset)
                && !state.secrets.is_empty()
        })
        .await;
    let plan = world.plan().await;
    let codes: Vec<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Failed)
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(codes, ["IMAGE_NOT_PROVEN", "SECRET_KEY_MISSING"]);
    assert_eq!(
        changes(&plan)[0],
        (format!("Namespace/{}", world.namespace), Change::Create)
    );
    let refused = world
        .deploys
        .deploy(plan.hash, false)
        .await
        .expect_err("blocked");
    assert_eq!(finding(refused).code, "IMAGE_NOT_PROVEN");
    let wrong = world.set("").await.expect_err("empty");
    assert_eq!(finding(wrong).code, "SECRET_SHAPE");

    // A value set by someone else is seen, and so is its removal.
    world.set(VALUE).await.expect("stored");
    let api: Api<Secret> = Api::namespaced(world.client(), &world.namespace);
    let foreign = serde_json::json!({"stringData": {"TOKEN": "set-by-someone-else"}});
    api.patch(
        "t-secrets",
        &PatchParams::default(),
        &Patch::Merge(&foreign),
    )
    .await
    .expect("patched");
    world
        .until("the foreign value is seen", |state| {
            matches!(state.secrets[0].state, SecretState::Drifted { .. })
        })
        .await;
    assert!(
        world
            .core
            .redactor
            .redact("x set-by-someone-else x")
            .contains("•••"),
        "values read from the cluster are hidden too"
    );
    let key = "TOKEN".parse().expect("a key");
    world.secrets.delete(key).await.expect("deleted");
    world
        .until("the key is unset again", |state| {
            state.secrets[0].state == SecretState::Unset
        })
        .await;
    world.end().await;
}
