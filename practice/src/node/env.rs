//! A container's environment: values, references to ConfigMaps, Secrets, fields and resources,
//! and `$(VAR)` expansion, with the kubelet's wording for what is missing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvVar, EnvVarSource, ObjectFieldSelector, PersistentVolumeClaim, Pod,
    ResourceFieldSelector, Secret,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Api;

use super::quantity;

/// Why a container cannot be configured; the text is shown as CreateContainerConfigError.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// ConfigMaps and Secrets of one namespace, read through the API and kept for one container start.
pub struct Sources {
    config_maps: Api<ConfigMap>,
    secrets: Api<Secret>,
    claims: Api<PersistentVolumeClaim>,
    namespace: String,
}

impl Sources {
    pub fn new(client: &kube::Client, namespace: &str) -> Self {
        Self {
            config_maps: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
            claims: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    /// All keys of a ConfigMap; `None` when it is missing and optional.
    pub async fn config_map(
        &self,
        name: &str,
        optional: bool,
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>, ConfigError> {
        let found = self
            .config_maps
            .get_opt(name)
            .await
            .map_err(|e| ConfigError(e.to_string()))?;
        match found {
            Some(map) => {
                let mut all: BTreeMap<String, Vec<u8>> = map
                    .data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, value)| (key, value.into_bytes()))
                    .collect();
                all.extend(
                    map.binary_data
                        .unwrap_or_default()
                        .into_iter()
                        .map(|(k, v)| (k, v.0)),
                );
                Ok(Some(all))
            }
            None if optional => Ok(None),
            None => Err(ConfigError(format!("configmap \"{name}\" not found"))),
        }
    }

    /// All keys of a Secret; `None` when it is missing and optional.
    pub async fn secret(
        &self,
        name: &str,
        optional: bool,
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>, ConfigError> {
        let found = self
            .secrets
            .get_opt(name)
            .await
            .map_err(|e| ConfigError(e.to_string()))?;
        match found {
            Some(secret) => Ok(Some(
                secret
                    .data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(k, v)| (k, v.0))
                    .collect(),
            )),
            None if optional => Ok(None),
            None => Err(ConfigError(format!("secret \"{name}\" not found"))),
        }
    }

    /// The volume a claim is bound to.
    pub async fn claimed_volume(&self, name: &str) -> Result<String, ConfigError> {
        let found = self
            .claims
            .get_opt(name)
            .await
            .map_err(|e| ConfigError(e.to_string()))?;
        let claim = found
            .ok_or_else(|| ConfigError(format!("persistentvolumeclaim \"{name}\" not found")))?;
        let volume = claim.spec.and_then(|spec| spec.volume_name);
        volume
            .filter(|volume| !volume.is_empty() && !volume.contains(['/', '\\']) && volume != "..")
            .ok_or_else(|| ConfigError(format!("PVC {name} is not bound")))
    }

    async fn key(
        &self,
        kind: &str,
        name: &str,
        key: &str,
        optional: bool,
    ) -> Result<Option<String>, ConfigError> {
        let data = match kind {
            "Secret" => self.secret(name, optional).await?,
            _ => self.config_map(name, optional).await?,
        };
        match data.and_then(|mut data| data.remove(key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value).into_owned())),
            None if optional => Ok(None),
            None => Err(ConfigError(format!(
                "couldn't find key {key} in {kind} {}/{name}",
                self.namespace
            ))),
        }
    }
}

/// What fields refer to besides the pod object itself.
#[derive(Clone, Debug)]
pub struct PodFacts {
    pub pod_ip: String,
    pub node_name: String,
    pub host_ip: String,
}

