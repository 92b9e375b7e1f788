//! What a pod's template needs beside its image: the Secrets and ConfigMaps its values come from.

use std::collections::BTreeMap;

use app::model::{ObjectKey, ObjectKind};
use k8s_openapi::api::core::v1::PodSpec;

use crate::secrets::reads::secret_reads;

/// Which it reads, and whether it starts without.
pub(super) fn references(spec: &PodSpec) -> BTreeMap<ObjectKey, bool> {
    let mut found = BTreeMap::new();
    let mut add = |kind: ObjectKind, name: &str, optional: bool| {
        if let Some(key) = ObjectKey::new(kind, name) {
            let is_optional: &mut bool = found.entry(key).or_insert(true);
            *is_optional &= optional;
        }
    };
    for read in secret_reads(spec) {
        add(ObjectKind::Secret, &read.secret, read.optional);
    }
    let containers = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers);
    for container in containers {
        for from in container.env_from.iter().flatten() {
            if let Some(map) = &from.config_map_ref {
                add(
                    ObjectKind::ConfigMap,
                    &map.name,
                    map.optional.unwrap_or(false),
                );
            }
        }
        for env in container.env.iter().flatten() {
            let key = env
                .value_from
                .as_ref()
                .and_then(|from| from.config_map_key_ref.as_ref());
            if let Some(key) = key {
                add(
                    ObjectKind::ConfigMap,
                    &key.name,
                    key.optional.unwrap_or(false),
                );
            }
        }
    }
    for volume in spec.volumes.iter().flatten() {
        if let Some(map) = &volume.config_map {
            add(
                ObjectKind::ConfigMap,
                &map.name,
                map.optional.unwrap_or(false),
            );
        }
        if let Some(claim) = &volume.persistent_volume_claim {
            add(ObjectKind::PersistentVolumeClaim, &claim.claim_name, false);
        }
        for source in volume
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter().flatten())
        {
            if let Some(secret) = &source.secret {
                add(
                    ObjectKind::Secret,
                    &secret.name,
                    secret.optional.unwrap_or(false),
                );
            }
            if let Some(map) = &source.config_map {
                add(
                    ObjectKind::ConfigMap,
                    &map.name,
                    map.optional.unwrap_or(false),
                );
            }
        }
    }
    for secret in spec.image_pull_secrets.iter().flatten() {
        add(ObjectKind::Secret, &secret.name, true);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_read_is_found_and_the_strictest_counts() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"name": "app",
                "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "s", "optional": true}}],
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "a", "optional": true}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "b"}}}]}],
            "volumes": [{"name": "v", "configMap": {"name": "file"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "q"}}, {"configMap": {"name": "r"}}]}}]
        }))
        .expect("a pod spec");
        let found: Vec<String> = references(&spec)
            .iter()
            .map(|(key, optional)| format!("{key}{}", if *optional { "?" } else { "" }))
            .collect();
        assert_eq!(
            found,
            [
                "ConfigMap/all",
                "ConfigMap/file",
                "ConfigMap/one?",
                "ConfigMap/r",
                "Secret/pull?",
                "Secret/q",
                "Secret/s",
                "PersistentVolumeClaim/disk",
            ]
        );
    }
}
