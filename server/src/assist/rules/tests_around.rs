//! The rules about Services, rollouts and placement, and what one fault hides of another.

use app::model::*;
use serde_json::json;

use super::world::*;

#[test]
fn no_address_behind_a_service_of_ready_pods_is_found_although_the_labels_fit() {
    let mut world = World::healthy();
    world
        .live()
        .service
        .as_mut()
        .expect("the Service")
        .ready_endpoints = 0;
    let finding = world.only("SELECTOR_MATCHES_NOTHING");
    assert!(
        finding.why.contains("A pod of backend is ready"),
        "{}",
        finding.why
    );
    // While the pod is not ready that is as it should be.
    world.waits("ContainerCreating", "");
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn an_image_that_never_came_explains_everything_else_of_its_component() {
    let mut world = World::healthy();
    world.probe_fails(ProbeKind::Readiness, "connection refused");
    world.waits("ErrImageNeverPull", "not present");
    world.service(json!({"app": "web"}), json!("http"));
    let live = world.live();
    live.rollout = Rollout::Stuck {
        why: "deadline".into(),
    };
    live.service.as_mut().expect("the Service").ready_endpoints = 0;
    world.pod().stale_secrets = true;
    world.only("IMAGE_NEVER_PULL");
}

#[test]
fn an_image_that_left_the_cluster_is_said_before_a_pod_needs_it() {
    let mut world = World::healthy();
    world.state.images[0].state = ImageState::NotInCluster {
        image: built("todo-backend:1"),
        lost: None,
    };
    assert_eq!(
        world.only("IMAGE_NOT_IN_CLUSTER").severity,
        Severity::Attention
    );
    // A build brings it back by itself.
    world.runs(RunKind::Build);
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn pods_of_an_older_image_are_offered_a_deploy() {
    let mut world = World::healthy();
    world.live().image_proved = Some(false);
    world.state.images[0].state = ImageState::InCluster {
        image: built("todo-backend:2"),
        proved: NOW,
    };
    let finding = world.only("IMAGE_OUTDATED");
    assert!(finding.why.contains("todo-backend:1") && finding.why.contains("todo-backend:2"));
    assert!(matches!(
        finding.next[0],
        NextAction::Do {
            action: Remedy::Deploy,
            ..
        }
    ));
    world.runs(RunKind::Deploy);
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_missing_secret_object_is_said_once_for_all_its_keys() {
    let mut world = World::healthy();
    world.state.secrets[0].state = SecretState::Unset;
    world.waits(
        "CreateContainerConfigError",
        "secret \"todo-secrets\" not found",
    );
    assert!(
        world
            .only("SECRET_OBJECT_MISSING")
            .why
            .contains("todo-secrets")
    );
}

#[test]
fn another_unset_key_stays_a_problem_of_its_own() {
    let mut world = World::healthy();
    world.state.secrets[0].state = SecretState::Unset;
    world.waits(
        "CreateContainerConfigError",
        "couldn't find key AUTH_SECRET in Secret todo/todo-secrets",
    );
    assert_eq!(world.codes(), ["SECRET_KEY_MISSING", "SECRET_NOT_SET"]);
}

#[test]
fn a_container_that_is_up_for_a_moment_between_crashes_is_not_healed() {
    let mut world = World::healthy();
    world.container().restarts = 3;
    world.container().last_termination = Some(termination(1, "Error"));
    world.container().state = ContainerState::Running {
        since: UnixMillis(NOW.0 - 1_000),
    };
    world.only("CRASH_LOOP");
}

#[test]
fn a_manifest_that_names_a_user_overrides_an_image_without_one() {
    let mut world = World::healthy();
    if let ImageState::InCluster { image, .. } = &mut world.state.images[0].state {
        image.user = String::new();
    }
    assert_eq!(world.only("RUNS_AS_ROOT").severity, Severity::Attention);
    let deployment = world
        .cluster
        .deployments
        .get_mut("backend")
        .expect("the Deployment");
    deployment.containers[0].user = Some(10_001);
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn refused_pods_are_found_by_their_event_too() {
    let mut world = World::healthy();
    world.state.pods.clear();
    world.live().rollout = Rollout::Progressing {
        note: "0 of 1".into(),
    };
    world.event(
        "ReplicaSet",
        "backend-5d4f",
        "FailedCreate",
        "Error creating: pods is forbidden: exceeded quota: q",
    );
    assert!(world.only("QUOTA_EXCEEDED").why.contains("quota"));
    // Another component's ReplicaSet says nothing about this one.
    world.state.events.clear();
    world.event(
        "ReplicaSet",
        "backend-worker-5d4f",
        "FailedCreate",
        "Error creating: x",
    );
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn the_state_alone_is_enough_for_most_of_it() {
    let mut world = World::healthy();
    assert_eq!(crate::assist::diagnose_state(&world.state, NOW), vec![]);
    world.waits("ErrImageNeverPull", "not present");
    let codes: Vec<String> = crate::assist::diagnose_state(&world.state, NOW)
        .into_iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, ["IMAGE_NEVER_PULL"]);
}

#[test]
fn a_selector_that_matches_nothing_names_the_label() {
    let mut world = World::healthy();
    world.service(json!({"app": "web"}), json!("http"));
    if let Some(service) = &mut world.live().service {
        service.ready_endpoints = 0;
    }
    let finding = world.only("SELECTOR_MATCHES_NOTHING");
    assert!(
        finding
            .why
            .contains("app=web, and the pods have app=backend"),
        "{}",
        finding.why
    );
}

#[test]
fn a_pending_load_balancer_is_only_an_attention_and_says_what_this_cluster_needs() {
    let mut world = World::healthy();
    if let Some(service) = &mut world.live().service {
        service.load_balancer = LoadBalancer::Pending;
    }
    assert_eq!(
        world.only("LOAD_BALANCER_PENDING").severity,
        Severity::Attention
    );
    world.state.cluster.as_mut().expect("a cluster").kind = ClusterKind::Minikube {
        profile: "mini".into(),
    };
    let finding = world.only("LOAD_BALANCER_PENDING");
    assert!(
        matches!(&finding.next[0], NextAction::Command { command, .. } if command.contains("mini"))
    );
}

#[test]
fn a_stuck_rollout_without_another_cause_is_said() {
    let mut world = World::healthy();
    world.live().rollout = Rollout::Stuck {
        why: "exceeded its progress deadline".into(),
    };
    world.only("ROLLOUT_STUCK");
}

#[test]
fn a_pod_without_a_node_says_what_it_lacks() {
    let mut world = World::healthy();
    let pod = world.pod();
    (pod.ready, pod.phase, pod.node) = (false, "Pending".into(), None);
    pod.containers.clear();
    assert_eq!(world.findings(), vec![]);
    world.state.events.insert(
        "e".into(),
        EventRow {
            uid: "e".into(),
            kind: "Pod".into(),
            name: "backend-1".into(),
            object_uid: "u1".into(),
            warning: true,
            reason: "FailedScheduling".into(),
            message: "0/1 nodes are available: 1 Insufficient memory.".into(),
            count: 1,
            at: NOW,
        },
    );
    assert!(world.only("NODE_MEMORY_SHORT").why.contains("memory"));
}

#[test]
fn refused_pods_are_found_though_there_are_none() {
    let mut world = World::healthy();
    world.state.pods.clear();
    world.live().rollout = Rollout::Stuck {
        why: "deadline".into(),
    };
    let deployment = world
        .cluster
        .deployments
        .get_mut("backend")
        .expect("the Deployment");
    deployment.replica_failure = Some("pods \"x\" is forbidden: exceeded quota: small".into());
    assert!(world.only("QUOTA_EXCEEDED").why.contains("quota"));
}

#[test]
fn attention_is_drawn_to_root_size_and_old_secrets() {
    let mut world = World::healthy();
    if let ImageState::InCluster { image, .. } = &mut world.state.images[0].state {
        image.user = String::new();
        image.size_bytes = 2_000;
    }
    world.pod().stale_secrets = true;
    assert_eq!(
        world.codes(),
        ["RUNS_AS_ROOT", "PODS_STALE_SECRETS", "IMAGE_OVER_BUDGET"]
    );
    assert!(
        world
            .findings()
            .iter()
            .all(|finding| finding.severity == Severity::Attention)
    );
}

#[test]
fn pods_on_their_way_out_are_not_judged() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "x");
    world.container().last_termination = Some(termination(1, "Error"));
    world.pod().terminating = true;
    assert_eq!(world.findings(), vec![]);
    world.pod().terminating = false;
    world.pod().current = false;
    assert_eq!(world.findings(), vec![]);
}
