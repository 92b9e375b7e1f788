//! Layouts as people have them, and what is proposed for each.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use server::adopt::{Limits, propose};

use super::{Sample, component, names, noted, secret};

pub const NODE_LOCK: &str = "{\"lockfileVersion\": 3}";

pub fn compose_with_two_services() -> Sample {
    Sample::new(&[
        (
            "compose.yaml",
            "services:\n  api:\n    build: ./api\n    ports: [\"8080:8000\"]\n    env_file: .env\n    environment:\n      DATABASE_URL: ${DATABASE_URL}\n      LOG_LEVEL: info\n    healthcheck:\n      test: curl -f http://localhost:8000/health\n  web:\n    build: {context: web}\n    ports: [\"3000:3000\"]\n    environment: [\"API_URL=http://api:8000\"]\n  db:\n    image: postgres:16\n",
        ),
        (
            "api/Dockerfile",
            "FROM python:3.12-slim\nCOPY . .\nUSER 10001\nEXPOSE 9999\nCMD [\"uvicorn\", \"main:app\"]\n",
        ),
        (
            "web/Dockerfile",
            "FROM node:22\nWORKDIR /app\nCOPY . .\nUSER node\nEXPOSE 3000\nCMD [\"node\", \"server.js\"]\n",
        ),
        (
            "web/package.json",
            "{\"name\": \"web\", \"dependencies\": {\"next\": \"15\"}, \"scripts\": {\"build\": \"next build\", \"start\": \"next start\"}}",
        ),
        (
            ".env",
            "DATABASE_URL=postgres://ada:hunter2@db/shop\nOPENAI_API_KEY=sk-proj-hunter2hunter2hunter2\n",
        ),
        (
            ".env.example",
            "# From the Neon console\nDATABASE_URL=\nPORT=8000\n",
        ),
    ])
}

pub fn npm_workspaces() -> Sample {
    Sample::new(&[
        (
            "package.json",
            "{\"name\": \"mono\", \"private\": true, \"workspaces\": [\"apps/*\", \"packages/*\"]}",
        ),
        ("package-lock.json", NODE_LOCK),
        (
            "apps/web/package.json",
            "{\"name\": \"@mono/web\", \"dependencies\": {\"next\": \"15\"}, \"scripts\": {\"build\": \"next build\", \"start\": \"next start -p 3100\"}}",
        ),
        (
            "apps/api/package.json",
            "{\"name\": \"@mono/api\", \"dependencies\": {\"express\": \"5\", \"pg\": \"8\"}, \"scripts\": {\"start\": \"node src/index.js\"}}",
        ),
        (
            "apps/api/src/index.js",
            "app.get('/healthz', ok)\napp.get('/ready', ok)\napp.listen(process.env.PORT || 4000)\n",
        ),
        (
            "packages/ui/package.json",
            "{\"name\": \"@mono/ui\", \"dependencies\": {\"react\": \"19\"}}",
        ),
    ])
}

pub fn fastapi_and_next() -> Sample {
    Sample::new(&[
        (
            "backend/requirements.txt",
            "fastapi==0.115\nuvicorn==0.34\npsycopg==3\n",
        ),
        (
            "backend/app/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get(\"/health\")\ndef health(): ...\n@app.get(\"/ready\")\ndef ready(): ...\n",
        ),
        ("backend/.env.example", "DATABASE_URL=\nJWT_SECRET=\n"),
        (
            "frontend/package.json",
            "{\"name\": \"frontend\", \"dependencies\": {\"next\": \"15\"}, \"scripts\": {\"build\": \"next build\", \"start\": \"next start\"}}",
        ),
        ("frontend/package-lock.json", NODE_LOCK),
        (
            "frontend/next.config.mjs",
            "export default { output: 'standalone' }\n",
        ),
        ("frontend/public/logo.svg", "<svg/>"),
        ("frontend/app/page.tsx", "export default () => null\n"),
    ])
}

