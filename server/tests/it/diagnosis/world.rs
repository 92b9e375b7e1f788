//! A project on a practice cluster that can be broken: its components are the test's own, and every
//! finding that is ever shown is collected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::model::{
    ClusterChoice, ComponentName, Finding, GoingRuns, PanelState, PodRow, Rebuild, Rollout,
    SecretInput,
};
use app::ports::{Images, Secrets, Setup};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret, Service};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use server::cluster::ClusterOptions;
use server::engine::{Core, Journal, StateDir};
use server::panel::Panel;
use server::project::Project;
use tempfile::TempDir;

use super::cases::{Case, Fault, GHOST, deployment, service, with_missing_account};
use crate::deploy_world::{start_deploy, succeeded};

/// Longer than a problem has to last until it is shown.
const LASTS: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(180);

/// Components whose image, secret or address is the fault.
pub const SPECIAL: [&str; 7] = [
    "app", "left", "outdated", "budget", "stale", "unset", "balanced",
];
/// The findings of those faults.
pub const SPECIAL_FINDINGS: [&str; 8] = [
    "IMAGE_NOT_IN_CLUSTER/component/left",
    "IMAGE_OUTDATED/component/outdated",
    "IMAGE_OVER_BUDGET/component/budget",
    "PODS_STALE_SECRETS/component/stale",
    "SECRET_DRIFTED/secret/DRIFT",
    "SECRET_NOT_SET/secret/UNSET",
    "DEPLOY_DRIFTED/ConfigMap/extra",
    "LOAD_BALANCER_PENDING/Service/balanced",
];
/// Those with an image of their own.
const OWN_IMAGE: [&str; 3] = ["left", "outdated", "budget"];
/// Keys of the project's Secret, and the component that reads each.
const SECRETS: [(&str, &str); 4] = [
    ("UNREAD", "unread"),
    ("UNSET", "unset"),
    ("STALE", "stale"),
    ("DRIFT", "app"),
];

pub struct World {
    pub panel: Panel,
    seen: Arc<Mutex<BTreeMap<String, Finding>>>,
    /// That of every component without one of its own.
    pub image: String,
    names: Vec<String>,
    folder: TempDir,
}

impl World {
    /// A project of these components and `app`, deployed and without a finding.
    pub async fn healthy(names: &[&str]) -> Self {
        let started = tokio::time::Instant::now();
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("project");
        write_project(&project, names, "90MB");
        let state_dir = StateDir::open(&folder.path().join("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let project = Arc::new(Project::load(&project).expect("a project"));
        let options = ClusterOptions {
            kubeconfig: Some(vec![]),
            ..ClusterOptions::default()
        };
        let panel = Panel::new(core, project, options).expect("a panel");
        panel.spawn();
        let mut world = Self {
            panel,
            seen: Arc::default(),
            image: String::new(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            folder,
        };
        world
            .panel
            .cluster
            .choose(ClusterChoice::Practice, GoingRuns::Refuse)
            .await
            .expect("a practice cluster");
        let built = ["app"].into_iter().chain(OWN_IMAGE);
        let built: Vec<&str> = built.filter(|name| names.contains(name)).collect();
        world.build(&built).await;
        world.image = world.built("app");
        let keys = SECRETS.iter().filter(|(_, by)| names.contains(by));
        let keys: Vec<&str> = keys.map(|(key, _)| *key).collect();
        world.set_secrets(&keys).await;
        // Only a ConfigMap and a CronJob come by a deploy; the components are the test's own.
        world.deploy().await;
        let things = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "things"},
            "data": {"garbage": "\u{1}not a program", "a": "b"}});
        world.apply::<ConfigMap>("things", &things).await;
        for name in names {
            world.apply_component(name).await;
        }
        world
            .until("all components are ready", |state| {
                names.iter().all(|name| {
                    let live = state.components.get(&component(name));
                    live.is_some_and(|live| live.ready == 1 && live.service.is_some())
                })
            })
            .await;
        println!(
            "{} components ready after {:?}",
            names.len(),
            started.elapsed()
        );
        world.watch();
        world.well("nothing is broken yet").await;
        world
    }

