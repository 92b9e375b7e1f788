//! Runs the watches of a namespace and passes what they say to the store, in small batches.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use app::model::{ClusterKind, ComponentName, Freshness, PanelEvent};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::asking::{self, Target};
use super::event_facts::EventFacts;
use super::pod_facts::PodFacts;
use super::reach::{self, Address};
use super::rollout::{DeploymentFacts, REVISION};
use super::service_facts::{ServiceFacts, SliceFacts};
use super::store::{Connection, Context, LiveNews, LiveStore, ReplicaSetFacts};
use super::table::TableNews;
use super::{LiveRoom, metrics, proved_images, timeline};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::adapters::kube::follow::{News, Scope, follow};
use crate::cluster::Connected;
use crate::engine::clock;

/// News after silence are shown at once, and those that follow them together after this time; short
/// enough to feel immediate.
const BATCH: Duration = Duration::from_millis(15);
const TICK: Duration = Duration::from_secs(2);

impl LiveRoom {
    /// One set of watches at a time, on the cluster in use.
    pub(super) async fn watch_clusters(self: &Arc<Self>) {
        let mut clusters = self.cluster.watch();
        loop {
            let connected = clusters.borrow_and_update().clone();
            let work = async {
                match connected {
                    Some(connected) => self.watch_namespace(&connected).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = clusters.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = work => {}
            }
        }
    }

    async fn watch_namespace(&self, connected: &Connected) {
        let stop = CancellationToken::new();
        // Ends the watches when this future is dropped.
        let _guard = stop.clone().drop_guard();
        let namespace = self.project.spec().namespace.to_string();
        let (sender, mut news) = mpsc::unbounded_channel();
        self.start_watches(connected, &namespace, &stop, &sender);
        let (targets, wanted) = watch::channel(Arc::default());
        let (addresses, tried) = watch::channel(Arc::default());
        let ask_for = AskFor { targets, addresses };
        let asking = asking::ask(connected, &namespace, wanted, &self.core.redactor);
        tokio::select! {
            () = asking => {}
            () = timeline::record(&self.core, connected) => {}
            () = reach::watch(tried, sender.clone()) => {}
            () = metrics::watch(connected, &namespace, sender.clone()) => {}
            () = self.fold(connected, &mut news, &ask_for) => {}
        }
    }

    /// Folds what the watches say, and publishes it, until the future is dropped.
    async fn fold(
        &self,
        connected: &Connected,
        news: &mut mpsc::UnboundedReceiver<LiveNews>,
        ask_for: &AskFor,
    ) {
        let mut store = LiveStore::default();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flush_at: Option<Instant> = None;
        let mut flushed = Instant::now();
        let mut secret = self.secrets.observe();
        loop {
            let flush = async {
                match flush_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Cannot end: the sender lives here.
                Some(news) = news.recv() => {
                    store.take(news);
                    flush_at.get_or_insert(flushed + BATCH);
                }
                () = flush => {
                    flush_at = None;
                    // What is there already belongs together.
                    while let Ok(more) = news.try_recv() {
                        store.take(more);
                    }
                    self.publish(&mut store, connected);
                    flushed = Instant::now();
                }
                Ok(()) = secret.changed() => {
                    store.tick();
                    flush_at.get_or_insert(flushed + BATCH);
                }
                _ = ticks.tick() => {
                    store.tick();
                    self.publish(&mut store, connected);
                    // On a cluster that may only be looked at, nobody's app is asked anything.
                    let now = if connected.read_only.get() { vec![] } else { store.targets() };
                    renew(&ask_for.targets, now);
                    let addresses = match connected.read_only.get() {
                        true => BTreeSet::new(),
                        false => store.addresses(&connected.kind),
                    };
                    renew(&ask_for.addresses, addresses);
                    self.publish_freshness(&store, connected);
                }
            }
        }
    }

    fn publish(&self, store: &mut LiveStore, connected: &Connected) {
        let components: Vec<ComponentName> = self
            .project
            .spec()
            .components
            .iter()
            .map(|component| component.name.clone())
            .collect();
        let proved = self.core.hub.read(proved_images);
        let secret = self.secrets.current();
        let events = store.drain(&Context {
            components: &components,
            kind: &connected.kind,
            proved: &proved,
            secret: secret.as_ref(),
            fingerprint_key: self.secrets.fingerprint_key(),
            now: clock::now(),
        });
        let events = events
            .into_iter()
            .map(|event| self.redacted(event))
            .collect();
        connected.voice.publish_all(events);
        if let Connection::Lost { .. } = store.connection() {
            self.publish_freshness(store, connected);
        }
    }

    /// Event texts and termination messages come from programs: they may print anything.
    fn redacted(&self, event: PanelEvent) -> PanelEvent {
        let redact = |text: &mut String| {
            if let std::borrow::Cow::Owned(clean) = self.core.redactor.redact(text) {
                *text = clean;
            }
        };
        match event {
            PanelEvent::Event(mut row) => {
                redact(&mut row.message);
                PanelEvent::Event(row)
            }
            PanelEvent::Pod(mut row) => {
                redact_pod(&mut row, redact);
                PanelEvent::Pod(row)
            }
            PanelEvent::PodsReplaced(mut rows) => {
                rows.iter_mut().for_each(|row| redact_pod(row, redact));
                PanelEvent::PodsReplaced(rows)
            }
            other => other,
        }
    }

    /// The watches are believed only while they are open and the API server answers besides: a machine
    /// that slept, or a heart that is busy, has no news.
    fn publish_freshness(&self, store: &LiveStore, connected: &Connected) {
        let now = clock::now();
        let (watch, lost) = self.core.hub.read(|state| {
            let lost = state
                .cluster
                .as_ref()
                .is_none_or(|cluster| !cluster.freshness.is_fresh(now));
            (state.watch, lost)
        });
        let freshness = match store.connection() {
            Connection::Open if !lost => Freshness::heard_at(now),
            Connection::Starting if !lost && watch.heard.is_none() => return,
            _ => watch.lost_at(now),
        };
        connected.voice.publish(PanelEvent::Watch(freshness));
    }

    fn start_watches(
        &self,
        connected: &Connected,
        namespace: &str,
        stop: &CancellationToken,
        news: &mpsc::UnboundedSender<LiveNews>,
    ) {
        let watch = Watch {
            room: self,
            connected,
            namespace,
            stop,
            news,
        };
        watch.start::<Pod, _>(LiveNews::Pods, |pod| (uid(&pod), PodFacts::of(&pod)));
        watch.start::<Deployment, _>(LiveNews::Deployments, |deployment| {
            (uid(&deployment), DeploymentFacts::of(&deployment))
        });
        watch.start::<ReplicaSet, _>(LiveNews::ReplicaSets, |set| (uid(&set), replica_set(&set)));
        watch.start::<Service, _>(LiveNews::Services, |service| {
            (uid(&service), ServiceFacts::of(&service))
        });
        watch.start::<EndpointSlice, _>(LiveNews::Slices, |slice| {
            (uid(&slice), SliceFacts::of(&slice))
        });
        watch.start::<Event, _>(LiveNews::Events, |event| {
            (uid(&event), EventFacts::of(&event))
        });
        if matches!(
            connected.kind,
            ClusterKind::Minikube { .. } | ClusterKind::Kind { .. } | ClusterKind::OtherLocal
        ) {
            let nodes: Api<Node> = Api::all(connected.client.clone());
            let news = news.clone();
            self.core.tasks.spawn(async move {
                if let Some(ip) = node_ip(&nodes).await {
                    let _ = news.send(LiveNews::NodeIp(ip));
                }
            });
        }
    }
}

/// What is to be asked from this machine, for those who ask.
struct AskFor {
    targets: watch::Sender<Arc<Vec<Target>>>,
    addresses: watch::Sender<Arc<BTreeSet<Address>>>,
}

/// Wakes those who wait only for something new.
fn renew<T: PartialEq>(sender: &watch::Sender<Arc<T>>, now: T) {
    sender.send_if_modified(|known| {
        let changed = **known != now;
        *known = Arc::new(now);
        changed
    });
}

/// What every watch of the namespace shares.
struct Watch<'a> {
    room: &'a LiveRoom,
    connected: &'a Connected,
    namespace: &'a str,
    stop: &'a CancellationToken,
    news: &'a mpsc::UnboundedSender<LiveNews>,
}

