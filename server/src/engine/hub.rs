//! The one store: events are folded into the state and sent to every listener under one lock,
//! so that a snapshot and the events after it never overlap and never have a gap.
//! Only a [`Voice`] publishes, and a voice speaks of one cluster: once another is chosen, what it
//! says about the old one is not heard any more.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use app::model::{ClusterView, LiveMessage, PanelEvent, PanelState, StateRevision};
use bytes::Bytes;
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
    /// The last walk that went well, as JSON; too large for the state.
    recording: Mutex<Option<Bytes>>,
}

#[derive(Debug, Default)]
struct Store {
    state: PanelState,
    revision: u64,
    /// Counts the choices of a cluster.
    era: u64,
}

/// Publishes for someone who looks at one cluster. Whoever looks takes the voice before looking;
/// with another cluster chosen meanwhile, what was seen on the old one is dropped under the same
/// lock that made the choice, so that the page never shows a mix.
#[derive(Clone, Debug)]
pub struct Voice {
    hub: Hub,
    era: u64,
}

impl Voice {
    /// Folds the event into the state and sends it to every listener. An event that changes nothing
    /// is dropped, and so is one about a cluster that is not the chosen one any more.
    pub fn publish(&self, event: PanelEvent) {
        self.publish_all(vec![event]);
    }

    /// Publishes several events with nothing in between.
    pub fn publish_all(&self, events: Vec<PanelEvent>) {
        let mut store = self.hub.lock();
        let before = store.revision;
        for event in events {
            if event.is_of_cluster() && store.era != self.era {
                continue;
            }
            if is_news(&store.state, &event) {
                self.hub.put(&mut store, event);
            }
        }
        self.hub.tell_if_changed(&store, before);
    }

    /// Changes what is shown of the chosen cluster, with nothing in between; nothing happens when
    /// another one was chosen.
    pub fn change_cluster(&self, change: impl FnOnce(&mut ClusterView)) {
        let mut store = self.hub.lock();
        let before = store.revision;
        if store.era == self.era
            && let Some(mut view) = store.state.cluster.clone()
        {
            change(&mut view);
            let event = PanelEvent::Cluster(Box::new(view));
            if is_news(&store.state, &event) {
                self.hub.put(&mut store, event);
            }
        }
        self.hub.tell_if_changed(&store, before);
    }

