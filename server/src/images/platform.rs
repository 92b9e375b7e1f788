//! For which platform docker has to be told to build: where the cluster's nodes are not what its daemon
//! runs on, such as a registry between a laptop with arm64 and servers with amd64.

use std::collections::BTreeSet;

use app::model::ClusterKind;
use tokio_util::sync::CancellationToken;

use crate::adapters::docker;
use crate::process;

/// The platform to build for; none when the daemon's own is right or nobody knows better.
/// `nodes` are the architectures of the cluster's nodes, as Go names them.
pub async fn other_than_the_daemon_s(
    kind: &ClusterKind,
    nodes: &BTreeSet<String>,
    cancel: &CancellationToken,
) -> Option<String> {
    // Their nodes live in the daemon that builds, or beside it on this machine.
    let builds_inside = matches!(
        kind,
        ClusterKind::Minikube { .. } | ClusterKind::Desktop { .. }
    );
    if builds_inside || nodes.is_empty() {
        return None;
    }
    let captured = process::capture(&docker::version(), cancel).await.ok()?;
    let daemon = docker::parse_version(&captured.stdout)?.architecture?;
    choose(&daemon, nodes)
}

/// Nodes of several kinds cannot all be served by one image; the daemon's own kind is preferred.
fn choose(daemon: &str, nodes: &BTreeSet<String>) -> Option<String> {
    match nodes.contains(daemon) {
        true => None,
        false => nodes.first().map(|node| format!("linux/{node}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_decide_only_where_the_daemon_is_of_another_kind() {
        let nodes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(choose("amd64", &nodes(&["amd64"])), None);
        assert_eq!(choose("amd64", &nodes(&["amd64", "arm64"])), None);
        assert_eq!(
            choose("arm64", &nodes(&["amd64"])).as_deref(),
            Some("linux/amd64")
        );
        assert_eq!(choose("arm64", &nodes(&[])), None);
    }
}
