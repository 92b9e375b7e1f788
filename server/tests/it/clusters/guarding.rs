//! Nothing is changed on a cluster that is not on this machine before its name was typed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use app::model::{Access, ClusterChoice, GoingRuns, SecretInput, SecretState};
use app::ports::{Clusters, Secrets};
use axum::body::{Body, to_bytes};
use http::{Request, header};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api as KubeApi, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use server::adapters::kube::client::KubeError;
use server::cluster::ClusterOptions;
use server::panel::Panel;
use server::project::Project;
use server::web::{Addresses, Site, Tokens};

use super::front::Proxy;
use super::{Api, core, finding, kubeconfig};

/// A practice API that looks as if it were far away.
struct Far {
    api: Api,
    proxy: Proxy,
}

impl Far {
    async fn new() -> Self {
        let api = Api::start().await;
        let proxy = Proxy::to(api.cluster.port()).await;
        Self { api, proxy }
    }

    fn kubeconfig(&self, address: &str) -> String {
        let credentials = self.api.credentials();
        kubeconfig(
            "far",
            &format!(
                "server: 'https://{address}:6443', certificate-authority-data: {}, tls-server-name: localhost, proxy-url: 'http://127.0.0.1:{}'",
                credentials.authority, self.proxy.port
            ),
            &format!("token: {}", credentials.token),
        )
    }
}

fn panel(folder: &Path, kubeconfig: &str, wanted: Option<(&str, bool)>) -> Panel {
    let path = folder.join("kubeconfig");
    fs::write(&path, kubeconfig).expect("written");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    let project = Arc::new(Project::load(&example).expect("a project"));
    let options = ClusterOptions {
        wanted: wanted.map(|(name, _)| ClusterChoice::Context(name.parse().expect("a name"))),
        typed: wanted.is_some_and(|(_, typed)| typed),
        kubeconfig: Some(vec![path]),
        ..ClusterOptions::default()
    };
    Panel::new(core(&folder.join("state")), project, options).expect("a panel")
}

async fn choose(panel: &Panel) {
    let far = ClusterChoice::Context("far".parse().expect("a name"));
    panel
        .cluster
        .choose(far, GoingRuns::Refuse)
        .await
        .expect("looking is free");
}

fn access(panel: &Panel) -> Access {
    panel
        .core
        .hub
        .read(|state| state.cluster.as_ref().map(|cluster| cluster.access))
        .expect("a cluster")
}

async fn end(panel: Panel) {
    let core = panel.core.clone();
    core.shutdown.cancel();
    panel.cluster.shutdown().await;
    drop(panel);
    core.tasks.close();
    core.tasks.wait().await;
}

/// What changes something on the cluster, with arguments that would work.
fn changing() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        (
            "/api/secrets/set",
            json!({"key": "OPENAI_API_KEY", "value": "sk-0123456789abcdef"}),
        ),
        ("/api/secrets/generate", json!({"key": "AUTH_SECRET"})),
        ("/api/secrets/delete", json!({"key": "OPENAI_API_KEY"})),
        (
            "/api/secrets/set-all",
            json!({"values": [["OPENAI_API_KEY", "sk-0123456789abcdef"]]}),
        ),
        (
            "/api/secrets/try-in-cluster",
            json!({"key": "OPENAI_API_KEY", "value": "sk-a-value-0123456789"}),
        ),
        ("/api/secrets/adopt", json!({})),
        ("/api/secrets/restart-stale", json!({})),
        ("/api/images/build", json!({"components": []})),
        (
            "/api/deploys/deploy",
            json!({"plan_hash": "any", "prune": false}),
        ),
        (
            "/api/rollouts/steer",
            json!({"component": "backend", "act": "restart"}),
        ),
        (
            "/api/releases/carry-out",
            json!({"wish": {"uninstall": {"keep_history": false}}, "plan_hash": "any"}),
        ),
        (
            "/api/drills/start",
            json!({"wish": {"component": "backend", "faults": ["kill-pod"], "hold_s": 0, "confirm": null}}),
        ),
        ("/api/drills/heal", json!({"component": "backend"})),
        ("/api/live/delete-pod", json!({"uid": "any"})),
        (
            "/api/forwards/open",
            json!({"service": "backend", "port": 8000}),
        ),
        (
            "/api/terminals/open",
            json!({
                "place": {"shell": {"source": {"pod": "any", "container": "any"}}},
                "size": {"columns": 80, "rows": 24},
            }),
        ),
        (
            "/api/approvals/approve",
            json!({"id": "any", "hash": "any"}),
        ),
        ("/api/approvals/undo", json!({"id": "any"})),
        ("/api/handovers/go", json!({"to": "helm", "hash": "any"})),
        ("/api/assistants/apply-agent", json!({"shown": "any"})),
    ])
}

