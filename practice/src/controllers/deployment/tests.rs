//! The plan against a small world in which sets grow and shrink as they are told, pods become
//! available in any order, and nothing else happens.

use k8s_openapi::api::apps::v1::ReplicaSetStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use serde_json::json;

use super::plan::{Plan, plan};
use super::*;

/// A Deployment and its sets, as a cluster would keep them.
struct World {
    deployment: Deployment,
    sets: Vec<ReplicaSet>,
    now: i64,
}

impl World {
    fn new(replicas: i32, strategy: &serde_json::Value) -> Self {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
            "spec": {
                "replicas": replicas,
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": strategy,
                "template": {"metadata": {"labels": {"app": "web"}},
                             "spec": {"containers": [{"name": "app", "image": "web:1"}]}},
            },
        }))
        .unwrap();
        Self {
            deployment,
            sets: Vec::new(),
            now: 1_000,
        }
    }

    fn rolling(replicas: i32, surge: i32, unavailable: i32) -> Self {
        let limits = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        Self::new(
            replicas,
            &json!({"type": "RollingUpdate", "rollingUpdate": limits}),
        )
    }

    fn change(&mut self, change: impl FnOnce(&mut k8s_openapi::api::apps::v1::DeploymentSpec)) {
        change(&mut self.deployment.spec);
        *self.deployment.metadata.generation.as_mut().unwrap() += 1;
    }

    fn set_image(&mut self, image: &str) {
        self.change(|spec| {
            spec.template.spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
        });
    }

    fn look(&self) -> Plan {
        let sets: Vec<Arc<ReplicaSet>> = self.sets.iter().cloned().map(Arc::new).collect();
        let now = Timestamp::from_second(self.now).unwrap();
        plan(Observed {
            deployment: &self.deployment,
            sets: &sets,
            pods: &[],
            now,
        })
    }

    /// Looks and does what the plan says; the events it would write.
    fn step(&mut self) -> Vec<String> {
        self.now += 1;
        let mut told = Vec::new();
        for action in self.look().actions {
            match action {
                Action::CreateSet(set) => {
                    let size = sets::wanted(&set);
                    if size > 0 {
                        told.push(format!("{} 0->{size}", self.sets.len()));
                    }
                    let mut set = *set;
                    set.metadata.uid = set.metadata.name.clone();
                    set.metadata.creation_timestamp =
                        Some(Time(Timestamp::from_second(self.now).unwrap()));
                    self.sets.push(set);
                }
                Action::UpdateSet(set) => self.put(*set),
                Action::Scale { set, from, to } => {
                    let at = self
                        .sets
                        .iter()
                        .position(|s| s.metadata.uid == set.metadata.uid);
                    told.push(format!("{} {from}->{to}", at.unwrap()));
                    self.put(*set);
                }
                Action::DeleteSet(set) => {
                    self.sets
                        .retain(|other| other.metadata.uid != set.metadata.uid);
                }
                Action::UpdateStatus(updated) => {
                    self.deployment.status = updated.status;
                    self.deployment.metadata.annotations = updated.metadata.annotations;
                }
            }
        }
        told
    }

    fn put(&mut self, set: ReplicaSet) {
        let known = self
            .sets
            .iter_mut()
            .find(|other| other.metadata.uid == set.metadata.uid);
        *known.unwrap() = set;
    }

    /// The ReplicaSet controller's part: pods follow the wished number; `up` may become available.
    fn run_sets(&mut self, mut up: i32) {
        for set in &mut self.sets {
            let wanted = sets::wanted(set);
            let before = sets::available(set).min(wanted);
            let more = up.min(wanted - before);
            up -= more;
            set.status = Some(ReplicaSetStatus {
                replicas: wanted,
                ready_replicas: Some(before + more),
                available_replicas: Some(before + more),
                ..ReplicaSetStatus::default()
            });
        }
    }

    fn settle(&mut self) {
        for _ in 0..500 {
            let idle = self.look().actions.is_empty();
            self.step();
            self.run_sets(i32::MAX);
            if idle && self.look().actions.is_empty() {
                return;
            }
        }
        panic!("the rollout never ends: {:?}", self.sizes());
    }

    fn sizes(&self) -> Vec<i32> {
        self.sets.iter().map(sets::wanted).collect()
    }

    fn reason(&self, kind: &str) -> String {
        let status = self.deployment.status.as_ref().unwrap();
        status::condition(status, kind)
            .and_then(|c| c.reason.clone())
            .unwrap_or_default()
    }

    fn message(&self, kind: &str) -> String {
        let status = self.deployment.status.as_ref().unwrap();
        status::condition(status, kind)
            .and_then(|c| c.message.clone())
            .unwrap_or_default()
    }

    fn revision(&self) -> String {
        self.deployment.metadata.annotations.as_ref().unwrap()[sets::REVISION].clone()
    }
}