impl Watch<'_> {
    /// Objects are cut down to facts before they enter the channel.
    fn start<K, F>(&self, wrap: fn(TableNews<F>) -> LiveNews, facts: fn(K) -> (String, F))
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
        F: Send + 'static,
    {
        let api: Api<K> = Api::namespaced(self.connected.client.clone(), self.namespace);
        let (stop, sender) = (self.stop.clone(), self.news.clone());
        self.room.core.tasks.spawn(async move {
            follow(api, Scope::default(), stop, |news| {
                let news = match news {
                    News::ListBegin => TableNews::ListBegin,
                    News::Listed(object) => {
                        let (key, row) = facts(object);
                        TableNews::Listed(key, row)
                    }
                    News::ListEnd => TableNews::ListEnd,
                    News::Applied(object) => {
                        let (key, row) = facts(object);
                        TableNews::Applied(key, row)
                    }
                    News::Deleted(object) => TableNews::Deleted(uid(&object)),
                    News::Heard => TableNews::Heard,
                    News::Lost(error) => TableNews::Lost {
                        why: error.to_string(),
                        refused: error.is_forbidden(),
                    },
                };
                // The receiver is gone only when these watches are about to end too.
                let _ = sender.send(wrap(news));
            })
            .await;
        });
    }
}

fn uid<K: kube::Resource>(object: &K) -> String {
    object.meta().uid.clone().unwrap_or_default()
}

fn replica_set(set: &ReplicaSet) -> ReplicaSetFacts {
    ReplicaSetFacts {
        deployment: set
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.kind == "Deployment" && owner.controller == Some(true))
            .map(|owner| owner.name.clone()),
        revision: set
            .metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(REVISION))
            .and_then(|revision| revision.parse().ok())
            .unwrap_or(0),
    }
}

async fn node_ip(nodes: &Api<Node>) -> Option<String> {
    let list = within(REQUEST_LIMIT, nodes.list(&ListParams::default().limit(1)))
        .await
        .ok()?;
    list.items
        .first()?
        .status
        .as_ref()?
        .addresses
        .iter()
        .flatten()
        .find(|address| address.type_ == "InternalIP")
        .map(|address| address.address.clone())
}

fn redact_pod(row: &mut app::model::PodRow, redact: impl Fn(&mut String)) {
    use app::model::{ContainerState, ProbeVerdict};
    if let Some(why) = &mut row.why_not_ready {
        redact(why);
    }
    for container in &mut row.containers {
        match &mut container.state {
            ContainerState::Waiting { message, .. } => redact(message),
            ContainerState::Terminated(end) => redact(&mut end.message),
            ContainerState::Running { .. } | ContainerState::Unknown => {}
        }
        if let Some(end) = &mut container.last_termination {
            redact(&mut end.message);
        }
        for probe in container.probes.values_mut() {
            if let ProbeVerdict::Failing { message } | ProbeVerdict::Killed { message } =
                &mut probe.verdict
            {
                redact(message);
            }
        }
    }
}
