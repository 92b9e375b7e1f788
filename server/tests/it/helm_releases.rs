//! The user's own helm, 3 and 4, with three charts of different habits: on the practice cluster, or
//! on any other one named by `SLIPWAY_TEST_KUBECONFIG` and `SLIPWAY_TEST_CONTEXT` (in a namespace of
//! its own; `SLIPWAY_TEST_IMAGE` there must run without arguments).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Builder, BuiltImage, Change, ClusterChoice, DependencyState, DiffLine, Failure, Finding,
    Holder, ImageState, ImageView, LintState, Outcome, PanelEvent, PanelState, Rebuild,
    ReleasePlan, ReleaseStatus, ReleaseView, ReleaseWish, RunId, Severity, UnixMillis,
    ValueControl, ValueEdit, ValueField, ValueOrigin,
};
use app::ports::{Deploys, Images, Releases};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::deploy::DeployRoom;
use server::deploy::helm::ReleasesRoom;
use server::engine::{Core, Journal, StateDir};
use server::images::ImagesRoom;
use server::live::LiveRoom;
use server::project::Project;
use server::secrets::SecretsRoom;
use tempfile::TempDir;

use super::foreign::Foreign;
use crate::real_tools;

const PATIENCE: Duration = Duration::from_secs(90);

struct World {
    core: Core,
    cluster: ClusterRoom,
    deploys: Arc<DeployRoom>,
    releases: ReleasesRoom,
    folder: TempDir,
    namespace: String,
    foreign: Option<Foreign>,
}

