//! The tables of a namespace folded into the rows of the panel. Pure: news in, panel events out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use app::model::{
    BuiltImage, ClusterKind, ComponentLive, ComponentName, EVENTS_KEPT, PanelEvent, PodRow,
    Rollout, UnixMillis,
};

use super::asking::{Target, targets};
use super::event_facts::{EventFacts, PodEvents};
use super::image_proof::is_proved;
use super::metrics::{History, Measured};
use super::pod_facts::{ContainerFacts, PodFacts};
use super::pod_row::{Surroundings, pod_row};
use super::reach::Address;
use super::rollout::DeploymentFacts;
use super::service_facts::{Outside, ServiceFacts, SliceFacts};
use super::table::{Changed, Table, TableNews};
use crate::secrets::fingerprint::FingerprintKey;
use crate::secrets::live_secret::LiveSecret;

/// Events are explanations; more than this are not kept for any.
const EVENTS_FOLDED: usize = 2_000;

/// A ReplicaSet: whose it is and of which revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetFacts {
    pub deployment: Option<String>,
    pub revision: u64,
}

#[derive(Debug)]
pub enum LiveNews {
    Pods(TableNews<PodFacts>),
    ReplicaSets(TableNews<ReplicaSetFacts>),
    Deployments(TableNews<DeploymentFacts>),
    Services(TableNews<ServiceFacts>),
    Slices(TableNews<SliceFacts>),
    Events(TableNews<EventFacts>),
    NodeIp(String),
    /// Which addresses answer from this machine; one that is missing is not known.
    Reached(BTreeMap<Address, bool>),
    /// With when it came.
    Measured(Measured, UnixMillis),
}

/// What the rows need from outside the namespace.
#[derive(Debug)]
pub struct Context<'a> {
    pub components: &'a [ComponentName],
    pub kind: &'a ClusterKind,
    /// Images that were proved to be in the cluster.
    pub proved: &'a BTreeMap<ComponentName, BuiltImage>,
    pub secret: Option<&'a LiveSecret>,
    pub fingerprint_key: &'a FingerprintKey,
    pub now: UnixMillis,
}

/// Whose pods they are, by the UID of their ReplicaSet: looked up once for all pods.
#[derive(Debug)]
struct Places<'a>(HashMap<&'a str, (Option<&'a ComponentName>, bool)>);

impl<'a> Places<'a> {
    /// Whose pod it is, and whether it belongs to the newest revision.
    fn of(&self, pod: &PodFacts) -> (Option<&'a ComponentName>, bool) {
        match &pod.owner {
            Some(owner) if owner.kind == "ReplicaSet" => {
                let known = self.0.get(owner.uid.as_str());
                known.copied().unwrap_or((None, false))
            }
            _ => (None, true),
        }
    }
}

#[derive(Debug, Default)]
pub struct LiveStore {
    pods: Table<PodFacts>,
    replica_sets: Table<ReplicaSetFacts>,
    deployments: Table<DeploymentFacts>,
    services: Table<ServiceFacts>,
    slices: Table<SliceFacts>,
    events: Table<EventFacts>,
    events_of: HashMap<String, PodEvents>,
    node_ip: Option<String>,
    reached: BTreeMap<Address, bool>,
    metrics: History,
    dirty_pods: BTreeSet<String>,
    gone_pods: BTreeSet<String>,
    all_pods: bool,
    dirty_events: BTreeSet<String>,
    gone_events: BTreeSet<String>,
    components_dirty: bool,
}

/// How the watches stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not everything was listed yet.
    Starting,
    Open,
    Lost {
        why: String,
    },
}