/// What changes nothing there: questions, plans by dry run, and things of this machine alone.
const HARMLESS: &[&str] = &[
    "/api/adopt/look",
    "/api/adopt/preview",
    "/api/adopt/write",
    "/api/approvals/decline",
    "/api/approvals/diff",
    "/api/approvals/propose",
    "/api/approvals/renew",
    "/api/assistants/ask",
    "/api/assistants/configure",
    "/api/assistants/desk",
    "/api/assistants/forget",
    "/api/assistants/open-terminal",
    "/api/assistants/pack",
    "/api/assistants/preview",
    "/api/assistants/remove-prompt",
    "/api/assistants/save-prompt",
    "/api/assistants/stop",
    "/api/audit/search",
    "/api/clusters/use",
    "/api/clusters/allow",
    "/api/clusters/forget",
    "/api/clusters/look",
    "/api/deploys/plan",
    "/api/deploys/stop-planning",
    "/api/deploys/object-diff",
    "/api/forwards/close",
    "/api/handovers/plan",
    "/api/handovers/dismiss",
    "/api/images/builder",
    "/api/images/cancel",
    "/api/live/log-file",
    "/api/live/map",
    "/api/live/object",
    "/api/live/timeline",
    "/api/minikube/act",
    "/api/minikube/create",
    "/api/releases/check",
    "/api/releases/compare",
    "/api/releases/dependencies",
    "/api/releases/plan",
    "/api/releases/plan-save",
    "/api/releases/revision",
    "/api/releases/save",
    "/api/releases/values",
    "/api/revisions/compare",
    "/api/rollouts/history",
    "/api/runs/cancel",
    "/api/runs/log",
    "/api/runs/search",
    "/api/secrets/accept",
    "/api/secrets/ask-pods",
    "/api/secrets/declare",
    "/api/secrets/stop-test",
    "/api/secrets/test",
    "/api/setup/mute",
    "/api/share/link",
    "/api/share/open",
    "/api/share/revoke",
    "/api/setup/recheck",
    "/api/terminals/close",
    "/api/terminals/resize",
    // Into a session that was opened when it was allowed; it asks again.
    "/api/terminals/type",
];

#[tokio::test]
async fn every_server_function_that_changes_something_is_refused_until_the_name_was_typed() {
    let far = Far::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let panel = panel(folder.path(), &far.kubeconfig("10.255.255.1"), None);
    choose(&panel).await;
    assert_eq!(access(&panel), Access::LookOnly);
    let tokens = Arc::new(Tokens::generate().expect("randomness"));
    let site = Site::new(
        Addresses::loopback(4747),
        tokens.clone(),
        panel.core.hub.clone(),
        panel.ports(),
        panel.core.shutdown.clone(),
    );
    let changing = changing();
    let mut refused = 0;
    for (path, _) in leptos::server_fn::axum::server_fn_paths() {
        if HARMLESS.contains(&path) {
            continue;
        }
        let arguments = changing.get(path).cloned().unwrap_or_else(|| json!({}));
        let request = Request::post(path)
            .header(header::HOST, "127.0.0.1:4747")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-slipway", "1")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", tokens.operator()),
            )
            .body(Body::from(arguments.to_string()))
            .expect("a request");
        let answer = site.answer(request).await;
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.contains("REMOTE_CLUSTER_UNCONFIRMED"),
            "{path} is not refused on a cluster that may only be looked at. If it changes nothing there, \
             name it in HARMLESS; if it does, it has to ask ClusterRoom::changeable, and its arguments \
             belong into `changing`. It said: {text}"
        );
        refused += 1;
    }
    assert!(refused >= changing.len(), "{refused} functions were asked");
    // And nothing came through: the project's namespace does not exist.
    let namespaces: KubeApi<Namespace> = KubeApi::all(far.api.cluster.client());
    assert!(
        namespaces
            .get_opt("todo")
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(
        panel
            .deploys
            .run_down(server::deploy::DownScope::Everything)
            .await
            .is_err()
    );
    end(panel).await;
}

