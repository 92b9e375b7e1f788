//! What is kept of Events, and what they say about probes.

use app::model::{EventRow, UnixMillis};
use k8s_openapi::api::core::v1::Event;

use super::pod_row::ProbeNewsOf;
use super::probe::{ProbeFailure, container_of, parse_killing, parse_unhealthy};
use crate::adapters::kube::times::{micro_millis, millis};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    pub row: EventRow,
    pub container: Option<String>,
}

impl EventFacts {
    pub fn of(event: &Event) -> Self {
        let about = &event.involved_object;
        let series = event.series.as_ref();
        let at = series
            .and_then(|series| series.last_observed_time.as_ref())
            .map(micro_millis)
            .or_else(|| event.last_timestamp.as_ref().map(millis))
            .or_else(|| event.event_time.as_ref().map(micro_millis))
            .or_else(|| event.metadata.creation_timestamp.as_ref().map(millis))
            .unwrap_or_default();
        let count = series
            .and_then(|series| series.count)
            .or(event.count)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(1)
            .max(1);
        Self {
            row: EventRow {
                uid: event.metadata.uid.clone().unwrap_or_default(),
                kind: about.kind.clone().unwrap_or_default(),
                name: about.name.clone().unwrap_or_default(),
                object_uid: about.uid.clone().unwrap_or_default(),
                warning: event.type_.as_deref() == Some("Warning"),
                reason: event.reason.clone().unwrap_or_default(),
                message: event.message.clone().unwrap_or_default(),
                count,
                at,
            },
            container: about
                .field_path
                .as_deref()
                .and_then(container_of)
                .map(str::to_owned),
        }
    }
}

/// What a pod's Events say: news per probe, and the newest other warning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodEvents {
    pub probes: ProbeNewsOf,
    pub warning: Option<(UnixMillis, String)>,
}

impl PodEvents {
    pub fn fold<'a>(events: impl Iterator<Item = &'a EventFacts>) -> Self {
        let mut folded = Self::default();
        for event in events {
            folded.add(event);
        }
        folded
    }

    fn add(&mut self, event: &EventFacts) {
        let row = &event.row;
        let container = event.container.clone().unwrap_or_default();
        match row.reason.as_str() {
            "Unhealthy" => {
                let Some((kind, message)) = parse_unhealthy(&row.message) else {
                    return;
                };
                let news = self.probes.entry((container, kind)).or_default();
                if news.failure.as_ref().is_none_or(|known| known.at <= row.at) {
                    news.failure = Some(ProbeFailure {
                        message,
                        at: row.at,
                    });
                }
            }
            "Killing" => {
                if let Some(kind) = parse_killing(&row.message) {
                    let news = self.probes.entry((container, kind)).or_default();
                    news.killed = news.killed.max(Some(row.at));
                }
            }
            // The container's own state says it better.
            "BackOff" | "ProbeWarning" => {}
            _ if row.warning && self.warning.as_ref().is_none_or(|(at, _)| *at <= row.at) => {
                self.warning = Some((row.at, row.message.clone()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::ProbeKind;
    use serde_json::json;

    fn event(value: serde_json::Value) -> EventFacts {
        EventFacts::of(&serde_json::from_value(value).expect("an Event"))
    }

    #[test]
    fn the_time_of_an_event_is_the_best_there_is() {
        let about = json!({"kind": "Pod", "name": "p", "uid": "u"});
        let series = event(json!({"metadata": {}, "involvedObject": about,
            "eventTime": "2026-01-01T00:00:01.000000Z", "series": {"count": 4, "lastObservedTime": "2026-01-01T00:00:09.000000Z"}}));
        let last = event(
            json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"}, "involvedObject": about,
            "lastTimestamp": "2026-01-01T00:00:05Z", "count": 2}),
        );
        let bare = event(
            json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"}, "involvedObject": about}),
        );
        assert_eq!(series.row.at.0 - bare.row.at.0, 8_000);
        assert_eq!(last.row.at.0 - bare.row.at.0, 4_000);
        assert_eq!(
            (series.row.count, last.row.count, bare.row.count),
            (4, 2, 1)
        );
    }

    #[test]
    fn the_newest_failure_of_each_probe_counts() {
        let about =
            json!({"kind": "Pod", "name": "p", "uid": "u", "fieldPath": "spec.containers{app}"});
        let at = |second: u32, reason: &str, message: &str| {
            event(
                json!({"metadata": {}, "involvedObject": about, "type": "Warning", "reason": reason,
                "message": message, "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z")}),
            )
        };
        let events = [
            at(9, "Unhealthy", "Readiness probe failed: new"),
            at(3, "Unhealthy", "Readiness probe failed: old"),
            at(
                4,
                "Killing",
                "Container app failed liveness probe, will be restarted",
            ),
            at(5, "FailedMount", "MountVolume.SetUp failed"),
            at(6, "BackOff", "Back-off restarting failed container"),
        ];
        let folded = PodEvents::fold(events.iter());
        let of = |kind| &folded.probes[&("app".to_owned(), kind)];
        assert_eq!(
            of(ProbeKind::Readiness)
                .failure
                .as_ref()
                .map(|f| f.message.as_str()),
            Some("new")
        );
        assert!(of(ProbeKind::Liveness).killed.is_some());
        assert_eq!(
            folded.warning.map(|(_, text)| text).as_deref(),
            Some("MountVolume.SetUp failed")
        );
    }
}
