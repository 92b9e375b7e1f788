use app::model::ContainerState;
use serde_json::{Value, json};

use super::*;

struct World {
    store: LiveStore,
    components: Vec<ComponentName>,
    proved: BTreeMap<ComponentName, BuiltImage>,
    key: FingerprintKey,
    state: app::model::PanelState,
}

impl World {
    fn new() -> Self {
        Self {
            store: LiveStore::default(),
            components: vec!["backend".parse().expect("a name")],
            proved: BTreeMap::new(),
            key: FingerprintKey::random(),
            state: app::model::PanelState::default(),
        }
    }

    fn listed(mut self, news: Vec<LiveNews>) -> Self {
        for wrap in [
            LiveNews::Pods(TableNews::ListBegin),
            LiveNews::Deployments(TableNews::ListBegin),
            LiveNews::ReplicaSets(TableNews::ListBegin),
        ] {
            self.store.take(wrap);
        }
        for news in news {
            self.store.take(news);
        }
        for wrap in [
            LiveNews::Pods(TableNews::ListEnd),
            LiveNews::Deployments(TableNews::ListEnd),
            LiveNews::ReplicaSets(TableNews::ListEnd),
        ] {
            self.store.take(wrap);
        }
        self.drain()
    }

    fn then(mut self, news: LiveNews) -> Self {
        self.store.take(news);
        self.drain()
    }

    fn drain(mut self) -> Self {
        let events = self.store.drain(&Context {
            components: &self.components,
            kind: &ClusterKind::Practice,
            proved: &self.proved,
            secret: None,
            fingerprint_key: &self.key,
            now: UnixMillis(1_767_225_660_000),
        });
        for event in &events {
            self.state.apply(event);
        }
        self
    }

    fn component(&self) -> &ComponentLive {
        &self.state.components[&self.components[0]]
    }
}

fn deployment(revision: u64) -> LiveNews {
    LiveNews::Deployments(TableNews::Applied("d".into(), deployment_facts(revision)))
}

fn deployment_facts(revision: u64) -> DeploymentFacts {
    DeploymentFacts {
        uid: "d".into(),
        name: "backend".into(),
        wanted: 1,
        replicas: 1,
        updated: 1,
        ready: 1,
        available: 1,
        revision,
        image: "todo-backend:1".into(),
        ..DeploymentFacts::default()
    }
}

fn set(uid: &str, revision: u64) -> (String, ReplicaSetFacts) {
    (
        uid.to_owned(),
        ReplicaSetFacts {
            deployment: Some("backend".into()),
            revision,
        },
    )
}

fn pod(uid: &str, set: &str, status: Value) -> PodFacts {
    let pod = json!({
        "metadata": {"uid": uid, "name": uid, "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": set, "controller": true}]},
        "spec": {"containers": [{"name": "backend", "image": "todo-backend:1",
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]},
        "status": status
    });
    PodFacts::of(&serde_json::from_value(pod).expect("a Pod"))
}

fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "backend", "image": "todo-backend:1", "imageID": "sha256:1", "ready": true,
            "started": true, "restartCount": 2, "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}}]})
}

fn world() -> World {
    let (key, facts) = set("r1", 1);
    World::new().listed(vec![
        LiveNews::Deployments(TableNews::Listed("d".into(), deployment_facts(1))),
        LiveNews::ReplicaSets(TableNews::Listed(key, facts)),
        LiveNews::Pods(TableNews::Listed("p1".into(), pod("p1", "r1", ready()))),
    ])
}

#[test]
fn a_components_row_follows_what_counts_of_its_pods_and_nothing_else() {
    let mut world = world();
    let mut told = |status: Value| {
        let news = TableNews::Applied("p1".into(), pod("p1", "r1", status));
        world.store.take(LiveNews::Pods(news));
        let before = world.state.components.clone();
        let mut events = 0;
        for event in world.store.drain(&Context {
            components: &world.components,
            kind: &ClusterKind::Practice,
            proved: &world.proved,
            secret: None,
            fingerprint_key: &world.key,
            now: UnixMillis(1_767_225_660_000),
        }) {
            events += usize::from(matches!(event, PanelEvent::Component(_)));
            world.state.apply(&event);
        }
        (events, before != world.state.components)
    };
    let mut unready = ready();
    unready["containerStatuses"][0]["ready"] = false.into();
    assert_eq!(told(unready), (0, false), "its probe says nothing to it");
    let mut restarted = ready();
    restarted["containerStatuses"][0]["restartCount"] = 3.into();
    assert_eq!(told(restarted), (1, true));
    assert_eq!(world.component().restarts, 3);
}

#[test]
fn a_pod_finds_its_component_through_its_replica_set() {
    let world = world();
    let row = &world.state.pods["p1"];
    assert_eq!(
        row.component.as_ref().map(ComponentName::as_str),
        Some("backend")
    );
    assert!(row.current && row.ready);
    assert_eq!(world.component().restarts, 2);
    assert_eq!(world.component().rollout, Rollout::Complete);
    assert_eq!(world.component().image_proved, None, "nothing was proved");
}