impl World {
    /// With this helm and a copy of this chart.
    async fn new(major: u32, chart: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("project");
        let foreign = Foreign::named();
        // One of its own: a helm that works on this release on this machine is taken for its holder, and
        // the other tests have one, too.
        let namespace = match &foreign {
            Some(foreign) => foreign.namespace.clone(),
            None => format!("t{}", std::process::id()),
        };
        write_project(&root, chart, &namespace);
        let state_dir = StateDir::open(&folder.path().join("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let project = Arc::new(Project::load(&root).expect("a project"));
        let choice = match &foreign {
            Some(at) => ClusterChoice::Context(at.context.parse().expect("a context's name")),
            None => ClusterChoice::Practice,
        };
        let kubeconfigs = foreign.iter().map(|foreign| foreign.kubeconfig.clone());
        let options = ClusterOptions {
            wanted: Some(choice),
            typed: true,
            kubeconfig: Some(kubeconfigs.collect()),
            ..ClusterOptions::default()
        };
        let cluster = ClusterRoom::new(core.clone(), options);
        let images = Arc::new(ImagesRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
        ));
        let secrets = SecretsRoom::new(core.clone(), project.clone(), cluster.clone());
        let secrets = Arc::new(secrets.expect("a room"));
        let deploys = Arc::new(DeployRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
            secrets.clone(),
        ));
        let releases = ReleasesRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
            secrets.clone(),
            deploys.previews(),
            real_tools::helm(major).into_os_string(),
        );
        let live = Arc::new(LiveRoom::new(
            core.clone(),
            project,
            cluster.clone(),
            secrets.clone(),
        ));
        if foreign.is_none() {
            images.spawn();
        }
        secrets.spawn();
        live.spawn();
        releases.spawn();
        cluster.start_default().await;
        cluster.connected().expect("a cluster");
        let world = Self {
            core,
            cluster,
            deploys,
            releases,
            folder,
            namespace,
            foreign,
        };
        if world.foreign.is_some() {
            world.say_proved(Foreign::image());
        } else {
            let run = images
                .build(vec![], Rebuild::IfChanged)
                .await
                .expect("a run");
            succeeded(world.core.runs.wait(run).await);
        }
        world
            .until("the image is proved and the records are read", |state| {
                !server::live::proved_images(state).is_empty() && state.helm.release.is_some()
            })
            .await;
        world
    }

    fn say_proved(&self, reference: String) {
        let image = BuiltImage {
            reference,
            id: String::new(),
            size_bytes: 0,
            built: UnixMillis(0),
            user: String::new(),
        };
        let view = ImageView {
            component: "app".parse().expect("a name"),
            builder: Builder::Docker,
            builders: vec![Builder::Docker],
            goes: String::new(),
            proof: String::new(),
            state: ImageState::InCluster {
                image,
                proved: UnixMillis(0),
            },
        };
        self.core
            .hub
            .voice()
            .publish(PanelEvent::Image(Box::new(view)));
    }

    async fn until(&self, what: &str, wanted: impl Fn(&PanelState) -> bool) {
        let waiting = self.core.hub.until(wanted);
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let state = self.core.hub.read(Clone::clone);
            panic!("waited for: {what}\n{:#?}\n{:#?}", state.helm, state.runs);
        }
    }

    async fn plan(&self, wish: ReleaseWish) -> ReleasePlan {
        self.releases.plan(wish).await.expect("a plan")
    }

    async fn start(&self, wish: ReleaseWish) -> RunId {
        let plan = self.plan(wish.clone()).await;
        assert_eq!(blockers(&plan), Vec::<Finding>::new());
        let run = self.releases.carry_out(wish, plan.plan.hash).await;
        run.expect("a run")
    }

    async fn carry_out(&self, wish: ReleaseWish) -> Outcome {
        let run = self.start(wish).await;
        self.core.runs.wait(run).await
    }

    fn release(&self) -> ReleaseView {
        let release = self.core.hub.read(|state| state.helm.release.clone());
        release.expect("the records were read")
    }

    /// Revisions and statuses, newest first.
    fn history(&self) -> Vec<(u32, ReleaseStatus)> {
        let revisions = self.release().revisions;
        revisions
            .iter()
            .map(|row| (row.revision, row.status))
            .collect()
    }

    async fn until_history(&self, wanted: &[(u32, ReleaseStatus)]) {
        self.until(&format!("history {wanted:?}"), |state| {
            state.helm.release.as_ref().is_some_and(|release| {
                let rows: Vec<_> = release
                    .revisions
                    .iter()
                    .map(|row| (row.revision, row.status))
                    .collect();
                rows == wanted
            })
        })
        .await;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    async fn config_map(&self, name: &str) -> Option<ConfigMap> {
        let client = self.cluster.connected().expect("connected").client.clone();
        let api: Api<ConfigMap> = Api::namespaced(client, &self.namespace);
        api.get_opt(name).await.expect("an answer")
    }

    async fn end(self) {
        self.core.shutdown.cancel();
        self.cluster.shutdown().await;
        drop(self.foreign);
        drop(self.folder);
    }
}

fn write_project(root: &Path, chart: &str, namespace: &str) {
    fs::create_dir_all(root.join("app")).expect("created");
    let toml = format!(
        "[project]\nname = \"web\"\nnamespace = \"{namespace}\"\n\n[[component]]\nname = \"app\"\nport = 8080\n\n[component.pack]\nbuild = [\"sh\", \"-c\", \"cp /bin/sleep program\"]\nbinary = \"app/program\"\nargs = [\"3600\"]\n\n[deploy]\nchart = \"chart\"\nvalues = [\"values-team.yaml\"]\n"
    );
    fs::write(root.join("slipway.toml"), toml).expect("written");
    fs::write(root.join("values-team.yaml"), "# The team's own\n").expect("written");
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/charts")
        .join(chart);
    for entry in walkdir::WalkDir::new(&from) {
        let entry = entry.expect("a chart file");
        let to = root
            .join("chart")
            .join(entry.path().strip_prefix(&from).expect("inside"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&to).expect("created");
        } else {
            fs::copy(entry.path(), &to).expect("copied");
        }
    }
}

fn deploy() -> ReleaseWish {
    with(&[])
}

fn with(edits: &[(&str, &str)]) -> ReleaseWish {
    ReleaseWish::Deploy {
        edits: edits.iter().map(|(path, text)| edit(path, text)).collect(),
        adopt: false,
        force: false,
    }
}