impl LiveStore {
    pub fn take(&mut self, news: LiveNews) {
        self.components_dirty |= self.matters_to_components(&news);
        match news {
            LiveNews::Pods(news) => match self.pods.take(news) {
                Changed::Row(uid) => {
                    self.dirty_pods.insert(uid);
                }
                Changed::Gone(uid) => {
                    self.dirty_pods.remove(&uid);
                    self.gone_pods.insert(uid);
                }
                Changed::Replaced { .. } => self.all_pods = true,
                Changed::Nothing | Changed::Connection => {}
            },
            LiveNews::ReplicaSets(news) => match self.replica_sets.take(news) {
                Changed::Nothing | Changed::Connection => {}
                _ => self.touch_all_pods(),
            },
            LiveNews::Deployments(news) => match self.deployments.take(news) {
                Changed::Nothing | Changed::Connection => {}
                _ => self.touch_all_pods(),
            },
            LiveNews::Services(news) => {
                self.services.take(news);
            }
            LiveNews::Slices(news) => {
                self.slices.take(news);
            }
            LiveNews::Events(news) => self.take_event(news),
            LiveNews::NodeIp(ip) => self.node_ip = Some(ip),
            LiveNews::Reached(reached) => self.reached = reached,
            LiveNews::Measured(measured, at) => {
                self.metrics.take(measured, self.pods.values(), at);
            }
        }
    }

    /// Most news of pods leave their component's row as it is; summing that up looks at all pods.
    fn matters_to_components(&self, news: &LiveNews) -> bool {
        match news {
            LiveNews::Pods(TableNews::Applied(uid, pod)) => self
                .pods
                .get(uid)
                .is_none_or(|known| !counts_alike(known, pod)),
            LiveNews::Events(_) | LiveNews::Measured(..) => false,
            _ => true,
        }
    }

    fn take_event(&mut self, news: TableNews<EventFacts>) {
        match self.events.take(news) {
            Changed::Row(uid) => {
                if let Some(event) = self.events.get(&uid) {
                    let pod = event.row.object_uid.clone();
                    self.refold(&pod);
                }
                self.dirty_events.insert(uid);
                self.trim_events();
            }
            Changed::Gone(uid) => {
                self.dirty_events.remove(&uid);
                // What it explained stays explained: events expire, their news do not become untrue.
                self.gone_events.insert(uid);
            }
            Changed::Replaced { changed, gone } => {
                let mut of_object: HashMap<&str, Vec<&EventFacts>> = HashMap::new();
                for event in self.events.values() {
                    let object = event.row.object_uid.as_str();
                    of_object.entry(object).or_default().push(event);
                }
                let folded: Vec<(String, PodEvents)> = of_object
                    .into_iter()
                    .map(|(object, events)| {
                        (object.to_owned(), PodEvents::fold(events.into_iter()))
                    })
                    .collect();
                for (object, folded) in folded {
                    self.explain(object, folded);
                }
                self.dirty_events = changed;
                self.gone_events.extend(gone);
                self.trim_events();
            }
            Changed::Nothing | Changed::Connection => {}
        }
    }

    fn refold(&mut self, pod: &str) {
        let folded = PodEvents::fold(
            self.events
                .values()
                .filter(|event| event.row.object_uid == pod),
        );
        self.explain(pod.to_owned(), folded);
    }

    /// What is known of an object by its events.
    fn explain(&mut self, object: String, events: PodEvents) {
        if self.pods.get(&object).is_some() {
            self.dirty_pods.insert(object.clone());
        }
        self.events_of.insert(object, events);
    }

    fn trim_events(&mut self) {
        let surplus = self.events.len().saturating_sub(EVENTS_FOLDED);
        if surplus == 0 {
            return;
        }
        let mut by_age: Vec<(UnixMillis, String)> = self
            .events
            .iter()
            .map(|(uid, event)| (event.row.at, uid.clone()))
            .collect();
        by_age.sort();
        for (_, uid) in by_age.into_iter().take(surplus) {
            self.events.remove(&uid);
            self.dirty_events.remove(&uid);
        }
    }

    fn touch_all_pods(&mut self) {
        self.dirty_pods
            .extend(self.pods.iter().map(|(uid, _)| uid.clone()));
    }

    /// The probes' requests that somebody else than the kubelet could make now.
    pub fn targets(&self) -> Vec<Target> {
        targets(self.pods.values())
    }

    /// The addresses at which Services could be opened from this machine.
    pub fn addresses(&self, kind: &ClusterKind) -> BTreeSet<Address> {
        let outside = self.outside(kind);
        let services = self.services.values();
        services
            .flat_map(|service| service.addresses(&outside))
            .collect()
    }

