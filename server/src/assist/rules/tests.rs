//! Every rule about starting and running, against a healthy project and against the fault it is for.

use app::model::*;
use serde_json::json;

use super::config::{Complaint, complaint};
use super::world::*;
use crate::assist::cluster_facts::ClusterFacts;

#[test]
fn a_healthy_project_has_no_findings() {
    assert_eq!(World::healthy().findings(), vec![]);
    // Neither has one that is not deployed yet, whatever is unset.
    let mut world = World::healthy();
    world.state.components.clear();
    world.state.pods.clear();
    world.cluster = ClusterFacts::default();
    world.state.secrets[0].state = SecretState::Unset;
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_silent_cluster_hides_everything_else() {
    let mut world = World::healthy();
    world.waits("ErrImageNeverPull", "x");
    let cluster = world.state.cluster.as_mut().expect("a cluster");
    cluster.freshness = Freshness::heard_at(UnixMillis(NOW.0 - 9_000));
    let finding = world.only("CLUSTER_UNREACHABLE");
    assert!(finding.why.contains("9 s ago"), "{}", finding.why);
}

#[test]
fn a_missing_image_names_the_one_that_is_there() {
    let mut world = World::healthy();
    world.waits(
        "ErrImageNeverPull",
        "Container image \"todo-backend:0\" is not present with pull policy of Never",
    );
    world.container().image = "todo-backend:0".into();
    world.live().rollout = Rollout::Stuck {
        why: "exceeded its progress deadline".into(),
    };
    let finding = world.only("IMAGE_NEVER_PULL");
    assert!(finding.why.contains("todo-backend:0") && finding.why.contains("todo-backend:1"));
    assert!(matches!(
        finding.next[0],
        NextAction::Do {
            action: Remedy::Deploy,
            ..
        }
    ));

    world.state.images[0].state = ImageState::NotBuilt;
    let finding = world.only("IMAGE_NEVER_PULL");
    assert!(matches!(
        finding.next[0],
        NextAction::Do {
            action: Remedy::BuildImages,
            ..
        }
    ));
}

#[test]
fn an_image_that_cannot_be_fetched_is_its_own_problem() {
    for reason in ["ErrImagePull", "ImagePullBackOff"] {
        for (message, code) in [
            ("rpc error: it went wrong", "IMAGE_PULL_FAILED"),
            (
                "failed to resolve reference \"docker.io/library/x:1\": docker.io/library/x:1: not found",
                "IMAGE_NOT_FOUND",
            ),
            (
                "pull access denied, repository does not exist or may require authorization",
                "REGISTRY_REFUSES",
            ),
            (
                "dial tcp: lookup registry.example: no such host",
                "REGISTRY_UNREACHABLE",
            ),
            (
                "toomanyrequests: You have reached your pull rate limit",
                "REGISTRY_LIMIT",
            ),
        ] {
            let message = format!("Back-off pulling image \"x\": ErrImagePull: {message}");
            let mut world = World::healthy();
            world.waits(reason, &message);
            assert_eq!(world.only(code).evidence[0].text, message);
        }
    }
    let mut world = World::healthy();
    world.waits("InvalidImageName", "couldn't parse image name");
    world.only("IMAGE_NAME_INVALID");
}

#[test]
fn what_an_older_kubelet_tells_of_a_pull_in_an_event_only_is_read_there() {
    let mut world = World::healthy();
    world.waits("ImagePullBackOff", "Back-off pulling image \"x:1\"");
    world.only("IMAGE_PULL_FAILED");
    world.event(
        "Pod",
        "backend-1",
        "Failed",
        "Failed to pull image \"x:1\": manifest unknown",
    );
    world.only("IMAGE_NOT_FOUND");
}

#[test]
fn what_the_kubelet_complains_about_is_read_from_its_message() {
    let secret_key = |key: &str, secret: &str| Complaint::SecretKey {
        key: key.into(),
        secret: secret.into(),
    };
    let cases = [
        (
            "couldn't find key DATABASE_URL in Secret todo/todo-secrets",
            secret_key("DATABASE_URL", "todo-secrets"),
        ),
        (
            "couldn't find key LEVEL in ConfigMap todo/cfg",
            Complaint::ConfigMapKey {
                key: "LEVEL".into(),
                map: "cfg".into(),
            },
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : references non-existent config key: LEVEL",
            Complaint::ConfigMapKey {
                key: "LEVEL".into(),
                map: String::new(),
            },
        ),
        (
            "container's runAsUser breaks non-root policy (pod: x)",
            Complaint::Root,
        ),
        (
            "secret \"todo-secrets\" not found",
            Complaint::Secret {
                secret: "todo-secrets".into(),
            },
        ),
        (
            "configmap \"cfg\" not found",
            Complaint::ConfigMap { map: "cfg".into() },
        ),
        (
            "container has runAsNonRoot and image will run as root (pod: x)",
            Complaint::Root,
        ),
        ("something else", Complaint::Other),
    ];
    for (message, expected) in cases {
        assert_eq!(complaint(message), expected, "{message}");
    }
}

#[test]
fn a_missing_secret_key_hides_that_it_is_unset() {
    let mut world = World::healthy();
    world.state.secrets[0].state = SecretState::Unset;
    assert_eq!(world.codes(), ["SECRET_NOT_SET"]);
    world.waits(
        "CreateContainerConfigError",
        "couldn't find key DATABASE_URL in Secret todo/todo-secrets",
    );
    let finding = world.only("SECRET_KEY_MISSING");
    assert!(finding.what.contains("DATABASE_URL"));
    assert!(matches!(
        finding.next[0],
        NextAction::Open {
            step: StepId::Secrets,
            ..
        }
    ));
}

#[test]
fn other_config_errors_have_their_own_codes() {
    for (message, code) in [
        ("configmap \"cfg\" not found", "CONFIGMAP_MISSING"),
        (
            "couldn't find key LEVEL in ConfigMap todo/cfg",
            "CONFIGMAP_KEY_MISSING",
        ),
        (
            "container has runAsNonRoot and image will run as root",
            "RUNS_AS_ROOT",
        ),
        ("mount denied", "CONTAINER_CONFIG"),
    ] {
        let mut world = World::healthy();
        world.waits("CreateContainerConfigError", message);
        assert_eq!(world.only(code).severity, Severity::Failed);
    }
}

#[test]
fn a_crash_shows_exit_code_and_last_words_once() {
    let mut world = World::healthy();
    world.waits(
        "CrashLoopBackOff",
        "back-off 40s restarting failed container",
    );
    world.container().restarts = 3;
    world.container().last_termination = Some(termination(1, "Error"));
    world.container().probes.insert(
        ProbeKind::Readiness,
        probe(ProbeVerdict::Failing {
            message: "x".into(),
        }),
    );
    world.live().rollout = Rollout::Stuck {
        why: "deadline".into(),
    };
    world.logs.insert(
        ("u1".into(), "backend".into()),
        vec!["starting".into(), "error: DATABASE_URL is not set".into()],
    );
    let finding = world.only("SETTING_MISSING");
    assert!(finding.why.contains("exit code 1") && finding.why.contains("3 times"));
    assert!(finding.evidence[0].text.contains("DATABASE_URL is not set"));
    assert!(matches!(
        finding.next[0],
        NextAction::Open {
            step: StepId::Secrets,
            ..
        }
    ));
}

#[test]
fn a_container_that_restarted_and_is_well_is_no_problem() {
    let mut world = World::healthy();
    world.container().restarts = 5;
    world.container().last_termination = Some(termination(1, "Error"));
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn memory_kills_are_not_called_crashes() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "back-off");
    world.container().restarts = 2;
    world.container().last_termination = Some(termination(137, "OOMKilled"));
    world.only("OOM_KILLED");
}