fn edit(path: &str, text: &str) -> ValueEdit {
    ValueEdit {
        path: path.split('.').map(str::to_owned).collect(),
        text: text.to_owned(),
    }
}

fn blockers(plan: &ReleasePlan) -> Vec<Finding> {
    let findings = plan.plan.findings.iter();
    findings
        .filter(|finding| finding.severity == Severity::Failed)
        .cloned()
        .collect()
}

fn changes(plan: &ReleasePlan) -> Vec<(String, Change)> {
    let mut rows: Vec<_> = plan
        .plan
        .objects
        .iter()
        .map(|object| (format!("{}/{}", object.kind, object.name), object.change))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

fn succeeded(outcome: Outcome) {
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:#?}");
}

fn failed(outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Failed { finding } => *finding,
        other => panic!("it did not fail: {other:#?}"),
    }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>) -> Finding {
    match answer.expect_err("refused") {
        Failure::Finding(finding) => *finding,
        Failure::Transport(text) => panic!("{text}"),
    }
}

fn find<'a>(fields: &'a [ValueField], path: &str) -> &'a ValueField {
    fn search<'a>(fields: &'a [ValueField], path: &[&str]) -> Option<&'a ValueField> {
        fields.iter().find_map(|field| {
            if field.path == path {
                return Some(field);
            }
            match &field.control {
                ValueControl::Group { fields } => search(fields, path),
                _ => None,
            }
        })
    }
    let parts: Vec<&str> = path.split('.').collect();
    search(fields, &parts).unwrap_or_else(|| panic!("no field {path}: {fields:#?}"))
}

/// Each test once for each major.
macro_rules! with_both {
    ($($name:ident),* $(,)?) => {
        mod helm3 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(3).await;
            })*
        }
        mod helm4 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(4).await;
            })*
        }
    };
}

with_both!(
    a_release_is_planned_installed_upgraded_rolled_back_and_uninstalled,
    a_broken_upgrade_is_put_back_and_says_why,
    a_failed_hook_is_told_and_what_is_kept_stays,
    a_killed_helm_leaves_a_stuck_release_that_is_unlocked_or_rolled_back,
    a_cancelled_upgrade_leaves_a_true_state,
    the_form_shows_layers_rules_and_saves_without_losing_comments,
    subcharts_give_values_and_missing_dependencies_are_built,
    what_belongs_to_others_is_taken_over_only_on_request,
    what_was_changed_behind_helms_back_is_told_until_it_is_put_back,
    definitions_are_part_of_an_install_and_of_nothing_else,
);

use ReleaseStatus::{Deployed, Failed, PendingUpgrade, Superseded};