#[test]
fn a_new_deployment_gets_one_labeled_set_and_tells_when_it_is_up() {
    let mut world = World::rolling(3, 1, 0);
    assert_eq!(world.step(), ["0 0->3"]);
    let set = world.sets[0].clone();
    let hash =
        set.metadata.labels.as_ref().unwrap()[crate::controllers::template_hash::LABEL].clone();
    assert_eq!(
        set.metadata.name.as_deref(),
        Some(format!("web-{hash}").as_str())
    );
    assert_eq!(
        set.spec.selector.match_labels.as_ref().unwrap()["pod-template-hash"],
        hash
    );
    let annotations = set.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");
    assert_eq!(
        annotations["deployment.kubernetes.io/desired-replicas"],
        "3"
    );
    assert_eq!(annotations["deployment.kubernetes.io/max-replicas"], "4");
    assert_eq!(world.reason("Progressing"), "NewReplicaSetCreated");
    assert_eq!(world.reason("Available"), "MinimumReplicasUnavailable");

    world.settle();
    assert_eq!(world.reason("Progressing"), "NewReplicaSetAvailable");
    let name = set.metadata.name.unwrap();
    let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
    assert_eq!(world.message("Progressing"), message);
    assert_eq!(
        world.message("Available"),
        "Deployment has minimum availability."
    );
    let status = world.deployment.status.as_ref().unwrap();
    assert_eq!(status.available_replicas, Some(3));
    assert_eq!(status.unavailable_replicas, None);
    assert_eq!(status.observed_generation, Some(1));
}

#[test]
fn a_rolling_update_takes_the_documented_steps() {
    let mut world = World::rolling(3, 1, 0);
    world.settle();
    world.set_image("web:2");
    let mut told = Vec::new();
    for _ in 0..20 {
        told.extend(world.step());
        world.run_sets(1);
    }
    assert_eq!(
        told,
        ["1 0->1", "0 3->2", "1 1->2", "0 2->1", "1 2->3", "0 1->0"]
    );
    assert_eq!(world.revision(), "2");
    assert_eq!(world.reason("Progressing"), "NewReplicaSetAvailable");
}

