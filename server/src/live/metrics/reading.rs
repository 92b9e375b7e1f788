//! Reads a `PodMetricsList`. It is no type of Kubernetes' own API, and small.

use practice::quantity::milli;
use serde_json::Value;

/// What one container used at the last measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub pod: String,
    pub container: String,
    /// When metrics-server measured, in its words; they tell one measurement from the next.
    pub timestamp: Option<String>,
    pub cpu_millis: u32,
    pub memory_kib: u32,
}

/// Entries that say nothing readable are left out.
pub(super) fn samples(list: &Value) -> Vec<Sample> {
    let mut found = Vec::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let timestamp = pod["timestamp"].as_str();
        for container in pod["containers"].as_array().into_iter().flatten() {
            let usage = &container["usage"];
            let sample = || {
                Some(Sample {
                    pod: name.to_owned(),
                    container: container["name"].as_str()?.to_owned(),
                    timestamp: timestamp.map(str::to_owned),
                    cpu_millis: millis(usage["cpu"].as_str()?)?,
                    memory_kib: kib(usage["memory"].as_str()?)?,
                })
            };
            found.extend(sample());
        }
    }
    found
}

/// Thousandths of a processor.
pub(in crate::live) fn millis(quantity: &str) -> Option<u32> {
    u32::try_from(milli(quantity)?).ok()
}

pub(in crate::live) fn kib(quantity: &str) -> Option<u32> {
    u32::try_from(milli(quantity)? / 1000 / 1024).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn units_of_metrics_server_are_read_and_nonsense_is_left_out() {
        let list = json!({"kind": "PodMetricsList", "items": [
            {"metadata": {"name": "a"}, "timestamp": "2026-01-01T00:00:00Z", "window": "15s", "containers": [
                {"name": "app", "usage": {"cpu": "12345678n", "memory": "20480Ki"}},
                {"name": "side", "usage": {"cpu": "0", "memory": "2Mi"}},
                {"name": "odd", "usage": {"cpu": "much", "memory": "1"}}]},
            {"metadata": {"name": "b"}}]});
        let of = |container: &str, cpu_millis, memory_kib| Sample {
            pod: "a".into(),
            container: container.into(),
            timestamp: Some("2026-01-01T00:00:00Z".into()),
            cpu_millis,
            memory_kib,
        };
        assert_eq!(
            samples(&list),
            [of("app", 13, 20_480), of("side", 0, 2_048)]
        );
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_no_panic(cpu in ".{0,30}", memory in "[0-9.]{0,40}[a-zA-Z]{0,3}") {
            let list = json!({"items": [{"metadata": {"name": "a"}, "containers": [{"name": "c", "usage": {"cpu": cpu, "memory": memory}}]}]});
            prop_assert!(samples(&list).len() <= 1);
        }
    }
}