    /// Which choice of a cluster it speaks of.
    pub fn era(&self) -> u64 {
        self.era
    }
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
                recording: Mutex::default(),
            }),
        }
    }

    /// The voice of whoever begins to look now, at the cluster chosen now or at no cluster at all.
    /// Who works with a connection uses the connection's own.
    pub fn voice(&self) -> Voice {
        Voice {
            hub: self.clone(),
            era: self.lock().era,
        }
    }

    /// Looks at the state and takes the voice of that very moment, for those who conclude from it.
    pub fn read_to_tell<R>(&self, look: impl FnOnce(&PanelState) -> R) -> (R, Voice) {
        let store = self.lock();
        let voice = Voice {
            hub: self.clone(),
            era: store.era,
        };
        (look(&store.state), voice)
    }

    /// Another cluster, or none: everything read from the old one is gone with this, and every voice
    /// so far is silent about clusters. The view's `era` is set here.
    pub fn choose_cluster(&self, view: Option<ClusterView>) -> Voice {
        let mut store = self.lock();
        let before = store.revision;
        store.era += 1;
        let era = store.era;
        let view = view.map(|view| Box::new(ClusterView { era, ..view }));
        self.put(&mut store, PanelEvent::ClusterChosen(view));
        self.tell_if_changed(&store, before);
        Voice {
            hub: self.clone(),
            era,
        }
    }

    fn put(&self, store: &mut Store, event: PanelEvent) {
        store.state.apply(&event);
        store.revision += 1;
        // No listener is no error.
        let _ = self.shared.sender.send(Arc::new(Published {
            revision: StateRevision(store.revision),
            event,
            json: OnceLock::new(),
        }));
    }

    fn tell_if_changed(&self, store: &Store, before: u64) {
        if store.revision != before {
            self.shared.changed.send_replace(store.revision);
        }
    }

    /// Looks at the state. The closure must be short: everyone else waits for it.
    pub fn read<R>(&self, look: impl FnOnce(&PanelState) -> R) -> R {
        look(&self.lock().state)
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

    /// Waits until the state is as wished; the caller sets the limit. Also ends with the store.
    pub async fn until(&self, is_so: impl Fn(&PanelState) -> bool) {
        let mut changed = self.changed();
        while !self.read(&is_so) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// The last walk that went well, for pages that ask for it.
    pub fn recording(&self) -> Option<Bytes> {
        let kept = self.shared.recording.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps it in the place of the one before.
    pub fn keep_recording(&self, json: Bytes) {
        let kept = self.shared.recording.lock();
        *kept.unwrap_or_else(PoisonError::into_inner) = Some(json);
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
        PanelEvent::Adoption(adoption) => state.adoption.as_ref() != Some(adoption),
        PanelEvent::Clusters(clusters) => &state.clusters != clusters,
        PanelEvent::KubeconfigFiles(files) => &state.kubeconfig_files != files,
        PanelEvent::Cluster(cluster) => state.cluster.as_ref() != Some(cluster),
        PanelEvent::ClusterFreshness(freshness) => state
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.freshness != *freshness),
        PanelEvent::Step { step, state: to } => state.steps.get(step) != Some(to),
        PanelEvent::Check(check) => !state.checks.contains(check),
        PanelEvent::Minikube(minikube) => state.minikube.as_ref() != minikube.as_deref(),
        PanelEvent::Secrets(secrets) => &state.secrets != secrets,
        PanelEvent::SecretObject(object) => state.secret_object.as_ref() != object.as_deref(),
        PanelEvent::Image(image) => !state.images.contains(image),
        PanelEvent::ImageReport(report) => {
            state.image_reports.get(&report.component) != Some(report)
        }
        PanelEvent::Plan(plan) => state.plan.as_ref() != plan.as_deref(),
        PanelEvent::Planning(planning) => state.planning != *planning,
        PanelEvent::Drift(drift) => state.drift.as_ref() != Some(drift),
        PanelEvent::Deployed(deployed) => &state.deployed != deployed,
        PanelEvent::Revisions(revisions) => &state.revisions != revisions,
        PanelEvent::Ownership(ownership) => state.ownership.as_ref() != ownership.as_deref(),
        PanelEvent::Handover(handover) => state.handover.as_ref() != handover.as_deref(),
        PanelEvent::Helm(helm) => state.helm != **helm,
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
        PanelEvent::Metrics(metrics) => state.metrics != **metrics,
        PanelEvent::Forwards(forwards) => &state.forwards != forwards,
        PanelEvent::Watch(freshness) => state.watch != *freshness,
        PanelEvent::Findings(findings) => &state.findings != findings,
        PanelEvent::Approvals(approvals) => &state.approvals != approvals,
        PanelEvent::Viewers(viewers) => state.viewers != *viewers,
        PanelEvent::Sharing(sharing) => state.sharing != *sharing,
        PanelEvent::Recording(recording) => state.recording != Some(*recording),
        PanelEvent::OwnProbes(answers) => !answers.is_empty(),
        PanelEvent::Reasons(reasons) => &state.reasons != reasons,
        PanelEvent::RunLog { lines, .. } => !lines.is_empty(),
        PanelEvent::BuildSteps { steps, .. } => !steps.is_empty(),
        PanelEvent::ClusterChosen(_)
        | PanelEvent::BuildStarted(_)
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
        hub.voice().publish(PanelEvent::Viewers(1));
        let mut listener = hub.subscribe();
        let (revision, mut state) = snapshot(&mut listener).await;
        assert_eq!((revision, state.viewers), (1, 1));
        hub.voice()
            .publish_all(vec![PanelEvent::Viewers(2), PanelEvent::Viewers(3)]);
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
            hub.voice().publish(PanelEvent::Viewers(viewers));
        }
        let (revision, state) = snapshot(&mut listener).await;
        assert_eq!((revision, state.viewers), (100, 100));
        hub.voice().publish(PanelEvent::Viewers(7));
        assert!(matches!(listener.next().await, Delivery::Event(event)
            if event.event == PanelEvent::Viewers(7)));
    }

    #[tokio::test]
    async fn an_event_that_changes_nothing_is_not_sent() {
        let hub = Hub::new();
        let changed = hub.changed();
        hub.voice().publish(PanelEvent::Viewers(0));
        hub.voice().publish(PanelEvent::PodGone { uid: "x".into() });
        assert_eq!(hub.lock().revision, 0);
        assert!(!changed.has_changed().expect("the hub lives"));
    }

    #[tokio::test]
    async fn an_event_is_encoded_once_for_all_listeners() {
        let hub = Hub::new();
        let (mut one, mut two) = (hub.subscribe(), hub.subscribe());
        snapshot(&mut one).await;
        snapshot(&mut two).await;
        hub.voice().publish(PanelEvent::Viewers(4));
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

    #[test]
    fn what_was_seen_on_the_old_cluster_is_not_heard_after_a_choice() {
        let hub = Hub::new();
        let old = hub.choose_cluster(None);
        let at =
            |at| PanelEvent::Watch(app::model::Freshness::heard_at(app::model::UnixMillis(at)));
        old.publish(at(1));
        assert!(hub.read(|state| state.watch.heard.is_some()));
        let (seen, kept) = hub.read_to_tell(|state| state.watch);
        let new = hub.choose_cluster(None);
        old.publish(at(2));
        kept.publish(PanelEvent::Watch(seen));
        assert!(hub.read(|state| state.watch.heard.is_none()));
        // What belongs to no cluster is heard from everyone.
        old.publish(PanelEvent::Viewers(3));
        new.publish(at(3));
        let (viewers, watch) = hub.read(|state| (state.viewers, state.watch));
        assert_eq!((viewers, watch.heard), (3, Some(app::model::UnixMillis(3))));
    }
}
