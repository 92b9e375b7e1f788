//! The rules that read causes: log lines, events, our own requests, and what the panel knows besides.

use app::model::*;
use serde_json::json;

use super::world::*;
use super::{CODES, known, page};

#[test]
fn every_code_is_there_once_and_says_what_why_and_what_next() {
    for (rank, code) in CODES.iter().enumerate() {
        assert_eq!(
            known(code.code).map(|(rank, _)| rank),
            Some(rank),
            "{} is there twice",
            code.code
        );
        for text in [code.what, code.why, code.next] {
            assert!(text.len() > 5, "{} has a gap", code.code);
        }
    }
    assert!(CODES.len() >= 40);
    assert_eq!(page(CODES).matches("\n- Why: ").count(), CODES.len());
}

#[test]
fn what_the_last_lines_tell_is_the_finding() {
    for (line, code) in [
        (
            "could not translate host name \"db\" to address",
            "DEPENDENCY_NOT_FOUND",
        ),
        (
            "connect ECONNREFUSED 10.0.0.9:5432",
            "DEPENDENCY_UNREACHABLE",
        ),
        (
            "FATAL: password authentication failed for user \"todo\"",
            "CREDENTIALS_REFUSED",
        ),
        ("AUTH_SECRET must be set", "SETTING_MISSING"),
        ("Error: listen EADDRINUSE :::8000", "PORT_TAKEN"),
        ("No module named 'fastapi'", "LIBRARY_MISSING"),
    ] {
        let mut world = World::healthy();
        world.crashes(termination(1, "Error"), &["starting", line]);
        let finding = world.only(code);
        assert!(finding.why.contains(line), "{}", finding.why);
        assert!(finding.evidence[0].text.contains(line));
    }
    let mut world = World::healthy();
    world.crashes(termination(1, "Error"), &["thread 'main' panicked"]);
    world.only("CRASH_LOOP");
}

#[test]
fn nothing_is_said_of_an_end_before_its_last_words_are_read() {
    let mut world = World::healthy();
    world.crashes(termination(1, "Error"), &["AUTH_SECRET must be set"]);
    // Somebody reads logs, and has not come to this one yet.
    let words = world.logs.remove(&("u1".into(), "backend".into()));
    world.logs.insert(("u2".into(), "other".into()), vec![]);
    assert!(world.codes().is_empty());
    world
        .logs
        .insert(("u1".into(), "backend".into()), words.expect("they are"));
    world.only("SETTING_MISSING");
    world.logs.insert(("u1".into(), "backend".into()), vec![]);
    world.only("CRASH_LOOP");
}

#[test]
fn programs_that_cannot_be_started_are_told_apart() {
    let not_started = |message: &str| Termination {
        message: message.into(),
        ..termination(128, "StartError")
    };
    for (end, code) in [
        (
            not_started(
                "failed to create containerd task: runc create failed: unable to start container process: exec: \"/app/run\": stat /app/run: no such file or directory: unknown",
            ),
            "PROGRAM_NOT_FOUND",
        ),
        (
            not_started(
                "failed to start container: exec: \"serve\": executable file not found in $PATH",
            ),
            "PROGRAM_NOT_FOUND",
        ),
        (
            not_started("exec: \"/app\": permission denied"),
            "PROGRAM_NOT_EXECUTABLE",
        ),
        (
            not_started("exec /app: exec format error"),
            "IMAGE_WRONG_PLATFORM",
        ),
        (termination(127, "Error"), "PROGRAM_NOT_FOUND"),
        (termination(126, "Error"), "PROGRAM_NOT_EXECUTABLE"),
        (termination(0, "Completed"), "PROGRAM_ENDS"),
    ] {
        let mut world = World::healthy();
        world.crashes(end, &[]);
        world.only(code);
    }
    // As some runtimes say it while they try again.
    let mut world = World::healthy();
    world.crashes(
        not_started("exec: \"x\": executable file not found in $PATH"),
        &[],
    );
    world.waits(
        "RunContainerError",
        "unable to start container process: exec: \"x\": executable file not found in $PATH",
    );
    world.only("PROGRAM_NOT_FOUND");
}

