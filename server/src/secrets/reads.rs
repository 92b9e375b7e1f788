//! Which keys of which Secrets a pod reads.

use k8s_openapi::api::core::v1::PodSpec;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretRead {
    pub secret: String,
    /// None: every key there is.
    pub key: Option<String>,
    /// The pod starts without it as well.
    pub optional: bool,
}

/// What a pod reads from Secrets, by environment or volume, sorted and without doubles.
pub fn secret_reads(spec: &PodSpec) -> Vec<SecretRead> {
    let mut reads = Vec::new();
    let containers = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers);
    for container in containers {
        for from in container.env_from.iter().flatten() {
            if let Some(secret) = &from.secret_ref {
                reads.push(SecretRead {
                    secret: secret.name.clone(),
                    key: None,
                    optional: secret.optional.unwrap_or(false),
                });
            }
        }
        for env in container.env.iter().flatten() {
            let key = env
                .value_from
                .as_ref()
                .and_then(|from| from.secret_key_ref.as_ref());
            if let Some(key) = key {
                reads.push(SecretRead {
                    secret: key.name.clone(),
                    key: Some(key.key.clone()),
                    optional: key.optional.unwrap_or(false),
                });
            }
        }
    }
    for volume in spec.volumes.iter().flatten() {
        let Some(secret) = &volume.secret else {
            continue;
        };
        let Some(name) = &secret.secret_name else {
            continue;
        };
        let optional = secret.optional.unwrap_or(false);
        let mut push = |key| {
            reads.push(SecretRead {
                secret: name.clone(),
                key,
                optional,
            });
        };
        match secret.items.as_deref() {
            None | Some([]) => push(None),
            Some(items) => items.iter().for_each(|item| push(Some(item.key.clone()))),
        }
    }
    reads.sort();
    reads.dedup();
    reads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_read_a_secret_is_seen() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "initContainers": [{"name": "init", "envFrom": [{"secretRef": {"name": "a"}}]}],
            "containers": [{"name": "app", "env": [
                {"name": "X", "valueFrom": {"secretKeyRef": {"name": "b", "key": "X"}}},
                {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "b", "key": "Y", "optional": true}}},
                {"name": "Z", "value": "plain"}
            ]}],
            "volumes": [
                {"name": "v", "secret": {"secretName": "c"}},
                {"name": "w", "secret": {"secretName": "d", "items": [{"key": "k", "path": "p"}]}}
            ]
        }))
        .expect("a pod spec");
        let seen: Vec<(String, Option<String>, bool)> = secret_reads(&spec)
            .into_iter()
            .map(|read| (read.secret, read.key, read.optional))
            .collect();
        assert_eq!(
            seen,
            vec![
                ("a".into(), None, false),
                ("b".into(), Some("X".into()), false),
                ("b".into(), Some("Y".into()), true),
                ("c".into(), None, false),
                ("d".into(), Some("k".into()), false),
            ]
        );
    }
}
