//! The one store: events are folded into the state and sent to every listener under one lock,
//! so that a snapshot and the events after it never overlap and never have a gap.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use app::model::{LiveMessage, PanelEvent, PanelState, StateRevision};
use tokio::sync::{broadcast, watch};

/// How many events a listener may be behind before it is sent a fresh snapshot instead.
const BACKLOG: usize = 1024;

/// The store's handle; clones share the same store.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    sender: broadcast::Sender<Arc<Published>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Store {
    state: PanelState,
    revision: u64,
}

/// An event with its place in the row. Encoded at most once, however many are listening.
#[derive(Debug)]
pub struct Published {
    pub revision: StateRevision,
    pub event: PanelEvent,
    json: OnceLock<Arc<str>>,
}

impl Published {
    /// The event as a [`LiveMessage::Event`] in JSON.
    pub fn json(&self) -> Arc<str> {
        self.json
            .get_or_init(|| {
                let message = LiveMessage::Event {
                    revision: self.revision,
                    event: self.event.clone(),
                };
                // The model has string keys only, so it always encodes.
                serde_json::to_string(&message)
                    .unwrap_or_else(|error| {
                        tracing::error!(%error, "an event could not be encoded");
                        String::new()
                    })
                    .into()
            })
            .clone()
    }
}

/// What a listener gets.
#[derive(Debug)]
pub enum Delivery {
    /// The whole state; first, and again after the listener fell too far behind.
    Snapshot {
        revision: StateRevision,
        state: Box<PanelState>,
    },
    Event(Arc<Published>),
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    pub fn new() -> Self {
        Self::with_backlog(BACKLOG)
    }

    fn with_backlog(backlog: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                store: Mutex::default(),
                sender: broadcast::Sender::new(backlog),
                changed: watch::Sender::new(0),
            }),
        }
    }

    /// Folds the event into the state and sends it to every listener. An event that changes nothing
    /// is dropped.
    pub fn publish(&self, event: PanelEvent) {
        self.publish_all(vec![event]);
    }

    /// Publishes several events with nothing in between.
    pub fn publish_all(&self, events: Vec<PanelEvent>) {
        let mut store = self.lock();
        let before = store.revision;
        for event in events {
            if !is_news(&store.state, &event) {
                continue;
            }
            store.state.apply(&event);
            store.revision += 1;
            // No listener is no error.
            let _ = self.shared.sender.send(Arc::new(Published {
                revision: StateRevision(store.revision),
                event,
                json: OnceLock::new(),
            }));
        }
        if store.revision != before {
            self.shared.changed.send_replace(store.revision);
        }
    }

    /// Looks at the state. The closure must be short: everyone else waits for it.
    pub fn read<R>(&self, look: impl FnOnce(&PanelState) -> R) -> R {
        look(&self.lock().state)
    }

    /// The revision now.
    pub fn revision(&self) -> StateRevision {
        StateRevision(self.lock().revision)
    }

    /// A listener whose first delivery is a snapshot.
    pub fn subscribe(&self) -> Subscription {
        Subscription {
            hub: self.clone(),
            receiver: None,
        }
    }

    /// Changes with every revision, for those who react to any change.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn snapshot(&self) -> (Delivery, broadcast::Receiver<Arc<Published>>) {
        let store = self.lock();
        let receiver = self.shared.sender.subscribe();
        let snapshot = Delivery::Snapshot {
            revision: StateRevision(store.revision),
            state: Box::new(store.state.clone()),
        };
        (snapshot, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic inside `apply` or a reader leaves the state whole: fields are replaced one by one.
        self.shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener of the store.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    receiver: Option<broadcast::Receiver<Arc<Published>>>,
}

impl Subscription {
    /// The next delivery: first a snapshot, then every event, and a fresh snapshot after falling
    /// behind. Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Delivery {
        if let Some(receiver) = &mut self.receiver
            && let Ok(published) = receiver.recv().await
        {
            return Delivery::Event(published);
        }
        // Not started, or lagged. It cannot be closed: the hub held here owns the sender.
        let (snapshot, receiver) = self.hub.snapshot();
        self.receiver = Some(receiver);
        snapshot
    }
}