#[test]
fn a_failing_init_container_is_named() {
    let mut world = World::healthy();
    world.environment("A", "b");
    world.waits("PodInitializing", "");
    let mut init = world.container().clone();
    init.name = "migrate".into();
    init.probes.clear();
    init.restarts = 2;
    init.state = ContainerState::Waiting {
        reason: "CrashLoopBackOff".into(),
        message: String::new(),
    };
    init.last_termination = Some(termination(1, "Error"));
    world.pod().containers.insert(0, init);
    world.logs.insert(
        ("u1".into(), "migrate".into()),
        vec!["relation \"todos\" does not exist".into()],
    );
    let finding = world.only("INIT_CONTAINER_FAILS");
    assert!(finding.why.contains("migrate") && finding.why.contains("todos"));
}

#[test]
fn a_program_that_waits_for_its_database_is_told_by_its_log() {
    let mut world = World::healthy();
    world.probe_fails(
        ProbeKind::Readiness,
        "HTTP probe failed with statuscode: 503",
    );
    world.logs.insert(
        ("u1".into(), "backend".into()),
        vec!["pool: failed to lookup address information: Name or service not known".into()],
    );
    let finding = world.only("DEPENDENCY_NOT_FOUND");
    assert!(finding.why.contains("503") && finding.why.contains("lookup"));
    // What a log says about itself is no reason for a 404.
    world.probe_fails(
        ProbeKind::Readiness,
        "HTTP probe failed with statuscode: 404",
    );
    world.only("PROBE_WRONG_PATH");
}

#[test]
fn a_probe_s_command_is_shown_with_what_it_printed() {
    let mut world = World::healthy();
    world.probe_fails(ProbeKind::Liveness, "no lock file\n");
    let probes = &mut world.container().probes;
    probes.get_mut(&ProbeKind::Liveness).expect("it").target = "exec cat /tmp/lock".into();
    assert!(
        world
            .only("PROBE_COMMAND_FAILS")
            .why
            .contains("no lock file")
    );
}

#[test]
fn our_own_requests_that_fail_while_the_kubelet_is_content_are_said() {
    let mut world = World::healthy();
    let own = |passed: bool, in_a_row: u32| OwnProbe {
        pod: "u1".into(),
        container: "backend".into(),
        kind: ProbeKind::Readiness,
        at: NOW,
        answer: match passed {
            true => OwnAnswer::Passed {
                status: Some(200),
                took_ms: 1,
            },
            false => OwnAnswer::Failed {
                status: Some(503),
                took_ms: 1,
                why: "503 Service Unavailable".into(),
            },
        },
        in_a_row,
    };
    world
        .state
        .own_probes
        .insert("u1".into(), vec![own(false, 3)]);
    assert_eq!(world.findings(), vec![]);
    world
        .state
        .own_probes
        .insert("u1".into(), vec![own(false, 4)]);
    assert_eq!(world.only("PROBE_DISAGREES").severity, Severity::Attention);
    // The other way around it belongs to the probe's finding.
    world
        .state
        .own_probes
        .insert("u1".into(), vec![own(true, 4)]);
    world.probe_fails(ProbeKind::Readiness, "connection refused");
    let finding = world.only("PROBE_NOTHING_LISTENS");
    assert!(
        finding
            .evidence
            .iter()
            .any(|evidence| evidence.source == "Slipway's own requests")
    );
}

#[test]
fn volumes_are_read_from_events_while_a_pod_is_being_created() {
    for (reason, message, code) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : configmap \"cfg\" not found",
            "CONFIGMAP_MISSING",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : secret \"tls\" not found",
            "SECRET_OBJECT_MISSING",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : references non-existent config key: a",
            "CONFIGMAP_KEY_MISSING",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim \"data\" not found",
            "CLAIM_NOT_BOUND",
        ),
        (
            "FailedAttachVolume",
            "AttachVolume.Attach failed: no such driver",
            "VOLUME_NOT_MOUNTED",
        ),
        (
            "FailedCreatePodSandBox",
            "failed to set up sandbox network: no addresses",
            "POD_SANDBOX_FAILED",
        ),
    ] {
        let mut world = World::healthy();
        world.waits("ContainerCreating", "");
        world.event("Pod", "backend-1", reason, message);
        world.only(code);
        // The event stays for an hour; the pod does not.
        let mut world = World::healthy();
        world.event("Pod", "backend-1", reason, message);
        assert_eq!(world.findings(), vec![]);
    }
}