#[tokio::test]
async fn the_client_itself_lets_looks_and_dry_runs_through_and_no_change() {
    let far = Far::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let panel = panel(folder.path(), &far.kubeconfig("10.255.255.1"), None);
    choose(&panel).await;
    let client = panel.cluster.current().expect("connected").client.clone();
    let maps: KubeApi<ConfigMap> = KubeApi::namespaced(client, "default");
    maps.list(&Default::default())
        .await
        .expect("looking is free");
    let mut map = ConfigMap::default();
    map.metadata.name = Some("m".into());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    maps.create(&dry, &map).await.expect("trying is free");
    let patch =
        Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}));
    let changes = [
        maps.create(&PostParams::default(), &map).await.map(drop),
        maps.patch("m", &PatchParams::apply("slipway"), &patch)
            .await
            .map(drop),
        maps.delete("m", &DeleteParams::default()).await.map(drop),
    ];
    for change in changes {
        let error = KubeError::from(change.expect_err("a change"));
        assert!(
            error.is_refused_here() && !error.is_unreachable(),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("may only be looked at"),
            "{error}"
        );
    }
    end(panel).await;
}

#[tokio::test]
async fn the_typed_name_is_remembered_for_this_cluster_alone_and_can_be_taken_back() {
    let far = Far::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let near = far.kubeconfig("10.255.255.1");
    let name: app::model::ContextName = "far".parse().expect("a name");
    let key: app::model::SecretKey = "OPENAI_API_KEY".parse().expect("a key");
    let first = panel(folder.path(), &near, None);
    first.spawn();
    choose(&first).await;
    let wrong = first
        .cluster
        .allow_changes(name.clone(), "Far".into())
        .await;
    assert_eq!(
        finding(wrong.expect_err("another name")).code,
        "REMOTE_NAME_DIFFERS"
    );
    assert_eq!(access(&first), Access::LookOnly);
    first
        .cluster
        .allow_changes(name.clone(), "far".into())
        .await
        .expect("its name");
    assert!(matches!(access(&first), Access::Allowed { .. }));
    first
        .secrets
        .set(key.clone(), SecretInput("sk-0123456789abcdef".into()))
        .await
        .expect("allowed");
    end(first).await;

    // Another start remembers it.
    let second = panel(folder.path(), &near, None);
    choose(&second).await;
    assert!(matches!(access(&second), Access::Allowed { .. }));
    second
        .cluster
        .forget_allowance(name.clone())
        .await
        .expect("taken back");
    assert_eq!(access(&second), Access::LookOnly);
    let refused = second.secrets.delete(key.clone()).await;
    assert_eq!(
        finding(refused.expect_err("only looking")).code,
        "REMOTE_CLUSTER_UNCONFIRMED"
    );
    second
        .cluster
        .allow_changes(name, "far".into())
        .await
        .expect("again");
    end(second).await;

    // The same name at another address is another cluster.
    let third = panel(folder.path(), &far.kubeconfig("10.255.255.2"), None);
    choose(&third).await;
    assert_eq!(access(&third), Access::LookOnly);
    end(third).await;
    let other = Far::new().await;
    let fourth = panel(folder.path(), &other.kubeconfig("10.255.255.1"), None);
    choose(&fourth).await;
    assert_eq!(access(&fourth), Access::LookOnly, "another authority");
    let shown = fourth.core.hub.read(|state| state.secrets.clone());
    assert!(
        shown
            .iter()
            .all(|secret| !matches!(secret.state, SecretState::Set { .. }))
    );
    end(fourth).await;
}

#[tokio::test]
async fn a_name_typed_on_the_command_line_counts_and_one_from_a_variable_does_not() {
    let far = Far::new().await;
    for (typed, allowed) in [(false, false), (true, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let panel = panel(
            folder.path(),
            &far.kubeconfig("10.255.255.1"),
            Some(("far", typed)),
        );
        panel.cluster.start_default().await;
        assert_eq!(
            matches!(access(&panel), Access::Allowed { .. }),
            allowed,
            "typed: {typed}"
        );
        end(panel).await;
    }
}