async fn a_release_is_planned_installed_upgraded_rolled_back_and_uninstalled(major: u32) {
    let world = World::new(major, "helpers").await;
    let plan = world.plan(deploy()).await;
    assert_eq!(plan.title, "Install web");
    assert_eq!(blockers(&plan), []);
    assert_eq!(
        changes(&plan),
        [
            ("ConfigMap/helpers".to_owned(), Change::Create),
            ("Deployment/app".to_owned(), Change::Create),
            (format!("Namespace/{}", world.namespace), Change::Create),
            ("Service/app".to_owned(), Change::Create),
        ]
    );
    assert_eq!(plan.notes.trim(), "web says hello on port 80.");
    succeeded(world.carry_out(deploy()).await);
    world.until_history(&[(1, Deployed)]).await;
    let again = world.plan(deploy()).await;
    assert!(
        again
            .plan
            .objects
            .iter()
            .all(|object| object.change == Change::Unchanged),
        "{:#?}",
        again.plan
    );

    let wish = with(&[("settings.greeting", "good day")]);
    let plan = world.plan(wish.clone()).await;
    assert_eq!(
        changes(&plan),
        [
            ("ConfigMap/helpers".to_owned(), Change::Update),
            ("Deployment/app".to_owned(), Change::Update),
            ("Service/app".to_owned(), Change::Unchanged),
        ]
    );
    // A plan that is not the one that was read is refused.
    let outdated = world.releases.carry_out(wish.clone(), "0000".into()).await;
    assert_eq!(refused(outdated).code, "PLAN_OUTDATED");
    let key = &plan
        .plan
        .objects
        .iter()
        .find(|one| one.kind == "ConfigMap")
        .expect("one")
        .key;
    let diff = world
        .deploys
        .object_diff(plan.plan.hash.clone(), key.clone(), false)
        .await;
    let fields = diff.expect("kept").fields;
    assert_eq!(fields.len(), 1, "{fields:#?}");
    assert_eq!(fields[0].after.as_deref(), Some("good day"));
    succeeded(world.carry_out(wish).await);
    world.until_history(&[(2, Deployed), (1, Superseded)]).await;
    let map = world.config_map("helpers").await.expect("there");
    assert_eq!(map.data.expect("data")["GREETING"], "good day");

    let compared = world.releases.compare(1, 2).await.expect("compared");
    let changed: Vec<_> = compared
        .plan
        .objects
        .iter()
        .filter(|one| one.change != Change::Unchanged)
        .map(|one| one.kind.as_str())
        .collect();
    assert_eq!(
        changed,
        ["ConfigMap", "Deployment"]
            .as_slice()
            .iter()
            .copied()
            .rev()
            .collect::<Vec<_>>()
    );
    let detail = world.releases.revision(2).await.expect("a revision");
    assert!(
        detail.values.contains("greeting: good day"),
        "{}",
        detail.values
    );
    assert!(
        detail
            .manifest
            .contains("# Source: helpers/templates/service.yaml")
    );

    let plan = world
        .plan(ReleaseWish::Rollback {
            to: 1,
            force: false,
        })
        .await;
    assert_eq!(plan.title, "Roll back to revision 1");
    assert!(changes(&plan).contains(&("ConfigMap/helpers".to_owned(), Change::Update)));
    succeeded(
        world
            .carry_out(ReleaseWish::Rollback {
                to: 1,
                force: false,
            })
            .await,
    );
    world
        .until_history(&[(3, Deployed), (2, Superseded), (1, Superseded)])
        .await;
    let map = world.config_map("helpers").await.expect("there");
    assert_eq!(map.data.expect("data")["GREETING"], "hello");

    let uninstall = ReleaseWish::Uninstall {
        keep_history: false,
    };
    let plan = world.plan(uninstall.clone()).await;
    assert!(
        plan.plan
            .objects
            .iter()
            .all(|one| one.change == Change::Delete)
    );
    assert_eq!(plan.plan.objects.len(), 3);
    succeeded(world.carry_out(uninstall).await);
    world.until_history(&[]).await;
    assert!(world.config_map("helpers").await.is_none());
    world.end().await;
}

async fn what_was_changed_behind_helms_back_is_told_until_it_is_put_back(major: u32) {
    let world = World::new(major, "helpers").await;
    succeeded(world.carry_out(deploy()).await);
    world
        .until("nothing has drifted", |state| {
            state.helm.drift.as_ref().is_some_and(Vec::is_empty)
        })
        .await;
    let client = world.cluster.connected().expect("connected").client.clone();
    let api: Api<ConfigMap> = Api::namespaced(client, &world.namespace);
    let params = PatchParams {
        field_manager: Some("somebody".into()),
        ..PatchParams::default()
    };
    let patch = serde_json::json!({"data": {"GREETING": "howdy"}});
    api.patch("helpers", &params, &Patch::Merge(patch))
        .await
        .expect("patched");
    world
        .until("the change is told", |state| {
            state.helm.drift.as_ref().is_some_and(|drift| {
                drift.iter().any(|object| {
                    let field = object.fields.first();
                    object.name == "helpers"
                        && !object.deleted
                        && field.is_some_and(|field| {
                            field.path == ".data.GREETING"
                                && field.before.as_deref() == Some("hello")
                                && field.after.as_deref() == Some("howdy")
                                && field.owners.iter().any(|owner| owner.manager == "somebody")
                        })
                })
            })
        })
        .await;
    // helm 3 never minds; helm 4 refuses to take the field without being told to.
    let plan = world.plan(deploy()).await;
    let conflicts = plan.plan.objects.iter().any(|one| one.can_be_forced());
    assert_eq!(conflicts, major >= 4, "{plan:#?}");
    assert_eq!(blockers(&plan).is_empty(), major < 4);
    let forced = deploy().forced(true).expect("a deploy can be forced");
    succeeded(world.carry_out(forced).await);
    world
        .until("it is put back", |state| {
            state.helm.drift.as_ref().is_some_and(Vec::is_empty)
        })
        .await;
    let map = world.config_map("helpers").await.expect("there");
    assert_eq!(map.data.expect("data")["GREETING"], "hello");
    world.end().await;
}