#[test]
fn the_scheduler_and_the_api_server_are_understood() {
    for (message, code) in [
        (
            "0/1 nodes are available: 1 Insufficient cpu.",
            "NODE_CPU_SHORT",
        ),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {a: b}.",
            "NODE_TAINTED",
        ),
        (
            "0/1 nodes are available: 1 node(s) were unschedulable.",
            "NODE_CORDONED",
        ),
        (
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            "NODE_NOT_MATCHED",
        ),
        (
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
            "HOST_PORT_TAKEN",
        ),
        (
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "CLAIM_NOT_BOUND",
        ),
        ("0/1 nodes are available: 1 Too many pods.", "UNSCHEDULABLE"),
    ] {
        let mut world = World::healthy();
        let pod = world.pod();
        (pod.ready, pod.phase, pod.node) = (false, "Pending".into(), None);
        pod.containers.clear();
        world.event("Pod", "backend-1", "FailedScheduling", message);
        world.only(code);
    }
    for (message, code) in [
        (
            "pods \"x\" is forbidden: failed quota: q: must specify limits.memory",
            "QUOTA_NEEDS_RESOURCES",
        ),
        (
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"",
            "POD_SECURITY_REFUSES",
        ),
        (
            "pods \"x\" is forbidden: error looking up service account todo/robot: serviceaccount \"robot\" not found",
            "SERVICE_ACCOUNT_MISSING",
        ),
        (
            "admission webhook \"policy.x\" denied the request: no",
            "WEBHOOK_DENIES",
        ),
        (
            "pods \"x\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi",
            "LIMIT_RANGE_REFUSES",
        ),
        ("pods \"x\" is forbidden: odd", "QUOTA_OR_ADMISSION"),
    ] {
        let mut world = World::healthy();
        world.state.pods.clear();
        let deployment = world.cluster.deployments.get_mut("backend");
        deployment.expect("the Deployment").replica_failure = Some(message.into());
        world.only(code);
    }
}

#[test]
fn an_evicted_pod_is_a_trace_and_no_crash() {
    let mut world = World::healthy();
    let mut trace = pod();
    (trace.uid, trace.name) = ("u2".into(), "backend-2".into());
    (trace.phase, trace.ready) = ("Failed".into(), false);
    trace.why_not_ready = Some("Evicted: The node was low on resource: memory.".into());
    trace.containers[0].ready = false;
    trace.containers[0].state =
        ContainerState::Terminated(termination(137, "ContainerStatusUnknown"));
    world.state.pods.insert("u2".into(), trace);
    let finding = world.only("POD_EVICTED");
    assert_eq!(finding.severity, Severity::Attention);
    assert!(
        matches!(&finding.next[1], NextAction::Command { command, .. } if command == "kubectl delete pod backend-2 --namespace todo")
    );
}

#[test]
fn restarts_of_the_last_minutes_are_said_while_it_is_well() {
    let mut world = World::healthy();
    world.container().restarts = 6;
    let ended = |ago: i64| Termination {
        finished: Some(UnixMillis(NOW.0 - ago)),
        ..termination(1, "Error")
    };
    world.container().last_termination = Some(ended(60_000));
    world.only("RESTARTS_OFTEN");
    world.container().last_termination = Some(ended(900_000));
    assert_eq!(world.findings(), vec![]);
}

fn other(world: &mut World) -> ComponentName {
    let name: ComponentName = "web".parse().expect("a name");
    let project = world.state.project.as_mut().expect("the project");
    project.components.push(component_view("web", 3000));
    let live = ComponentLive {
        component: name.clone(),
        service: None,
        ..live()
    };
    world.state.components.insert(name.clone(), live);
    name
}

#[test]
fn a_component_beside_deployed_ones_is_missed_except_while_a_deploy_goes() {
    let mut world = World::healthy();
    let web = other(&mut world);
    assert_eq!(world.findings(), vec![]);
    world.state.components.get_mut(&web).expect("it").rollout = Rollout::Absent;
    assert!(world.only("COMPONENT_NOT_DEPLOYED").what.contains("web"));
    world.runs(RunKind::Deploy);
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_paused_deployment_is_resumed_with_a_proposal() {
    let mut world = World::healthy();
    world.live().paused = true;
    let finding = world.only("DEPLOYMENT_PAUSED");
    assert!(finding.next.iter().any(|next| matches!(next, NextAction::Do { action: Remedy::Propose { argv, .. }, .. } if argv.join(" ") == "kubectl rollout resume deployment/backend")));
}

#[test]
fn a_call_needs_a_service_that_has_the_port() {
    let mut world = World::healthy();
    other(&mut world);
    world.environment("WEB_URL", "http://web:3000/api");
    let finding = world.only("SERVICE_MISSING");
    assert!(finding.why.contains("http://web:3000") && finding.why.contains("WEB_URL"));
    // Who may not list Services knows nothing about missing ones.
    world.cluster.services_listed = false;
    assert_eq!(world.findings(), vec![]);
    let service = serde_json::from_value(
        json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "targetPort": 3000}]}}),
    )
    .expect("a Service");
    let facts = crate::assist::cluster_facts::service_facts(&service);
    world.cluster.services.insert("web".into(), facts);
    assert!(world.only("SERVICE_PORT_UNKNOWN").why.contains("has 80"));
    world.environment("WEB_URL", "http://web/api");
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn what_is_exposed_needs_a_service_of_that_kind() {
    let mut world = World::healthy();
    let project = world.state.project.as_mut().expect("the project");
    project.components[0].exposed = true;
    assert_eq!(
        world.only("SERVICE_NOT_EXPOSED").severity,
        Severity::Attention
    );
    world.live().service = None;
    world.cluster.services.clear();
    world.only("SERVICE_MISSING");
}

