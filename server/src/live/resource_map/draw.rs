//! Makes the map of what was read. Pure: objects in, nodes and edges out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use app::model::{
    MapEdge, MapLink, MapNode, MapState, ObjectKey, ObjectKind, ResourceMap, Rollout,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodSpec, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::references::references;
use crate::live::rollout::{DeploymentFacts, REVISION};

/// Pods drawn for each owner; those that need a look come first.
const MOST_PODS: usize = 12;

/// Names of a kind; none when they could not be read.
pub(super) type Names = Option<BTreeSet<String>>;

#[derive(Debug, Default)]
pub(super) struct World {
    pub deployments: Vec<Deployment>,
    pub replica_sets: Vec<ReplicaSet>,
    pub pods: Vec<Pod>,
    pub services: Vec<Service>,
    pub stateful_sets: Vec<StatefulSet>,
    pub daemon_sets: Vec<DaemonSet>,
    pub jobs: Vec<Job>,
    pub secrets: Names,
    pub config_maps: Names,
}

pub(super) fn map(world: &World) -> ResourceMap {
    let mut map = Map {
        world,
        found: ResourceMap::default(),
        places: HashMap::new(),
    };
    for deployment in &world.deployments {
        map.deployment(deployment);
    }
    for set in &world.stateful_sets {
        let status = set.status.as_ref();
        let wanted = set.spec.replicas.unwrap_or(1);
        let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
        let pod = set.spec.template.spec.as_ref();
        map.other(ObjectKind::StatefulSet, &set.metadata, ready, wanted, pod);
    }
    for set in &world.daemon_sets {
        let status = set.status.as_ref();
        let wanted = status.map_or(0, |status| status.desired_number_scheduled);
        let ready = status.map_or(0, |status| status.number_ready);
        let pod = set.spec.template.spec.as_ref();
        map.other(ObjectKind::DaemonSet, &set.metadata, ready, wanted, pod);
    }
    for job in &world.jobs {
        map.job(job);
    }
    // What belongs to nobody stands for itself.
    let alone: Vec<&Pod> = world
        .pods
        .iter()
        .filter(|pod| owner(&pod.metadata).is_none())
        .collect();
    for pod in alone.into_iter().take(MOST_PODS) {
        map.pod(pod);
    }
    map.services();
    map.found
}

struct Map<'a> {
    world: &'a World,
    found: ResourceMap,
    places: HashMap<ObjectKey, usize>,
}

impl<'a> Map<'a> {
    fn node(
        &mut self,
        kind: ObjectKind,
        name: &str,
        state: MapState,
        note: String,
    ) -> Option<usize> {
        let key = ObjectKey::new(kind, name)?;
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        let place = self.found.nodes.len();
        self.places.insert(key.clone(), place);
        self.found.nodes.push(MapNode { key, state, note });
        Some(place)
    }

    fn edge(&mut self, from: Option<usize>, to: Option<usize>, link: MapLink) {
        if let (Some(from), Some(to)) = (from, to) {
            self.found.edges.push(MapEdge { from, to, link });
        }
    }

    fn deployment(&mut self, deployment: &Deployment) {
        let facts = DeploymentFacts::of(deployment);
        let state = match facts.rollout() {
            _ if facts.wanted == 0 => MapState::Off("Scaled to 0".to_owned()),
            Rollout::Complete => MapState::Well("Ready".to_owned()),
            Rollout::Progressing { .. } if facts.paused => MapState::Attention("Paused".to_owned()),
            Rollout::Progressing { .. } => MapState::Working("Rolling out".to_owned()),
            Rollout::Stuck { .. } => MapState::Failed("Stuck".to_owned()),
            Rollout::Absent => MapState::Off("Absent".to_owned()),
        };
        let note = format!("{} of {} ready", facts.ready, facts.wanted);
        let place = self.node(ObjectKind::Deployment, &facts.name, state, note);
        self.reads(place, deployment.spec.template.spec.as_ref());
        let current = annotation(&deployment.metadata, REVISION);
        let uid = deployment.metadata.uid.as_deref();
        let world = self.world;
        let mut sets: Vec<&ReplicaSet> = world
            .replica_sets
            .iter()
            .filter(|set| uid.is_some() && owner(&set.metadata) == uid)
            .filter(|set| {
                let pods = set.status.as_ref().map_or(0, |status| status.replicas);
                pods > 0 || annotation(&set.metadata, REVISION) == current
            })
            .collect();
        sets.sort_by_key(|set| {
            let number =
                annotation(&set.metadata, REVISION).and_then(|text| text.parse::<u64>().ok());
            std::cmp::Reverse(number)
        });
        for set in sets {
            self.replica_set(place, set, annotation(&set.metadata, REVISION) == current);
        }
    }