/// The whole environment of a container. `base` holds what the image and the Services bring.
pub async fn resolve(
    container: &Container,
    pod: &Pod,
    facts: &PodFacts,
    sources: &Sources,
    service_env: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut env = service_env.clone();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        let data = if let Some(reference) = &source.config_map_ref {
            sources
                .config_map(&reference.name, reference.optional.unwrap_or(false))
                .await?
        } else if let Some(reference) = &source.secret_ref {
            sources
                .secret(&reference.name, reference.optional.unwrap_or(false))
                .await?
        } else {
            None
        };
        for (key, value) in data.unwrap_or_default() {
            env.insert(
                format!("{prefix}{key}"),
                String::from_utf8_lossy(&value).into_owned(),
            );
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, container, pod, facts, sources, &env).await? {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

async fn value_of(
    variable: &EnvVar,
    container: &Container,
    pod: &Pod,
    facts: &PodFacts,
    sources: &Sources,
    env: &BTreeMap<String, String>,
) -> Result<Option<String>, ConfigError> {
    let Some(from) = &variable.value_from else {
        return Ok(Some(expand(
            variable.value.as_deref().unwrap_or_default(),
            env,
        )));
    };
    match from {
        EnvVarSource {
            config_map_key_ref: Some(reference),
            ..
        } => {
            let optional = reference.optional.unwrap_or(false);
            sources
                .key("ConfigMap", &reference.name, &reference.key, optional)
                .await
        }
        EnvVarSource {
            secret_key_ref: Some(reference),
            ..
        } => {
            let optional = reference.optional.unwrap_or(false);
            sources
                .key("Secret", &reference.name, &reference.key, optional)
                .await
        }
        EnvVarSource {
            field_ref: Some(field),
            ..
        } => field_value(field, pod, facts).map(Some),
        EnvVarSource {
            resource_field_ref: Some(resource),
            ..
        } => resource_value(resource, container, pod).map(Some),
        _ => Ok(None),
    }
}

/// A field of the pod, as the downward API names it.
pub fn field_value(
    field: &ObjectFieldSelector,
    pod: &Pod,
    facts: &PodFacts,
) -> Result<String, ConfigError> {
    let path = field.field_path.as_str();
    let metadata = &pod.metadata;
    let spec = pod.spec.as_ref();
    let keyed = |map: Option<&BTreeMap<String, String>>, stem: &str| {
        let key = path
            .strip_prefix(stem)?
            .strip_prefix("['")?
            .strip_suffix("']")?;
        Some(
            map.and_then(|map| map.get(key))
                .cloned()
                .unwrap_or_default(),
        )
    };
    let lines = |map: Option<&BTreeMap<String, String>>| {
        let all = map
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value:?}"));
        all.collect::<Vec<_>>().join("\n")
    };
    let value = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "metadata.labels" => Some(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Some(lines(metadata.annotations.as_ref())),
        "spec.nodeName" => Some(facts.node_name.clone()),
        "spec.serviceAccountName" => Some(
            spec.and_then(|s| s.service_account_name.clone())
                .unwrap_or_default(),
        ),
        "status.podIP" | "status.podIPs" => Some(facts.pod_ip.clone()),
        "status.hostIP" | "status.hostIPs" => Some(facts.host_ip.clone()),
        _ => keyed(metadata.labels.as_ref(), "metadata.labels")
            .or_else(|| keyed(metadata.annotations.as_ref(), "metadata.annotations")),
    };
    value.ok_or_else(|| ConfigError(format!("unsupported fieldPath: {path}")))
}

fn resource_value(
    selector: &ResourceFieldSelector,
    container: &Container,
    pod: &Pod,
) -> Result<String, ConfigError> {
    let named = selector.container_name.as_deref().and_then(|name| {
        pod.spec
            .as_ref()?
            .containers
            .iter()
            .find(|container| container.name == name)
    });
    let resources = named.unwrap_or(container).resources.as_ref();
    let (kind, resource) = selector.resource.split_once('.').unwrap_or(("", ""));
    let amounts = match kind {
        "limits" => resources.and_then(|r| r.limits.as_ref().or(r.requests.as_ref())),
        "requests" => resources.and_then(|r| r.requests.as_ref().or(r.limits.as_ref())),
        _ => {
            return Err(ConfigError(format!(
                "unsupported resource: {}",
                selector.resource
            )));
        }
    };
    let amount = amounts
        .and_then(|all| all.get(resource))
        .and_then(quantity::parse);
    // Without a limit the whole machine is the limit, as the kubelet answers.
    let amount = amount.unwrap_or_else(|| match (kind, resource) {
        ("limits", "cpu") => quantity::host_cpus() as f64,
        ("limits", "memory") => quantity::host_memory_bytes() as f64,
        _ => 0.0,
    });
    let divisor = selector
        .divisor
        .as_ref()
        .filter(|Quantity(text)| !text.is_empty() && text != "0")
        .and_then(quantity::parse)
        .unwrap_or(1.0);
    Ok(format!("{}", (amount / divisor).ceil() as u64))
}

/// Replaces `$(VAR)` by the variable's value; `$$` is a dollar, and unknown names stay as written.
pub fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|a| a.split_once(')')) {
            match env.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::expand;

    #[test]
    fn known_names_are_replaced_and_the_rest_stays() {
        let env: BTreeMap<String, String> = [("HOST".to_owned(), "db".to_owned())].into();
        assert_eq!(expand("postgres://$(HOST)/x", &env), "postgres://db/x");
        assert_eq!(expand("$(NOBODY) $HOST $", &env), "$(NOBODY) $HOST $");
        assert_eq!(expand("$$(HOST) $$", &env), "$(HOST) $");
        assert_eq!(expand("$(HOST", &env), "$(HOST");
    }
}
