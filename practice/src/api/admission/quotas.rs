//! ResourceQuota: an object that would go beyond one is refused before it exists.

use serde_json::Value;

use crate::api::kinds::{self, Kind};
use crate::api::status::StatusError;
use crate::api::store::Transaction;
use crate::quota::{self, Amounts};

/// Refuses a new object that a quota of its namespace has no room for.
pub fn check(txn: &Transaction<'_>, kind: &Kind, object: &Value) -> Result<(), StatusError> {
    let (Some(quotas), Some(namespace)) = (
        kinds::by_kind("", "ResourceQuota").filter(|_| kind.namespaced),
        object["metadata"]["namespace"].as_str(),
    ) else {
        return Ok(());
    };
    let quotas = txn.list(quotas, Some(namespace));
    if quotas.is_empty() {
        return Ok(());
    }
    let wanted = quota::usage(kind.group, kind.plural, object);
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    let refuse = |why: String| Err(StatusError::forbidden(&kind.resource(), name, &why));
    for quota in quotas {
        let hard = quota::amounts(&quota["spec"]["hard"]);
        if !quota::in_scope(&quota, kind.plural, object) {
            continue;
        }
        let asked: Amounts = wanted
            .iter()
            .filter(|(name, amount)| hard.contains_key(*name) && **amount != 0)
            .map(|(name, amount)| (name.clone(), *amount))
            .collect();
        let quota_name = quota["metadata"]["name"].as_str().unwrap_or("");
        if kind.group.is_empty() && kind.plural == "pods" {
            let missing = quota::unsaid(object, &hard);
            if !missing.is_empty() {
                return refuse(format!(
                    "failed quota: {quota_name}: must specify {}",
                    missing.join("; ")
                ));
            }
        }
        if asked.is_empty() {
            continue;
        }
        let mut used = Amounts::new();
        for other in txn.list(kind, Some(namespace)) {
            if quota::in_scope(&quota, kind.plural, &other) {
                for (name, amount) in quota::usage(kind.group, kind.plural, &other) {
                    *used.entry(name).or_default() += amount;
                }
            }
        }
        let of = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or_default();
        let exceeded: Vec<&String> = asked
            .keys()
            .filter(|name| of(&used, name) + asked[*name] > hard[*name])
            .collect();
        if exceeded.is_empty() {
            continue;
        }
        let list = |amounts: &Amounts| {
            let each = exceeded
                .iter()
                .map(|name| format!("{name}={}", quota::shown(name, of(amounts, name))));
            each.collect::<Vec<_>>().join(",")
        };
        return refuse(format!(
            "exceeded quota: {quota_name}, requested: {}, used: {}, limited: {}",
            list(&asked),
            list(&used),
            list(&hard)
        ));
    }
    Ok(())
}
