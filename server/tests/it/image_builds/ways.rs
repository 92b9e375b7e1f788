//! How images get into clusters that are not minikube: kind, k3d, a desktop program's daemon, and a
//! registry.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use app::model::{ImageState, NextAction, Outcome};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::OK;
use super::world::{Cli, Place, World, in_cluster, name};

impl World {
    async fn on_context(context: &str) -> Option<Self> {
        let place = Place::Context {
            name: context,
            registry: None,
        };
        Self::on(Cli::WithBuildx, &["backend"], OK, "", &place).await
    }

    /// What happens in the nodes from now on.
    fn nodes(&self, scenario: &Value) {
        let path = self.machine.at("nodes/scenario.json");
        fs::write(path, scenario.to_string()).expect("written");
    }

    fn node_calls(&self) -> String {
        fs::read_to_string(self.machine.at("nodes/calls.log")).unwrap_or_default()
    }

    fn proof(&self) -> String {
        self.read(|state| state.images[0].proof.clone())
    }

    /// The pods that look for an image; none must stay.
    async fn pods(&self) -> Vec<String> {
        let pods: Api<Pod> = Api::all(self.client());
        let listed = pods.list(&kube::api::ListParams::default()).await;
        let pods = listed.expect("a list").items.into_iter();
        pods.filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| pod.metadata.name)
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kind_gets_an_archive_and_every_node_is_asked_for_the_image() {
    let Some(world) = World::on_context("kind-dev").await else {
        return;
    };
    let outcome = world.build().await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let calls = world.node_calls();
    assert!(calls.contains("kind load image-archive"), "{calls}");
    assert!(calls.contains("crictl images --output json"), "{calls}");
    assert!(!calls.contains("--platform"), "{calls}");
    let proof = world.proof();
    assert!(proof.contains("the node's runtime"), "{proof}");

    // Another image under that name in the nodes is not this one.
    let image = world.room.proven(&name("backend")).expect("proved");
    let listed = json!({"images": [{"id": format!("sha256:{}", "e".repeat(64)),
        "repoTags": [practice::images::normalize(&image.reference)], "repoDigests": []}]});
    fs::write(world.machine.at("nodes/images.json"), listed.to_string()).expect("written");
    world.room.recheck();
    world
        .until("the loss is noticed", |state| {
            let state = &state.images[0].state;
            matches!(state, ImageState::NotInCluster { lost: Some(_), .. })
        })
        .await;

    world.nodes(&json!({"load": "fail"}));
    let finding = world.refused().await;
    assert_eq!(finding.code, "IMAGE_LOAD_FAILED");
    let told = format!("{finding:?}");
    assert!(told.contains("no nodes found for cluster"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k3d_is_not_believed_when_it_says_that_it_imported() {
    let Some(world) = World::on_context("k3d-dev").await else {
        return;
    };
    let outcome = world.build().await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert!(world.node_calls().contains("k3d image import"));
    // Exit code 0, and the nodes have nothing.
    world.nodes(&json!({"load": "silently-not"}));
    let finding = world.refused().await;
    assert_eq!(finding.code, "IMAGE_NOT_IN_CLUSTER");
    assert!(!world.read(|state| in_cluster(state, "backend")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_another_processor_than_the_daemon_are_built_for() {
    let Some(world) = World::on_context("kind-dev").await else {
        return;
    };
    let ours = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    world.nodes(&json!({"daemon_arch": "riscv64"}));
    let run = world.start().await;
    let outcome = world.ended(run).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let calls = world.node_calls();
    assert!(
        calls.contains(&format!("--platform linux/{ours} ")),
        "{calls}"
    );
    let log = world.log(run).await;
    assert!(log.contains(&format!("Built for linux/{ours}")), "{log}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_shared_with_a_desktop_program_is_proved_by_a_pod_that_starts_nothing() {
    let Some(world) = World::on_context("docker-desktop").await else {
        return;
    };
    // The cluster keeps images of its own after all: the pod says so.
    let finding = match world.build().await {
        Outcome::Failed { finding } => *finding,
        other => panic!("the cluster does not see the daemon's images: {other:?}"),
    };
    assert_eq!(finding.code, "IMAGE_NOT_IN_CLUSTER");
    assert!(finding.why.contains("ErrImageNeverPull"), "{}", finding.why);
    assert_eq!(world.pods().await, Vec::<String>::new());

    let reference = world.read(|state| match &state.images[0].state {
        ImageState::NotInCluster { image, .. } => image.reference.clone(),
        other => panic!("{other:?}"),
    });
    let archive = world.machine.at("image.tar");
    let path = archive.display().to_string();
    world
        .engine
        .docker(&["image", "save", "--output", &path, &reference]);
    world.store.import_archive(&archive).expect("imported");
    let outcome = world.build().await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert!(
        world.proof().contains("a pod found it"),
        "{}",
        world.proof()
    );
    assert!(world.read(|state| in_cluster(state, "backend")));
    assert_eq!(world.pods().await, Vec::<String>::new());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_a_registry_is_named_by_the_digest_the_registry_gave() {
    let registry = Registry::start().await;
    let place = Place::Context {
        name: "somewhere",
        registry: Some(&registry.address),
    };
    let Some(world) = World::on(Cli::WithBuildx, &["backend"], OK, "", &place).await else {
        return;
    };
    // A practice cluster pulls from nowhere, so that is where it ends, and that is told.
    let finding = match world.build().await {
        Outcome::Failed { finding } => *finding,
        other => panic!("nothing is pulled here: {other:?}"),
    };
    assert_eq!(finding.code, "IMAGE_NOT_IN_CLUSTER");
    assert!(finding.why.contains("ImagePullBackOff"), "{}", finding.why);
    assert_eq!(world.pods().await, Vec::<String>::new());
    let image = world.read(|state| match &state.images[0].state {
        ImageState::NotInCluster { image, .. } => image.clone(),
        other => panic!("{other:?}"),
    });
    let (tagged, digest) = image.reference.split_once('@').expect("by digest");
    assert!(tagged.starts_with(&format!("{}/t-backend:", registry.address)));
    let manifest = registry.manifest(digest).expect("it was pushed");
    assert_eq!(manifest["config"]["digest"], image.id);

    registry.refuse();
    let finding = world.refused().await;
    assert_eq!(finding.code, "IMAGE_PUSH_FAILED");
    assert!(
        matches!(&finding.next[0], NextAction::Command { command, .. }
            if *command == format!("docker login {}", registry.address)),
        "{finding:?}"
    );
    world.end().await;
}

/// As much of the registry protocol as `docker push` needs, kept in memory.
struct Registry {
    address: String,
    kept: Kept,
}

type Kept = Arc<Mutex<Shelf>>;

#[derive(Default)]
struct Shelf {
    /// Blobs and manifests, and by `upload-…` what is still coming.
    by_digest: BTreeMap<String, Vec<u8>>,
    uploads: usize,
    refuses: bool,
}

impl Registry {
    async fn start() -> Self {
        let kept = Kept::default();
        let app = axum::Router::new()
            .route("/v2/", axum::routing::any(ping))
            .route("/v2/{*path}", axum::routing::any(answer))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&kept));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, kept }
    }

    fn manifest(&self, digest: &str) -> Option<Value> {
        let shelf = lock(&self.kept);
        serde_json::from_slice(shelf.by_digest.get(digest)?).ok()
    }

    fn refuse(&self) {
        lock(&self.kept).refuses = true;
    }
}

fn lock(kept: &Kept) -> std::sync::MutexGuard<'_, Shelf> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ping(state: State<Kept>, method: Method, uri: axum::http::Uri) -> Response {
    let refuses = lock(&state.0).refuses;
    match refuses {
        true => answer(state, method, Path(String::new()), uri, Bytes::new()).await,
        false => "{}".into_response(),
    }
}

/// `NAME/blobs/DIGEST`, `NAME/blobs/uploads/…` and `NAME/manifests/TAG`.
async fn answer(
    State(kept): State<Kept>,
    method: Method,
    Path(path): Path<String>,
    uri: axum::http::Uri,
    body: Bytes,
) -> Response {
    let mut shelf = lock(&kept);
    if shelf.refuses {
        let basic = [("www-authenticate", "Basic realm=\"team\"")];
        return (StatusCode::UNAUTHORIZED, basic).into_response();
    }
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let location = format!("/v2/{path}");
    match (
        method.as_str(),
        path.contains("/uploads/"),
        path.contains("/manifests/"),
    ) {
        ("HEAD" | "GET", false, _) => match shelf.by_digest.get(&last) {
            Some(bytes) => ([("docker-content-digest", last)], bytes.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        // One upload at a time for each blob: its bytes come with PATCH, its digest with PUT.
        ("POST", true, _) => {
            shelf.uploads += 1;
            let id = shelf.uploads;
            let location = format!("/v2/{}upload-{id}", path);
            (
                StatusCode::ACCEPTED,
                [("location", location), ("range", "0-0".into())],
            )
                .into_response()
        }
        ("PATCH", true, _) => {
            let upload = shelf.by_digest.entry(last).or_default();
            upload.extend(&body);
            let range = format!("0-{}", upload.len().saturating_sub(1));
            (
                StatusCode::ACCEPTED,
                [("location", location), ("range", range)],
            )
                .into_response()
        }
        ("PUT", true, _) => {
            let mut bytes = shelf.by_digest.remove(&last).unwrap_or_default();
            bytes.extend(&body);
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
            let asked = uri.query().unwrap_or_default().replace("%3A", ":");
            assert!(asked.contains(&digest), "{asked} is not {digest}");
            shelf.by_digest.insert(digest.clone(), bytes);
            (StatusCode::CREATED, [("docker-content-digest", digest)]).into_response()
        }
        ("PUT", _, true) => {
            shelf.by_digest.insert(digest.clone(), body.to_vec());
            (StatusCode::CREATED, [("docker-content-digest", digest)]).into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
