//! Writes the node's events with client-go's rules: the same event again only raises the count,
//! many similar ones are combined, and one object may not flood the rest.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::mpsc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    Normal,
    Warning,
}

/// One thing that happened to one object.
#[derive(Clone, Debug)]
pub struct NodeEvent {
    pub about: ObjectReference,
    pub kind: EventType,
    pub reason: &'static str,
    pub message: String,
}

/// Hands events to the writer; never waits.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::UnboundedSender<NodeEvent>,
}

impl Recorder {
    pub fn start(client: kube::Client, node: String) -> Self {
        let (queue, mut events) = mpsc::unbounded_channel::<NodeEvent>();
        tokio::spawn(async move {
            let mut correlator = Correlator::default();
            while let Some(event) = events.recv().await {
                if let Some(decision) = correlator.decide(&event, Instant::now()) {
                    write(&client, &node, &event, decision, &mut correlator).await;
                }
            }
        });
        Self { queue }
    }

    pub fn record(
        &self,
        about: ObjectReference,
        kind: EventType,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        let _ = self.queue.send(NodeEvent {
            about,
            kind,
            reason,
            message: message.into(),
        });
    }
}

const SIMILAR_LIMIT: usize = 10;
const SIMILAR_WINDOW_SECS: u64 = 600;
const BURST: f64 = 25.0;
const REFILL_PER_SEC: f64 = 1.0 / 300.0;

type SimilarKey = (String, String, EventType, &'static str);
type SameKey = (SimilarKey, String);

#[derive(Debug, Default)]
struct Correlator {
    buckets: HashMap<String, (f64, Instant)>,
    similar: HashMap<SimilarKey, (HashSet<String>, Instant)>,
    known: HashMap<SameKey, (String, i32)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Decision {
    key: SameKey,
    /// Name and new count of an event that exists already.
    existing: Option<(String, i32)>,
}

impl Correlator {
    fn decide(&mut self, event: &NodeEvent, now: Instant) -> Option<Decision> {
        let uid = event.about.uid.clone().unwrap_or_default();
        let field = event.about.field_path.clone().unwrap_or_default();
        let similar = (uid.clone(), field, event.kind, event.reason);
        let (messages, last) = self
            .similar
            .entry(similar.clone())
            .or_insert_with(|| (HashSet::new(), now));
        if now.duration_since(*last).as_secs() > SIMILAR_WINDOW_SECS {
            messages.clear();
        }
        *last = now;
        messages.insert(event.message.clone());
        let message = if messages.len() > SIMILAR_LIMIT {
            format!("(combined from similar events): {}", event.message)
        } else {
            event.message.clone()
        };
        // Combined events count as one whatever their text is now.
        let same = if messages.len() > SIMILAR_LIMIT {
            String::new()
        } else {
            message
        };
        let (tokens, filled) = self.buckets.entry(uid).or_insert((BURST, now));
        *tokens = (*tokens + now.duration_since(*filled).as_secs_f64() * REFILL_PER_SEC).min(BURST);
        *filled = now;
        if *tokens < 1.0 {
            return None;
        }
        *tokens -= 1.0;
        let key = (similar, same);
        let existing = self
            .known
            .get(&key)
            .map(|(name, count)| (name.clone(), count + 1));
        Some(Decision { key, existing })
    }

    fn written(&mut self, key: SameKey, name: String, count: i32) {
        if self.known.len() > 4096 {
            self.known.clear();
            self.similar.clear();
        }
        self.known.insert(key, (name, count));
    }
}

async fn write(
    client: &kube::Client,
    node: &str,
    event: &NodeEvent,
    decision: Decision,
    correlator: &mut Correlator,
) {
    let namespace = event
        .about
        .namespace
        .clone()
        .unwrap_or_else(|| "default".into());
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let now = Timestamp::now();
    let message = if decision.key.1.is_empty() {
        format!("(combined from similar events): {}", event.message)
    } else {
        event.message.clone()
    };
    if let Some((name, count)) = decision.existing {
        let patch = serde_json::json!({
            "count": count, "lastTimestamp": Time(now), "message": message,
        });
        let patched = api
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        if patched.is_ok() {
            correlator.written(decision.key, name, count);
            return;
        }
    }
    let about = event.about.name.clone().unwrap_or_default();
    let name = format!("{about}.{:x}", now.as_nanosecond());
    let object = Event {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: event.about.clone(),
        reason: Some(event.reason.into()),
        message: Some(message),
        type_: Some(format!("{:?}", event.kind)),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        source: Some(EventSource {
            component: Some("kubelet".into()),
            host: Some(node.into()),
        }),
        reporting_component: Some("kubelet".into()),
        reporting_instance: Some(node.into()),
        ..Event::default()
    };
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => correlator.written(decision.key, name, 1),
        // Events explain; losing one must not disturb what they are about.
        Err(error) => tracing::debug!(%error, reason = event.reason, "event not written"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use k8s_openapi::api::core::v1::ObjectReference;

    use super::{Correlator, EventType, NodeEvent};

    fn event(message: &str) -> NodeEvent {
        NodeEvent {
            about: ObjectReference {
                uid: Some("u".into()),
                ..ObjectReference::default()
            },
            kind: EventType::Warning,
            reason: "Unhealthy",
            message: message.into(),
        }
    }

    #[test]
    fn the_same_event_raises_the_count() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let first = correlator.decide(&event("x"), now).unwrap();
        assert_eq!(first.existing, None);
        correlator.written(first.key, "name".into(), 1);
        let second = correlator.decide(&event("x"), now).unwrap();
        assert_eq!(second.existing, Some(("name".into(), 2)));
    }

    #[test]
    fn many_similar_events_become_one() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        for n in 0..10 {
            assert!(
                !correlator
                    .decide(&event(&n.to_string()), now)
                    .unwrap()
                    .key
                    .1
                    .is_empty()
            );
        }
        assert!(
            correlator
                .decide(&event("eleven"), now)
                .unwrap()
                .key
                .1
                .is_empty()
        );
    }

    #[test]
    fn a_flood_is_dropped() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let passed = (0..40)
            .filter(|_| correlator.decide(&event("x"), now).is_some())
            .count();
        assert_eq!(passed, 25);
    }
}
