//! Secrets in a real practice cluster: what is read, what drifts, what is stale, whose it is, and
//! what can be known without the right to look.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use app::model::{
    BINARY_FILE, ClusterChoice, Failure, GoingRuns, PanelState, SecretInput, SecretKey,
    SecretOrigin, SecretOwner, SecretState, SecretView, StepState, ToldBy,
};
use app::ports::{Rollouts, Secrets};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use server::cluster::{ClusterOptions, ClusterRoom};
use server::project::Project;
use server::secrets::SecretsRoom;

use crate::clusters::{self, core, kubeconfig};
use crate::deploy_world::{Setting, World, finding, succeeded, write_project};

fn key(name: &str) -> SecretKey {
    name.parse().expect("a key")
}

fn secret<'a>(state: &'a PanelState, name: &str) -> Option<&'a SecretView> {
    state
        .secrets
        .iter()
        .find(|secret| secret.key.as_str() == name)
}

async fn patch(world: &World, patch: serde_json::Value) {
    let connected = world.cluster.current().expect("connected");
    let api: Api<Secret> = Api::namespaced(connected.client.clone(), "t");
    let params = PatchParams {
        field_manager: Some("kubectl-patch".to_owned()),
        ..PatchParams::default()
    };
    api.patch("t-secrets", &params, &Patch::Merge(&patch))
        .await
        .expect("patched");
}

#[tokio::test]
async fn a_rotated_value_makes_pods_stale_and_one_restart_makes_exactly_those_new() {
    let world = World::prepared().await;
    succeeded(world.deploy().await);
    let is_stale = |state: &PanelState| state.pods.values().any(|pod| pod.stale_secrets);
    world
        .until("a pod with the present value", |state| {
            state.pods.values().any(|pod| pod.ready) && !is_stale(state)
        })
        .await;
    let fresh = world
        .deploys
        .restart_stale()
        .await
        .expect_err("nothing to do");
    assert_eq!(finding(fresh).code, "NOTHING_STALE");
    let before = world.core.hub.read(|state| {
        let users = secret(state, "TOKEN").expect("declared").users.clone();
        assert_eq!(
            (users[0].name.as_str(), users[0].told_by),
            ("app", ToldBy::Manifests)
        );
        state.secrets[0].state.clone()
    });
    world
        .secrets
        .set(
            key("TOKEN"),
            SecretInput("another-secret-value-0815".into()),
        )
        .await
        .expect("rotated");
    world.until("the pod is stale", is_stale).await;
    world.core.hub.read(|state| {
        assert_ne!(
            state.secrets[0].state, before,
            "the old fingerprint is forgotten"
        );
    });
    let run = world.deploys.restart_stale().await.expect("a run");
    succeeded(world.core.runs.wait(run).await);
    world
        .until("new pods with the new value only", |state| {
            state.pods.values().any(|pod| pod.ready) && !is_stale(state)
        })
        .await;
    world.end().await;
}

#[tokio::test]
async fn a_value_changed_elsewhere_is_drift_until_it_is_entered_or_accepted() {
    let world = World::new().await;
    world
        .secrets
        .set(key("TOKEN"), SecretInput("entered-here-4711".into()))
        .await
        .expect("stored");
    patch(
        &world,
        json!({"stringData": {"TOKEN": "changed-elsewhere", "OLD_KEY": "left-behind"}}),
    )
    .await;
    world
        .until("the drift and the key nobody reads are seen", |state| {
            let drifted = matches!(&secret(state, "TOKEN").expect("declared").state,
                SecretState::Drifted { by: Some(by), .. } if by == "kubectl-patch");
            let unused = state.secret_object.iter().flat_map(|object| &object.unused);
            drifted && unused.map(|unused| unused.key.as_str()).eq(["OLD_KEY"])
        })
        .await;
    world.secrets.accept(key("TOKEN")).await.expect("accepted");
    world
        .until("it is right", |state| {
            matches!(
                secret(state, "TOKEN").expect("declared").state,
                SecretState::Set { .. }
            )
        })
        .await;
    world.secrets.delete(key("OLD_KEY")).await.expect("removed");
    world
        .until("nothing is left behind", |state| {
            state
                .secret_object
                .as_ref()
                .is_some_and(|object| object.unused.is_empty())
        })
        .await;
    let unknown = world.secrets.delete(key("NEVER_HEARD_OF")).await;
    assert_eq!(
        finding(unknown.expect_err("unknown")).code,
        "SECRET_UNKNOWN"
    );
    world.end().await;
}