    fn replica_set(&mut self, of: Option<usize>, set: &ReplicaSet, is_current: bool) {
        let wanted = set.spec.replicas.unwrap_or(1);
        let ready = set
            .status
            .as_ref()
            .and_then(|status| status.ready_replicas)
            .unwrap_or(0);
        let state = match is_current {
            false => MapState::Off("Earlier".to_owned()),
            true => readiness(ready, wanted),
        };
        let revision = annotation(&set.metadata, REVISION).unwrap_or("?");
        let shown = self.pods_of(set.metadata.uid.as_deref());
        let note = match shown.len() > MOST_PODS {
            true => format!(
                "Revision {revision}, {MOST_PODS} of {} pods drawn",
                shown.len()
            ),
            false => format!("Revision {revision}"),
        };
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let place = self.node(ObjectKind::ReplicaSet, name, state, note);
        self.edge(of, place, MapLink::Owns);
        for pod in shown.into_iter().take(MOST_PODS) {
            let pod = self.pod(pod);
            self.edge(place, pod, MapLink::Owns);
        }
    }

    fn other(
        &mut self,
        kind: ObjectKind,
        meta: &ObjectMeta,
        ready: i32,
        wanted: i32,
        pod: Option<&PodSpec>,
    ) {
        let name = meta.name.as_deref().unwrap_or_default();
        let note = format!("{ready} of {wanted} ready");
        let place = self.node(kind, name, readiness(ready, wanted), note);
        self.reads(place, pod);
        self.owned_pods(place, meta);
    }