    async fn deploy(&self) {
        let run = start_deploy(&self.panel.deploys).await;
        succeeded(self.panel.core.runs.wait(run).await);
    }

    /// Collects every finding that is ever shown.
    fn watch(&self) {
        let (hub, seen) = (self.panel.core.hub.clone(), Arc::clone(&self.seen));
        let mut changed = hub.changed();
        tokio::spawn(async move {
            while changed.changed().await.is_ok() {
                let findings = hub.read(|state| state.findings.clone());
                let mut seen = seen.lock().expect("not poisoned");
                seen.extend(findings.into_iter().map(|one| (one.key(), one)));
            }
        });
    }

    fn shown(&self) -> BTreeSet<String> {
        self.panel.core.hub.read(|state| keys(&state.findings))
    }

    /// Waits until these findings are shown, and sees that they last and none comes beside them but
    /// those that may come on the way.
    pub async fn exactly(
        &self,
        what: &str,
        expected: &BTreeSet<String>,
        on_the_way: &BTreeSet<String>,
    ) {
        let started = tokio::time::Instant::now();
        let come = self.panel.core.hub.until(|state| {
            state.findings.len() == expected.len() && &keys(&state.findings) == expected
        });
        // What is missing is told below.
        let _ = tokio::time::timeout(PATIENCE, come).await;
        println!("{what}: shown after {:?}", started.elapsed());
        tokio::time::sleep(LASTS).await;
        let shown = self.shown();
        let seen = self.seen.lock().expect("not poisoned").clone();
        let missing: Vec<_> = expected.difference(&shown).collect();
        let second: Vec<_> = seen
            .iter()
            .filter(|(key, _)| !expected.contains(*key))
            .filter(|(key, _)| shown.contains(*key) || !on_the_way.contains(*key))
            .map(|(_, finding)| finding)
            .collect();
        assert!(
            missing.is_empty() && second.is_empty(),
            "{what}\nmissing: {missing:#?}\nsecond: {second:#?}\n{}",
            self.pods(&missing)
        );
        for finding in seen.values() {
            assert!(
                !finding.why.is_empty() && !finding.next.is_empty(),
                "{finding:#?}"
            );
        }
    }

    /// The pods of the components that lack their finding.
    fn pods(&self, missing: &[&String]) -> String {
        let mut text = String::new();
        self.panel.core.hub.read(|state| {
            for pod in state.pods.values() {
                let name = pod.component.as_ref().map_or("", ComponentName::as_str);
                if missing.iter().any(|key| key.ends_with(&format!("/{name}"))) {
                    let _ = writeln!(text, "{pod:#?}");
                }
            }
        });
        text
    }