#[test]
fn going_back_uses_the_old_set_again_under_a_new_revision() {
    let mut world = World::rolling(2, 1, 0);
    world.settle();
    world.set_image("web:2");
    world.settle();
    world.set_image("web:1");
    world.settle();
    assert_eq!(world.sizes(), [2, 0]);
    assert_eq!(world.revision(), "3");
    let history = &world.sets[0].metadata.annotations.as_ref().unwrap();
    assert_eq!(history["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn only_as_many_old_sets_are_kept_as_history_wants() {
    let mut world = World::rolling(1, 1, 0);
    for version in 1..=6 {
        world.set_image(&format!("web:{version}"));
        world.settle();
    }
    let revisions: Vec<i64> = world
        .sets
        .iter()
        .map(|set| sets::revision(&set.metadata))
        .collect();
    assert_eq!(revisions, [4, 5, 6]);
}

#[test]
fn recreate_ends_all_old_pods_before_the_first_new_one() {
    let mut world = World::new(3, &json!({"type": "Recreate"}));
    world.settle();
    world.set_image("web:2");
    assert_eq!(world.step(), ["0 3->0"]);
    assert_eq!(
        world.step(),
        Vec::<String>::new(),
        "old pods are still counted"
    );
    world.run_sets(0);
    assert_eq!(world.step(), ["1 0->3"]);
    world.settle();
    assert_eq!(world.reason("Progressing"), "NewReplicaSetAvailable");
}

#[test]
fn a_paused_deployment_is_scaled_but_not_rolled_out() {
    let mut world = World::rolling(2, 1, 0);
    world.settle();
    world.change(|spec| spec.paused = Some(true));
    world.set_image("web:2");
    world.settle();
    assert_eq!(world.sizes(), [2]);
    assert_eq!(world.reason("Progressing"), "DeploymentPaused");
    world.change(|spec| spec.replicas = Some(5));
    world.settle();
    assert_eq!(world.sizes(), [5]);
    world.change(|spec| spec.paused = None);
    world.step();
    world.settle();
    assert_eq!(world.sizes(), [0, 5]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_spread_by_size() {
    let mut world = World::rolling(10, 3, 2);
    world.settle();
    world.set_image("web:broken");
    for _ in 0..10 {
        world.step();
        world.run_sets(0);
    }
    assert_eq!(world.sizes(), [8, 5], "stuck at the limits");
    world.change(|spec| spec.replicas = Some(15));
    world.step();
    // 18 allowed: 8 * 18 / 13 and 5 * 18 / 13, rounded.
    assert_eq!(world.sizes(), [11, 7]);
}

#[test]
fn a_rollout_without_progress_exceeds_its_deadline() {
    let mut world = World::rolling(1, 1, 0);
    world.settle();
    world.set_image("web:broken");
    for _ in 0..5 {
        world.step();
        world.run_sets(0);
    }
    let wait = world
        .look()
        .look_again
        .expect("a stuck rollout is looked at again");
    assert!(wait.as_secs() <= 601, "{wait:?}");
    world.now += i64::try_from(wait.as_secs()).unwrap();
    world.step();
    assert_eq!(world.reason("Progressing"), "ProgressDeadlineExceeded");
    assert!(
        world
            .message("Progressing")
            .ends_with("has timed out progressing.")
    );
    assert_eq!(
        world.reason("Available"),
        "MinimumReplicasAvailable",
        "the old pod still serves"
    );
    assert_eq!(world.look().look_again, None);
}

#[test]
fn a_set_that_cannot_create_pods_is_told_on() {
    let mut world = World::rolling(1, 1, 0);
    world.step();
    world.sets[0].status = serde_json::from_value(json!({"replicas": 0, "conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
         "message": "pods \"web-\" is forbidden: exceeded quota"}]}))
    .unwrap();
    world.step();
    assert_eq!(world.reason("ReplicaFailure"), "FailedCreate");
    world.settle();
    assert_eq!(world.reason("ReplicaFailure"), "");
}

#[test]
fn nothing_is_done_about_a_deployment_that_goes() {
    let mut world = World::rolling(2, 1, 0);
    world.deployment.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    let plan = world.look();
    assert!(
        plan.actions
            .iter()
            .all(|action| matches!(action, Action::UpdateStatus(_)))
    );
}

proptest! {
    /// Whatever order pods come up in and however often the template changes in between, the
    /// limits hold at every moment and the rollout ends.
    #[test]
    fn limits_hold_and_rollouts_end(
        replicas in 0..12i32,
        surge in 0..5i32,
        unavailable in 0..5i32,
        moves in proptest::collection::vec((0..4i32, 0..8u8), 1..60),
    ) {
        prop_assume!(surge + unavailable > 0);
        let mut world = World::rolling(replicas, surge, unavailable);
        world.settle();
        world.set_image("web:2");
        let mut version = 2;
        for (up, dice) in moves {
            if dice == 0 {
                version += 1;
                world.set_image(&format!("web:{version}"));
            }
            let available_before: i32 = world.sets.iter().map(sets::available).sum();
            world.step();
            let total: i32 = world.sizes().iter().sum();
            prop_assert!(total <= replicas + surge, "{total} > {replicas} + {surge}");
            // Pods that serve are only taken down to the limit (unhealthy ones go first, which
            // is how the ReplicaSet controller ranks them).
            let kept: i32 = world
                .sets
                .iter()
                .map(|set| sets::available(set).min(sets::wanted(set)))
                .sum();
            let least = replicas - unavailable.min(replicas);
            prop_assert!(kept >= least.min(available_before), "{kept} < {least}");
            world.run_sets(up);
        }
        world.settle();
        let newest = world.sets.iter().max_by_key(|set| sets::revision(&set.metadata)).unwrap();
        prop_assert_eq!(sets::wanted(newest), replicas);
        prop_assert_eq!(world.sizes().iter().sum::<i32>(), replicas);
    }

    /// Scaling in the middle keeps the total within the new limit, and ends.
    #[test]
    fn scaling_during_a_rollout_stays_in_the_limit(
        before in 1..12i32,
        after in 0..20i32,
        surge in 1..5i32,
        progress in 0..6usize,
    ) {
        let mut world = World::rolling(before, surge, 1);
        world.settle();
        world.set_image("web:2");
        for _ in 0..progress {
            world.step();
            world.run_sets(1);
        }
        world.change(|spec| spec.replicas = Some(after));
        world.step();
        let total: i32 = world.sizes().iter().sum();
        prop_assert!(total <= after + surge, "{total} > {after} + {surge}");
        world.settle();
        prop_assert_eq!(world.sizes(), [0, after].into_iter().skip(2 - world.sets.len()).collect::<Vec<_>>());
    }
}