#[test]
fn a_container_killed_by_its_probe_is_the_probe_s_finding() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "back-off");
    world.container().restarts = 2;
    world.container().last_termination = Some(termination(143, "Error"));
    world.container().probes.insert(
        ProbeKind::Liveness,
        probe(ProbeVerdict::Killed {
            message: "HTTP probe failed with statuscode: 404".into(),
        }),
    );
    let finding = world.only("PROBE_WRONG_PATH");
    assert!(
        finding.why.contains("no such path (404)"),
        "{}",
        finding.why
    );
}

#[test]
fn probe_messages_give_their_cause_away() {
    for (message, words, code) in [
        (
            "Get \"http://10.0.0.1:8000/ready\": dial tcp 10.0.0.1:8000: connect: connection refused",
            "nothing listens",
            "PROBE_NOTHING_LISTENS",
        ),
        (
            "HTTP probe failed with statuscode: 404",
            "404",
            "PROBE_WRONG_PATH",
        ),
        (
            "HTTP probe failed with statuscode: 503",
            "something it needs",
            "PROBE_FAILING",
        ),
        (
            "HTTP probe failed with statuscode: 500",
            "answers with an error",
            "PROBE_FAILING",
        ),
        (
            "HTTP probe failed with statuscode: 401",
            "login",
            "PROBE_NEEDS_LOGIN",
        ),
        (
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "in time",
            "PROBE_TIMEOUT",
        ),
        (
            "Get \"https://10.0.0.1:8000/\": http: server gave HTTP response to HTTPS client",
            "another scheme",
            "PROBE_WRONG_SCHEME",
        ),
        ("it is odd", "below", "PROBE_FAILING"),
    ] {
        for kind in [
            ProbeKind::Startup,
            ProbeKind::Liveness,
            ProbeKind::Readiness,
        ] {
            let mut world = World::healthy();
            world.probe_fails(kind, message);
            let finding = world.only(code);
            assert!(finding.why.contains(words), "{message}: {}", finding.why);
        }
    }
}