    /// Waits until every component runs as it should and nothing is shown or about to be; what was
    /// seen before is forgotten.
    pub async fn well(&self, what: &str) {
        let started = tokio::time::Instant::now();
        loop {
            let (shown, coming) = (self.shown(), self.panel.assist.diagnose_now());
            if shown.is_empty() && coming.is_empty() && self.is_settled() {
                break;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{what}: {shown:#?} {coming:#?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{what}: well after {:?}", started.elapsed());
        self.seen.lock().expect("not poisoned").clear();
    }

    fn is_settled(&self) -> bool {
        self.panel.core.hub.read(|state| {
            self.names.iter().all(|name| {
                let live = state.components.get(&component(name));
                live.is_some_and(|live| live.rollout == Rollout::Complete && live.ready == 1)
            })
        })
    }

    pub async fn until(&self, what: &str, wanted: impl Fn(&PanelState) -> bool) {
        let came = tokio::time::timeout(PATIENCE, self.panel.core.hub.until(wanted)).await;
        assert!(came.is_ok(), "waited for: {what}");
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        <K as kube::Resource>::DynamicType: Default,
    {
        let connected = self.panel.cluster.current().expect("connected");
        Api::namespaced(connected.client.clone(), "t")
    }

    pub async fn apply<K>(&self, name: &str, object: &Value)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        <K as kube::Resource>::DynamicType: Default,
    {
        let by = PatchParams::apply("cases").force();
        let applied = self
            .api::<K>()
            .patch(name, &by, &Patch::Apply(object))
            .await;
        applied.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub async fn apply_component(&self, name: &str) {
        let image = match name {
            name if OWN_IMAGE.contains(&name) => self.built(name),
            _ => self.image.clone(),
        };
        self.apply::<Deployment>(name, &deployment(name, &image))
            .await;
        self.apply::<Service>(name, &service(name)).await;
    }

    async fn build(&self, names: &[&str]) {
        let names: Vec<ComponentName> = names.iter().map(|name| component(name)).collect();
        let run = self
            .panel
            .images
            .build(names.clone(), Rebuild::IfChanged)
            .await;
        succeeded(self.panel.core.runs.wait(run.expect("a run")).await);
        self.until("the images are proved", |state| {
            let proved = server::live::proved_images(state);
            names.iter().all(|name| proved.contains_key(name))
        })
        .await;
    }

    fn built(&self, name: &str) -> String {
        let proved = self.panel.core.hub.read(server::live::proved_images);
        proved[&component(name)].reference.clone()
    }

    pub async fn fault(&self, case: &Case) {
        self.room().await;
        let mut object = deployment(case.name, &self.image);
        match &case.fault {
            Fault::Deployment(change) => {
                change(&mut object);
                self.apply::<Deployment>(case.name, &object).await;
            }
            Fault::Service(change) => {
                let mut object = service(case.name);
                change(&mut object);
                self.apply::<Service>(case.name, &object).await;
            }
            Fault::NoService => self.delete::<Service>(case.name).await,
            Fault::NoDeployment => self.delete::<Deployment>(case.name).await,
            Fault::Refused(words) => {
                with_missing_account(&mut object);
                self.apply::<Deployment>(case.name, &object).await;
                self.refuse(case.name, words).await;
            }
            Fault::Ghost {
                deployment,
                status,
                event,
            } => {
                deployment(&mut object);
                let pod = &mut object["spec"]["template"]["spec"];
                if pod["schedulerName"].is_null() {
                    pod["nodeName"] = json!(GHOST);
                }
                self.apply::<Deployment>(case.name, &object).await;
                let pod = self.ghost(case.name).await;
                self.set_status(&pod, &json!({"status": status()})).await;
                if let Some((reason, message)) = event {
                    self.tell(&pod, reason, message).await;
                }
            }
        }
    }

    pub async fn heal(&self, case: &Case) {
        self.room().await;
        let mut object = deployment(case.name, &self.image);
        (case.healed)(&mut object);
        self.apply::<Deployment>(case.name, &object).await;
        self.apply::<Service>(case.name, &service(case.name)).await;
        if case.code == "POD_EVICTED" {
            let pods = self.api::<Pod>();
            let evicted = ListParams::default()
                .labels(&format!("app={}", case.name))
                .fields("status.phase=Failed");
            for pod in pods.list(&evicted).await.expect("listed") {
                let name = pod.metadata.name.expect("a name");
                pods.delete(&name, &DeleteParams::default().grace_period(0))
                    .await
                    .expect("deleted");
            }
        }
    }

    /// A node takes 110 pods, and those that are ending count until they are gone.
    async fn room(&self) {
        self.until("there is room for another pod", |state| {
            let elsewhere = |pod: &PodRow| pod.node.as_deref() == Some(GHOST);
            state.pods.values().filter(|pod| !elsewhere(pod)).count() < 95
        })
        .await;
    }

    async fn delete<K>(&self, name: &str)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        <K as kube::Resource>::DynamicType: Default,
    {
        let deleted = self
            .api::<K>()
            .delete(name, &DeleteParams::background())
            .await;
        deleted.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// The component's pod that no kubelet or scheduler here looks after.
    async fn ghost(&self, name: &str) -> Pod {
        let (pods, own) = (self.api::<Pod>(), format!("app={name}"));
        let own = ListParams::default().labels(&own);
        let is_ghost = |pod: &Pod| {
            let spec = pod.spec.as_ref();
            let node = spec.and_then(|spec| spec.node_name.as_deref());
            let scheduler = spec.and_then(|spec| spec.scheduler_name.as_deref());
            node == Some(GHOST) || scheduler != Some("default-scheduler")
        };
        let looking = async {
            loop {
                let list = pods.list(&own).await.expect("listed");
                if let Some(ghost) = list.into_iter().find(is_ghost) {
                    return ghost;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ghost = tokio::time::timeout(PATIENCE, looking).await;
        ghost.expect("a pod")
    }

    /// Rewrites why the component's pods are refused. The words stay as long as the refusal does.
    async fn refuse(&self, name: &str, words: &str) {
        let api = self.api::<Deployment>();
        let looking = async {
            loop {
                let deployment = api.get(name).await.expect("it is there");
                let conditions = deployment.status.and_then(|status| status.conditions);
                let mut conditions = conditions.unwrap_or_default();
                let refusal = conditions
                    .iter_mut()
                    .find(|condition| condition.type_.as_deref() == Some("ReplicaFailure"));
                if let Some(refusal) = refusal {
                    refusal.message = Some(words.to_owned());
                    return conditions;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let conditions = tokio::time::timeout(PATIENCE, looking).await;
        let conditions = conditions.expect("its pods are refused");
        let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
        api.patch_status(name, &PatchParams::default(), &patch)
            .await
            .expect("a status");
    }

    async fn set_status(&self, pod: &Pod, status: &Value) {
        let name = pod.metadata.name.as_deref().expect("a name");
        self.api::<Pod>()
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await
            .expect("a status");
    }

    async fn tell(&self, pod: &Pod, reason: &str, message: &str) {
        let meta = &pod.metadata;
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let event: Event = serde_json::from_value(json!({
            "metadata": {"generateName": "told-", "namespace": "t"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "t", "name": meta.name,
                "uid": meta.uid, "fieldPath": "spec.containers{app}"},
            "type": "Warning", "reason": reason, "message": message, "count": 1,
            "firstTimestamp": now, "lastTimestamp": now, "source": {"component": "kubelet"}
        }))
        .expect("an Event");
        let created = self
            .api::<Event>()
            .create(&PostParams::default(), &event)
            .await;
        created.expect("created");
    }

    /// The faults that are not in a component's own objects, with the findings they bring.
    pub async fn special_faults(&self, port: u16) {
        // An image that left the node, and pods of another one than was built for them.
        let store = self
            .panel
            .cluster
            .connected()
            .expect("connected")
            .practice
            .clone();
        let left = self.built("left");
        assert!(store.expect("a store").remove(&left).expect("removed"));
        let outdated = deployment("outdated", &self.image);
        self.apply::<Deployment>("outdated", &outdated).await;
        self.write_budget("1kB").await;
        // Secrets: a new value, a value by somebody else, and none.
        let new = SecretInput("a-newer-value".to_owned());
        let key = "STALE".parse().expect("a key");
        self.panel.secrets.set(key, new).await.expect("stored");
        let theirs = json!({"stringData": {"DRIFT": "somebody-elses"}, "data": {"UNSET": null}});
        self.api::<Secret>()
            .patch("t-secrets", &PatchParams::default(), &Patch::Merge(&theirs))
            .await
            .expect("changed");
        // Somebody's hand in what was deployed, and an address that nobody can give.
        self.meddle("2").await;
        let mut balanced = service("balanced");
        balanced["spec"]["type"] = json!("LoadBalancer");
        balanced["spec"]["ports"][0]["port"] = json!(port);
        self.apply::<Service>("balanced", &balanced).await;
    }

    /// Somebody changes what Slipway has deployed.
    async fn meddle(&self, value: &str) {
        let patch = Patch::Merge(json!({"data": {"a": value}}));
        self.api::<ConfigMap>()
            .patch("extra", &PatchParams::default(), &patch)
            .await
            .expect("changed");
    }

    pub async fn heal_special(&self) {
        self.build(&["left"]).await;
        self.write_budget("90MB").await;
        self.set_secrets(&["UNSET", "DRIFT"]).await;
        self.meddle("1").await;
        for name in ["outdated", "balanced"] {
            self.apply_component(name).await;
        }
        for name in ["stale", "unset"] {
            let mut fresh = deployment(name, &self.image);
            fresh["spec"]["template"]["metadata"]["annotations"] = json!({"restarted": "yes"});
            self.apply::<Deployment>(name, &fresh).await;
        }
    }

    async fn write_budget(&self, budget: &str) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        write_project(&self.folder.path().join("project"), &names, budget);
        self.panel.setup.recheck().await.expect("looked at again");
    }

    async fn set_secrets(&self, keys: &[&str]) {
        let values = keys.iter().map(|key| {
            let value = SecretInput(format!("value-of-{key}"));
            (key.parse().expect("a key"), value)
        });
        let stored = self.panel.secrets.set_all(values.collect()).await;
        stored.expect("stored");
    }

    pub async fn end(self) {
        self.panel.core.shutdown.cancel();
        self.panel.cluster.shutdown().await;
        drop(self.folder);
    }
}

fn keys(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(Finding::key).collect()
}

pub fn component(name: &str) -> ComponentName {
    name.parse().expect("a name")
}

fn write_project(folder: &Path, names: &[&str], budget: &str) {
    let standin = Path::new(env!("CARGO_BIN_EXE_slipway"))
        .with_file_name("examples")
        .join("standin-app");
    fs::create_dir_all(folder.join("app")).expect("created");
    fs::create_dir_all(folder.join("k8s")).expect("created");
    let program = folder.join("app/program");
    if !program.exists() {
        fs::copy(standin, &program).expect("the stand-in was built");
        // The same program with other bytes is another image.
        for name in OWN_IMAGE {
            let mut bytes = fs::read(&program).expect("read");
            bytes.extend(name.as_bytes());
            let copy = folder.join("app").join(name);
            fs::copy(&program, &copy).expect("copied");
            fs::write(&copy, bytes).expect("written");
        }
    }
    let mut toml = "[project]\nname = \"t\"\n\n[deploy]\nmanifests = \"k8s\"\n".to_owned();
    for name in names {
        let _ = write!(
            toml,
            "\n[[component]]\nname = \"{name}\"\nport = 8000\ncontext = \"app\"\n"
        );
        let binary = match *name {
            "app" => "program",
            own if OWN_IMAGE.contains(&own) => own,
            "inside" => {
                toml.push_str("expose = \"NodePort\"\n");
                continue;
            }
            _ => continue,
        };
        if *name == "budget" {
            let _ = writeln!(toml, "size_budget = \"{budget}\"");
        }
        let _ = write!(
            toml,
            "\n[component.pack]\nbuild = [\"true\"]\nbinary = \"app/{binary}\"\n"
        );
    }
    for (key, reader) in SECRETS.iter().filter(|(_, by)| names.contains(by)) {
        let _ = write!(
            toml,
            "\n[[secret]]\nkey = \"{key}\"\nkind = \"text\"\ncomponents = [\"{reader}\"]\n"
        );
    }
    fs::write(folder.join("slipway.toml"), toml).expect("written");
    let extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: '1'}\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: reader}\nspec:\n  schedule: '0 0 1 1 *'\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            - name: reader\n              image: t-app:dev\n              env:\n                - name: DRIFT\n                  valueFrom: {secretKeyRef: {name: t-secrets, key: DRIFT}}\n";
    fs::write(folder.join("k8s/extra.yaml"), extra).expect("written");
}
