//! Rules about what happens while pods are replaced.

use app::model::Finding;
use serde_json::{Value, json};

use super::Item;

/// What a number or a share of the replicas comes to. Shares are rounded as the Deployment
/// controller does: what may be unavailable down, what comes on top up.
fn amount(value: &Value, replicas: i64, up: bool, default: &str) -> i64 {
    let text = match value {
        Value::Number(number) => return number.as_i64().unwrap_or(0),
        Value::String(text) => text.as_str(),
        _ => default,
    };
    let Some(percent) = text
        .strip_suffix('%')
        .and_then(|text| text.parse::<i64>().ok())
    else {
        return text.parse().unwrap_or(0);
    };
    let all = replicas * percent;
    if up { (all + 99) / 100 } else { all / 100 }
}

/// ROLLOUT_DOWNTIME: the only pod may go before the next one is ready.
pub(super) fn downtime(item: &Item<'_>) -> Option<Finding> {
    if item.kind() != "Deployment" {
        return None;
    }
    let spec = &item.object["spec"];
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    if replicas != 1 || spec["strategy"]["type"] == "Recreate" {
        return None;
    }
    let rolling = &spec["strategy"]["rollingUpdate"];
    let unavailable = amount(&rolling["maxUnavailable"], replicas, false, "25%");
    let surge = amount(&rolling["maxSurge"], replicas, true, "25%");
    // With neither, the API server lets one be away.
    if unavailable < 1 && surge > 0 {
        return None;
    }
    let fix =
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}});
    Some(
        item.about(Finding::new(
            "ROLLOUT_DOWNTIME",
            format!("{} is away during every rollout", item.name()),
            "It has one pod, and its strategy lets that one go before the next is ready.",
        ))
        .attention()
        .evidence(
            item.source,
            format!("replicas: 1, rollingUpdate: {rolling}"),
        )
        .next(item.patch(&fix)),
    )
}

/// PDB_BLOCKS: a disruption budget that never lets a pod go.
pub(super) fn budget(item: &Item<'_>, items: &[Item<'_>]) -> Option<Finding> {
    if item.kind() != "PodDisruptionBudget" {
        return None;
    }
    let spec = &item.object["spec"];
    let wanted = spec["selector"]["matchLabels"].as_object()?;
    let covered: Vec<&Item<'_>> = items
        .iter()
        .filter(|other| {
            other
                .labels()
                .is_some_and(|labels| wanted.iter().all(|(key, value)| &labels[key] == value))
        })
        .collect();
    let replicas: i64 = covered
        .iter()
        .map(|other| other.object["spec"]["replicas"].as_i64().unwrap_or(1))
        .sum();
    if covered.is_empty() {
        return None;
    }
    let blocks = if spec["maxUnavailable"].is_null() {
        amount(&spec["minAvailable"], replicas, true, "1") >= replicas
    } else {
        amount(&spec["maxUnavailable"], replicas, true, "1") < 1
    };
    blocks.then(|| {
        let shown = match &spec["maxUnavailable"] {
            Value::Null => format!("minAvailable: {}", spec["minAvailable"]),
            value => format!("maxUnavailable: {value}"),
        };
        item.about(Finding::new(
            "PDB_BLOCKS",
            format!("The budget {} lets no pod go", item.name()),
            format!("All {replicas} pods it covers must stay, so a node can never be drained."),
        ))
        .attention()
        .evidence(item.source, shown)
        .next(item.patch(&json!({"spec": {"minAvailable": null, "maxUnavailable": 1}})))
    })
}
