//! Which contexts there are and what each turns out to be.
//! Reads like kubectl, except that a missing or broken file costs only that file.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use app::model::{ClusterKind, ContextName};
use kube::config::{Kubeconfig, NamedExtension};
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

/// A context as the kubeconfig has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRow {
    pub name: ContextName,
    pub kind: ClusterKind,
    pub server: String,
    pub current: bool,
    /// Its credentials come from a program; asking such a cluster may open a login window.
    pub runs_program: bool,
    /// Which certificate authority proves the server: a digest of it, or why there is none.
    pub authority: String,
}

/// The kubeconfig files in use, in kubectl's order of precedence.
pub fn paths() -> Vec<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).collect::<Vec<_>>())
        .unwrap_or_default();
    let listed: Vec<PathBuf> = listed
        .into_iter()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    directories::BaseDirs::new()
        .map(|dirs| vec![dirs.home_dir().join(".kube").join("config")])
        .unwrap_or_default()
}

/// What the variable `KUBECONFIG` must hold for a tool to see the same contexts.
pub fn variable(paths: &[PathBuf]) -> OsString {
    std::env::join_paths(paths).unwrap_or_else(|_| {
        paths
            .first()
            .map(|path| path.clone().into_os_string())
            .unwrap_or_default()
    })
}

/// Reads and merges the files. What could not be read is told beside what could.
pub fn read(paths: &[PathBuf]) -> (Kubeconfig, Vec<String>) {
    let mut merged = Kubeconfig::default();
    let mut problems = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        match read_one(path).and_then(|next| {
            merged
                .clone()
                .merge(next)
                .map_err(|error| error.to_string())
        }) {
            Ok(more) => merged = more,
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    (merged, problems)
}

fn read_one(path: &Path) -> Result<Kubeconfig, String> {
    Kubeconfig::read_from(path).map_err(|error| error.to_string())
}

/// All contexts, in the file's order. A context without a cluster is left out: nothing can use it.
pub fn contexts(config: &Kubeconfig) -> Vec<ContextRow> {
    config
        .contexts
        .iter()
        .filter_map(|named| {
            let context = named.context.as_ref()?;
            let cluster = config
                .clusters
                .iter()
                .find(|cluster| cluster.name == context.cluster)?
                .cluster
                .as_ref()?;
            let runs_program = context.user.as_ref().is_some_and(|user| {
                config
                    .auth_infos
                    .iter()
                    .filter(|named| &named.name == user)
                    .filter_map(|named| named.auth_info.as_ref())
                    .any(|auth| auth.exec.is_some() || auth.auth_provider.is_some())
            });
            let server = cluster.server.clone().unwrap_or_default();
            let kind = minikube_profile(&cluster.extensions, &named.name)
                .or_else(|| minikube_profile(&context.extensions, &named.name))
                .unwrap_or_else(|| kind_by_name(&named.name, &server));
            Some(ContextRow {
                name: named.name.parse().ok()?,
                kind,
                server,
                current: config.current_context.as_deref() == Some(named.name.as_str()),
                runs_program,
                authority: authority(cluster),
            })
        })
        .collect()
}

fn authority(cluster: &kube::config::Cluster) -> String {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return "not verified".to_owned();
    }
    let bytes = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => data.trim().as_bytes().to_vec(),
        (None, Some(path)) => std::fs::read(path).unwrap_or_default(),
        (None, None) => return "the system's".to_owned(),
    };
    hex::encode(Sha256::digest(bytes))
}

fn minikube_profile(
    extensions: &Option<Vec<NamedExtension>>,
    context: &str,
) -> Option<ClusterKind> {
    extensions
        .iter()
        .flatten()
        .any(|named| {
            named
                .extension
                .get("provider")
                .and_then(serde_json::Value::as_str)
                == Some("minikube.sigs.k8s.io")
        })
        .then(|| ClusterKind::Minikube {
            profile: context.to_owned(),
        })
}

fn kind_by_name(context: &str, server: &str) -> ClusterKind {
    let local = is_local(server);
    // The prefix alone proves nothing: a remote context may be called `kind-of-blue`.
    if local && let Some(name) = context.strip_prefix("kind-") {
        return ClusterKind::Kind {
            name: name.to_owned(),
        };
    }
    if local && let Some(name) = context.strip_prefix("k3d-") {
        return ClusterKind::K3d {
            name: name.to_owned(),
        };
    }
    if local {
        ClusterKind::OtherLocal
    } else {
        ClusterKind::Remote
    }
}

/// Whether an API server's address is this machine's or a private network's.
fn is_local(server: &str) -> bool {
    let Ok(url) = Url::parse(server) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name == "host.docker.internal"
                || name == "kubernetes.docker.internal"
        }
        Some(Host::Ipv4(ip)) => is_local_ip(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_local_ip(IpAddr::V6(ip)),
        None => false,
    }
}

fn is_local_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.is_unspecified() || (ip.segments()[0] & 0xfe00) == 0xfc00
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(context: &str, server: &str, extension: &str) -> Kubeconfig {
        Kubeconfig::from_yaml(&format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\nclusters:\n- name: c\n  cluster:\n    server: {server}\n{extension}\ncontexts:\n- name: {context}\n  context:\n    cluster: c\n    user: u\nusers:\n- name: u\n  user: {{}}\n"
        ))
        .expect("a kubeconfig")
    }

    fn kind_of(context: &str, server: &str, extension: &str) -> ClusterKind {
        contexts(&config(context, server, extension)).remove(0).kind
    }

    #[test]
    fn a_context_is_what_its_extension_name_and_address_say() {
        let minikube = "    extensions:\n    - name: cluster_info\n      extension:\n        provider: minikube.sigs.k8s.io\n        version: v1.38.1";
        let cases = [
            (
                "demo",
                "https://192.168.49.2:8443",
                minikube,
                ClusterKind::Minikube {
                    profile: "demo".into(),
                },
            ),
            (
                "kind-dev",
                "https://127.0.0.1:40123",
                "",
                ClusterKind::Kind { name: "dev".into() },
            ),
            (
                "k3d-dev",
                "https://0.0.0.0:40123",
                "",
                ClusterKind::K3d { name: "dev".into() },
            ),
            (
                "rancher-desktop",
                "https://localhost:6443",
                "",
                ClusterKind::OtherLocal,
            ),
            ("lab", "https://10.0.0.7:6443", "", ClusterKind::OtherLocal),
            ("v6", "https://[fd00::1]:6443", "", ClusterKind::OtherLocal),
            (
                "kind-of-blue",
                "https://k8s.example.com",
                "",
                ClusterKind::Remote,
            ),
            ("public", "https://34.1.2.3", "", ClusterKind::Remote),
        ];
        for (context, server, extension, expected) in cases {
            assert_eq!(kind_of(context, server, extension), expected, "{context}");
        }
    }

    #[test]
    fn a_missing_or_broken_file_costs_only_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let good = dir.path().join("good");
        let broken = dir.path().join("broken");
        std::fs::write(
            &good,
            "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nusers: []\n",
        )
        .expect("written");
        std::fs::write(&broken, "contexts: {").expect("written");
        let (config, problems) = read(&[dir.path().join("missing"), broken, good]);
        let rows = contexts(&config);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].current);
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