#[tokio::test]
async fn a_key_that_only_the_manifests_read_is_proposed_and_can_be_set() {
    let world = World::new().await;
    let file = world.manifest("app.yaml");
    let text = fs::read_to_string(&file).expect("read");
    let more = "              valueFrom: {secretKeyRef: {name: t-secrets, key: TOKEN}}\n            - name: JWT_SECRET\n              valueFrom: {secretKeyRef: {name: t-secrets, key: JWT_SECRET}}\n";
    let text = text.replace(
        "              valueFrom: {secretKeyRef: {name: t-secrets, key: TOKEN}}\n",
        more,
    );
    fs::write(&file, text).expect("written");
    world
        .until("the key is proposed", |state| {
            secret(state, "JWT_SECRET").is_some_and(|secret| {
                secret.origin == SecretOrigin::Proposed
                    && secret.required
                    && secret.users.len() == 1
            })
        })
        .await;
    world
        .secrets
        .generate(key("JWT_SECRET"))
        .await
        .expect("its name says it can be made up");
    world
        .secrets
        .set_all(vec![
            (key("TOKEN"), SecretInput("one-of-two-4711".into())),
            (
                key("JWT_SECRET"),
                SecretInput("two-of-two-0123456789-0123456789-0123".into()),
            ),
        ])
        .await
        .expect("both");
    let half = world
        .secrets
        .set_all(vec![
            (key("TOKEN"), SecretInput("not-stored-4711".into())),
            (key("JWT_SECRET"), SecretInput("short".into())),
        ])
        .await;
    assert_eq!(
        finding(half.expect_err("one is wrong")).code,
        "SECRET_SHAPE"
    );
    world
        .until("both are set and none drifted", |state| {
            ["TOKEN", "JWT_SECRET"].iter().all(|name| {
                matches!(
                    secret(state, name).expect("known").state,
                    SecretState::Set { .. }
                )
            })
        })
        .await;
    world
        .secrets
        .declare(key("JWT_SECRET"))
        .await
        .expect("written");
    world.core.hub.read(|state| {
        let now = secret(state, "JWT_SECRET").expect("still shown");
        assert_eq!(now.origin, SecretOrigin::Declared);
        assert!(matches!(now.state, SecretState::Set { .. }), "{now:#?}");
    });
    let toml = world.manifest("../slipway.toml");
    let toml = fs::read_to_string(toml).expect("read");
    assert!(toml.ends_with("[[secret]]\nkey = \"JWT_SECRET\"\nkind = \"random\"\n"));
    world.end().await;
}

#[tokio::test]
async fn a_secret_that_is_made_elsewhere_is_left_alone_until_it_is_adopted() {
    let world = World::new().await;
    let value = || SecretInput("entered-here-4711".into());
    world
        .secrets
        .set(key("TOKEN"), value())
        .await
        .expect("stored");
    patch(
        &world,
        json!({"metadata": {"labels": {"reconcile.external-secrets.io/managed": "true"}}}),
    )
    .await;
    world
        .until("its owner is known", |state| {
            matches!(
                state.secret_object.as_ref().map(|object| &object.owner),
                Some(SecretOwner::Controller { adopted: false, .. })
            )
        })
        .await;
    let refused = world.secrets.set(key("TOKEN"), value()).await;
    assert_eq!(
        finding(refused.expect_err("another's")).code,
        "SECRET_OWNED_ELSEWHERE"
    );
    let refused = world.secrets.delete(key("TOKEN")).await;
    assert_eq!(
        finding(refused.expect_err("another's")).code,
        "SECRET_OWNED_ELSEWHERE"
    );
    world.secrets.adopt().await.expect("adopted");
    world
        .until("it is adopted", |state| {
            state
                .secret_object
                .as_ref()
                .is_some_and(|object| object.owner.lets_slipway_write())
        })
        .await;
    world
        .secrets
        .set(key("TOKEN"), value())
        .await
        .expect("adopted");
    world.end().await;
}

