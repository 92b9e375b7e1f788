//! One live object as YAML: what a person asks for, without what nobody asked for, and without values.

use app::model::{Failure, LiveObject, ObjectKey, ObjectKind};
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::{LiveRoom, words};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::deploy::preview::mask::Mask;
use crate::deploy::preview::noise::essence;
use crate::deploy::preview::object_diff::masked;
use crate::deploy::preview::path::Path;
use crate::engine::{MASK, Redactor, clock};

/// Longer ones are cut: nobody reads on.
const MOST_LINES: usize = 5_000;

impl LiveRoom {
    pub(super) async fn read_object(
        &self,
        key: ObjectKey,
        everything: bool,
    ) -> Result<LiveObject, Failure> {
        let connected = self.cluster.connected()?;
        let resource = resource(key.kind());
        let api: Api<DynamicObject> =
            Api::namespaced_with(connected.client.clone(), &self.namespace(), &resource);
        let object = within(REQUEST_LIMIT, api.get(key.name()))
            .await
            .map_err(|error| words::unreadable(&key, &error))?;
        let mut value = serde_json::to_value(&object).unwrap_or(Value::Null);
        // Always there, also where an answer leaves them out.
        value["apiVersion"] = Value::from(resource.api_version.clone());
        value["kind"] = Value::from(resource.kind.clone());
        Ok(shown(key, &value, everything, &self.core.redactor))
    }
}

/// With every value hidden that is a secret, looks like one, or is known to be one.
fn shown(key: ObjectKey, object: &Value, everything: bool, redactor: &Redactor) -> LiveObject {
    let bare = if everything {
        object.clone()
    } else {
        essence(object)
    };
    let masked = masked(Mask::of(&bare), &Path::default(), &bare);
    let yaml = serde_yaml::to_string(&masked).unwrap_or_default();
    let yaml = redactor.redact(&yaml);
    let lines = yaml.lines().count();
    let kept: Vec<&str> = yaml.lines().take(MOST_LINES).collect();
    LiveObject {
        key,
        hidden: u32::try_from(yaml.matches(MASK).count()).unwrap_or(u32::MAX),
        more_lines: u32::try_from(lines - kept.len()).unwrap_or(u32::MAX),
        yaml: kept.join("\n"),
        read: clock::now(),
    }
}

fn resource(kind: ObjectKind) -> ApiResource {
    let (group, version) = match kind {
        ObjectKind::Pod
        | ObjectKind::Service
        | ObjectKind::ConfigMap
        | ObjectKind::Secret
        | ObjectKind::PersistentVolumeClaim
        | ObjectKind::ServiceAccount => ("", "v1"),
        ObjectKind::Deployment
        | ObjectKind::ReplicaSet
        | ObjectKind::StatefulSet
        | ObjectKind::DaemonSet => ("apps", "v1"),
        ObjectKind::Job | ObjectKind::CronJob => ("batch", "v1"),
        ObjectKind::EndpointSlice => ("discovery.k8s.io", "v1"),
        ObjectKind::Ingress | ObjectKind::NetworkPolicy => ("networking.k8s.io", "v1"),
        ObjectKind::HorizontalPodAutoscaler => ("autoscaling", "v2"),
        ObjectKind::PodDisruptionBudget => ("policy", "v1"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.word()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> ObjectKey {
        text.parse().expect("a key")
    }

    #[test]
    fn every_kind_is_asked_for_under_its_own_name() {
        for (kind, plural) in [
            (ObjectKind::Pod, "pods"),
            (ObjectKind::Ingress, "ingresses"),
            (ObjectKind::NetworkPolicy, "networkpolicies"),
            (ObjectKind::EndpointSlice, "endpointslices"),
            (ObjectKind::PersistentVolumeClaim, "persistentvolumeclaims"),
        ] {
            assert_eq!(resource(kind).plural, plural);
        }
    }

    #[test]
    fn values_are_hidden_with_and_without_the_noise() {
        let redactor = Redactor::default();
        redactor.learn("known-to-be-secret");
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "uid": "u", "managedFields": [{"manager": "slipway"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"A\":\"aHVudGVyMg==\"}}"}},
            "data": {"A": "aHVudGVyMg=="}});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [
                {"name": "API_TOKEN", "value": "hunter2"}, {"name": "MODE", "value": "known-to-be-secret"},
                {"name": "PORT", "value": "8000"}]}]}}},
            "status": {"replicas": 1}});
        for everything in [false, true] {
            let shown_secret = shown(key("Secret/s"), &secret, everything, &redactor);
            assert!(
                !shown_secret.yaml.contains("aHVudGVyMg"),
                "{}",
                shown_secret.yaml
            );
            assert!(shown_secret.yaml.contains("A:"), "{}", shown_secret.yaml);
            assert_eq!(shown_secret.yaml.contains("managedFields"), everything);
            let plain = shown(key("Deployment/d"), &deployment, everything, &redactor);
            assert!(!plain.yaml.contains("hunter2"), "{}", plain.yaml);
            assert!(!plain.yaml.contains("known-to-be-secret"), "{}", plain.yaml);
            assert!(plain.yaml.contains("8000"));
            assert_eq!(plain.hidden, 2);
            assert_eq!(plain.yaml.contains("status"), everything);
        }
    }

    #[test]
    fn a_very_long_object_is_cut_and_says_so() {
        let data: serde_json::Map<String, Value> = (0..MOST_LINES)
            .map(|at| (format!("key-{at}"), Value::from("x")))
            .collect();
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data});
        let found = shown(key("ConfigMap/c"), &object, false, &Redactor::default());
        assert_eq!(found.yaml.lines().count(), MOST_LINES);
        assert_eq!(found.more_lines, 3);
    }
}
