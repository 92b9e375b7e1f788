//! What the workloads read from the project's Secret, by the manifests, the rendered chart and the
//! objects in the cluster; and the settings beside it that say where a key is meant for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use app::model::{
    ApiProvider, SecretKey, SecretKind, SecretOrigin, SecretUser, SecretView, ToldBy,
};
use serde_json::Value;
use walkdir::WalkDir;

use super::SecretsRoom;
use super::reads::SecretRead;
use crate::deploy::manifests;
use crate::deploy::templates::{pod_spec, reads};
use crate::project::{ProjectSpec, SecretSpec};

/// How often the files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// More files than this are no manifests.
const MOST_FILES: usize = 2_000;
const PROPOSED_LENGTH: u32 = 32;

/// Everything that reads the project's Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    readers: Vec<Reader>,
    /// Settings that are no secrets, by variable: ConfigMaps and plain values.
    pub settings: BTreeMap<String, String>,
    /// What could not be read.
    pub unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reader {
    kind: String,
    name: String,
    told_by: ToldBy,
    read: SecretRead,
}

impl References {
    /// Takes in the objects of one source.
    pub fn add(&mut self, told_by: ToldBy, secret: &str, objects: &[&Value]) {
        for object in objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
            if kind == "ConfigMap" {
                for (key, value) in object["data"].as_object().into_iter().flatten() {
                    self.settings.insert(key.clone(), text(value));
                }
            }
            for read in reads(object)
                .into_iter()
                .filter(|read| read.secret == secret)
            {
                self.readers.push(Reader {
                    kind: kind.clone(),
                    name: name.clone(),
                    told_by,
                    read,
                });
            }
            let Some(spec) = pod_spec(object) else {
                continue;
            };
            for env in spec
                .containers
                .iter()
                .flat_map(|one| one.env.iter().flatten())
            {
                if let Some(value) = &env.value {
                    self.settings.insert(env.name.clone(), value.clone());
                }
            }
        }
        self.readers.sort();
        self.readers.dedup();
    }

    /// Who reads this key; each workload once, told by the best source.
    pub fn users(&self, key: &str) -> Vec<SecretUser> {
        let mut users: Vec<SecretUser> = Vec::new();
        for reader in &self.readers {
            let is_it = reader.read.key.as_deref().is_none_or(|read| read == key);
            let known = users
                .iter()
                .any(|user| user.kind == reader.kind && user.name == reader.name);
            if is_it && !known {
                users.push(SecretUser {
                    kind: reader.kind.clone(),
                    name: reader.name.clone(),
                    optional: reader.read.optional,
                    takes_all: reader.read.key.is_none(),
                    told_by: reader.told_by,
                });
            }
        }
        users
    }

    /// The keys that are read by name, with whether a pod cannot start without them.
    pub fn keys(&self) -> BTreeMap<&str, bool> {
        let mut keys = BTreeMap::new();
        for reader in &self.readers {
            if let Some(key) = &reader.read.key {
                *keys.entry(key.as_str()).or_insert(false) |= !reader.read.optional;
            }
        }
        keys
    }

    /// Secrets that are read and that `slipway.toml` does not name, as they could be named.
    pub fn proposed(&self, project: &ProjectSpec) -> Vec<SecretSpec> {
        self.keys()
            .into_iter()
            .filter_map(|(key, required)| Some((key.parse::<SecretKey>().ok()?, required)))
            .filter(|(key, _)| !project.secrets.iter().any(|secret| secret.key == *key))
            .map(|(key, required)| {
                let names: BTreeSet<String> = self
                    .users(key.as_str())
                    .into_iter()
                    .map(|user| user.name)
                    .collect();
                SecretSpec {
                    label: label_of(key.as_str()),
                    help: format!(
                        "{} reads it; slipway.toml does not name it.",
                        names.into_iter().collect::<Vec<_>>().join(" and ")
                    ),
                    kind: kind_of(key.as_str()),
                    optional: !required,
                    components: Vec::new(),
                    rehearsal: None,
                    test_url: None,
                    key,
                }
            })
            .collect()
    }
}