async fn definitions_are_part_of_an_install_and_of_nothing_else(major: u32) {
    let world = World::new(major, "helpers").await;
    // Definitions belong to the whole cluster, which may be somebody else's.
    let group = format!("{}.example.com", world.namespace);
    let name = format!("things.{group}");
    let definition = serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]},
    });
    fs::create_dir_all(world.path("chart/crds")).expect("created");
    fs::write(world.path("chart/crds/thing.yaml"), definition.to_string()).expect("written");
    let made = (format!("CustomResourceDefinition/{name}"), Change::Create);
    assert!(changes(&world.plan(deploy()).await).contains(&made));
    succeeded(world.carry_out(deploy()).await);
    world.until_history(&[(1, Deployed)]).await;
    let upgrade = world.plan(deploy()).await;
    assert!(!changes(&upgrade).iter().any(|(one, _)| *one == made.0));
    let uninstall = ReleaseWish::Uninstall {
        keep_history: false,
    };
    succeeded(world.carry_out(uninstall).await);
    world.until_history(&[]).await;
    let again = world.plan(deploy()).await;
    assert!(!changes(&again).iter().any(|(one, _)| *one == made.0));
    assert!(
        again.kept.iter().any(|kept| kept.contains(&name)),
        "{:?}",
        again.kept
    );
    let client = world.cluster.connected().expect("connected").client.clone();
    let api: Api<CustomResourceDefinition> = Api::all(client);
    api.delete(&name, &DeleteParams::default())
        .await
        .expect("deleted");
    world.end().await;
}

async fn a_broken_upgrade_is_put_back_and_says_why(major: u32) {
    let world = World::new(major, "helpers").await;
    succeeded(world.carry_out(deploy()).await);
    world.until_history(&[(1, Deployed)]).await;
    let began = std::time::Instant::now();
    // Without the probe the pod is ready until it ends, and helm 3 may look just then.
    let broken = [
        ("args", "[not-a-number]"),
        ("readinessProbe", "{tcpSocket: {port: 1}}"),
    ];
    let finding = failed(world.carry_out(with(&broken)).await);
    // The pod's own story, long before helm's five minutes are over.
    assert!(began.elapsed() < Duration::from_secs(80));
    assert!(finding.what.contains("app"), "{finding:#?}");
    assert_ne!(finding.code, "HELM_FAILED", "{finding:#?}");
    world
        .until_history(&[(3, Deployed), (2, Failed), (1, Superseded)])
        .await;
    assert_eq!(world.release().stuck, None);
    world.end().await;
}

