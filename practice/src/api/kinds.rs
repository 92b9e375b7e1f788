//! The table of served kinds: one row per kind and version, everything discovery, routing and
//! storage need to know about it.

use serde_json::{Value, json};

use super::custom::Custom;
use super::status::Resource;

/// One served kind in one API version.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub short_names: &'static [&'static str],
    pub namespaced: bool,
    pub categories: &'static [&'static str],
    pub subresources: &'static [Sub],
    /// Objects of two rows with the same storage name are the same objects.
    pub storage: &'static str,
    pub serving: Serving,
    /// What a CustomResourceDefinition says; nothing for a built-in kind.
    pub custom: Option<&'static Custom>,
}

/// Where the answers of a kind come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// From the objects that are stored.
    Stored,
    /// Made for the question, and forgotten.
    Review,
    /// From what the node measured.
    Measured,
}

/// A subresource a kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sub {
    Status,
    Scale,
    Log,
    Attach,
    Exec,
    PortForward,
    Proxy,
    Binding,
    Eviction,
    Finalize,
    Token,
}

impl Sub {
    /// The path segment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Log => "log",
            Self::Attach => "attach",
            Self::Exec => "exec",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::Finalize => "finalize",
            Self::Token => "token",
        }
    }

    /// Kind, group, version (empty when the parent's) and verbs for discovery.
    pub fn discovery(
        self,
        parent: &Kind,
    ) -> (
        &'static str,
        &'static str,
        &'static str,
        &'static [&'static str],
    ) {
        const GET_PATCH_UPDATE: &[&str] = &["get", "patch", "update"];
        const CREATE_GET: &[&str] = &["create", "get"];
        match self {
            Self::Status => (parent.kind, "", "", GET_PATCH_UPDATE),
            Self::Scale => ("Scale", "autoscaling", "v1", GET_PATCH_UPDATE),
            Self::Log => (parent.kind, "", "", &["get"]),
            Self::Attach => ("PodAttachOptions", "", "", CREATE_GET),
            Self::Exec => ("PodExecOptions", "", "", CREATE_GET),
            Self::PortForward => ("PodPortForwardOptions", "", "", CREATE_GET),
            Self::Proxy => (
                if parent.kind == "Pod" {
                    "PodProxyOptions"
                } else {
                    "ServiceProxyOptions"
                },
                "",
                "",
                &["create", "delete", "get", "patch", "update"],
            ),
            Self::Binding => ("Binding", "", "", &["create"]),
            Self::Eviction => ("Eviction", "policy", "v1", &["create"]),
            Self::Finalize => (parent.kind, "", "", &["update"]),
            Self::Token => ("TokenRequest", "authentication.k8s.io", "v1", &["create"]),
        }
    }
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        group_version(self.group, self.version)
    }

    /// `PodList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// The resource, for error texts.
    pub fn resource(&self) -> Resource<'static> {
        Resource {
            group: self.group,
            plural: self.plural,
        }
    }

    /// Whether the kind has this subresource.
    pub fn has(&self, sub: Sub) -> bool {
        self.subresources.contains(&sub)
    }

    /// Verbs as discovery lists them.
    pub fn verbs(&self) -> &'static [&'static str] {
        match self.serving {
            Serving::Stored => &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
            Serving::Review => &["create"],
            Serving::Measured => &["get", "list"],
        }
    }
}

/// `v1` or `apps/v1`.
pub fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

const fn row(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    names: (&'static str, &'static str),
    short_names: &'static [&'static str],
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural: names.0,
        singular: names.1,
        short_names,
        namespaced: true,
        categories: &[],
        subresources: &[],
        storage: names.0,
        serving: Serving::Stored,
        custom: None,
    }
}

const ALL: &[&str] = &["all"];
const STATUS: &[Sub] = &[Sub::Status];
const STATUS_SCALE: &[Sub] = &[Sub::Status, Sub::Scale];
const RBAC: &str = "rbac.authorization.k8s.io";
const AUTHZ: &str = "authorization.k8s.io";

const fn cluster(kind: Kind) -> Kind {
    Kind {
        namespaced: false,
        ..kind
    }
}
const fn subs(kind: Kind, subresources: &'static [Sub]) -> Kind {
    Kind {
        subresources,
        ..kind
    }
}
const fn in_all(kind: Kind) -> Kind {
    Kind {
        categories: ALL,
        ..kind
    }
}
const fn review(kind: Kind) -> Kind {
    Kind {
        serving: Serving::Review,
        ..kind
    }
}
const fn measured(kind: Kind, storage: &'static str) -> Kind {
    Kind {
        serving: Serving::Measured,
        storage,
        ..kind
    }
}