/// What a key's name says about its value.
fn kind_of(key: &str) -> SecretKind {
    let key = key.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
    let ends = |words: &[&str]| words.iter().any(|word| key.ends_with(word));
    if ends(&["_URL", "_URI", "_DSN", "_CONNECTION_STRING"]) {
        return match has(&["DATABASE", "POSTGRES", "PG_", "DB_"]) {
            true => SecretKind::PostgresUrl,
            false => SecretKind::Url,
        };
    }
    if ends(&["_API_KEY", "_APIKEY", "_TOKEN"]) {
        return SecretKind::ApiKey { provider: None };
    }
    if ends(&[
        "_PEM",
        "_CERT",
        "_CRT",
        "_PRIVATE_KEY",
        "_JSON",
        "_CREDENTIALS",
    ]) {
        return SecretKind::MultiLine;
    }
    if ends(&[
        "_SECRET",
        "_SALT",
        "SECRET_KEY",
        "_SIGNING_KEY",
        "_ENCRYPTION_KEY",
    ]) {
        return SecretKind::Random {
            min_length: PROPOSED_LENGTH,
        };
    }
    SecretKind::Text
}

/// `AUTH_SECRET` as people write it: `Auth secret`.
fn label_of(key: &str) -> String {
    const LETTERS: [&str; 7] = ["url", "api", "db", "jwt", "pem", "smtp", "id"];
    let words: Vec<String> = key
        .split('_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .map(|word| match LETTERS.contains(&word.as_str()) {
            true => word.to_ascii_uppercase(),
            false => word,
        })
        .collect();
    let text = words.join(" ");
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}", first.to_ascii_uppercase(), characters.as_str()),
        None => key.to_owned(),
    }
}

/// A view of a secret nobody has looked for yet.
pub(super) fn unseen(
    spec: &SecretSpec,
    origin: SecretOrigin,
    users: Vec<SecretUser>,
) -> SecretView {
    let provider = match &spec.kind {
        SecretKind::ApiKey { provider } => {
            provider.or_else(|| ApiProvider::of_key_name(spec.key.as_str()))
        }
        _ => None,
    };
    SecretView {
        label: spec.label.clone(),
        help: match (spec.help.is_empty(), provider) {
            (true, Some(provider)) => provider.where_to_get().to_owned(),
            (true, None) => where_to_get(&spec.kind).to_owned(),
            (false, _) => spec.help.clone(),
        },
        kind: spec.kind.clone(),
        required: !spec.optional,
        components: spec.components.clone(),
        rehearsal: spec.rehearsal.clone(),
        origin,
        users,
        ..SecretView::of_key(spec.key.clone())
    }
}

fn where_to_get(kind: &SecretKind) -> &'static str {
    match kind {
        SecretKind::PostgresUrl => {
            "The connection string with its password: in Neon, open the project and press Connect."
        }
        SecretKind::Random { .. } => "Slipway can make one.",
        _ => "",
    }
}