    fn job(&mut self, job: &Job) {
        let conditions = job
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref());
        let has = |kind: &str| {
            conditions
                .into_iter()
                .flatten()
                .any(|condition| condition.type_ == kind && condition.status == "True")
        };
        let state = match (has("Complete"), has("Failed")) {
            (true, _) => MapState::Well("Complete".to_owned()),
            (_, true) => MapState::Failed("Failed".to_owned()),
            _ => MapState::Working("Running".to_owned()),
        };
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let place = self.node(ObjectKind::Job, name, state, String::new());
        let spec = job.spec.as_ref();
        self.reads(place, spec.and_then(|spec| spec.template.spec.as_ref()));
        self.owned_pods(place, &job.metadata);
    }

    fn owned_pods(&mut self, place: Option<usize>, meta: &ObjectMeta) {
        for pod in self
            .pods_of(meta.uid.as_deref())
            .into_iter()
            .take(MOST_PODS)
        {
            let pod = self.pod(pod);
            self.edge(place, pod, MapLink::Owns);
        }
    }

    fn pod(&mut self, pod: &Pod) -> Option<usize> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let restarts: i32 = pod
            .status
            .iter()
            .flat_map(|status| status.container_statuses.iter().flatten())
            .map(|container| container.restart_count)
            .sum();
        let note = match restarts {
            0 => String::new(),
            1 => "1 restart".to_owned(),
            more => format!("{more} restarts"),
        };
        self.node(ObjectKind::Pod, name, pod_state(pod), note)
    }

    /// Of one owner, those that need a look first.
    fn pods_of(&self, uid: Option<&str>) -> Vec<&'a Pod> {
        let pods = self.world.pods.iter();
        let mut of_owner: Vec<&'a Pod> = pods
            .filter(|pod| uid.is_some() && owner(&pod.metadata) == uid)
            .collect();
        of_owner.sort_by_key(|pod| (is_ready(pod), pod.metadata.name.clone()));
        of_owner
    }

    fn reads(&mut self, from: Option<usize>, spec: Option<&PodSpec>) {
        let found = spec.map(references).unwrap_or_default();
        for (key, optional) in found {
            let names = match key.kind() {
                ObjectKind::Secret => self.world.secrets.as_ref(),
                ObjectKind::ConfigMap => self.world.config_maps.as_ref(),
                _ => None,
            };
            let state = match names {
                None => MapState::Unknown("Not looked at".to_owned()),
                Some(names) if names.contains(key.name()) => MapState::Well("There".to_owned()),
                Some(_) if optional => MapState::Off("Missing, optional".to_owned()),
                Some(_) => MapState::Failed("Missing".to_owned()),
            };
            let place = self.node(key.kind(), key.name(), state, String::new());
            self.edge(from, place, MapLink::Reads);
        }
    }

    fn services(&mut self) {
        let world = self.world;
        for service in &world.services {
            let Some(selector) = service
                .spec
                .as_ref()
                .and_then(|spec| spec.selector.as_ref())
            else {
                continue;
            };
            let chosen: Vec<&Pod> = world
                .pods
                .iter()
                .filter(|pod| !selector.is_empty() && fits(selector, &pod.metadata))
                .collect();
            let ready = chosen.iter().filter(|pod| is_ready(pod)).count();
            let state = match (ready, chosen.len()) {
                (0, 0) => MapState::Attention("No pods".to_owned()),
                (0, _) => MapState::Failed("None ready".to_owned()),
                _ => MapState::Well("Ready".to_owned()),
            };
            let ports: Vec<String> = service
                .spec
                .iter()
                .flat_map(|spec| spec.ports.iter().flatten())
                .map(|port| format!(":{}", port.port))
                .collect();
            let name = service.metadata.name.as_deref().unwrap_or_default();
            let place = self.node(ObjectKind::Service, name, state, ports.join(" "));
            for pod in chosen {
                let key = ObjectKey::new(
                    ObjectKind::Pod,
                    pod.metadata.name.as_deref().unwrap_or_default(),
                );
                let pod = key.and_then(|key| self.places.get(&key).copied());
                self.edge(place, pod, MapLink::Selects);
            }
        }
    }
}

fn readiness(ready: i32, wanted: i32) -> MapState {
    match (ready, wanted) {
        (_, 0) => MapState::Off("Scaled to 0".to_owned()),
        (ready, wanted) if ready >= wanted => MapState::Well("Ready".to_owned()),
        _ => MapState::Working("Not all ready".to_owned()),
    }
}

