//! The kinds of object that a proposal may be about, and why others are not.

use super::Denied;

/// A kind on the list. All of them live in namespaces.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub kind: &'static str,
    pub api_version: &'static str,
    pub plural: &'static str,
    /// As kubectl takes it.
    names: &'static [&'static str],
    /// Has a pod template, and replicas or a node each.
    pub is_workload: bool,
    pub can_scale: bool,
}

static ALL: [Kind; 9] = [
    Kind {
        kind: "Deployment",
        api_version: "apps/v1",
        plural: "deployments",
        names: &[
            "deployment",
            "deployments",
            "deploy",
            "deployment.apps",
            "deployments.apps",
        ],
        is_workload: true,
        can_scale: true,
    },
    Kind {
        kind: "StatefulSet",
        api_version: "apps/v1",
        plural: "statefulsets",
        names: &[
            "statefulset",
            "statefulsets",
            "sts",
            "statefulset.apps",
            "statefulsets.apps",
        ],
        is_workload: true,
        can_scale: true,
    },
    Kind {
        kind: "DaemonSet",
        api_version: "apps/v1",
        plural: "daemonsets",
        names: &[
            "daemonset",
            "daemonsets",
            "ds",
            "daemonset.apps",
            "daemonsets.apps",
        ],
        is_workload: true,
        can_scale: false,
    },
    Kind {
        kind: "ReplicaSet",
        api_version: "apps/v1",
        plural: "replicasets",
        names: &[
            "replicaset",
            "replicasets",
            "rs",
            "replicaset.apps",
            "replicasets.apps",
        ],
        is_workload: false,
        can_scale: false,
    },
    Kind {
        kind: "Pod",
        api_version: "v1",
        plural: "pods",
        names: &["pod", "pods", "po"],
        is_workload: false,
        can_scale: false,
    },
    Kind {
        kind: "Service",
        api_version: "v1",
        plural: "services",
        names: &["service", "services", "svc"],
        is_workload: false,
        can_scale: false,
    },
    Kind {
        kind: "ConfigMap",
        api_version: "v1",
        plural: "configmaps",
        names: &["configmap", "configmaps", "cm"],
        is_workload: false,
        can_scale: false,
    },
    Kind {
        kind: "Job",
        api_version: "batch/v1",
        plural: "jobs",
        names: &["job", "jobs", "job.batch", "jobs.batch"],
        is_workload: false,
        can_scale: false,
    },
    Kind {
        kind: "PodDisruptionBudget",
        api_version: "policy/v1",
        plural: "poddisruptionbudgets",
        names: &["poddisruptionbudget", "poddisruptionbudgets", "pdb"],
        is_workload: false,
        can_scale: false,
    },
];

impl Kind {
    /// The kind of this name on the list.
    pub fn named(kind: &str) -> Option<&'static Self> {
        ALL.iter().find(|known| known.kind == kind)
    }
}

/// Kinds that are denied for a reason of their own: the beginning of their names, and the reason.
const NEVER: [(&[&str], &str); 5] = [
    (
        &["secret", "sealedsecret", "externalsecret"],
        "are entered on the Secrets page and never by a proposal",
    ),
    (
        &[
            "role",
            "clusterrole",
            "serviceaccount",
            "sa",
            "certificatesigningrequest",
            "csr",
            "validatingwebhook",
            "mutatingwebhook",
            "validatingadmission",
            "mutatingadmission",
            "networkpolic",
            "netpol",
            "podsecurity",
        ],
        "decide about rights and protection",
    ),
    (
        &[
            "node",
            "no",
            "namespace",
            "ns",
            "persistentvolumes",
            "pv",
            "storageclass",
            "sc",
            "customresourcedefinition",
            "crd",
            "priorityclass",
            "runtimeclass",
            "apiservice",
        ],
        "belong to the whole cluster",
    ),
    (
        &["persistentvolumeclaim", "pvc"],
        "hold data that nothing brings back",
    ),
    (&["all"], "is everything at once"),
];

/// The kind that kubectl calls by this name.
pub fn find(name: &str) -> Result<&'static Kind, Denied> {
    let lower = name.to_ascii_lowercase();
    if let Some(kind) = ALL.iter().find(|kind| kind.names.contains(&lower.as_str())) {
        return Ok(kind);
    }
    let bare = lower.split('.').next().unwrap_or_default();
    let is_called = |known: &str| match known.len() {
        // Short names are whole.
        0..=4 => bare == known || bare == format!("{known}s"),
        _ => bare.starts_with(known),
    };
    for (names, why) in NEVER {
        if names.iter().any(|known| is_called(known)) {
            return Err(Denied::Kind {
                kind: name.to_owned(),
                why,
            });
        }
    }
    Err(Denied::UnknownKind(name.to_owned()))
}