impl SecretsRoom {
    /// Reads manifests and chart whenever one of their files has changed.
    pub(super) async fn keep_reading_references(self: &Arc<Self>) {
        let mut seen = None;
        loop {
            let roots = self.roots();
            let now = tokio::task::spawn_blocking(move || stamp(&roots)).await;
            let now = now.unwrap_or_default();
            if seen.as_ref() != Some(&now) {
                seen = Some(now);
                self.read_references().await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn roots(&self) -> Vec<PathBuf> {
        let spec = self.project.spec();
        spec.deploy
            .manifests
            .iter()
            .chain(&spec.deploy.chart)
            .chain(&spec.deploy.values)
            .map(|path| self.project.path(path))
            .collect()
    }

    async fn read_references(&self) {
        let spec = self.project.spec();
        let mut found = References::default();
        if !spec.deploy.manifests.is_empty() {
            let roots = spec.deploy.manifests.iter();
            let roots = roots.map(|shown| (self.project.path(shown), shown.clone()));
            let reading = manifests::read_all(roots.collect()).await;
            let objects: Vec<&Value> = reading.manifests.iter().map(|one| &one.object).collect();
            found.add(ToldBy::Manifests, &spec.secret_name, &objects);
        }
        if spec.deploy.chart.is_some()
            && let Some(chart) = self.chart.get().and_then(Weak::upgrade)
        {
            match chart.rendered().await {
                Ok((_, objects)) => {
                    let objects: Vec<&Value> = objects.iter().collect();
                    // The settings of the manifests count: both say the same, or the manifests are
                    // what is deployed.
                    let known = found.settings.clone();
                    found.add(ToldBy::Chart, &spec.secret_name, &objects);
                    found.settings.extend(known);
                }
                // Whoever has manifests as well may never want the chart.
                Err(_) if !spec.deploy.manifests.is_empty() => {}
                Err(_) => found.unknown.push(
                    "What the chart's workloads read is not known: helm could not render it."
                        .to_owned(),
                ),
            }
        }
        self.references.send_replace(found);
        self.publish(&self.voice());
    }

    /// Takes in what the workloads in the cluster read now.
    pub fn saw_workloads<'a>(&self, objects: impl Iterator<Item = &'a Value>) {
        let spec = self.project.spec();
        let objects: Vec<&Value> = objects
            // Pods and ReplicaSets say what their owners say.
            .filter(|object| object["metadata"]["ownerReferences"][0].is_null())
            .collect();
        let mut found = References::default();
        found.add(ToldBy::Cluster, &spec.secret_name, &objects);
        let changed = self.workloads.send_if_modified(|known| {
            let changed = *known != found;
            *known = found;
            changed
        });
        if changed {
            self.publish(&self.voice());
        }
    }

    /// Files and cluster together.
    pub(super) fn all_references(&self) -> References {
        let mut all = self.references.borrow().clone();
        let live = self.workloads.borrow().clone();
        // The first one to name a workload is the one that is told: the files before the cluster.
        all.readers.extend(live.readers);
        for (key, value) in live.settings {
            all.settings.entry(key).or_insert(value);
        }
        all
    }
}

/// Changes whenever a file below the roots does.
fn stamp(roots: &[PathBuf]) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    roots
        .iter()
        .flat_map(|root| WalkDir::new(root).sort_by_file_name())
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .take(MOST_FILES)
        .map(|entry| {
            let metadata = entry.metadata().ok();
            let modified = metadata.as_ref().and_then(|one| one.modified().ok());
            let size = metadata.map_or(0, |one| one.len());
            (entry.into_path(), size, modified)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(name: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"name": "a", "env": [
            {"name": "OPENAI_MODEL", "value": "m"},
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "DATABASE_URL"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "JWT_SECRET", "optional": true}}},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "other", "key": "X"}}}
        ]}]}}}})
    }

    #[test]
    fn what_is_read_and_not_named_is_proposed_with_a_kind() {
        let mut references = References::default();
        let config = json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"OPENAI_BASE_URL": "http://h"}});
        references.add(ToldBy::Manifests, "s", &[&deployment("web"), &config]);
        references.add(
            ToldBy::Chart,
            "s",
            &[&deployment("web"), &deployment("job")],
        );
        assert_eq!(
            references.keys(),
            BTreeMap::from([("DATABASE_URL", true), ("JWT_SECRET", false)])
        );
        assert_eq!(references.settings["OPENAI_BASE_URL"], "http://h");
        assert_eq!(references.settings["OPENAI_MODEL"], "m");
        let users = references.users("DATABASE_URL");
        let named: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(named, ["job", "web"]);
        assert_eq!(users[1].told_by, ToldBy::Manifests);
        let project = ProjectSpec {
            name: "p".into(),
            namespace: "p".parse().expect("a name"),
            secret_name: "s".into(),
            registry: None,
            components: vec![],
            secrets: vec![],
            deploy: Default::default(),
        };
        let proposed = references.proposed(&project);
        assert_eq!(proposed.len(), 2);
        assert_eq!(proposed[0].kind, SecretKind::PostgresUrl);
        assert_eq!(proposed[1].label, "JWT secret");
        assert!(proposed[1].optional && !proposed[0].optional);
        assert!(matches!(proposed[1].kind, SecretKind::Random { .. }));
    }

    #[test]
    fn names_of_keys_speak_of_their_kind() {
        for (key, kind) in [
            ("REDIS_URL", SecretKind::Url),
            ("OPENAI_API_KEY", SecretKind::ApiKey { provider: None }),
            ("TLS_PRIVATE_KEY", SecretKind::MultiLine),
            ("PASSWORD", SecretKind::Text),
        ] {
            assert_eq!(kind_of(key), kind, "{key}");
        }
    }
}