pub fn cargo_workspace() -> Sample {
    Sample::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("Cargo.lock", "version = 4\n"),
        (
            "crates/api/Cargo.toml",
            "[package]\nname = \"shop-api\"\n[dependencies]\naxum = \"0.8\"\n",
        ),
        (
            "crates/api/src/main.rs",
            "let app = Router::new().route(\"/livez\", get(ok));\nTcpListener::bind(\"0.0.0.0:7000\")\n",
        ),
        (
            "crates/core/Cargo.toml",
            "[package]\nname = \"shop-core\"\n",
        ),
        ("crates/core/src/lib.rs", ""),
        (
            "crates/tool/Cargo.toml",
            "[package]\nname = \"tool\"\n[dependencies]\nclap = \"4\"\n",
        ),
        ("crates/tool/src/main.rs", "fn main() {}\n"),
    ])
}

pub fn go_module() -> Sample {
    Sample::new(&[
        ("go.mod", "module example.com/shop/v2\n\ngo 1.22\n"),
        ("go.sum", ""),
        (
            "cmd/server/main.go",
            "package main\n\nfunc main() {\n\thttp.HandleFunc(\"/healthz\", ok)\n\thttp.ListenAndServe(\":9090\", nil)\n}\n",
        ),
        ("internal/x.go", "package internal\n"),
    ])
}

