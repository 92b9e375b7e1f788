//! What the project's manifests ask a node for.

use serde_json::Value;

use crate::deploy::manifests;
use crate::project::Project;

/// The sum over all pods of all workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    pub cpu_millis: u64,
    pub memory_bytes: u64,
}

impl Demand {
    /// Reads the manifests; nothing when the project has none or asks for nothing.
    pub fn of(project: &Project) -> Self {
        project
            .spec()
            .deploy
            .manifests
            .iter()
            .flat_map(|shown| manifests::read(&project.path(shown), shown).manifests)
            .map(|manifest| Self::of_workload(&manifest.object))
            .fold(Self::default(), |sum, each| Self {
                cpu_millis: sum.cpu_millis.saturating_add(each.cpu_millis),
                memory_bytes: sum.memory_bytes.saturating_add(each.memory_bytes),
            })
    }

    fn of_workload(object: &Value) -> Self {
        let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
        let containers = object["spec"]["template"]["spec"]["containers"].as_array();
        let mut one = Self::default();
        for container in containers.into_iter().flatten() {
            let asked = |what: &str| quantity(&container["resources"]["requests"][what]);
            let cpu = (asked("cpu").unwrap_or(0.0) * 1000.0).ceil();
            one.cpu_millis = one.cpu_millis.saturating_add(cpu as u64);
            one.memory_bytes = one
                .memory_bytes
                .saturating_add(asked("memory").unwrap_or(0.0) as u64);
        }
        Self {
            cpu_millis: one.cpu_millis.saturating_mul(replicas),
            memory_bytes: one.memory_bytes.saturating_mul(replicas),
        }
    }
}

/// A Kubernetes quantity such as `250m`, `0.5`, `64Mi` or `1G`.
fn quantity(value: &Value) -> Option<f64> {
    if let Some(number) = value.as_f64() {
        return Some(number);
    }
    let text = value.as_str()?.trim();
    let at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let number: f64 = text[..at].parse().ok()?;
    let factor = match &text[at..] {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * factor).filter(|number| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_replica_counts() {
        let object = json!({"kind": "Deployment", "spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}},
            {"resources": {"requests": {"cpu": 1, "memory": "1M"}}},
            {},
        ]}}}});
        let demand = Demand::of_workload(&object);
        assert_eq!(demand.cpu_millis, 3 * 1250);
        assert_eq!(demand.memory_bytes, 3 * (64 * 1024 * 1024 + 1_000_000));
        assert_eq!(
            Demand::of_workload(&json!({"kind": "ConfigMap"})),
            Demand::default()
        );
    }

    #[test]
    fn what_is_no_quantity_counts_as_nothing() {
        for odd in [
            json!("x"),
            json!("-1"),
            json!("1Zi"),
            json!(null),
            json!("1e400"),
        ] {
            assert_eq!(quantity(&odd), None, "{odd}");
        }
        assert_eq!(quantity(&json!("0.5")), Some(0.5));
    }
}
