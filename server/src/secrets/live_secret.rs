//! What is known of the project's Secret in the cluster: fingerprints and times, never values.

use std::collections::BTreeMap;

use app::model::{LengthClass, SecretState, SecretView, UnixMillis};
use k8s_openapi::api::core::v1::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fingerprint::FingerprintKey;
use super::owner::Owner;
use super::reads::SecretRead;
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::times::millis;
use crate::live::pod_facts::PodFacts;

/// What was entered here: kept in the journal, and all that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    pub fingerprint: String,
    pub at: UnixMillis,
    /// The user of this machine.
    #[serde(default)]
    pub by: Option<String>,
    /// When the cluster took it, by the cluster's own clock.
    #[serde(default)]
    pub taken: Option<UnixMillis>,
}

/// The Secret as the cluster has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSecret {
    pub name: String,
    /// By key, for every key it has.
    pub fingerprints: BTreeMap<String, String>,
    pub lengths: BTreeMap<String, LengthClass>,
    /// When each key was last set, where the cluster tells.
    pub changed: BTreeMap<String, UnixMillis>,
    /// Who set each key last, where the cluster tells.
    pub managers: BTreeMap<String, String>,
    pub owner: Owner,
    pub immutable: bool,
}

impl LiveSecret {
    pub fn of(secret: &Secret, key: &FingerprintKey) -> Self {
        let data = || secret.data.iter().flatten();
        let set = last_set(secret);
        Self {
            name: secret.metadata.name.clone().unwrap_or_default(),
            fingerprints: data()
                .map(|(name, value)| (name.clone(), key.of(name, &value.0)))
                .collect(),
            lengths: data()
                .map(|(name, value)| (name.clone(), LengthClass::of(value.0.len())))
                .collect(),
            changed: set
                .iter()
                .map(|(key, (at, _))| (key.clone(), *at))
                .collect(),
            managers: set.into_iter().map(|(key, (_, by))| (key, by)).collect(),
            owner: Owner::of(secret),
            immutable: secret.immutable.unwrap_or(false),
        }
    }

    /// Adds the times at which the values that are there were entered here. All keys that one manager
    /// wrote share one time in the cluster, that of its newest change of any; ours we know apart.
    #[must_use]
    pub fn with_entered(mut self, entered: &BTreeMap<String, Entered>) -> Self {
        for (key, entered) in entered {
            let is_ours = self.managers.get(key).is_some_and(|by| by == FIELD_MANAGER);
            if self.fingerprints.get(key) == Some(&entered.fingerprint) {
                if let Some(taken) = entered.taken.filter(|_| is_ours) {
                    self.changed.insert(key.clone(), taken);
                    continue;
                }
                let whole_second = UnixMillis(entered.at.0 - entered.at.0.rem_euclid(1000));
                let newest = self.changed.entry(key.clone()).or_insert(whole_second);
                *newest = (*newest).max(whole_second);
            }
        }
        self
    }

    /// Whether the pod was started with other values than there are now. Told by the annotation its
    /// template got from the deploy, or else by its age.
    pub fn is_stale(&self, pod: &PodFacts, key: &FingerprintKey) -> bool {
        let reads: Vec<&SecretRead> = pod
            .reads_secrets
            .iter()
            .filter(|read| read.secret == self.name)
            .collect();
        if reads.is_empty() {
            return false;
        }
        let now = key.of_reads(&self.name, &pod.reads_secrets, &self.fingerprints);
        if now.is_some() && now == pod.secret_fingerprint {
            return false;
        }
        let changed = self
            .changed
            .iter()
            .filter(|(name, _)| {
                reads
                    .iter()
                    .any(|read| read.key.as_ref().is_none_or(|key| key == *name))
            })
            .map(|(_, at)| *at)
            .max();
        match changed {
            // Times are whole seconds. Within the same one, a differing mark decides.
            Some(changed) if pod.secret_fingerprint.is_some() => pod.created <= changed,
            Some(changed) => pod.created < changed,
            None => pod.secret_fingerprint.is_some(),
        }
    }
}

