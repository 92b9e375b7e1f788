//! The objects every cluster begins with.

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Creates what is missing of the system namespaces, the `kubernetes` service and the default storage class.
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
    create_missing(&classes, "standard", class).await
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
