//! The order in which objects are applied: what others need comes first.

/// Namespaces and definitions first, because nothing of theirs can be before them; then the order in
/// which Helm installs (`pkg/release/util/kind_sorter.go`); kinds it does not know come last.
const ORDER: [&str; 37] = [
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "Endpoints",
    "EndpointSlice",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "GatewayClass",
    "Gateway",
    "HTTPRoute",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The place of a kind in the order.
pub fn rank(kind: &str) -> u8 {
    ORDER
        .iter()
        .position(|known| *known == kind)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first_and_what_nobody_knows_last() {
        let mut kinds = [
            "Thing",
            "Ingress",
            "Deployment",
            "Service",
            "Secret",
            "Namespace",
        ];
        kinds.sort_by_key(|kind| rank(kind));
        assert_eq!(
            kinds,
            [
                "Namespace",
                "Secret",
                "Service",
                "Deployment",
                "Ingress",
                "Thing"
            ]
        );
    }
}