async fn a_failed_hook_is_told_and_what_is_kept_stays(major: u32) {
    let world = World::new(major, "hooks").await;
    let plan = world.plan(deploy()).await;
    let hooks: Vec<_> = plan
        .hooks
        .iter()
        .map(|hook| (hook.name.as_str(), hook.weight))
        .collect();
    assert!(
        hooks.contains(&("migrate", -5)) && hooks.contains(&("answers", 0)),
        "{hooks:?}"
    );
    assert!(plan.plan.objects.iter().all(|one| one.kind != "Job"));
    succeeded(world.carry_out(deploy()).await);
    world.until_history(&[(1, Deployed)]).await;
    let run = world.start(with(&[("migrate.args", "nonsense")])).await;
    let finding = failed(world.core.runs.wait(run).await);
    assert_eq!(finding.code, "HOOK_FAILED", "{finding:#?}");
    world
        .until("the release is as it was", |state| {
            state.helm.deployed().is_some_and(|row| row.revision == 3)
        })
        .await;
    let plan = world
        .plan(ReleaseWish::Uninstall { keep_history: true })
        .await;
    assert!(
        plan.kept
            .iter()
            .any(|kept| kept.contains("ConfigMap keepsake")),
        "{:?}",
        plan.kept
    );
    assert!(plan.plan.objects.iter().all(|one| one.name != "keepsake"));
    succeeded(
        world
            .carry_out(ReleaseWish::Uninstall { keep_history: true })
            .await,
    );
    assert!(world.config_map("keepsake").await.is_some());
    world
        .until("the history is kept", |state| {
            let release = state.helm.release.as_ref();
            release.is_some_and(|release| {
                release
                    .newest()
                    .is_some_and(|row| row.status == ReleaseStatus::Uninstalled)
            })
        })
        .await;
    assert!(!world.release().is_there());
    world.end().await;
}

async fn a_killed_helm_leaves_a_stuck_release_that_is_unlocked_or_rolled_back(major: u32) {
    let world = World::new(major, "hooks").await;
    succeeded(world.carry_out(deploy()).await);
    for way_out in ["unlock", "roll back"] {
        let good = world
            .release()
            .deployed()
            .map(|row| row.revision)
            .expect("deployed");
        let pending = good.max(world.history()[0].0) + 1;
        // Someone's own helm, waiting for pods that take their time.
        let mut helm = someones_helm(&world, major);
        world
            .until("somebody's helm is at work", |state| {
                let release = state.helm.release.as_ref();
                release
                    .and_then(|release| release.stuck.as_ref())
                    .is_some_and(|stuck| {
                        stuck.status == PendingUpgrade
                            && stuck.holder == Holder::Process { pid: helm.id() }
                    })
            })
            .await;
        let held = world.plan(ReleaseWish::Unlock { revision: pending }).await;
        assert_eq!(blockers(&held)[0].code, "RELEASE_HELD");
        helm.kill().expect("killed");
        helm.wait().expect("reaped");
        world
            .until("nobody holds it any more", |state| {
                let release = state.helm.release.as_ref();
                release
                    .and_then(|release| release.stuck.as_ref())
                    .is_some_and(|stuck| {
                        stuck.holder == Holder::Nobody
                            && stuck.revision == pending
                            && stuck.last_good == Some(good)
                            && stuck.finding.code == "RELEASE_STUCK"
                    })
            })
            .await;
        // helm itself refuses, and it is told what to do.
        let finding = refused(world.releases.plan(deploy()).await);
        assert_eq!(finding.code, "RELEASE_STUCK", "{finding:#?}");
        if way_out == "unlock" {
            let wish = ReleaseWish::Unlock { revision: pending };
            succeeded(world.carry_out(wish).await);
            world.until_history(&[(good, Deployed)]).await;
        } else {
            succeeded(
                world
                    .carry_out(ReleaseWish::Rollback {
                        to: good,
                        force: false,
                    })
                    .await,
            );
            world
                .until("it is rolled back", |state| {
                    state
                        .helm
                        .deployed()
                        .is_some_and(|row| row.revision == pending + 1)
                })
                .await;
        }
        assert_eq!(world.release().stuck, None);
        succeeded(world.carry_out(deploy()).await);
    }
    world.end().await;
}