pub fn static_page() -> Sample {
    Sample::new(&[
        (
            "package.json",
            "{\"name\": \"page\", \"devDependencies\": {\"vite\": \"6\"}, \"scripts\": {\"build\": \"vite build\", \"dev\": \"vite\"}}",
        ),
        ("index.html", "<!doctype html>"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
    ])
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: store}\nspec:\n  selector: {matchLabels: {app: api}}\n  template:\n    metadata: {labels: {app: api}}\n    spec:\n      containers:\n        - name: api\n          image: ghcr.io/acme/store-api:1.2\n          ports: [{containerPort: 8081}]\n          readinessProbe: {httpGet: {path: /ready, port: 8081}}\n          env:\n            - name: DATABASE_URL\n              valueFrom: {secretKeyRef: {name: store-db, key: DATABASE_URL}}\n            - name: SENTRY\n              valueFrom: {secretKeyRef: {name: store-db, key: SENTRY_DSN, optional: true}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: store}\nspec: {type: NodePort, selector: {app: api}, ports: [{port: 80, targetPort: 8081}]}\n";

pub fn manifests_only() -> Sample {
    Sample::new(&[
        ("deploy/api.yaml", DEPLOYMENT),
        (
            "deploy/redis.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: redis, namespace: store}\nspec: {selector: {matchLabels: {app: redis}}, template: {metadata: {labels: {app: redis}}, spec: {containers: [{name: redis, image: 'redis:7'}]}}}\n",
        ),
        ("README.md", "apiVersion kind"),
    ])
}

pub fn chart_only() -> Sample {
    Sample::new(&[
        (
            "helm/store/Chart.yaml",
            "apiVersion: v2\nname: store\nversion: 0.1.0\n",
        ),
        (
            "helm/store/values.yaml",
            "backend:\n  image: {repository: acme/backend, tag: '1'}\n  service: {port: 8000, type: ClusterIP}\nredis:\n  image: {repository: redis, tag: '7'}\nreplicas: 1\n",
        ),
        ("helm/store/values-minikube.yaml", "replicas: 1\n"),
        (
            "helm/store/templates/backend.yaml",
            "env:\n  - name: KEY\n    valueFrom:\n      secretKeyRef:\n        name: store-keys\n        key: OPENAI_API_KEY\nimage: {{ .Values.backend.image.repository }}\n",
        ),
        (
            "helm/store/charts/sub/Chart.yaml",
            "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        ),
    ])
}

#[test]
fn a_compose_file_gives_components_ports_health_and_keys_and_no_value_comes_along() {
    let sample = compose_with_two_services();
    let proposal = sample.propose();
    let draft = &proposal.draft;
    assert_eq!(names(draft), ["api", "web"]);
    let api = component(draft, "api");
    assert_eq!(api.context.value, "api");
    assert_eq!(api.dockerfile.value, "api/Dockerfile");
    assert_eq!(
        api.port.value, "8000",
        "the compose file is stronger than EXPOSE"
    );
    assert_eq!(api.liveness.value, "/health");
    let web = component(draft, "web");
    assert_eq!(
        (web.port.value.as_str(), web.expose.value.as_str()),
        ("3000", "NodePort")
    );
    assert_eq!(web.settings.len(), 1);
    assert!(noted(&proposal, "postgres:16"));
    let url = secret(draft, "DATABASE_URL");
    assert_eq!(url.kind.value, "postgres-url");
    secret(draft, "OPENAI_API_KEY");
    assert!(draft.secrets.iter().all(|one| one.key.value != "PORT"));
    let everything = format!("{proposal:?}{:?}", sample.with_everything(draft).1);
    assert!(!everything.contains("hunter2"), "a value of .env came out");
}

#[test]
fn a_workspace_of_npm_is_built_where_its_lock_file_is() {
    let sample = npm_workspaces();
    let draft = sample.propose().draft;
    assert_eq!(names(&draft), ["api", "web"]);
    let web = component(&draft, "web");
    assert_eq!(
        (web.context.value.as_str(), web.port.value.as_str()),
        (".", "3100")
    );
    let api = component(&draft, "api");
    assert_eq!(api.port.value, "4000");
    assert_eq!(
        (api.liveness.value.as_str(), api.readiness.value.as_str()),
        ("/healthz", "/ready")
    );
    let (_, preview) = sample.with_everything(&draft);
    assert_eq!(preview.problem, None);
    assert!(
        preview
            .toml
            .contains("dockerfile = \"apps/web/Dockerfile\""),
        "{}",
        preview.toml
    );
}

#[test]
fn fastapi_and_next_js_are_two_components() {
    let sample = fastapi_and_next();
    let draft = sample.propose().draft;
    assert_eq!(names(&draft), ["backend", "frontend"]);
    let backend = component(&draft, "backend");
    assert_eq!(
        (backend.port.value.as_str(), backend.liveness.value.as_str()),
        ("8000", "/health")
    );
    assert_eq!(backend.readiness.value, "/ready");
    assert_eq!(component(&draft, "frontend").expose.value, "NodePort");
    let jwt = secret(&draft, "JWT_SECRET");
    assert_eq!(
        (jwt.kind.value.as_str(), jwt.components.value.as_str()),
        ("random", "backend")
    );
    let (_, preview) = sample.with_everything(&draft);
    let dockerfile = &preview
        .offers
        .iter()
        .find(|offer| offer.id == "dockerfile:1")
        .expect("offered")
        .files[0];
    assert!(
        dockerfile.text.contains(".next/standalone"),
        "{}",
        dockerfile.text
    );
}

#[test]
fn in_a_cargo_workspace_only_what_serves_is_a_component() {
    let draft = cargo_workspace().propose().draft;
    assert_eq!(names(&draft), ["api"]);
    let api = component(&draft, "api");
    assert_eq!(
        (api.port.value.as_str(), api.liveness.value.as_str()),
        ("7000", "/livez")
    );
    assert_eq!(api.context.value, ".");
    assert!(
        api.pack_build
            .value
            .contains("--package shop-api --bin shop-api")
    );
    assert_eq!(api.pack_binary.value, "target/release/shop-api");
}

#[test]
fn a_single_dockerfile_in_the_root_is_the_project() {
    let sample = Sample::new(&[
        (
            "Dockerfile",
            "FROM python:3.12-slim\nCOPY requirements.txt .\nCOPY . .\nUSER 10001\nENV PORT=5055\nHEALTHCHECK CMD curl http://localhost:5055/ping\nCMD [\"python\", \"x.py\"]\n",
        ),
        ("requirements.txt", "requests\n"),
        ("Dockerfile.dev", "FROM python:3.12\n"),
    ]);
    let proposal = sample.propose();
    assert_eq!(names(&proposal.draft), ["shop"]);
    let only = component(&proposal.draft, "shop");
    assert_eq!(
        (only.port.value.as_str(), only.liveness.value.as_str()),
        ("5055", "/ping")
    );
    assert_eq!(only.expose.value, "NodePort");
    assert!(noted(&proposal, "Dockerfile.dev"));
}

#[test]
fn a_go_module_with_its_program_in_cmd_is_found() {
    let draft = go_module().propose().draft;
    let only = component(&draft, "shop");
    assert_eq!(
        (only.port.value.as_str(), only.liveness.value.as_str()),
        ("9090", "/healthz")
    );
    assert!(
        only.pack_build.value.ends_with("./cmd/server"),
        "{:?}",
        only.pack_build
    );
}

#[test]
fn manifests_alone_give_what_they_say_and_admit_what_they_do_not() {
    let sample = manifests_only();
    let draft = sample.propose().draft;
    assert_eq!(names(&draft), ["api"], "redis is nobody's component");
    let api = component(&draft, "api");
    assert_eq!(api.image.value, "ghcr.io/acme/store-api");
    assert_eq!(
        (api.port.value.as_str(), api.readiness.value.as_str()),
        ("8081", "/ready")
    );
    assert_eq!(api.expose.value, "NodePort");
    assert!(api.dockerfile.is_empty() && api.dockerfile.why.contains("Nothing here says"));
    assert_eq!(draft.namespace.value, "store");
    assert_eq!(draft.secret.value, "store-db");
    assert_eq!(draft.manifests.value, "deploy");
    assert_eq!(secret(&draft, "SENTRY_DSN").optional.value, "yes");
    assert_eq!(secret(&draft, "DATABASE_URL").components.value, "api");
}

#[test]
fn a_chart_alone_gives_components_from_its_values() {
    let sample = chart_only();
    let draft = sample.propose().draft;
    assert_eq!(draft.chart.value, "helm/store");
    assert_eq!(draft.values.value, "values-minikube.yaml");
    assert_eq!(names(&draft), ["backend"]);
    assert_eq!(component(&draft, "backend").port.value, "8000");
    assert_eq!(draft.secret.value, "store-keys");
    secret(&draft, "OPENAI_API_KEY");
}

#[test]
fn of_several_kustomize_overlays_the_local_one_is_taken() {
    let sample = Sample::new(&[
        ("Dockerfile", "FROM a:1\nEXPOSE 8081\nCMD [\"x\"]\n"),
        ("k8s/base/kustomization.yaml", "resources: [api.yaml]\n"),
        ("k8s/base/api.yaml", DEPLOYMENT),
        (
            "k8s/overlays/prod/kustomization.yaml",
            "resources: [../../base]\n",
        ),
        (
            "k8s/overlays/dev/kustomization.yaml",
            "resources: [../../base]\n",
        ),
    ]);
    let proposal = sample.propose();
    assert_eq!(proposal.draft.manifests.value, "k8s/overlays/dev");
    assert!(noted(&proposal, "k8s/overlays/prod"));
    let api = component(&proposal.draft, "api");
    assert_eq!(
        api.dockerfile.value, "Dockerfile",
        "the one Deployment runs the one image"
    );
}

#[test]
fn dockerfiles_in_odd_places_find_their_context_by_what_they_copy() {
    let sample = Sample::new(&[
        (
            "docker/Dockerfile.api",
            "FROM a:1\nCOPY api/src /src\nCOPY api/main.py /\nEXPOSE 8000\n",
        ),
        (
            "docker/worker.Dockerfile",
            "FROM a:1\nCOPY run.py /\nEXPOSE 8001\n",
        ),
        ("api/main.py", ""),
        ("api/src/x.py", ""),
        ("services/worker/run.py", ""),
    ]);
    let draft = sample.propose().draft;
    assert_eq!(names(&draft), ["api", "worker"]);
    assert_eq!(component(&draft, "api").context.value, ".");
    assert_eq!(component(&draft, "worker").context.value, "services/worker");
}

#[test]
fn manifests_for_two_stages_are_not_deployed_together_and_other_yaml_is_left_out() {
    let sample = Sample::new(&[
        ("Dockerfile", "FROM a:1\nEXPOSE 8081\n"),
        ("deploy/dev/api.yaml", DEPLOYMENT),
        ("deploy/prod/api.yaml", DEPLOYMENT),
        ("deploy/dev/notes.yaml", "just: notes\n"),
    ]);
    let proposal = sample.propose();
    assert_eq!(proposal.draft.manifests.value, "deploy/dev/api.yaml");
    assert!(noted(&proposal, "deploy/prod"));
}

#[test]
fn broken_files_become_notes_and_the_rest_is_found() {
    let sample = Sample::new(&[
        ("compose.yaml", "services: [broken\n  : :"),
        ("package.json", "{not json"),
        ("pyproject.toml", "[[[["),
        ("k8s/a.yaml", "apiVersion: v1\nkind: [\n"),
        ("Dockerfile", "FROM a:1\nEXPOSE 70000 x\nEXPOSE 80\n"),
        ("chart/Chart.yaml", ": : :"),
        ("chart/values.yaml", "{{ nonsense"),
    ]);
    let proposal = sample.propose();
    assert_eq!(names(&proposal.draft), ["shop"]);
    assert!(noted(&proposal, "It is no YAML"));
    assert!(noted(&proposal, "k8s/a.yaml"));
}

#[test]
fn an_empty_folder_says_what_to_do() {
    let sample = Sample::new(&[]);
    let proposal = sample.propose();
    assert!(proposal.draft.components.is_empty());
    assert!(noted(&proposal, "Add a component by hand"));
    let (_, preview) = sample.with_everything(&proposal.draft);
    assert!(preview.problem.is_some(), "a project needs a component");
    let afar = propose(&sample.root().join("not-there"), Limits::default());
    assert!(noted(&afar, "cannot be read"));
}

#[test]
fn a_huge_folder_is_looked_at_within_limits_and_says_so() {
    let sample = Sample::new(&[("Dockerfile", "FROM a:1\nEXPOSE 8000\n")]);
    for folder in 0..60 {
        let path = sample.root().join(format!("data/{folder}"));
        fs::create_dir_all(&path).expect("created");
        for file in 0..50 {
            fs::write(path.join(format!("{file}.yaml")), "x: 1\n").expect("written");
        }
    }
    sample.write(
        "node_modules/left/package.json",
        "{\"scripts\": {\"start\": \"x\"}}",
    );
    sample.write("big.yaml", &"apiVersion: v1\nkind: X\n".repeat(60_000));
    let limits = Limits {
        entries: 1_000,
        ..Limits::default()
    };
    let started = Instant::now();
    let proposal = propose(&sample.root(), limits);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(names(&proposal.draft), ["shop"]);
    assert!(proposal.files_seen <= 1_000);
    assert!(noted(&proposal, "nearest 1000"));
}

#[test]
fn loops_of_links_and_names_that_are_no_text_do_no_harm() {
    let sample = Sample::new(&[("app/Dockerfile", "FROM a:1\nEXPOSE 8000\n")]);
    symlink(sample.root(), sample.root().join("app/up")).expect("linked");
    symlink("/etc", sample.root().join("etc")).expect("linked");
    symlink("self", sample.root().join("self")).expect("linked");
    fs::write(sample.root().join(OsStr::from_bytes(b"bad-\xff.yaml")), "x").expect("written");
    let proposal = sample.propose();
    assert_eq!(names(&proposal.draft), ["app"]);
    assert!(noted(&proposal, "3 symbolic links"));
    assert!(noted(&proposal, "not UTF-8"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_content_of_any_file_makes_it_panic(
        texts in proptest::collection::vec("(FROM|EXPOSE|services:|build:|apiVersion: v1|kind: Deployment|spec:|image:|[\\n \\-:{}\\[\\]\"',=]|[a-z0-9/.]{1,6}|\\PC){0,40}", 9)
    ) {
        let files = ["compose.yaml", "package.json", "pyproject.toml", "Cargo.toml", "go.mod", "k8s/a.yaml", "chart/Chart.yaml", ".env", "Dockerfile"];
        let pairs: Vec<(&str, &str)> = files.iter().copied().zip(texts.iter().map(String::as_str)).collect();
        let sample = Sample::new(&pairs);
        let proposal = sample.propose();
        sample.with_everything(&proposal.draft);
    }
}