#[test]
fn a_new_revision_makes_the_old_pods_old() {
    let (key, facts) = set("r2", 2);
    let world = world()
        .then(deployment(2))
        .then(LiveNews::ReplicaSets(TableNews::Applied(key, facts)))
        .then(LiveNews::Pods(TableNews::Applied(
            "p2".into(),
            pod("p2", "r2", json!({"phase": "Pending"})),
        )));
    assert!(!world.state.pods["p1"].current);
    assert!(world.state.pods["p2"].current);
    assert!(world.state.pods["p2"].why_not_ready.is_some());
}

#[test]
fn an_event_explains_a_pod_that_is_there_already() {
    let mut status = ready();
    status["conditions"] = json!([]);
    status["containerStatuses"][0]["ready"] = json!(false);
    let event = json!({"metadata": {"uid": "e1"}, "type": "Warning", "reason": "Unhealthy",
        "involvedObject": {"kind": "Pod", "name": "p1", "uid": "p1", "fieldPath": "spec.containers{backend}"},
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "lastTimestamp": "2026-01-01T00:00:58Z"});
    let world = world()
        .then(LiveNews::Pods(TableNews::Applied(
            "p1".into(),
            pod("p1", "r1", status),
        )))
        .then(LiveNews::Events(TableNews::Applied(
            "e1".into(),
            EventFacts::of(&serde_json::from_value(event).expect("an Event")),
        )));
    let why = world.state.pods["p1"]
        .why_not_ready
        .as_deref()
        .unwrap_or_default();
    assert!(why.contains("statuscode: 503"), "{why}");
    assert_eq!(world.state.events.len(), 1);
    assert!(world.state.events["e1"].warning);
}

#[test]
fn a_deleted_pod_and_a_deleted_deployment_leave_nothing_green() {
    let world = world()
        .then(LiveNews::Pods(TableNews::Deleted("p1".into())))
        .then(LiveNews::Deployments(TableNews::Deleted("d".into())));
    assert!(world.state.pods.is_empty());
    assert_eq!(world.component().rollout, Rollout::Absent);
    assert_eq!(world.component().ready, 0);
}

#[test]
fn a_new_list_without_a_pod_removes_it() {
    let world = world().listed(vec![]);
    assert!(world.state.pods.is_empty());
}

#[test]
fn the_image_of_the_pods_is_compared_with_the_proved_one() {
    let mut world = world();
    let built = |id: &str| BuiltImage {
        reference: "todo-backend:1".into(),
        id: id.into(),
        size_bytes: 0,
        built: UnixMillis(0),
        user: String::new(),
    };
    for (id, expected) in [("sha256:1", true), ("sha256:2", false)] {
        world.proved.insert(world.components[0].clone(), built(id));
        world.store.tick();
        world = world.drain();
        assert_eq!(world.component().image_proved, Some(expected));
    }
    assert!(matches!(
        world.state.pods["p1"].containers[0].state,
        ContainerState::Running { .. }
    ));
}

#[test]
fn one_lost_watch_is_a_lost_connection_unless_it_is_only_forbidden() {
    let mut store = LiveStore::default();
    let all: [fn() -> LiveNews; 6] = [
        || LiveNews::Pods(TableNews::Heard),
        || LiveNews::Deployments(TableNews::Heard),
        || LiveNews::ReplicaSets(TableNews::Heard),
        || LiveNews::Services(TableNews::Heard),
        || LiveNews::Slices(TableNews::Heard),
        || LiveNews::Events(TableNews::Heard),
    ];
    assert_eq!(store.connection(), Connection::Starting);
    for heard in all {
        store.take(heard());
    }
    assert_eq!(store.connection(), Connection::Open);
    fn lost<T>(refused: bool) -> TableNews<T> {
        TableNews::Lost {
            why: "gone".to_owned(),
            refused,
        }
    }
    store.take(LiveNews::Events(lost(true)));
    assert_eq!(store.connection(), Connection::Open);
    store.take(LiveNews::Pods(lost(true)));
    assert_eq!(store.connection(), Connection::Lost { why: "gone".into() });
}

#[test]
fn many_events_are_kept_within_bounds() {
    let mut store = LiveStore::default();
    for number in 0..EVENTS_FOLDED + 100 {
        let event = json!({"metadata": {"uid": number.to_string(), "creationTimestamp":
                crate::adapters::kube::times::rfc3339(UnixMillis(number as i64 * 1000))},
            "involvedObject": {"kind": "Pod", "name": "p", "uid": "p"}, "reason": "Started"});
        store.take(LiveNews::Events(TableNews::Applied(
            number.to_string(),
            EventFacts::of(&serde_json::from_value(event).expect("an Event")),
        )));
    }
    assert!(store.events.len() <= EVENTS_FOLDED);
    assert!(store.events.get("0").is_none());
}