#[test]
fn a_starting_program_may_fail_its_startup_probe() {
    let mut world = World::healthy();
    world.probe_fails(ProbeKind::Startup, "connection refused");
    world.container().state = ContainerState::Running {
        since: UnixMillis(NOW.0 - 8_000),
    };
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_service_that_leads_to_no_port_of_the_container_is_found() {
    let mut world = World::healthy();
    world.service(json!({"app": "backend"}), json!(9000));
    let finding = world.only("SERVICE_PORT_MISMATCH");
    assert!(finding.why.contains("9000") && finding.why.contains("8000"));
    // By name as well.
    world.service(json!({"app": "backend"}), json!("web"));
    world.only("SERVICE_PORT_MISMATCH");
    // A number slipway.toml knows is right without being declared, a name never is.
    world.deployment(json!({"app": "backend"}), json!([]), 8000);
    world.only("SERVICE_PORT_MISMATCH");
    world.service(json!({"app": "backend"}), json!(9000));
    assert!(
        world
            .only("SERVICE_PORT_MISMATCH")
            .why
            .contains("listens on 8000")
    );
    world.service(json!({"app": "backend"}), json!(8000));
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_probe_at_the_wrong_port_or_path_is_told_the_right_one() {
    let mut world = World::healthy();
    world.probe_fails(
        ProbeKind::Readiness,
        "dial tcp 10.0.0.1:8080: connect: connection refused",
    );
    let wrong = |target: &str| {
        let target = target.to_owned();
        move |world: &mut World| {
            let probes = &mut world.container().probes;
            probes
                .get_mut(&ProbeKind::Readiness)
                .expect("the probe")
                .target = target;
        }
    };
    wrong("GET /ready :8080")(&mut world);
    let finding = world.only("PROBE_WRONG_PORT");
    assert!(
        finding.why.contains("port 8080") && finding.why.contains("on 8000"),
        "{}",
        finding.why
    );

    let mut world = World::healthy();
    let project = world.state.project.as_mut().expect("the project");
    project.components[0].probes.readiness = Some("/ready".into());
    world.probe_fails(
        ProbeKind::Readiness,
        "HTTP probe failed with statuscode: 404",
    );
    wrong("GET /redy :8000")(&mut world);
    let finding = world.only("PROBE_WRONG_PATH");
    assert!(
        finding.why.contains("slipway.toml says /ready"),
        "{}",
        finding.why
    );
}

#[test]
fn a_ready_container_whose_probe_fails_now_and_then_needs_attention_only() {
    let mut world = World::healthy();
    world.probe_fails(
        ProbeKind::Readiness,
        "HTTP probe failed with statuscode: 503",
    );
    world.container().ready = true;
    world.pod().ready = true;
    assert_eq!(world.only("PROBE_FAILING").severity, Severity::Attention);
}

#[test]
fn the_first_period_of_a_readiness_probe_is_no_problem() {
    let mut world = World::healthy();
    world.probe_fails(ProbeKind::Readiness, "connection refused");
    world.container().state = ContainerState::Running {
        since: UnixMillis(NOW.0 - 5_000),
    };
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_container_being_created_is_no_problem() {
    for reason in ["ContainerCreating", "PodInitializing", ""] {
        let mut world = World::healthy();
        world.waits(reason, "");
        assert_eq!(world.findings(), vec![], "{reason}");
    }
}

/// The command that a finding proposes, if it proposes one.
fn proposed(finding: &Finding) -> Option<String> {
    finding.next.iter().find_map(|next| match next {
        NextAction::Do {
            action: Remedy::Propose { argv, heals, .. },
            ..
        } => {
            assert_eq!(*heals, finding.key());
            Some(argv.join(" "))
        }
        _ => None,
    })
}

#[test]
fn what_is_scaled_to_zero_is_said_and_its_start_is_proposed() {
    let mut world = World::healthy();
    world.live().replicas = 0;
    let finding = world.only("SCALED_TO_ZERO");
    assert_eq!(finding.severity, Severity::Attention);
    assert_eq!(
        proposed(&finding).as_deref(),
        Some("kubectl scale deployment/backend --replicas=1")
    );
}

#[test]
fn going_back_is_proposed_only_where_there_was_something_before() {
    let mut world = World::healthy();
    world.waits("ErrImageNeverPull", "x");
    world.live().rollout = Rollout::Stuck { why: "x".into() };
    assert_eq!(proposed(&world.only("IMAGE_NEVER_PULL")), None);
    world.live().revision = 2;
    assert_eq!(
        proposed(&world.only("IMAGE_NEVER_PULL")).as_deref(),
        Some("kubectl rollout undo deployment/backend")
    );
    world.live().paused = true;
    assert_eq!(world.codes(), ["IMAGE_NEVER_PULL", "DEPLOYMENT_PAUSED"]);
    assert_eq!(proposed(&world.findings()[0]), None);
}
