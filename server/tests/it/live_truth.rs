//! What is live, on a real practice cluster: our own requests to the probes, and logs that are followed.

use std::time::Duration;

use app::model::{
    Lane, LaneState, LogFrame, LogWish, MarkKind, OwnAnswer, OwnProbe, PanelState, PodLogLine,
    ProbeKind, UnixMillis,
};
use app::ports::Live;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::live_world::{LiveWorld, VALUE};

fn own(state: &PanelState, kind: ProbeKind) -> Option<&OwnProbe> {
    let mut all = state.own_probes.values().flatten();
    all.find(|own| own.is_of("app", kind))
}

#[tokio::test(flavor = "multi_thread")]
async fn slipway_asks_what_the_kubelet_asks_and_counts_failures() {
    let world = LiveWorld::deployed(1).await;
    world
        .until("both probes were asked", |state| {
            [ProbeKind::Liveness, ProbeKind::Readiness]
                .into_iter()
                .all(|kind| {
                    own(state, kind).is_some_and(|own| {
                        matches!(
                            own.answer,
                            OwnAnswer::Passed {
                                status: Some(200),
                                ..
                            }
                        )
                    })
                })
        })
        .await;
    let pod = world.pod().name;
    world.tell(&pod, "ready/off").await;
    world
        .until(
            "our own requests failed as often as the threshold",
            |state| {
                own(state, ProbeKind::Readiness).is_some_and(|own| {
                    own.in_a_row >= 2
                        && matches!(
                            own.answer,
                            OwnAnswer::Failed {
                                status: Some(503),
                                ..
                            }
                        )
                })
            },
        )
        .await;
    world
        .until("the kubelet says the same", |state| {
            state.pods.values().all(|pod| !pod.ready)
        })
        .await;
    let liveness = world
        .panel
        .core
        .hub
        .read(|state| own(state, ProbeKind::Liveness).cloned());
    assert_eq!(liveness.and_then(|own| own.answer.passed()), Some(true));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_keeps_failures_restarts_and_runs_on_one_axis() {
    let world = LiveWorld::deployed(1).await;
    let pod = world.pod().name;
    let began = world.now();
    world.tell(&pod, "ready/off").await;
    world
        .until("not ready", |state| {
            state.pods.values().all(|pod| !pod.ready)
        })
        .await;
    world.tell(&pod, "crash").await;
    let find = async {
        loop {
            let to = UnixMillis(world.now().0 + 1);
            let from = UnixMillis(0);
            let timeline = world
                .panel
                .live
                .timeline(from, to)
                .await
                .expect("a timeline");
            let failed = timeline.spans.iter().any(|span| {
                span.lane == Lane::Readiness && span.state == LaneState::Fail && span.from >= began
            });
            let passed = timeline
                .spans
                .iter()
                .any(|span| span.lane == Lane::Readiness && span.state == LaneState::Pass);
            let has = |kind| timeline.marks.iter().any(|mark| mark.kind == kind);
            if failed && passed && has(MarkKind::Restart) && has(MarkKind::Run) {
                return timeline;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let timeline = tokio::time::timeout(Duration::from_secs(60), find)
        .await
        .unwrap_or_else(|_| panic!("not everything is recorded: {:#?}", world.pod()));
    let restart = timeline
        .marks
        .iter()
        .find(|mark| mark.kind == MarkKind::Restart);
    assert!(
        restart.is_some_and(|mark| mark.words.contains("exit code 3")),
        "{restart:?}"
    );
    world.end().await;
}

/// The next line that fits, from a stream that is followed.
struct Followed {
    frames: BoxStream<'static, LogFrame>,
    lines: Vec<PodLogLine>,
    skipped: u64,
    read: u64,
}

impl Followed {
    async fn start(world: &LiveWorld, wish: LogWish) -> Self {
        let frames = world.panel.live.follow_logs(wish).await.expect("a stream");
        Self {
            frames,
            lines: Vec::new(),
            skipped: 0,
            read: 0,
        }
    }

    async fn until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let follow = async {
            while !wanted(self) {
                match self.frames.next().await.expect("the stream goes on") {
                    LogFrame::Lines {
                        lines,
                        skipped,
                        read,
                    } => {
                        self.lines.extend(lines);
                        self.skipped += skipped;
                        self.read += read;
                    }
                    LogFrame::Alive { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        let is_over = tokio::time::timeout(Duration::from_secs(60), follow).await;
        assert!(is_over.is_ok(), "waited for: {what}\n{:#?}", self.lines);
    }

    fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.text.contains(text))
    }

    fn count(&self, text: &str) -> usize {
        let has = |line: &&PodLogLine| line.text.contains(text);
        self.lines.iter().filter(has).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_all_pods_are_followed_over_a_restart_without_a_line_twice() {
    let world = LiveWorld::deployed(2).await;
    let wish = LogWish {
        component: "app".parse().ok(),
        tail: 100,
        ..LogWish::default()
    };
    let mut followed = Followed::start(&world, wish.clone()).await;
    followed
        .until("both pods' first lines", |all| {
            all.count("listening on") == 2
        })
        .await;
    let pod = world.pod().name;
    world.tell(&pod, "say/3/before").await;
    world.tell(&pod, "crash").await;
    followed
        .until("the second life", |all| {
            all.count("listening on") == 3 && all.has("told to crash")
        })
        .await;
    followed
        .until("a word about the restart", |all| {
            all.lines
                .iter()
                .any(|line| line.note && line.text.contains("exit code 3"))
        })
        .await;
    world.tell(&pod, "say/2/after").await;
    followed
        .until("what came then", |all| all.count("after") == 2)
        .await;
    assert_eq!(followed.count("before"), 3, "{:#?}", followed.lines);
    assert_eq!(followed.skipped, 0);

    let previous = LogWish {
        previous: true,
        ..wish.clone()
    };
    let file = world.panel.live.log_file(previous).await.expect("a file");
    assert!(
        file.text.contains("told to crash") && !file.text.contains("after"),
        "{}",
        file.text
    );
    let searched = LogWish {
        text: "AFTER 1".into(),
        ..wish
    };
    let file = world.panel.live.log_file(searched).await.expect("a file");
    assert_eq!(file.lines, 1, "{}", file.text);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_counted_and_hostile_lines_are_harmless() {
    let world = LiveWorld::deployed(1).await;
    let wish = LogWish {
        tail: 10,
        ..LogWish::default()
    };
    let mut followed = Followed::start(&world, wish).await;
    followed
        .until("the first line", |all| all.has("listening on"))
        .await;
    let pod = world.pod().name;
    let before = followed.read;
    world.tell(&pod, "say/50000/flood").await;
    world.tell(&pod, &format!("say/1/{VALUE}")).await;
    world.tell(&pod, "hostile").await;
    followed
        .until("the end", |all| all.has("hostile end"))
        .await;
    // Every line was read; what was too fast for a page is counted, and the newest are there.
    assert_eq!(followed.read - before, 50_000 + 1 + 5);
    assert_eq!(
        followed.skipped + followed.lines.len() as u64,
        followed.read
    );
    assert!(
        followed.skipped > 0,
        "a page cannot take {} lines",
        followed.read
    );
    assert!(!followed.has(VALUE), "a secret came through");
    assert!(followed.lines.iter().all(|line| line.text.len() < 9_000));
    assert!(
        followed.has("red <img src=x onerror=alert(1)>"),
        "{:#?}",
        followed.lines.last()
    );
    assert!(followed.has("bad \u{fffd}\u{fffd} bytes"));
    assert!(
        !followed
            .lines
            .iter()
            .any(|line| line.text.contains(['\u{1b}', '\u{202e}']))
    );
    world.end().await;
}
