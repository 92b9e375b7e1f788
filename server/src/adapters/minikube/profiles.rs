//! `minikube profile list`: which profiles there are and how each was made.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::minikube;
use crate::process::CommandSpec;

/// Lists all profiles without asking any of their clusters: that would wait for dead ones.
pub fn profile_list() -> CommandSpec {
    minikube()
        .args(["profile", "list", "--light", "--output", "json"])
        .deadline(Duration::from_secs(15))
}

/// A profile as its configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedProfile {
    pub name: String,
    /// Its configuration; none when it cannot be read.
    pub config: Option<ProfileConfig>,
}

/// The part of minikube's `ClusterConfig` that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ProfileConfig {
    #[serde(deserialize_with = "or_default")]
    pub driver: String,
    /// Megabytes.
    #[serde(deserialize_with = "or_default")]
    pub memory: u32,
    #[serde(rename = "CPUs", deserialize_with = "or_default")]
    pub cpus: u32,
    #[serde(deserialize_with = "or_default")]
    pub kubernetes_config: KubernetesConfig,
    #[serde(deserialize_with = "or_default")]
    pub nodes: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KubernetesConfig {
    #[serde(deserialize_with = "or_default")]
    pub kubernetes_version: String,
    #[serde(deserialize_with = "or_default")]
    pub container_runtime: String,
}

/// `null` and what has another type count as nothing: one odd value must not hide a profile.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Reads the output of [`profile_list`], invalid profiles at the end. None when it is no list:
/// a failure prints `{"error":{}}` with exit code 80 and says nothing more.
pub fn parse_profile_list(stdout: &str) -> Option<Vec<ListedProfile>> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(rename = "Name")]
        name: String,
        #[serde(rename = "Config", default, deserialize_with = "or_default")]
        config: Option<ProfileConfig>,
    }
    #[derive(Deserialize)]
    struct Lists {
        valid: Option<Vec<Row>>,
        #[serde(default)]
        invalid: Option<Vec<Row>>,
    }
    let start = stdout.find('{')?;
    let lists: Lists = serde_json::Deserializer::from_str(&stdout[start..])
        .into_iter()
        .next()?
        .ok()?;
    let valid = lists.valid?;
    Some(
        valid
            .into_iter()
            .chain(lists.invalid.unwrap_or_default())
            .map(|row| ListedProfile {
                name: row.name,
                config: row.config,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_not_an_empty_list() {
        assert_eq!(parse_profile_list(r#"{"error":{}}"#), None);
        assert_eq!(parse_profile_list("null"), None);
        assert_eq!(parse_profile_list(""), None);
        assert_eq!(
            parse_profile_list(r#"{"invalid":[],"valid":[]}"#),
            Some(vec![])
        );
    }

    #[test]
    fn invalid_profiles_are_listed_without_a_configuration() {
        let text = json!({
            "invalid": [{"Name": "odd", "Status": "", "Config": null}],
            "valid": [{"Name": "minikube", "Status": "Skipped", "Active": true, "Config": {
                "Name": "minikube", "Driver": "docker", "Memory": 3072, "CPUs": 2,
                "KubernetesConfig": {"KubernetesVersion": "v1.35.1", "ContainerRuntime": "containerd"},
                "Nodes": [{"Name": ""}], "Addons": null, "StartHostTimeout": 360_000_000_000_u64}}],
        });
        let profiles = parse_profile_list(&text.to_string()).expect("a list");
        let config = profiles[0].config.as_ref().expect("a configuration");
        assert_eq!((config.cpus, config.memory), (2, 3072));
        assert_eq!(config.kubernetes_config.container_runtime, "containerd");
        assert_eq!(profiles[1].name, "odd");
        assert_eq!(profiles[1].config, None);
    }

    proptest! {
        #[test]
        fn an_odd_value_does_not_hide_the_profile(memory in any::<i64>(), driver in prop_oneof![
            Just(json!(null)), Just(json!(7)), Just(json!(["docker"])), Just(json!("docker"))
        ]) {
            let text = json!({"valid": [{"Name": "m", "Config": {"Memory": memory, "Driver": driver}}]});
            let profiles = parse_profile_list(&text.to_string()).expect("a list");
            prop_assert_eq!(&profiles[0].name, "m");
            prop_assert!(profiles[0].config.is_some());
        }

        #[test]
        fn no_output_breaks_the_reader(text in ".{0,200}") {
            prop_assert_eq!(parse_profile_list(&text), None);
        }
    }
}
