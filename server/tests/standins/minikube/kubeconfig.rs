//! The kubeconfig as minikube writes it: cluster, user and context are called like the profile and
//! carry its extension.

use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use super::Call;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kubeconfig {
    Configured,
    Misconfigured,
}

/// The first file of `KUBECONFIG`, else `~/.kube/config`.
fn path() -> PathBuf {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    std::env::split_paths(&listed)
        .find(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".kube/config")
        })
}

fn read(path: &Path) -> Value {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_yaml::from_str(&text).ok())
        .filter(Value::is_mapping)
        .unwrap_or_else(|| Value::Mapping(Mapping::new()))
}

fn save(config: &Value) {
    let path = path();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("made");
    }
    // Whoever reads meanwhile sees the old file or the new one.
    let fresh = path.with_extension("standin");
    fs::write(&fresh, serde_yaml::to_string(config).expect("YAML")).expect("written");
    fs::rename(fresh, path).expect("renamed");
}

/// API server and credentials of the scenario's kubeconfig, or of nobody.
fn lent(call: &Call) -> (Value, Value) {
    let nobody = || {
        (
            serde_yaml::from_str("server: https://127.0.0.1:1").expect("YAML"),
            Value::Mapping(Mapping::new()),
        )
    };
    let Some(path) = &call.scenario.api_kubeconfig else {
        return nobody();
    };
    let config = read(path);
    let first = |list: &str, key: &str| config.get(list)?.get(0)?.get(key).cloned();
    match (first("clusters", "cluster"), first("users", "user")) {
        (Some(cluster), Some(user)) => (cluster, user),
        _ => nobody(),
    }
}

fn entry<'a>(config: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    config
        .get(list)?
        .as_sequence()?
        .iter()
        .find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))
}

/// Whether the context of this profile points at its API server.
pub fn state(call: &Call, name: &str) -> Kubeconfig {
    let config = read(&path());
    let server = entry(&config, "clusters", name).and_then(|entry| entry["cluster"].get("server"));
    match server {
        Some(server) if Some(server) == lent(call).0.get("server") => Kubeconfig::Configured,
        _ => Kubeconfig::Misconfigured,
    }
}

pub fn current(_call: &Call) -> Option<String> {
    Some(read(&path()).get("current-context")?.as_str()?.to_owned())
}

/// `stop` unsets the current context if it was this one.
pub fn forget_current(call: &Call, name: &str) {
    if current(call).as_deref() == Some(name) {
        let mut config = read(&path());
        config["current-context"] = "".into();
        save(&config);
    }
}

pub fn write(call: &Call, name: &str) {
    let (mut cluster, user) = lent(call);
    let extension = |extension: &str| -> Value {
        serde_yaml::from_str(&format!(
            "- name: {extension}\n  extension:\n    last-update: Fri, 20 Feb 2026 10:00:00 UTC\n    provider: minikube.sigs.k8s.io\n    version: {}\n",
            call.scenario.version
        ))
        .expect("YAML")
    };
    cluster["extensions"] = extension("cluster_info");
    let mut context: Value = serde_yaml::from_str(&format!(
        "cluster: {name}\nuser: {name}\nnamespace: default"
    ))
    .expect("YAML");
    context["extensions"] = extension("context_info");
    let mut config = without(read(&path()), name);
    config["apiVersion"] = "v1".into();
    config["kind"] = "Config".into();
    for (list, key, value) in [
        ("clusters", "cluster", cluster),
        ("contexts", "context", context),
        ("users", "user", user),
    ] {
        let mut entry = Mapping::new();
        entry.insert("name".into(), name.into());
        entry.insert(key.into(), value);
        if !config[list].is_sequence() {
            config[list] = Value::Sequence(Vec::new());
        }
        if let Some(list) = config[list].as_sequence_mut() {
            list.push(Value::Mapping(entry));
        }
    }
    if !call.args.has("keep-context") {
        config["current-context"] = name.into();
    }
    save(&config);
}

pub fn remove(call: &Call, name: &str) {
    forget_current(call, name);
    save(&without(read(&path()), name));
}

fn without(mut config: Value, name: &str) -> Value {
    for list in ["clusters", "contexts", "users"] {
        if let Some(entries) = config.get_mut(list).and_then(Value::as_sequence_mut) {
            entries.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
        }
    }
    config
}