/// Every served kind, in discovery order.
pub static KINDS: &[Kind] = &[
    subs(
        row("", "v1", "ConfigMap", ("configmaps", "configmap"), &["cm"]),
        &[],
    ),
    row("", "v1", "Endpoints", ("endpoints", "endpoints"), &["ep"]),
    row("", "v1", "Event", ("events", "event"), &["ev"]),
    row(
        "",
        "v1",
        "LimitRange",
        ("limitranges", "limitrange"),
        &["limits"],
    ),
    subs(
        cluster(row(
            "",
            "v1",
            "Namespace",
            ("namespaces", "namespace"),
            &["ns"],
        )),
        &[Sub::Finalize, Sub::Status],
    ),
    subs(
        cluster(row("", "v1", "Node", ("nodes", "node"), &["no"])),
        STATUS,
    ),
    subs(
        row(
            "",
            "v1",
            "PersistentVolumeClaim",
            ("persistentvolumeclaims", "persistentvolumeclaim"),
            &["pvc"],
        ),
        STATUS,
    ),
    subs(
        cluster(row(
            "",
            "v1",
            "PersistentVolume",
            ("persistentvolumes", "persistentvolume"),
            &["pv"],
        )),
        STATUS,
    ),
    subs(
        in_all(row("", "v1", "Pod", ("pods", "pod"), &["po"])),
        &[
            Sub::Attach,
            Sub::Binding,
            Sub::Eviction,
            Sub::Exec,
            Sub::Log,
            Sub::PortForward,
            Sub::Proxy,
            Sub::Status,
        ],
    ),
    subs(
        row(
            "",
            "v1",
            "ResourceQuota",
            ("resourcequotas", "resourcequota"),
            &["quota"],
        ),
        STATUS,
    ),
    row("", "v1", "Secret", ("secrets", "secret"), &[]),
    subs(
        row(
            "",
            "v1",
            "ServiceAccount",
            ("serviceaccounts", "serviceaccount"),
            &["sa"],
        ),
        &[Sub::Token],
    ),
    subs(
        in_all(row("", "v1", "Service", ("services", "service"), &["svc"])),
        &[Sub::Proxy, Sub::Status],
    ),
    row(
        "apps",
        "v1",
        "ControllerRevision",
        ("controllerrevisions", "controllerrevision"),
        &[],
    ),
    subs(
        in_all(row(
            "apps",
            "v1",
            "DaemonSet",
            ("daemonsets", "daemonset"),
            &["ds"],
        )),
        STATUS,
    ),
    subs(
        in_all(row(
            "apps",
            "v1",
            "Deployment",
            ("deployments", "deployment"),
            &["deploy"],
        )),
        STATUS_SCALE,
    ),
    subs(
        in_all(row(
            "apps",
            "v1",
            "ReplicaSet",
            ("replicasets", "replicaset"),
            &["rs"],
        )),
        STATUS_SCALE,
    ),
    subs(
        in_all(row(
            "apps",
            "v1",
            "StatefulSet",
            ("statefulsets", "statefulset"),
            &["sts"],
        )),
        STATUS_SCALE,
    ),
    Kind {
        storage: "events",
        ..row("events.k8s.io", "v1", "Event", ("events", "event"), &["ev"])
    },
    review(cluster(row(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        ("selfsubjectreviews", "selfsubjectreview"),
        &[],
    ))),
    review(cluster(row(
        "authentication.k8s.io",
        "v1",
        "TokenReview",
        ("tokenreviews", "tokenreview"),
        &[],
    ))),
    review(row(
        AUTHZ,
        "v1",
        "LocalSubjectAccessReview",
        ("localsubjectaccessreviews", "localsubjectaccessreview"),
        &[],
    )),
    review(cluster(row(
        AUTHZ,
        "v1",
        "SubjectAccessReview",
        ("subjectaccessreviews", "subjectaccessreview"),
        &[],
    ))),
    review(cluster(row(
        AUTHZ,
        "v1",
        "SelfSubjectAccessReview",
        ("selfsubjectaccessreviews", "selfsubjectaccessreview"),
        &[],
    ))),
    review(cluster(row(
        AUTHZ,
        "v1",
        "SelfSubjectRulesReview",
        ("selfsubjectrulesreviews", "selfsubjectrulesreview"),
        &[],
    ))),
    subs(
        in_all(row(
            "autoscaling",
            "v2",
            "HorizontalPodAutoscaler",
            ("horizontalpodautoscalers", "horizontalpodautoscaler"),
            &["hpa"],
        )),
        STATUS,
    ),
    subs(
        in_all(row(
            "autoscaling",
            "v1",
            "HorizontalPodAutoscaler",
            ("horizontalpodautoscalers", "horizontalpodautoscaler"),
            &["hpa"],
        )),
        STATUS,
    ),
    subs(
        in_all(row(
            "batch",
            "v1",
            "CronJob",
            ("cronjobs", "cronjob"),
            &["cj"],
        )),
        STATUS,
    ),
    subs(
        in_all(row("batch", "v1", "Job", ("jobs", "job"), &[])),
        STATUS,
    ),
    row(
        "coordination.k8s.io",
        "v1",
        "Lease",
        ("leases", "lease"),
        &[],
    ),
    row(
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        ("endpointslices", "endpointslice"),
        &[],
    ),
    cluster(row(
        "networking.k8s.io",
        "v1",
        "IngressClass",
        ("ingressclasses", "ingressclass"),
        &[],
    )),
    subs(
        row(
            "networking.k8s.io",
            "v1",
            "Ingress",
            ("ingresses", "ingress"),
            &["ing"],
        ),
        STATUS,
    ),
    row(
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        ("networkpolicies", "networkpolicy"),
        &["netpol"],
    ),
    subs(
        row(
            "policy",
            "v1",
            "PodDisruptionBudget",
            ("poddisruptionbudgets", "poddisruptionbudget"),
            &["pdb"],
        ),
        STATUS,
    ),
    cluster(row(
        RBAC,
        "v1",
        "ClusterRoleBinding",
        ("clusterrolebindings", "clusterrolebinding"),
        &[],
    )),
    cluster(row(
        RBAC,
        "v1",
        "ClusterRole",
        ("clusterroles", "clusterrole"),
        &[],
    )),
    row(
        RBAC,
        "v1",
        "RoleBinding",
        ("rolebindings", "rolebinding"),
        &[],
    ),
    row(RBAC, "v1", "Role", ("roles", "role"), &[]),
    cluster(row(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        (
            "mutatingwebhookconfigurations",
            "mutatingwebhookconfiguration",
        ),
        &[],
    )),
    cluster(row(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        (
            "validatingwebhookconfigurations",
            "validatingwebhookconfiguration",
        ),
        &[],
    )),
    cluster(row(
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        ("priorityclasses", "priorityclass"),
        &["pc"],
    )),
    cluster(row(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        ("storageclasses", "storageclass"),
        &["sc"],
    )),
    subs(
        cluster(row(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            ("customresourcedefinitions", "customresourcedefinition"),
            &["crd", "crds"],
        )),
        STATUS,
    ),
    measured(
        row("metrics.k8s.io", "v1beta1", "PodMetrics", ("pods", ""), &[]),
        "measured pods",
    ),
];