/// When and by whom each key was set, by the managed fields: the newest entry that owns the key.
fn last_set(secret: &Secret) -> BTreeMap<String, (UnixMillis, String)> {
    let mut set: BTreeMap<String, (UnixMillis, String)> = BTreeMap::new();
    for entry in secret.metadata.managed_fields.iter().flatten() {
        let (Some(at), Some(fields)) = (&entry.time, &entry.fields_v1) else {
            continue;
        };
        let Some(data) = fields.0.get("f:data").and_then(Value::as_object) else {
            continue;
        };
        let at = millis(at);
        for key in data.keys().filter_map(|key| key.strip_prefix("f:")) {
            if set.get(key).is_none_or(|(known, _)| *known <= at) {
                let by = entry.manager.clone().unwrap_or_default();
                set.insert(key.to_owned(), (at, by));
            }
        }
    }
    set
}

/// When Slipway wrote into it last, by the cluster's clock.
pub(super) fn taken(secret: &Secret) -> Option<UnixMillis> {
    let set = last_set(secret).into_values();
    set.filter(|(_, by)| by == FIELD_MANAGER)
        .map(|(at, _)| at)
        .max()
}

/// Puts what was entered and what is there side by side.
pub fn states(
    views: Vec<SecretView>,
    live: &Result<Option<LiveSecret>, String>,
    entered: &BTreeMap<String, Entered>,
) -> Vec<SecretView> {
    views
        .into_iter()
        .map(|view| {
            let key = view.key.as_str();
            let secret = live.as_ref().ok().and_then(Option::as_ref);
            SecretView {
                length: secret.and_then(|secret| secret.lengths.get(key).copied()),
                state: match live {
                    Err(why) => SecretState::Unknown {
                        why: why.clone(),
                        entered: entered.get(key).map(|entered| entered.at),
                    },
                    Ok(_) => state(key, secret, entered.get(key)),
                },
                ..view
            }
        })
        .collect()
}