    fn outside<'a>(&'a self, kind: &'a ClusterKind) -> Outside<'a> {
        Outside {
            kind,
            node_ip: self.node_ip.as_deref(),
            reached: &self.reached,
        }
    }

    /// Time has passed: verdicts with a clock in them, proofs and secrets may read differently now.
    pub fn tick(&mut self) {
        self.touch_all_pods();
        self.components_dirty = true;
    }

    pub fn connection(&self) -> Connection {
        // Without the right to see events or services the panel knows less, but nothing wrong.
        let essential = [
            (self.pods.open, false, &self.pods.why_lost),
            (self.deployments.open, false, &self.deployments.why_lost),
            (self.replica_sets.open, false, &self.replica_sets.why_lost),
            (
                self.services.open,
                self.services.refused,
                &self.services.why_lost,
            ),
            (self.slices.open, self.slices.refused, &self.slices.why_lost),
            (self.events.open, self.events.refused, &self.events.why_lost),
        ];
        if let Some(why) = essential
            .iter()
            .filter(|(open, refused, _)| !open && !refused)
            .find_map(|(_, _, why)| why.as_ref())
        {
            return Connection::Lost { why: why.clone() };
        }
        if essential.iter().all(|(open, refused, _)| *open || *refused) {
            Connection::Open
        } else {
            Connection::Starting
        }
    }

    /// What changed since the last call, as panel events.
    pub fn drain(&mut self, context: &Context<'_>) -> Vec<PanelEvent> {
        let mut out = Vec::new();
        let is_replaced = std::mem::take(&mut self.all_pods);
        let dirty = std::mem::take(&mut self.dirty_pods);
        let gone = std::mem::take(&mut self.gone_pods);
        let components_dirty = std::mem::take(&mut self.components_dirty);
        let places = self.places(context);
        let row = |pod: &PodFacts| self.row(pod, places.of(pod), context);
        if is_replaced {
            let rows = self.pods.values().map(row).collect();
            out.push(PanelEvent::PodsReplaced(rows));
        } else {
            let dirty = dirty.iter().filter_map(|uid| self.pods.get(uid));
            out.extend(dirty.map(|pod| PanelEvent::Pod(Box::new(row(pod)))));
        }
        let mut components = Vec::new();
        if components_dirty && self.deployments.complete {
            let mut pods: HashMap<&ComponentName, Vec<(&PodFacts, bool)>> = HashMap::new();
            for pod in self.pods.values() {
                if let (Some(component), current) = places.of(pod) {
                    pods.entry(component).or_default().push((pod, current));
                }
            }
            for name in context.components {
                let pods = pods.get(name).map(Vec::as_slice).unwrap_or_default();
                components.push(PanelEvent::Component(Box::new(
                    self.component(name, pods, context),
                )));
            }
        }
        if is_replaced {
            self.events_of
                .retain(|pod, _| self.pods.get(pod).is_some() || !self.pods.complete);
        } else {
            for uid in gone {
                // A pod that came back under the same UID does not exist; gone is gone.
                self.events_of.remove(&uid);
                out.push(PanelEvent::PodGone { uid });
            }
        }
        self.drain_events(&mut out);
        out.extend(components);
        let metrics = self.metrics.drain();
        out.extend(metrics.map(|metrics| PanelEvent::Metrics(Box::new(metrics))));
        out
    }

    fn drain_events(&mut self, out: &mut Vec<PanelEvent>) {
        for uid in std::mem::take(&mut self.gone_events) {
            out.push(PanelEvent::EventGone { uid });
        }
        let mut rows: Vec<&EventFacts> = self
            .dirty_events
            .iter()
            .filter_map(|uid| self.events.get(uid))
            .collect();
        rows.sort_by_key(|event| event.row.at);
        let surplus = rows.len().saturating_sub(EVENTS_KEPT);
        out.extend(
            rows.into_iter()
                .skip(surplus)
                .map(|event| PanelEvent::Event(Box::new(event.row.clone()))),
        );
        self.dirty_events.clear();
    }