/// The row that serves this resource, among the built-in kinds and these.
pub fn by_resource(
    custom: &[&'static Kind],
    group: &str,
    version: &str,
    plural: &str,
) -> Option<&'static Kind> {
    with_custom(custom).find(|k| k.group == group && k.version == version && k.plural == plural)
}

/// The row of this kind.
pub fn by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.group == group && k.kind == kind)
}

/// The row whose objects are stored under this name (the core row where there are two).
pub fn by_storage(storage: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.storage == storage)
}

/// The built-in kinds and these.
pub fn with_custom<'a>(custom: &'a [&'static Kind]) -> impl Iterator<Item = &'static Kind> + 'a {
    KINDS.iter().chain(custom.iter().copied())
}

/// The groups besides core, in discovery order, each with its versions.
pub fn groups(custom: &[&'static Kind]) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for kind in with_custom(custom).filter(|kind| !kind.group.is_empty()) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => groups.push((kind.group, vec![kind.version])),
        }
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    }
    groups
}

/// Which of a group's versions is preferred: stable before beta before alpha, then the higher
/// number.
fn priority(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    for (stage, word) in [(2, "beta"), (1, "alpha")] {
        if let Some((major, minor)) = rest.split_once(word) {
            let numbers = number(major).zip(number(minor));
            return numbers.map_or((0, 0, 0), |(major, minor)| (stage, major, minor));
        }
    }
    number(rest).map_or((0, 0, 0), |major| (3, major, 0))
}

/// Stamps `apiVersion` and `kind` at the front of an object.
pub fn typed(kind: &Kind, object: &Value) -> Value {
    let mut out = json!({"apiVersion": kind.api_version(), "kind": kind.kind});
    if let (Some(target), Some(source)) = (out.as_object_mut(), object.as_object()) {
        for (key, value) in source {
            if key != "apiVersion" && key != "kind" {
                target.insert(key.clone(), value.clone());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_are_preferred_to_newer_betas() {
        let mut versions = ["v1alpha1", "v2beta1", "v1", "v10", "v2", "odd", "v2beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v2beta2", "v2beta1", "v1alpha1", "odd"]
        );
    }
}
