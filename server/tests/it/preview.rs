//! The preview on a real practice cluster, with the real kubectl changing things behind our back.

use std::fs;
use std::process::Stdio;

use app::model::{Change, DeployPlan, DiffRow, Outcome, PlanChoices, PlannedObject};
use app::ports::Deploys;

use super::deploy_world::{World, finding, succeeded};
use crate::real_tools;

fn object<'a>(plan: &'a DeployPlan, key: &str) -> &'a PlannedObject {
    let found = plan.objects.iter().find(|object| object.key == key);
    found.unwrap_or_else(|| panic!("{key} is in the plan: {plan:#?}"))
}

fn force(key: &str) -> PlanChoices {
    PlanChoices {
        force: [key.to_owned()].into(),
        ..PlanChoices::default()
    }
}

impl World {
    async fn kubectl(&self, args: &[&str]) -> String {
        let connected = self.cluster.current().expect("connected");
        let output = tokio::process::Command::new(real_tools::kubectl())
            .arg("--kubeconfig")
            .arg(&connected.kubeconfig)
            .args([
                "--context",
                &connected.context,
                "--namespace",
                &self.namespace,
            ])
            .args(args)
            .env("HOME", self.manifest(".."))
            .stdin(Stdio::null())
            .output()
            .await
            .expect("kubectl runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn deployment(&self) -> String {
        format!("apps/v1/Deployment/{}/app", self.namespace)
    }

    fn config(&self) -> String {
        format!("v1/ConfigMap/{}/extra", self.namespace)
    }

    async fn look(&self) {
        let connected = self.cluster.current().expect("connected");
        self.deploys.look(&connected).await.expect("looked");
    }

    async fn plan_with(&self, choices: PlanChoices) -> DeployPlan {
        self.deploys.plan(choices).await.expect("a plan")
    }

    async fn carry_out(&self, plan: DeployPlan) -> Outcome {
        let run = self.deploys.deploy(plan.hash, true).await.expect("a run");
        self.core.runs.wait(run).await
    }

    async fn rows(&self, plan: &DeployPlan, key: &str, everything: bool) -> Vec<DiffRow> {
        let diff = self
            .deploys
            .object_diff(plan.hash.clone(), key.to_owned(), everything)
            .await
            .expect("the plan is kept");
        diff.rows
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.manifest(file);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{file} has {from}");
        fs::write(path, text.replace(from, to)).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_changed_behind_our_back_is_named_and_put_back() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    world
        .until("nothing has drifted", |state| {
            state.drift.as_deref() == Some(&[])
        })
        .await;

    world
        .kubectl(&[
            "patch",
            "deployment",
            "app",
            "--type=merge",
            "-p",
            r#"{"spec":{"replicas":2}}"#,
        ])
        .await;
    world
        .kubectl(&["delete", "configmap", "extra", "--wait=true"])
        .await;
    world.look().await;
    let drift = world
        .core
        .hub
        .read(|state| state.drift.clone())
        .expect("looked");
    let scaled = drift
        .iter()
        .find(|object| object.key == world.deployment())
        .expect("it drifted");
    let [field] = scaled.fields.as_slice() else {
        panic!("one field differs: {scaled:#?}");
    };
    assert_eq!(field.path, ".spec.replicas");
    assert_eq!(
        (field.before.as_deref(), field.after.as_deref()),
        (Some("1"), Some("2"))
    );
    assert_eq!(field.owners[0].manager, "kubectl-patch");
    assert!(field.owners[0].at.is_some());
    let gone = drift
        .iter()
        .find(|object| object.key == world.config())
        .expect("it is missed");
    assert!(gone.deleted);

    // The manifests alone do not trample what another manager did.
    let plan = world.plan().await;
    let refused = object(&plan, &world.deployment());
    assert_eq!(refused.change, Change::Refused);
    let [conflict] = refused.conflicts.as_slice() else {
        panic!("one conflict: {refused:#?}");
    };
    assert_eq!(
        (conflict.path.as_str(), conflict.owner.manager.as_str()),
        (".spec.replicas", "kubectl-patch")
    );
    assert_eq!(
        (conflict.theirs.as_deref(), conflict.ours.as_deref()),
        (Some("2"), Some("1"))
    );
    assert!(conflict.owner.at.is_some());
    assert_eq!(object(&plan, &world.config()).change, Change::Create);
    let error = world
        .deploys
        .deploy(plan.hash.clone(), true)
        .await
        .expect_err("blocked");
    assert_eq!(finding(error).code, "APPLY_CONFLICT");

    // Forcing is a choice of its own, and part of the plan's hash.
    let forced = world.plan_with(force(&world.deployment())).await;
    assert_ne!(forced.hash, plan.hash);
    let chosen = object(&forced, &world.deployment());
    assert!(chosen.chosen && chosen.change == Change::Update && chosen.conflicts.len() == 1);
    let rows = world.rows(&forced, &world.deployment(), false).await;
    assert!(
        rows.contains(&DiffRow::Changed(
            "  replicas: 2".into(),
            "  replicas: 1".into()
        )),
        "{rows:#?}"
    );
    succeeded(world.carry_out(forced).await);
    world
        .until("everything is as it was applied again", |state| {
            state.drift.as_deref() == Some(&[])
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_cannot_change_offers_to_replace_the_object() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    let uid = ["get", "deployment", "app", "-o", "jsonpath={.metadata.uid}"];
    let before = world.kubectl(&uid).await;
    world.edit(
        "app.yaml",
        "selector: {matchLabels: {app: app}}",
        "selector: {matchLabels: {app: app, tier: web}}",
    );
    world.edit(
        "app.yaml",
        "metadata: {labels: {app: app}}",
        "metadata: {labels: {app: app, tier: web}}",
    );
    let plan = world.plan().await;
    let offered = object(&plan, &world.deployment());
    assert_eq!(offered.change, Change::Replace);
    let problem = offered.problem.as_ref().expect("it says why");
    assert_eq!(problem.code, "IMMUTABLE_FIELD");
    let error = world
        .deploys
        .deploy(plan.hash, true)
        .await
        .expect_err("nobody chose it");
    assert_eq!(finding(error).code, "IMMUTABLE_FIELD");

    let choices = PlanChoices {
        replace: [world.deployment()].into(),
        ..PlanChoices::default()
    };
    let plan = world.plan_with(choices).await;
    let chosen = object(&plan, &world.deployment());
    assert!(chosen.chosen && chosen.problem.is_none());
    succeeded(world.carry_out(plan).await);
    let after = world.kubectl(&uid).await;
    assert!(!after.is_empty() && after != before, "it is a new object");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_namespace_to_come_are_checked_before_it_is_made() {
    let world = World::new().await;
    world.edit("app.yaml", "  replicas: 1", "  replicas: 1\n  replicaz: 2");
    let plan = world.plan().await;
    let namespace = format!("v1/Namespace/{}", world.namespace);
    assert_eq!(object(&plan, &namespace).change, Change::Create);
    let refused = object(&plan, &world.deployment());
    assert_eq!(refused.change, Change::Refused);
    let problem = refused.problem.as_ref().expect("it says why");
    assert_eq!(problem.code, "OBJECT_INVALID");
    assert!(problem.why.contains("replicaz"), "{problem:#?}");
    assert_eq!(object(&plan, &world.config()).change, Change::Create);
    assert!(
        world
            .kubectl(&["get", "namespaces", "-o", "name"])
            .await
            .lines()
            .all(|name| name != format!("namespace/{}", world.namespace)),
        "nothing was touched"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_shows_what_the_manifest_means_or_everything() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    world.edit(
        "config.yaml",
        "a: '1'",
        "a: '1'\n  app.conf: |\n    one\n    password: hunter2-hunter2\n",
    );
    let plan = world.plan().await;
    assert_eq!(object(&plan, &world.config()).change, Change::Update);
    assert_eq!(object(&plan, &world.deployment()).change, Change::Unchanged);
    let rows = world.rows(&plan, &world.config(), false).await;
    let added: Vec<&str> = rows
        .iter()
        .filter_map(|row| match row {
            DiffRow::Added(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(added, ["  app.conf: |", "    one", "    password: •••"]);
    let has = |rows: &[DiffRow], text: &str| {
        rows.iter()
            .any(|row| row.after().is_some_and(|line| line.contains(text)))
    };
    let meant = world.rows(&plan, &world.deployment(), false).await;
    let whole = world.rows(&plan, &world.deployment(), true).await;
    for noise in [
        "managedFields:",
        "resourceVersion:",
        "status:",
        "terminationMessagePath:",
    ] {
        assert!(!has(&meant, noise) && has(&whole, noise), "{noise}");
    }
    let error = world
        .deploys
        .object_diff("another".into(), world.config(), false)
        .await
        .expect_err("no such plan");
    assert_eq!(finding(error).code, "PLAN_OUTDATED");

    // What goes is shown in full.
    fs::remove_file(world.manifest("config.yaml")).expect("removed");
    let plan = world.plan().await;
    assert_eq!(object(&plan, &world.config()).change, Change::Delete);
    let rows = world.rows(&plan, &world.config(), false).await;
    assert!(
        rows.contains(&DiffRow::Removed("  a: '1'".into())),
        "{rows:#?}"
    );
    world.end().await;
}
