use std::collections::BTreeMap;

use app::model::Termination;

use super::*;
use crate::live::pod_facts::ProbeAct;

const NOW: UnixMillis = UnixMillis(1_000_000);

fn probe() -> ProbeFacts {
    ProbeFacts {
        act: ProbeAct::KubeletOnly(""),
        timeout_s: 1,
        target: "GET /health :8000".into(),
        period_s: 10,
        failure_threshold: 3,
        initial_delay_s: 0,
    }
}

fn container(state: ContainerState, started: bool, ready: bool) -> ContainerFacts {
    ContainerFacts {
        name: "app".into(),
        init: false,
        image: String::new(),
        image_id: String::new(),
        state,
        started,
        ready,
        restarts: 0,
        last_termination: None,
        probes: BTreeMap::from([
            (ProbeKind::Startup, probe()),
            (ProbeKind::Liveness, probe()),
            (ProbeKind::Readiness, probe()),
        ]),
        cpu: app::model::Bounds::default(),
        memory: app::model::Bounds::default(),
    }
}

fn running(seconds: i64) -> ContainerState {
    ContainerState::Running {
        since: UnixMillis(NOW.0 - seconds * 1000),
    }
}

fn failed(seconds_ago: i64) -> ProbeNews {
    ProbeNews {
        failure: Some(ProbeFailure {
            message: "HTTP probe failed with statuscode: 503".into(),
            at: UnixMillis(NOW.0 - seconds_ago * 1000),
        }),
        killed: None,
    }
}

/// Short words for a table.
fn word(verdict: &ProbeVerdict) -> &'static str {
    match verdict {
        ProbeVerdict::Waiting { .. } => "waiting",
        ProbeVerdict::Passing => "passing",
        ProbeVerdict::Failing { .. } => "failing",
        ProbeVerdict::Killed { .. } => "killed",
    }
}

#[test]
fn the_verdict_follows_status_first_and_events_second() {
    use ProbeKind::{Liveness, Readiness, Startup};
    let quiet = ProbeNews::default();
    let up = |ready| container(running(60), true, ready);
    let starting = || container(running(60), false, false);
    let cases: Vec<(&str, ProbeKind, ContainerFacts, ProbeNews, &str)> = vec![
        ("started", Startup, up(true), quiet.clone(), "passing"),
        (
            "an old failure before it started",
            Startup,
            up(true),
            failed(50),
            "passing",
        ),
        (
            "not started yet",
            Startup,
            starting(),
            quiet.clone(),
            "waiting",
        ),
        (
            "not started and failing",
            Startup,
            starting(),
            failed(3),
            "failing",
        ),
        (
            "others wait for startup",
            Readiness,
            starting(),
            failed(3),
            "waiting",
        ),
        (
            "others wait for startup",
            Liveness,
            starting(),
            quiet.clone(),
            "waiting",
        ),
        ("ready", Readiness, up(true), quiet.clone(), "passing"),
        (
            "ready, one failure below the threshold",
            Readiness,
            up(true),
            failed(3),
            "failing",
        ),
        (
            "ready, and the failure is long ago",
            Readiness,
            up(true),
            failed(25),
            "passing",
        ),
        (
            "not ready with an event",
            Readiness,
            up(false),
            failed(3),
            "failing",
        ),
        (
            "not ready, events dropped by the rate limit",
            Readiness,
            up(false),
            failed(55),
            "failing",
        ),
        (
            "not ready and no event at all",
            Readiness,
            up(false),
            quiet.clone(),
            "failing",
        ),
        (
            "not ready in its first seconds",
            Readiness,
            container(running(2), true, false),
            quiet.clone(),
            "waiting",
        ),
        ("alive", Liveness, up(true), quiet.clone(), "passing"),
        (
            "liveness failing before the kill",
            Liveness,
            up(true),
            failed(3),
            "failing",
        ),
        (
            "a failure of the container before the restart",
            Liveness,
            up(true),
            failed(70),
            "passing",
        ),
        (
            "waiting for its image",
            Readiness,
            container(
                ContainerState::Waiting {
                    reason: "ErrImageNeverPull".into(),
                    message: String::new(),
                },
                false,
                false,
            ),
            quiet.clone(),
            "waiting",
        ),
    ];
    for (what, kind, container, news, expected) in cases {
        let verdict = verdict(kind, &probe(), &container, &news, NOW);
        assert_eq!(word(&verdict), expected, "{what}, {kind:?}: {verdict:?}");
    }
}

#[test]
fn a_kill_is_blamed_on_the_probe_that_did_it() {
    let ended = Termination {
        exit_code: 137,
        reason: "Error".into(),
        message: String::new(),
        finished: Some(UnixMillis(NOW.0 - 1_000)),
    };
    let mut killed = container(
        ContainerState::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: String::new(),
        },
        false,
        false,
    );
    killed.restarts = 1;
    killed.last_termination = Some(ended);
    let mut news = failed(32);
    news.killed = Some(UnixMillis(NOW.0 - 31_000));
    let of = |kind| verdict(kind, &probe(), &killed, &news, NOW);
    assert!(
        matches!(of(ProbeKind::Liveness), ProbeVerdict::Killed { message } if message.contains("503"))
    );
    assert_eq!(word(&of(ProbeKind::Readiness)), "waiting");
    // A kill of long ago says nothing about a crash of now.
    news.killed = Some(UnixMillis(NOW.0 - 600_000));
    assert_eq!(
        word(&verdict(ProbeKind::Liveness, &probe(), &killed, &news, NOW)),
        "waiting"
    );
}

#[test]
fn initial_delay_is_waiting_not_failing() {
    let mut delayed = probe();
    delayed.initial_delay_s = 30;
    let young = container(running(5), true, false);
    assert_eq!(
        verdict(
            ProbeKind::Readiness,
            &delayed,
            &young,
            &ProbeNews::default(),
            NOW
        ),
        ProbeVerdict::Waiting {
            why: "Initial delay".into()
        }
    );
}

#[test]
fn event_texts_of_the_kubelet_are_understood() {
    let cases = [
        (
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            Some((
                ProbeKind::Readiness,
                "HTTP probe failed with statuscode: 503",
            )),
        ),
        (
            "Liveness probe failed: Get \"http://10.244.0.7:8080/healthz\": dial tcp 10.244.0.7:8080: connect: connection refused",
            Some((
                ProbeKind::Liveness,
                "Get \"http://10.244.0.7:8080/healthz\": dial tcp 10.244.0.7:8080: connect: connection refused",
            )),
        ),
        (
            "(combined from similar events): Startup probe failed: no",
            Some((ProbeKind::Startup, "no")),
        ),
        (
            "Readiness probe errored and resulted in unknown state: rpc error",
            Some((ProbeKind::Readiness, "rpc error")),
        ),
        ("Back-off restarting failed container", None),
    ];
    for (message, expected) in cases {
        assert_eq!(
            parse_unhealthy(message),
            expected.map(|(kind, text)| (kind, text.to_owned())),
            "{message}"
        );
    }
    assert_eq!(
        parse_killing("Container app failed liveness probe, will be restarted"),
        Some(ProbeKind::Liveness)
    );
    assert_eq!(parse_killing("Stopping container app"), None);
    assert_eq!(container_of("spec.containers{app}"), Some("app"));
    assert_eq!(container_of("spec"), None);
}
