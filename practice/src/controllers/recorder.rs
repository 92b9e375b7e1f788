//! Writes events the way the real controllers do: one object per distinct event, counted up when
//! it repeats, and never so many that they flood the server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::time::Instant;

use super::worker::is_not_found;

/// Most events one source may write about one object in a row.
const BURST: f64 = 25.0;
/// After a burst, one more event per this long.
const REFILL: Duration = Duration::from_secs(300);
/// How many distinct events are remembered for counting.
const REMEMBERED: usize = 4096;

/// Normal or Warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    Normal,
    Warning,
}

impl Severity {
    fn text(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    component: &'static str,
    uid: String,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    subject: Subject,
    severity: Severity,
    reason: String,
    message: String,
}

#[derive(Clone)]
struct Written {
    name: String,
    count: i32,
    at: Instant,
}

#[derive(Default)]
struct Memory {
    written: HashMap<Identity, Written>,
    budget: HashMap<Subject, (f64, Instant)>,
}

/// Writes the events of all controllers.
pub struct Recorder {
    client: Client,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder that writes through this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            memory: Mutex::default(),
        }
    }

    /// Writes one event of a controller about an object. Failing to write one is only logged:
    /// events explain, they do not decide.
    pub async fn write<K>(
        &self,
        component: &'static str,
        object: &K,
        severity: Severity,
        reason: &str,
        message: &str,
    ) where
        K: Resource<DynamicType = ()>,
    {
        let reference = reference(object);
        let event = NewEvent {
            component,
            reference,
            severity,
            reason,
            message,
            action: None,
        };
        self.record(event).await;
    }

    /// Writes one event in the newer style of the scheduler, with an action and an event time.
    pub async fn write_action<K>(
        &self,
        component: &'static str,
        object: &K,
        severity: Severity,
        (reason, action): (&str, &'static str),
        message: &str,
    ) where
        K: Resource<DynamicType = ()>,
    {
        let reference = reference(object);
        let action = Some(action);
        self.record(NewEvent {
            component,
            reference,
            severity,
            reason,
            message,
            action,
        })
        .await;
    }

    async fn record(&self, event: NewEvent<'_>) {
        let identity = event.identity();
        let Some(repeated) = self.admit(&identity) else {
            return;
        };
        let namespace = event.namespace();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        if let Some(written) = repeated {
            let patch = event.repetition(written.count + 1);
            let params = PatchParams::default();
            match api
                .patch(&written.name, &params, &Patch::Merge(patch))
                .await
            {
                Ok(_) => {
                    self.remember(
                        identity,
                        Written {
                            count: written.count + 1,
                            ..written
                        },
                    );
                    return;
                }
                // It expired meanwhile: write it anew.
                Err(error) if is_not_found(&error) => {}
                Err(error) => {
                    tracing::debug!(%error, reason = event.reason, "failed to count up an event");
                    return;
                }
            }
        }
        let object = event.object(&namespace);
        let name = object.metadata.name.clone().unwrap_or_default();
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => self.remember(
                identity,
                Written {
                    name,
                    count: 1,
                    at: Instant::now(),
                },
            ),
            Err(error) => {
                tracing::debug!(%error, reason = event.reason, "failed to write an event")
            }
        }
    }

    /// `None` when the budget of this source and object is spent; else what was written before.
    fn admit(&self, identity: &Identity) -> Option<Option<Written>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (tokens, since) = memory
            .budget
            .entry(identity.subject.clone())
            .or_insert((BURST, now));
        let refilled = since.elapsed().as_secs_f64() / REFILL.as_secs_f64();
        *tokens = (*tokens + refilled).min(BURST);
        *since = now;
        if *tokens < 1.0 {
            return None;
        }
        *tokens -= 1.0;
        Some(memory.written.get(identity).cloned())
    }

    fn remember(&self, identity: Identity, written: Written) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.written.len() >= REMEMBERED {
            memory
                .written
                .retain(|_, written| written.at.elapsed() < Duration::from_secs(600));
            if memory.written.len() >= REMEMBERED {
                memory.written.clear();
            }
            memory
                .budget
                .retain(|_, (_, since)| since.elapsed() < Duration::from_secs(3600));
        }
        memory.written.insert(
            identity,
            Written {
                at: Instant::now(),
                ..written
            },
        );
    }
}

/// A reference to an object, as events and endpoints carry it.
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    let meta = object.meta();
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

struct NewEvent<'a> {
    component: &'static str,
    reference: ObjectReference,
    severity: Severity,
    reason: &'a str,
    message: &'a str,
    action: Option<&'static str>,
}

impl NewEvent<'_> {
    fn identity(&self) -> Identity {
        Identity {
            subject: Subject {
                component: self.component,
                uid: self.reference.uid.clone().unwrap_or_default(),
            },
            severity: self.severity,
            reason: self.reason.to_owned(),
            message: self.message.to_owned(),
        }
    }

    /// Events about cluster-wide objects live in `default`.
    fn namespace(&self) -> String {
        self.reference
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned())
    }

    fn repetition(&self, count: i32) -> serde_json::Value {
        let now = Timestamp::now();
        if self.action.is_some() {
            json!({"series": {"count": count, "lastObservedTime": MicroTime(now)}})
        } else {
            json!({"count": count, "lastTimestamp": Time(now)})
        }
    }

    fn object(&self, namespace: &str) -> Event {
        let now = Timestamp::now();
        let new_style = self.action.is_some();
        let subject = self.reference.name.as_deref().unwrap_or_default();
        Event {
            metadata: ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(format!("{subject}.{:x}", now.as_nanosecond())),
                ..ObjectMeta::default()
            },
            involved_object: self.reference.clone(),
            type_: Some(self.severity.text().to_owned()),
            reason: Some(self.reason.to_owned()),
            message: Some(self.message.to_owned()),
            action: self.action.map(str::to_owned),
            reporting_component: Some(self.component.to_owned()),
            reporting_instance: new_style.then(|| format!("{}-practice", self.component)),
            source: (!new_style).then(|| EventSource {
                component: Some(self.component.to_owned()),
                host: None,
            }),
            count: (!new_style).then_some(1),
            first_timestamp: (!new_style).then_some(Time(now)),
            last_timestamp: (!new_style).then_some(Time(now)),
            event_time: new_style.then_some(MicroTime(now)),
            related: None,
            series: None,
        }
    }
}