fn pod_state(pod: &Pod) -> MapState {
    let status = pod.status.as_ref();
    if pod.metadata.deletion_timestamp.is_some() {
        return MapState::Off("Ending".to_owned());
    }
    if is_ready(pod) {
        return MapState::Well("Ready".to_owned());
    }
    match status.and_then(|status| status.phase.as_deref()) {
        Some("Succeeded") => return MapState::Off("Completed".to_owned()),
        Some("Failed") => return MapState::Failed("Failed".to_owned()),
        _ => {}
    }
    let waiting = status
        .into_iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone())
        .find(|reason| reason != "ContainerCreating" && reason != "PodInitializing");
    match waiting {
        Some(reason) => MapState::Failed(reason),
        None => MapState::Working("Not ready".to_owned()),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn fits(selector: &BTreeMap<String, String>, meta: &ObjectMeta) -> bool {
    let labels = meta.labels.as_ref();
    selector
        .iter()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// The UID of the controller.
fn owner(meta: &ObjectMeta) -> Option<&str> {
    let mut owners = meta.owner_references.iter().flatten();
    owners
        .find(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn all<T: serde::de::DeserializeOwned>(values: Value) -> Vec<T> {
        serde_json::from_value(values).expect("objects")
    }

    fn owned(uid: &str, kind: &str) -> Value {
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": uid, "controller": true}])
    }

    fn world() -> World {
        let pod = |name: &str, set: &str, ready: &str| {
            json!({"metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owned(set, "ReplicaSet")},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
        };
        let set = |uid: &str, revision: &str, replicas: i32| {
            json!({"metadata": {"name": format!("web-{uid}"), "uid": uid, "annotations": {REVISION: revision},
                "ownerReferences": owned("d", "Deployment")}, "spec": {"replicas": replicas, "selector": {}},
                "status": {"replicas": replicas, "readyReplicas": replicas}})
        };
        World {
            deployments: all(
                json!([{"metadata": {"name": "web", "uid": "d", "generation": 1, "annotations": {REVISION: "2"}},
                "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": [{"name": "web", "envFrom": [
                    {"secretRef": {"name": "keys"}}, {"configMapRef": {"name": "gone"}}]}]}}},
                "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}}]),
            ),
            replica_sets: all(json!([set("a", "1", 0), set("b", "2", 2)])),
            pods: all(
                json!([pod("web-b-1", "b", "True"), pod("web-b-2", "b", "False"),
                {"metadata": {"name": "alone"}, "status": {"phase": "Succeeded"}}]),
            ),
            services: all(
                json!([{"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
                {"metadata": {"name": "nobody"}, "spec": {"selector": {"app": "other"}}}]),
            ),
            secrets: Some(BTreeSet::from(["keys".to_owned()])),
            config_maps: Some(BTreeSet::new()),
            ..World::default()
        }
    }

    fn edges(map: &ResourceMap) -> Vec<String> {
        let name = |at: usize| map.nodes[at].key.to_string();
        map.edges
            .iter()
            .map(|edge| {
                format!(
                    "{} {} {}",
                    name(edge.from),
                    edge.link.words(),
                    name(edge.to)
                )
            })
            .collect()
    }

    #[test]
    fn objects_hang_together_as_the_cluster_has_them() {
        let map = map(&world());
        assert_eq!(
            edges(&map),
            [
                "Deployment/web reads ConfigMap/gone",
                "Deployment/web reads Secret/keys",
                "Deployment/web owns ReplicaSet/web-b",
                "ReplicaSet/web-b owns Pod/web-b-2",
                "ReplicaSet/web-b owns Pod/web-b-1",
                "Service/web leads to Pod/web-b-1",
                "Service/web leads to Pod/web-b-2",
            ]
        );
        let state = |key: &str| {
            let node = map.nodes.iter().find(|node| node.key.to_string() == key);
            node.expect(key).state.clone()
        };
        assert_eq!(state("Deployment/web"), MapState::Well("Ready".into()));
        assert_eq!(state("ConfigMap/gone"), MapState::Failed("Missing".into()));
        assert_eq!(state("Secret/keys"), MapState::Well("There".into()));
        assert_eq!(state("Pod/web-b-2"), MapState::Working("Not ready".into()));
        assert_eq!(state("Pod/alone"), MapState::Off("Completed".into()));
        assert_eq!(
            state("Service/nobody"),
            MapState::Attention("No pods".into())
        );
        assert!(
            !map.nodes.iter().any(|node| node.key.name() == "web-a"),
            "an empty earlier one"
        );
    }

    #[test]
    fn of_very_many_pods_some_are_drawn_and_it_says_how_many() {
        let mut world = world();
        world.pods = all(Value::Array(
            (0..40)
                .map(|at| json!({"metadata": {"name": format!("web-b-{at}"), "ownerReferences": owned("b", "ReplicaSet")}}))
                .collect(),
        ));
        let map = map(&world);
        let pods = map
            .nodes
            .iter()
            .filter(|node| node.key.kind() == ObjectKind::Pod);
        assert_eq!(pods.count(), MOST_PODS);
        assert!(
            map.nodes
                .iter()
                .any(|node| node.note == "Revision 2, 12 of 40 pods drawn")
        );
    }
}