fn state(key: &str, secret: Option<&LiveSecret>, entered: Option<&Entered>) -> SecretState {
    let Some((secret, fingerprint)) =
        secret.and_then(|secret| Some((secret, secret.fingerprints.get(key)?)))
    else {
        return SecretState::Unset;
    };
    let (fingerprint, at) = (fingerprint.clone(), secret.changed.get(key).copied());
    let by = secret
        .managers
        .get(key)
        .cloned()
        .filter(|by| !by.is_empty());
    match entered {
        Some(entered) if entered.fingerprint == fingerprint => SecretState::Set {
            fingerprint,
            since: entered.at,
            by: entered.by.clone(),
        },
        Some(entered) => SecretState::Drifted {
            fingerprint,
            entered: entered.at,
            by,
            at,
        },
        None => SecretState::Foreign {
            fingerprint,
            by,
            at,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(value: &str, set_at: &str) -> Secret {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        serde_json::from_value(json!({
            "metadata": {"name": "todo-secrets", "managedFields": [
                {"manager": "slipway", "operation": "Update", "time": set_at, "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {".": {}, "f:A": {}}}}
            ]},
            "data": {"A": value}
        }))
        .expect("a Secret")
    }

    fn view() -> SecretView {
        SecretView::of_key("A".parse().expect("a key"))
    }

    #[test]
    fn what_was_entered_is_told_from_what_someone_else_put_there() {
        let key = FingerprintKey::random();
        let live = LiveSecret::of(&secret("mine", "2026-01-01T00:00:00Z"), &key);
        let entered = |value: &[u8]| {
            BTreeMap::from([(
                "A".to_owned(),
                Entered {
                    fingerprint: key.of("A", value),
                    at: UnixMillis(7),
                    by: None,
                    taken: None,
                },
            )])
        };
        let state = |live: Result<Option<LiveSecret>, String>,
                     entered: &BTreeMap<String, Entered>| {
            states(vec![view()], &live, entered).remove(0).state
        };
        assert!(matches!(
            state(Ok(Some(live.clone())), &entered(b"mine")),
            SecretState::Set {
                since: UnixMillis(7),
                ..
            }
        ));
        assert!(matches!(
            state(Ok(Some(live.clone())), &entered(b"other")),
            SecretState::Drifted { .. }
        ));
        assert!(matches!(
            state(Ok(Some(live)), &BTreeMap::new()),
            SecretState::Foreign { .. }
        ));
        assert_eq!(state(Ok(None), &entered(b"mine")), SecretState::Unset);
        assert!(matches!(
            state(Err("may not look".into()), &entered(b"mine")),
            SecretState::Unknown {
                entered: Some(UnixMillis(7)),
                ..
            }
        ));
    }

    #[test]
    fn a_pod_is_stale_when_it_started_before_the_values_of_now() {
        let key = FingerprintKey::random();
        let live = LiveSecret::of(&secret("new", "2026-01-01T00:01:00Z"), &key);
        let old = LiveSecret::of(&secret("old", "2026-01-01T00:00:00Z"), &key);
        let reads = vec![SecretRead {
            secret: "todo-secrets".into(),
            key: Some("A".into()),
            optional: false,
        }];
        let stamp = |live: &LiveSecret| key.of_reads(&live.name, &reads, &live.fingerprints);
        let pod = |created: &str, stamp: Option<String>| PodFacts {
            created: crate::adapters::kube::times::parse_rfc3339(created).expect("a time"),
            secret_fingerprint: stamp,
            reads_secrets: reads.clone(),
            ..PodFacts::default()
        };
        let before = "2026-01-01T00:00:30Z";
        let after = "2026-01-01T00:01:30Z";
        assert!(live.is_stale(&pod(before, stamp(&old)), &key));
        assert!(
            !live.is_stale(&pod(before, stamp(&live)), &key),
            "same values again"
        );
        assert!(
            !live.is_stale(&pod(after, stamp(&old)), &key),
            "restarted since"
        );
        assert!(live.is_stale(&pod(before, None), &key));
        let mut untold = live.clone();
        untold.changed.clear();
        assert!(untold.is_stale(&pod(after, stamp(&old)), &key));
        assert!(!untold.is_stale(&pod(after, None), &key));
        let mut other = pod(before, None);
        other.reads_secrets.clear();
        assert!(!live.is_stale(&other, &key), "reads nothing of it");
        let same_second = "2026-01-01T00:01:00Z";
        assert!(live.is_stale(&pod(same_second, stamp(&old)), &key));
        assert!(!live.is_stale(&pod(same_second, None), &key));
        // A server that tells no times: what was entered here has one.
        let entered = BTreeMap::from([(
            "A".to_owned(),
            Entered {
                fingerprint: key.of("A", b"new"),
                at: crate::adapters::kube::times::parse_rfc3339(same_second).expect("a time"),
                by: None,
                taken: None,
            },
        )]);
        let told = untold.with_entered(&entered);
        assert!(told.is_stale(&pod(before, stamp(&old)), &key));
        assert!(!told.is_stale(&pod(after, stamp(&old)), &key));
        // Another key of ours was changed since: the cluster's time is that one's.
        let mut entered = entered;
        entered.get_mut("A").expect("entered").taken =
            crate::adapters::kube::times::parse_rfc3339("2026-01-01T00:00:00Z");
        let told = live.clone().with_entered(&entered);
        assert!(live.is_stale(&pod(before, None), &key));
        assert!(!told.is_stale(&pod(before, None), &key));
        // Unless it was somebody else who wrote it last.
        let mut theirs = live;
        theirs.managers.insert("A".into(), "kubectl-edit".into());
        let told = theirs.with_entered(&entered);
        assert!(told.is_stale(&pod(before, None), &key));
    }
}