    fn row(
        &self,
        pod: &PodFacts,
        (component, current): (Option<&ComponentName>, bool),
        context: &Context<'_>,
    ) -> PodRow {
        let events = self.events_of.get(&pod.uid);
        pod_row(
            pod,
            &Surroundings {
                component: component.cloned(),
                current,
                stale_secrets: context
                    .secret
                    .is_some_and(|secret| secret.is_stale(pod, context.fingerprint_key)),
                probe_news: events.map(|events| &events.probes),
                warning: events
                    .and_then(|events| events.warning.as_ref())
                    .map(|(_, text)| text.as_str()),
                now: context.now,
            },
        )
    }

    /// Whose the pods of every ReplicaSet are, and whether it is the newest revision's.
    fn places<'a>(&'a self, context: &Context<'a>) -> Places<'a> {
        let deployments: HashMap<&str, &DeploymentFacts> = self
            .deployments
            .values()
            .map(|deployment| (deployment.name.as_str(), deployment))
            .collect();
        let place = |set: &ReplicaSetFacts| {
            let Some(name) = &set.deployment else {
                return (None, true);
            };
            let deployment = deployments.get(name.as_str());
            let component = context
                .components
                .iter()
                .find(|component| component.as_str() == name);
            let current = deployment.is_some_and(|deployment| deployment.revision == set.revision);
            (component, current)
        };
        let sets = self.replica_sets.iter();
        Places(sets.map(|(uid, set)| (uid.as_str(), place(set))).collect())
    }

    fn component(
        &self,
        name: &ComponentName,
        pods: &[(&PodFacts, bool)],
        context: &Context<'_>,
    ) -> ComponentLive {
        let deployment = self
            .deployments
            .values()
            .find(|deployment| deployment.name == name.as_str());
        let service = self
            .services
            .values()
            .find(|service| service.name == name.as_str())
            .map(|service| {
                let ready: BTreeSet<&String> = self
                    .slices
                    .values()
                    .filter(|slice| slice.service == service.name)
                    .flat_map(|slice| &slice.ready)
                    .collect();
                let ready = u32::try_from(ready.len()).unwrap_or(u32::MAX);
                service.row(ready, &self.outside(context.kind))
            });
        let restarts = pods
            .iter()
            .flat_map(|(pod, _)| &pod.containers)
            .map(|container| container.restarts)
            .sum();
        let none = DeploymentFacts::default();
        let facts = deployment.unwrap_or(&none);
        ComponentLive {
            component: name.clone(),
            rollout: deployment.map_or(Rollout::Absent, DeploymentFacts::rollout),
            replicas: if deployment.is_some() {
                facts.wanted
            } else {
                0
            },
            updated: facts.updated,
            ready: facts.ready,
            available: facts.available,
            restarts,
            image: facts.image.clone(),
            image_proved: context.proved.get(name).and_then(|image| {
                let current = pods
                    .iter()
                    .filter(|(pod, current)| *current && !pod.deleted)
                    .map(|(pod, _)| *pod);
                is_proved(name, image, current)
            }),
            revision: facts.revision,
            previous: self.previous_revision(facts),
            paused: facts.paused,
            drill: facts.drill,
            service,
        }
    }

    /// The newest revision before the current one whose ReplicaSet is still there.
    fn previous_revision(&self, deployment: &DeploymentFacts) -> Option<u64> {
        self.replica_sets
            .values()
            .filter(|set| set.deployment.as_deref() == Some(&deployment.name))
            .map(|set| set.revision)
            .filter(|revision| *revision > 0 && *revision < deployment.revision)
            .max()
    }
}

/// Whether two states of a pod are the same to its component's row.
fn counts_alike(a: &PodFacts, b: &PodFacts) -> bool {
    let same = |(a, b): (&ContainerFacts, &ContainerFacts)| {
        (&a.name, a.init, &a.image, &a.image_id, a.restarts)
            == (&b.name, b.init, &b.image, &b.image_id, b.restarts)
    };
    (&a.owner, a.deleted, a.containers.len()) == (&b.owner, b.deleted, b.containers.len())
        && a.containers.iter().zip(&b.containers).all(same)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
