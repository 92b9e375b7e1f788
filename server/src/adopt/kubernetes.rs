//! Manifests, kustomize folders and charts: where they are, which workloads they have, and which
//! Secrets these read.

mod charts;
mod manifests;

use app::model::{Guess, Note};

use super::tree::Tree;

/// Folders of overlays, the most local first.
const LOCAL: [&str; 6] = ["minikube", "local", "dev", "development", "base", "default"];

/// A Deployment or its like.
#[derive(Clone, Debug)]
pub struct Workload {
    pub name: String,
    /// The repository of its first container, without a tag.
    pub image: String,
    pub source: String,
    pub port: Option<Guess>,
    pub startup: Option<Guess>,
    pub liveness: Option<Guess>,
    pub readiness: Option<Guess>,
    /// The type of the Service in front of it.
    pub service: Option<Guess>,
}

/// A key that a workload reads from a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    pub secret: String,
    pub key: String,
    pub optional: bool,
    /// The workload's name; none where it could not be told.
    pub workload: Option<String>,
    pub source: String,
}

#[derive(Debug, Default)]
pub struct Found {
    pub manifests: Option<Guess>,
    pub chart: Option<Guess>,
    pub values: Option<Guess>,
    pub namespace: Option<Guess>,
    pub workloads: Vec<Workload>,
    pub reads: Vec<Read>,
    pub notes: Vec<Note>,
}

/// Reads all there is.
pub fn find(tree: &Tree) -> Found {
    let mut found = Found::default();
    let charts = charts::charts(tree, &mut found);
    let objects = manifests::objects(tree, &charts, &mut found);
    let chosen = manifests::choose(tree, &objects, &charts, &mut found);
    manifests::workloads(&objects, &chosen, &mut found);
    found
}

fn repository(image: &str) -> String {
    practice::images::repository(image).to_owned()
}

/// Whether an image is a well-known program that nobody builds for a project.
pub fn is_infrastructure(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    [
        "postgres",
        "postgresql",
        "pgvector",
        "redis",
        "valkey",
        "mysql",
        "mariadb",
        "mongo",
        "mongodb",
        "nginx",
        "traefik",
        "rabbitmq",
        "kafka",
        "zookeeper",
        "memcached",
        "minio",
        "elasticsearch",
        "opensearch",
        "kibana",
        "grafana",
        "prometheus",
        "loki",
        "jaeger",
        "busybox",
        "alpine",
        "adminer",
        "pgadmin4",
        "mailhog",
        "mailpit",
        "keycloak",
        "vault",
        "consul",
        "haproxy",
        "caddy",
        "envoy",
        "localstack",
        "nats",
        "clickhouse-server",
        "qdrant",
        "weaviate",
        "ollama",
    ]
    .contains(&name)
}