fn someones_helm(world: &World, major: u32) -> std::process::Child {
    let connected = world.cluster.connected().expect("connected");
    std::process::Command::new(real_tools::helm(major))
        .args(["upgrade", "web"])
        .arg(world.path("chart"))
        .args(["--namespace", &world.namespace, "--reuse-values"])
        .args([
            "--set",
            // Its pods never get ready; helm 3 does not wait for `minReadySeconds`.
            "image.tag=nowhere,migrate.enabled=false",
            "--wait",
            "--timeout",
            "10m",
        ])
        .arg("--kubeconfig")
        .arg(&connected.kubeconfig)
        .args(["--kube-context", &connected.context])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("helm starts")
}

async fn a_cancelled_upgrade_leaves_a_true_state(major: u32) {
    let world = World::new(major, "hooks").await;
    succeeded(world.carry_out(deploy()).await);
    world.until_history(&[(1, Deployed)]).await;
    let run = world.start(with(&[("minReadySeconds", "600")])).await;
    world
        .until_history(&[(2, PendingUpgrade), (1, Deployed)])
        .await;
    world.core.runs.cancel(run).expect("going");
    assert_eq!(world.core.runs.wait(run).await, Outcome::Cancelled);
    world
        .until("what was there is back", |state| {
            state.helm.deployed().is_some_and(|row| row.revision == 3)
        })
        .await;
    let said = world.core.hub.read(|state| {
        let tail = state.runs[&run].tail.iter();
        tail.map(|line| line.text.clone()).collect::<Vec<_>>()
    });
    assert!(
        said.iter().any(|line| line == "Revision 3 is deployed"),
        "{said:#?}"
    );
    world.end().await;
}

async fn the_form_shows_layers_rules_and_saves_without_losing_comments(major: u32) {
    let world = World::new(major, "helpers").await;
    fs::write(
        world.path("values-team.yaml"),
        "# The team's own\nreplicaCount: 2 # two\n",
    )
    .expect("written");
    let form = world.releases.values(vec![]).await.expect("a form");
    let replicas = find(&form.fields, "replicaCount");
    assert_eq!(
        (replicas.text.as_str(), replicas.default.as_deref()),
        ("2", Some("1"))
    );
    assert_eq!(
        replicas.origin,
        ValueOrigin::File {
            name: "values-team.yaml".into()
        }
    );
    assert_eq!(find(&form.fields, "image.tag").origin, ValueOrigin::Slipway);
    assert_eq!(
        find(&form.fields, "settings.colors").control,
        ValueControl::List
    );

    let bad = vec![edit("replicaCount", "9"), edit("service.port", "0")];
    let form = world.releases.values(bad.clone()).await.expect("a form");
    for path in ["replicaCount", "service.port"] {
        let problem = find(&form.fields, path).problem.clone().unwrap_or_default();
        assert!(
            problem.to_lowercase().contains("less than or equal to 5")
                || problem.contains("maximum")
                || problem
                    .to_lowercase()
                    .contains("greater than or equal to 1")
                || problem.contains("minimum"),
            "{path}: {problem}"
        );
    }
    let finding = refused(
        world
            .releases
            .plan(ReleaseWish::Deploy {
                edits: bad,
                adopt: false,
                force: false,
            })
            .await,
    );
    assert_eq!(finding.code, "VALUES_INVALID");

    let edits = vec![edit("replicaCount", "3"), edit("settings.colors", "blue")];
    let plan = world
        .releases
        .plan_save(edits.clone(), "values-team.yaml".into())
        .await
        .expect("a plan");
    assert!(
        plan.lines
            .contains(&DiffLine::Added("replicaCount: 3 # two".into())),
        "{:?}",
        plan.lines
    );
    fs::write(
        world.path("values-team.yaml"),
        "# The team's own\nreplicaCount: 4 # two\n",
    )
    .expect("written");
    let stale = world
        .releases
        .save(edits.clone(), "values-team.yaml".into(), plan.hash)
        .await;
    assert_eq!(refused(stale).code, "VALUES_FILE_CHANGED");
    let plan = world
        .releases
        .plan_save(edits.clone(), "values-team.yaml".into())
        .await
        .expect("a plan");
    world
        .releases
        .save(edits, "values-team.yaml".into(), plan.hash)
        .await
        .expect("saved");
    let saved = fs::read_to_string(world.path("values-team.yaml")).expect("there");
    assert_eq!(
        saved,
        "# The team's own\nreplicaCount: 3 # two\nsettings:\n  colors:\n  - blue\n"
    );

    let edits = vec![edit("settings.greeting", "postgres://u:pw-4711@h/d")];
    let form = world.releases.values(edits.clone()).await.expect("a form");
    assert!(find(&form.fields, "settings.greeting").problem.is_some());
    assert!(
        !serde_json::to_string(&form)
            .expect("json")
            .contains("pw-4711")
    );
    let refused_plan = world
        .releases
        .plan(ReleaseWish::Deploy {
            edits,
            adopt: false,
            force: false,
        })
        .await;
    assert_eq!(refused(refused_plan).code, "SECRET_IN_VALUES");
    let outside = world
        .releases
        .plan_save(vec![edit("replicaCount", "3")], "../outside.yaml".into())
        .await;
    assert_eq!(refused(outside).code, "VALUES_INVALID");
    world.end().await;
}

