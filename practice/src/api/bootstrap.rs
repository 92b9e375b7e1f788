//! The objects every cluster begins with.

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{Api, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Creates what is missing of the system namespaces and the `kubernetes` service.
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
    create_missing(&services, "kubernetes", service).await
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
