//! The objects every cluster begins with.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Creates what is missing of the system namespaces, the `kubernetes` service, the default storage
/// class and the roles everybody builds on.
pub async fn bootstrap(client: &kube::Client, port: u16) -> Result<(), kube::Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = json!({"metadata": {"name": name}});
        create_missing(&namespaces, name, namespace).await?;
    }
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let service = json!({
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"}
        },
        "spec": {
            "clusterIP": "10.96.0.1",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
        }
    });
    create_missing(&services, "kubernetes", service).await?;
    let classes: Api<StorageClass> = Api::all(client.clone());
    let class = json!({
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}
        },
        "provisioner": crate::controllers::PROVISIONER,
        "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"
    });
    create_missing(&classes, "standard", class).await?;
    roles(client).await
}

/// Puts the authority's certificate where the namespaces' copies of it are made from.
pub async fn publish_authority(client: &kube::Client, pem: &str) -> Result<(), kube::Error> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let map = json!({
        "metadata": {"name": "kube-root-ca.crt"},
        "data": {"ca.crt": pem}
    });
    create_missing(&maps, "kube-root-ca.crt", map).await
}

/// The roles for people, and what every identity may do: ask what there is and who it is.
async fn roles(client: &kube::Client) -> Result<(), kube::Error> {
    const READ: [&str; 3] = ["get", "list", "watch"];
    const WRITE: [&str; 8] = [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    let workloads = json!({"apiGroups": ["apps", "batch", "autoscaling", "policy", "networking.k8s.io"], "resources": ["*"]});
    let core = json!({"apiGroups": [""], "resources": [
        "configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "pods/status",
        "pods/log", "services", "services/status", "serviceaccounts"
    ]});
    let read_only = json!({"apiGroups": [""], "resources": ["limitranges", "namespaces", "resourcequotas"], "verbs": READ});
    let slices =
        json!({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ});
    let reach = json!({"apiGroups": [""], "resources": [
        "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "pods/eviction",
        "services/proxy", "serviceaccounts/token"
    ], "verbs": ["create", "get", "update", "patch", "delete"]});
    let with = |rule: &Value, verbs: &[&str]| {
        let mut rule = rule.clone();
        rule["verbs"] = json!(verbs);
        rule
    };
    let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": WRITE});
    let edit = vec![
        with(&workloads, &WRITE),
        with(&core, &WRITE),
        read_only.clone(),
        slices.clone(),
        reach,
        secrets,
    ];
    let mut admin = edit.clone();
    admin
        .push(json!({"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": WRITE}));
    let view = vec![
        with(&workloads, &READ),
        with(&core, &READ),
        read_only,
        slices,
    ];
    let all = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]}
    ]);
    let discovery = json!([{"verbs": ["get"], "nonResourceURLs": [
        "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
        "/readyz", "/version", "/version/"
    ]}]);
    let basic = json!([
        {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
         "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
        {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]}
    ]);
    let api: Api<ClusterRole> = Api::all(client.clone());
    for (name, rules) in [
        ("cluster-admin", all),
        ("admin", json!(admin)),
        ("edit", json!(edit)),
        ("view", json!(view)),
        ("system:discovery", discovery),
        ("system:basic-user", basic),
    ] {
        create_missing(
            &api,
            name,
            json!({"metadata": labeled(name), "rules": rules}),
        )
        .await?;
    }
    let api: Api<ClusterRoleBinding> = Api::all(client.clone());
    for (name, group) in [
        ("cluster-admin", "system:masters"),
        ("system:discovery", "system:authenticated"),
        ("system:basic-user", "system:authenticated"),
    ] {
        let binding = json!({
            "metadata": labeled(name),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}]
        });
        create_missing(&api, name, binding).await?;
    }
    Ok(())
}

fn labeled(name: &str) -> Value {
    json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}})
}

async fn create_missing<K>(api: &Api<K>, name: &str, object: Value) -> Result<(), kube::Error>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    if api.get_opt(name).await?.is_some() {
        return Ok(());
    }
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let params = PostParams {
        field_manager: Some("kube-apiserver".into()),
        ..PostParams::default()
    };
    api.create(&params, &object).await.map(drop)
}