async fn subcharts_give_values_and_missing_dependencies_are_built(major: u32) {
    let world = World::new(major, "umbrella").await;
    let form = world
        .releases
        .values(vec![edit("sessions.size", "0")])
        .await
        .expect("a form");
    let size = find(&form.fields, "sessions.size");
    assert_eq!(size.default.as_deref(), Some("32"));
    assert!(
        size.problem.is_some(),
        "the subchart's own schema speaks: {form:#?}"
    );
    fs::remove_dir_all(world.path("chart/charts/cache")).expect("removed");
    // The source of the dependency lies beside the chart, as Chart.yaml says.
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/shared");
    for file in [
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "templates/config.yaml",
    ] {
        let to = world.path("shared/cache").join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("created");
        fs::copy(shared.join("cache").join(file), to).expect("copied");
    }
    let finding = refused(world.releases.plan(deploy()).await);
    assert_eq!(finding.code, "CHART_DEPENDENCIES");
    let run = world.releases.build_dependencies().await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    world
        .until("the dependencies are there and the chart is clean", |state| {
            state.helm.chart.as_ref().is_some_and(|chart| {
                chart
                    .dependencies
                    .iter()
                    .all(|one| matches!(one.state, DependencyState::Present { .. }))
                    && matches!(&chart.lint, LintState::Done { findings, .. } if findings.is_empty())
            })
        })
        .await;
    succeeded(world.carry_out(deploy()).await);
    let map = world
        .config_map("web-sessions-32")
        .await
        .expect("the subchart's object");
    assert_eq!(map.data.expect("data")["region"], "north");
    world.end().await;
}

async fn what_belongs_to_others_is_taken_over_only_on_request(major: u32) {
    let world = World::new(major, "helpers").await;
    let client = world.cluster.connected().expect("connected").client.clone();
    let namespace =
        serde_json::from_value(serde_json::json!({"metadata": {"name": world.namespace}}));
    let api: Api<Namespace> = Api::all(client.clone());
    api.create(&Default::default(), &namespace.expect("a namespace"))
        .await
        .expect("made");
    let map = serde_json::from_value(
        serde_json::json!({"metadata": {"name": "helpers"}, "data": {"GREETING": "mine"}}),
    );
    let api: Api<ConfigMap> = Api::namespaced(client, &world.namespace);
    api.create(&Default::default(), &map.expect("a map"))
        .await
        .expect("made");
    let plan = world.plan(deploy()).await;
    assert!(!blockers(&plan).is_empty(), "{:#?}", plan.plan.findings);
    let adopt = ReleaseWish::Deploy {
        edits: vec![],
        adopt: true,
        force: false,
    };
    succeeded(world.carry_out(adopt).await);
    let map = world.config_map("helpers").await.expect("there");
    assert_eq!(map.data.expect("data")["GREETING"], "hello");
    world.end().await;
}