#[test]
fn drift_is_said_unless_it_is_what_broke_the_component() {
    let mut world = World::healthy();
    let field = |path: &str| FieldChange {
        path: path.into(),
        before: Some("a".into()),
        after: Some("b".into()),
        owners: vec![],
    };
    let object = |kind: &str, name: &str, fields: Vec<FieldChange>| DriftedObject {
        key: format!("{kind}/{name}"),
        kind: kind.into(),
        name: name.into(),
        deleted: false,
        fields,
        more_fields: 0,
    };
    world.state.drift = Some(vec![object(
        "Deployment",
        "backend",
        vec![field(".spec.replicas")],
    )]);
    assert_eq!(world.findings(), vec![]);
    world.state.drift = Some(vec![object(
        "Deployment",
        "backend",
        vec![field(".spec.replicas"), field(".spec.template.x")],
    )]);
    assert_eq!(world.only("DEPLOY_DRIFTED").evidence.len(), 1);
    world.waits("ErrImageNeverPull", "x");
    world.only("IMAGE_NEVER_PULL");
    let mut gone = object("ConfigMap", "settings", vec![]);
    gone.deleted = true;
    world.state.drift = Some(vec![gone]);
    assert_eq!(world.codes(), ["IMAGE_NEVER_PULL", "DEPLOY_DRIFTED"]);
}

#[test]
fn a_secret_changed_elsewhere_or_read_by_nobody_draws_attention() {
    let mut world = World::healthy();
    world.state.secrets[0].state = SecretState::Drifted {
        fingerprint: "x".into(),
        entered: NOW,
        by: Some("kubectl-edit".into()),
        at: None,
    };
    assert!(world.only("SECRET_DRIFTED").why.contains("kubectl-edit"));
    let mut world = World::healthy();
    world.state.secrets[0].users.clear();
    let finding = world.only("SECRET_NOT_READ");
    assert!(
        matches!(&finding.next[0], NextAction::Patch { patch, .. } if patch.contains("key: DATABASE_URL"))
    );
    // Before its pods are there nobody knows.
    world.state.pods.clear();
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_required_check_that_fails_is_a_finding_and_an_optional_one_is_not() {
    let mut world = World::healthy();
    let check = |need: Need| Check {
        id: "docker".into(),
        title: "Docker".into(),
        need,
        state: CheckState::Broken {
            finding: Box::new(Finding::new("DOCKER_NOT_USABLE", "Docker is silent", "x")),
        },
        checked: NOW,
        muted: false,
    };
    world.state.checks = vec![check(Need::Optional)];
    assert_eq!(world.findings(), vec![]);
    world.state.checks = vec![check(Need::Required)];
    assert_eq!(world.codes(), ["DOCKER_NOT_USABLE"]);
}

#[test]
fn a_release_nobody_works_on_is_stuck_and_one_at_work_is_not() {
    let mut world = World::healthy();
    let stuck = |holder: Holder| StuckRelease {
        revision: 2,
        status: ReleaseStatus::PendingUpgrade,
        holder,
        last_good: Some(1),
        finding: Finding::new("RELEASE_STUCK", "Release todo is stuck", "x")
            .next(NextAction::advice("x")),
    };
    let release = ReleaseView {
        stuck: Some(stuck(Holder::Nobody)),
        ..ReleaseView::default()
    };
    world.state.helm.release = Some(release.clone());
    world.only("RELEASE_STUCK");
    world.state.helm.release = Some(ReleaseView {
        stuck: Some(stuck(Holder::Process { pid: 1 })),
        ..release
    });
    assert_eq!(world.findings(), vec![]);
}