/// A ServiceAccount that may write Secrets and not read them.
async fn write_only(api: &clusters::Api) -> String {
    let client = api.cluster.client();
    let params = PostParams::default();
    let made = |value| serde_json::from_value(value).expect("an object");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = json!({"metadata": {"name": "todo"}});
    namespaces
        .create(&params, &made(namespace))
        .await
        .expect("made");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "todo");
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": "writer"}})).expect("an object");
    accounts.create(&params, &account).await.expect("made");
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let role = json!({"metadata": {"name": "writer"}, "rules": [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]}
    ]});
    let role: ClusterRole = serde_json::from_value(role).expect("an object");
    roles.create(&params, &role).await.expect("made");
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    let binding = json!({"metadata": {"name": "writer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "writer"},
        "subjects": [{"kind": "ServiceAccount", "name": "writer", "namespace": "todo"}]});
    let binding: ClusterRoleBinding = serde_json::from_value(binding).expect("an object");
    bindings.create(&params, &binding).await.expect("made");
    let request = TokenRequest {
        spec: Some(TokenRequestSpec::default()),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request("writer", &params, &request)
        .await
        .expect("a token");
    answer
        .status
        .and_then(|status| status.token)
        .expect("a token")
}

#[tokio::test]
async fn without_the_right_to_read_values_go_in_and_what_cannot_be_known_is_said() {
    let api = clusters::Api::start().await;
    let token = write_only(&api).await;
    let credentials = api.credentials();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    let cluster = format!(
        "server: '{}', certificate-authority-data: {}",
        credentials.server, credentials.authority
    );
    fs::write(
        &file,
        kubeconfig("writer", &cluster, &format!("token: {token}")),
    )
    .expect("written");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    let project = Arc::new(Project::load(&example).expect("a project"));
    let core = core(&folder.path().join("state"));
    let options = ClusterOptions {
        kubeconfig: Some(vec![file]),
        ..ClusterOptions::default()
    };
    let cluster = ClusterRoom::new(core.clone(), options);
    let secrets = SecretsRoom::new(core.clone(), project, cluster.clone()).expect("a room");
    let secrets = Arc::new(secrets);
    secrets.spawn();
    let choice = ClusterChoice::Context("writer".parse().expect("a name"));
    cluster
        .choose(choice, GoingRuns::Refuse)
        .await
        .expect("chosen");
    let until = async |what: &str, wanted: &dyn Fn(&PanelState) -> bool| {
        let waiting = core.hub.until(wanted);
        let limit = std::time::Duration::from_secs(60);
        if tokio::time::timeout(limit, waiting).await.is_err() {
            panic!(
                "waited for {what}: {:#?}",
                core.hub
                    .read(|state| (state.secrets.clone(), state.secret_object.clone()))
            );
        }
    };
    until("the refusal is said", &|state| {
        state.secret_object.as_ref().is_some_and(|object| object.unknown.len() == 2)
            && !state.secrets.is_empty()
            && state.secrets.iter().all(|secret| {
                matches!(&secret.state, SecretState::Unknown { why, entered: None } if why.contains("does not let you look"))
            })
    })
    .await;
    let set = async |name: &str, value: &str| -> Result<(), Failure> {
        secrets.set(key(name), SecretInput(value.to_owned())).await
    };
    set("DATABASE_URL", "sqlite:///data/todo.db")
        .await
        .expect("stored unseen");
    set("AUTH_SECRET", &"x".repeat(40))
        .await
        .expect("stored unseen");
    until("what was entered is remembered", &|state| {
        state
            .secrets
            .iter()
            .filter(|secret| secret.required)
            .all(|secret| {
                matches!(
                    secret.state,
                    SecretState::Unknown {
                        entered: Some(_),
                        ..
                    }
                )
            })
    })
    .await;
    let steps = core
        .hub
        .read(|state| server::engine::steps::gates(state, app::model::UnixMillis(0)));
    assert!(
        !matches!(steps[&app::model::StepId::Secrets], StepState::Done { .. }),
        "never green unseen"
    );
    // The API server has both values in one Secret.
    let all: Api<Secret> = Api::namespaced(api.cluster.client(), "todo");
    let data = all
        .get("todo-secrets")
        .await
        .expect("made")
        .data
        .expect("data");
    assert_eq!(data.len(), 2);
    let stored = secrets.test(key("DATABASE_URL"), None).await;
    assert_eq!(finding(stored.expect_err("may not look")).code, "FORBIDDEN");
    core.shutdown.cancel();
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_file_that_is_no_text_arrives_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    write_project(&project, "t");
    let toml = project.join("slipway.toml");
    let text = fs::read_to_string(&toml).expect("read");
    let more = "\n[[secret]]\nkey = \"KEYSTORE\"\nkind = \"file\"\n";
    fs::write(&toml, text + more).expect("written");
    let root = folder.path().to_owned();
    let cluster = None;
    let world = World::open(Setting { root, cluster }).await;
    // Two of these bytes are no UTF-8.
    let value = format!("{BINARY_FILE}AP+AAQIDBAUGBwgJCgsMDQ4P");
    let input = SecretInput(value);
    world
        .secrets
        .set(key("KEYSTORE"), input)
        .await
        .expect("stored");
    let api: Api<Secret> = Api::namespaced(world.client(), "t");
    let secret = api.get("t-secrets").await.expect("there");
    let data = secret.data.expect("data");
    let wanted: Vec<u8> = [0x00, 0xff, 0x80].into_iter().chain(1..=15).collect();
    assert_eq!(data["KEYSTORE"].0, wanted);
    let refused = world
        .secrets
        .set(key("KEYSTORE"), SecretInput(format!("{BINARY_FILE}A")))
        .await
        .expect_err("half a file");
    assert_eq!(finding(refused).code, "SECRET_SHAPE");
    world.end().await;
}
