//! API versions that this server does not serve any more, or soon will not.
//! Source: the Deprecated API Migration Guide of kubernetes.io, up to 1.36.

use app::model::{Finding, NextAction};
use serde_json::json;

use super::{Item, World};

struct Leaving {
    api_version: &'static str,
    /// Empty: all kinds of that version.
    kinds: &'static [&'static str],
    /// The minor version of 1.x that does not serve it any more; none when that is not decided.
    removed: Option<u32>,
    /// The minor version since which it is deprecated.
    deprecated: u32,
    /// What to use; empty when there is nothing.
    instead: &'static str,
}

const fn gone(
    api_version: &'static str,
    kinds: &'static [&'static str],
    deprecated: u32,
    removed: u32,
    instead: &'static str,
) -> Leaving {
    Leaving {
        api_version,
        kinds,
        removed: Some(removed),
        deprecated,
        instead,
    }
}

const LEAVING: [Leaving; 30] = [
    gone(
        "extensions/v1beta1",
        &["Ingress"],
        14,
        22,
        "networking.k8s.io/v1",
    ),
    gone(
        "extensions/v1beta1",
        &["NetworkPolicy"],
        9,
        16,
        "networking.k8s.io/v1",
    ),
    gone("extensions/v1beta1", &["PodSecurityPolicy"], 11, 16, ""),
    gone(
        "extensions/v1beta1",
        &["Deployment", "DaemonSet", "ReplicaSet"],
        9,
        16,
        "apps/v1",
    ),
    gone("apps/v1beta1", &[], 9, 16, "apps/v1"),
    gone("apps/v1beta2", &[], 9, 16, "apps/v1"),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ],
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    gone(
        "apiextensions.k8s.io/v1beta1",
        &[],
        16,
        22,
        "apiextensions.k8s.io/v1",
    ),
    gone(
        "apiregistration.k8s.io/v1beta1",
        &[],
        19,
        22,
        "apiregistration.k8s.io/v1",
    ),
    gone(
        "authentication.k8s.io/v1beta1",
        &["TokenReview"],
        19,
        22,
        "authentication.k8s.io/v1",
    ),
    gone(
        "authorization.k8s.io/v1beta1",
        &[],
        19,
        22,
        "authorization.k8s.io/v1",
    ),
    gone(
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        19,
        22,
        "certificates.k8s.io/v1",
    ),
    gone(
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        19,
        22,
        "coordination.k8s.io/v1",
    ),
    gone(
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        19,
        22,
        "networking.k8s.io/v1",
    ),
    gone(
        "rbac.authorization.k8s.io/v1beta1",
        &[],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    gone(
        "rbac.authorization.k8s.io/v1alpha1",
        &[],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    gone(
        "scheduling.k8s.io/v1beta1",
        &["PriorityClass"],
        14,
        22,
        "scheduling.k8s.io/v1",
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        19,
        22,
        "storage.k8s.io/v1",
    ),
    gone("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    gone(
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        21,
        25,
        "discovery.k8s.io/v1",
    ),
    gone(
        "events.k8s.io/v1beta1",
        &["Event"],
        19,
        25,
        "events.k8s.io/v1",
    ),
    gone(
        "autoscaling/v2beta1",
        &["HorizontalPodAutoscaler"],
        22,
        25,
        "autoscaling/v2",
    ),
    gone(
        "policy/v1beta1",
        &["PodDisruptionBudget"],
        21,
        25,
        "policy/v1",
    ),
    gone("policy/v1beta1", &["PodSecurityPolicy"], 21, 25, ""),
    gone(
        "node.k8s.io/v1beta1",
        &["RuntimeClass"],
        22,
        25,
        "node.k8s.io/v1",
    ),
    gone(
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        23,
        26,
        "autoscaling/v2",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta1",
        &[],
        23,
        26,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIStorageCapacity"],
        24,
        27,
        "storage.k8s.io/v1",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        &[],
        26,
        29,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta3",
        &[],
        29,
        32,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
];
/// Still served, and advised against.
const DISCOURAGED: [Leaving; 2] = [
    Leaving {
        api_version: "v1",
        kinds: &["ComponentStatus"],
        removed: None,
        deprecated: 19,
        instead: "",
    },
    Leaving {
        api_version: "v1",
        kinds: &["Endpoints"],
        removed: None,
        deprecated: 33,
        instead: "discovery.k8s.io/v1",
    },
];

fn row(api_version: &str, kind: &str) -> Option<&'static Leaving> {
    LEAVING.iter().chain(&DISCOURAGED).find(|row| {
        row.api_version == api_version && (row.kinds.is_empty() || row.kinds.contains(&kind))
    })
}

/// API_REMOVED stops the deploy, API_DEPRECATED advises. Nothing where the server's version is not
/// known.
pub(super) fn check(item: &Item<'_>, world: &World<'_>) -> Option<Finding> {
    let row = row(item.api_version(), item.kind())?;
    let minor = world.minor?;
    let what = format!("{} {}", item.api_version(), item.kind());
    let is_gone = row.removed.is_some_and(|removed| minor >= removed);
    if !is_gone && minor < row.deprecated {
        return None;
    }
    let finding = match row.removed {
        Some(removed) if is_gone => Finding::new(
            "API_REMOVED",
            format!("This cluster has no {what} any more"),
            format!("It went with Kubernetes 1.{removed}; the cluster runs 1.{minor}."),
        ),
        Some(removed) => Finding::new(
            "API_DEPRECATED",
            format!("{what} will go"),
            format!("It is deprecated, and Kubernetes 1.{removed} does not serve it any more; the cluster runs 1.{minor}."),
        )
        .attention(),
        None => Finding::new(
            "API_DEPRECATED",
            format!("{what} is deprecated"),
            format!("It is advised against since Kubernetes 1.{}.", row.deprecated),
        )
        .attention(),
    };
    let finding = item
        .about(finding)
        .evidence(item.source, format!("apiVersion: {}", item.api_version()));
    Some(match (row.instead, item.kind()) {
        ("", _) => finding.next(NextAction::advice(
            "There is no successor of this kind: take it out",
        )),
        (instead, "Endpoints") => {
            finding.next(item.patch(&json!({"apiVersion": instead, "kind": "EndpointSlice"})))
        }
        (instead, _) => finding.next(item.patch(&json!({"apiVersion": instead}))),
    })
}