/// Whether the event would change the state, as far as that is cheap to tell.
fn is_news(state: &PanelState, event: &PanelEvent) -> bool {
    match event {
        PanelEvent::Project(project) => {
            state.project.as_ref() != Some(project) || state.project_problem.is_some()
        }
        PanelEvent::ProjectProblem(finding) => state.project_problem.as_ref() != Some(finding),
        PanelEvent::Clusters(clusters) => &state.clusters != clusters,
        PanelEvent::Cluster(cluster) => state.cluster.as_ref() != Some(cluster),
        PanelEvent::ClusterFreshness(freshness) => state
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.freshness != *freshness),
        PanelEvent::Step { step, state: to } => state.steps.get(step) != Some(to),
        PanelEvent::Check(check) => !state.checks.contains(check),
        PanelEvent::Secrets(secrets) => &state.secrets != secrets,
        PanelEvent::Image(image) => !state.images.contains(image),
        PanelEvent::Plan(plan) => state.plan.as_ref() != plan.as_deref(),
        PanelEvent::Deployed(deployed) => &state.deployed != deployed,
        PanelEvent::Ownership(ownership) => state.ownership.as_ref() != ownership.as_deref(),
        PanelEvent::Handover(handover) => state.handover.as_ref() != handover.as_deref(),
        PanelEvent::Component(component) => {
            state.components.get(&component.component) != Some(component)
        }
        PanelEvent::ComponentGone(name) => state.components.contains_key(name),
        PanelEvent::Pod(pod) => state.pods.get(&pod.uid) != Some(pod),
        PanelEvent::PodGone { uid } => state.pods.contains_key(uid),
        PanelEvent::PodsReplaced(pods) => {
            pods.len() != state.pods.len()
                || pods.iter().any(|pod| state.pods.get(&pod.uid) != Some(pod))
        }
        PanelEvent::Event(event) => state.events.get(&event.uid) != Some(event),
        PanelEvent::EventGone { uid } => state.events.contains_key(uid),
        PanelEvent::Watch(freshness) => state.watch != *freshness,
        PanelEvent::Findings(findings) => &state.findings != findings,
        PanelEvent::Viewers(viewers) => state.viewers != *viewers,
        PanelEvent::RunLog { lines, .. } => !lines.is_empty(),
        PanelEvent::ClusterChosen(_)
        | PanelEvent::RunStarted(_)
        | PanelEvent::RunStage { .. }
        | PanelEvent::RunEnded { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn snapshot(subscription: &mut Subscription) -> (u64, PanelState) {
        match subscription.next().await {
            Delivery::Snapshot { revision, state } => (revision.0, *state),
            Delivery::Event(event) => panic!("a snapshot was due, not {event:?}"),
        }
    }

    #[tokio::test]
    async fn a_listener_gets_the_state_and_then_each_event_once() {
        let hub = Hub::new();
        hub.publish(PanelEvent::Viewers(1));
        let mut listener = hub.subscribe();
        let (revision, mut state) = snapshot(&mut listener).await;
        assert_eq!((revision, state.viewers), (1, 1));
        hub.publish_all(vec![PanelEvent::Viewers(2), PanelEvent::Viewers(3)]);
        for expected in [2, 3] {
            let Delivery::Event(published) = listener.next().await else {
                panic!("an event was due");
            };
            assert_eq!(published.revision, StateRevision(expected));
            state.apply(&published.event);
        }
        assert_eq!(state, hub.read(Clone::clone));
    }

    #[tokio::test]
    async fn a_slow_listener_is_sent_a_fresh_snapshot() {
        let hub = Hub::with_backlog(8);
        let mut listener = hub.subscribe();
        snapshot(&mut listener).await;
        for viewers in 1..=100 {
            hub.publish(PanelEvent::Viewers(viewers));
        }
        let (revision, state) = snapshot(&mut listener).await;
        assert_eq!((revision, state.viewers), (100, 100));
        hub.publish(PanelEvent::Viewers(7));
        assert!(matches!(listener.next().await, Delivery::Event(event)
            if event.event == PanelEvent::Viewers(7)));
    }

    #[tokio::test]
    async fn an_event_that_changes_nothing_is_not_sent() {
        let hub = Hub::new();
        let changed = hub.changed();
        hub.publish(PanelEvent::Viewers(0));
        hub.publish(PanelEvent::PodGone { uid: "x".into() });
        assert_eq!(hub.revision(), StateRevision(0));
        assert!(!changed.has_changed().expect("the hub lives"));
    }

    #[tokio::test]
    async fn an_event_is_encoded_once_for_all_listeners() {
        let hub = Hub::new();
        let (mut one, mut two) = (hub.subscribe(), hub.subscribe());
        snapshot(&mut one).await;
        snapshot(&mut two).await;
        hub.publish(PanelEvent::Viewers(4));
        let (Delivery::Event(a), Delivery::Event(b)) = (one.next().await, two.next().await) else {
            panic!("events were due");
        };
        assert!(Arc::ptr_eq(&a.json(), &b.json()));
        let message: LiveMessage = serde_json::from_str(&a.json()).expect("a live message");
        assert_eq!(
            message,
            LiveMessage::Event {
                revision: StateRevision(1),
                event: PanelEvent::Viewers(4)
            }
        );
    }
}
