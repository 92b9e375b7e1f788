//! Shells in containers of a real practice cluster: typed into, measured, ended, and refused.

use std::time::Duration;

use app::model::{
    AuditQuestion, LogSource, Terminal, TerminalEnd, TerminalFrame, TerminalId, TerminalPlace,
    TerminalSize, TypedText, fold_terminal,
};
use app::ports::{Approvals, Live, Terminals};
use futures::StreamExt;
use futures::stream::BoxStream;
use server::terminal::{Limits, TerminalRoom};

use super::deploy_world::finding;
use super::live_world::{LiveWorld, VALUE};

const SIZE: TerminalSize = TerminalSize {
    columns: 80,
    rows: 10,
};

/// A page that shows the terminal of a place.
pub struct Page {
    frames: BoxStream<'static, TerminalFrame>,
    shown: Option<Terminal>,
}

impl Page {
    pub async fn of(room: &TerminalRoom, place: &TerminalPlace) -> Self {
        let frames = room.follow(place.clone()).await.expect("a stream");
        Self {
            frames,
            shown: None,
        }
    }

    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Terminal) -> bool) {
        let waiting = async {
            while !self.shown.as_ref().is_some_and(&is_so) {
                let frame = self.frames.next().await.expect("it goes on");
                fold_terminal(&mut self.shown, frame);
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(
            waited.is_ok(),
            "waited for {what}, but saw {:#?}",
            self.shown
        );
    }

    pub async fn until_it_shows(&mut self, text: &str) {
        self.until(text, |terminal| terminal.screen.text().contains(text))
            .await;
    }

    pub async fn end(&mut self) -> TerminalEnd {
        self.until("its end", |terminal| terminal.ending.is_some())
            .await;
        let ending = self.shown.as_ref().and_then(|one| one.ending.clone());
        ending.expect("it ended").how
    }

    fn text(&self) -> String {
        let shown = self.shown.as_ref();
        shown.map_or_else(String::new, |one| one.screen.text())
    }
}

fn shell_in(pod: &str, container: &str) -> TerminalPlace {
    TerminalPlace::Shell {
        source: LogSource {
            pod: pod.to_owned(),
            container: container.to_owned(),
        },
    }
}

async fn type_in(room: &TerminalRoom, id: TerminalId, text: &str) {
    let typed = room.type_in(id, TypedText(text.to_owned())).await;
    typed.expect("it takes keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_is_typed_into_measured_and_ended_and_shows_no_secret() {
    let programs = ["/bin/sh", "/bin/stty", "/bin/sleep"];
    let world = LiveWorld::deployed_with(1, &programs).await;
    let room = &world.panel.terminals;
    let pod = world.pod();
    let place = shell_in(&pod.name, "app");
    let mut page = Page::of(room, &place).await;
    assert_eq!(page.frames.next().await, Some(TerminalFrame::None));
    let id = room.open(place.clone(), SIZE).await.expect("a shell");
    // Asked for twice, there is still one.
    assert_eq!(room.open(place.clone(), SIZE).await.expect("the same"), id);
    page.until_it_shows("$").await;

    // What is typed is shown as well, so what is waited for is never typed as it is.
    type_in(room, id, "echo answer-$((6*7))\r").await;
    page.until_it_shows("answer-42").await;

    // The value of a secret, whole, wrapped over two rows, and in two pieces.
    type_in(room, id, "echo \"whole $TOKEN .\"\r").await;
    page.until_it_shows(&format!("whole {} .", "•".repeat(VALUE.len())))
        .await;
    let far = "x".repeat(70);
    type_in(
        room,
        id,
        &format!("printf '%s' {far}; echo \"$TOKEN wrapped\"\r"),
    )
    .await;
    page.until_it_shows(" wrapped\n").await;
    type_in(
        room,
        id,
        "printf '%s' \"${TOKEN%7-4711}\"; sleep 0.2; echo 'e-4711 pieces'\r",
    )
    .await;
    page.until_it_shows(" pieces\n").await;
    let seen = page.text().replace('\n', "");
    for part in [VALUE, &VALUE[..12], &VALUE[12..]] {
        assert!(!seen.contains(part), "{seen}");
    }

    // Another page gets the same, and what another size makes of it.
    let mut other = Page::of(room, &place).await;
    other.until_it_shows("answer-42").await;
    let small = TerminalSize {
        columns: 41,
        rows: 7,
    };
    room.resize(id, small).await.expect("it has a size");
    let measured = async {
        while !page.text().contains("7 41") {
            type_in(room, id, "stty size\r").await;
            page.until("the size", |terminal| {
                terminal.screen.size == small && terminal.screen.text().contains("stty size")
            })
            .await;
            let frame = page.frames.next().await.expect("it goes on");
            fold_terminal(&mut page.shown, frame);
        }
    };
    let measured = tokio::time::timeout(Duration::from_secs(20), measured).await;
    assert!(measured.is_ok(), "{}", page.text());
    let seen = page.text().replace('\n', "");
    assert!(!seen.contains(&VALUE[12..]), "{seen}");

    // Interrupted, and ended by itself.
    type_in(room, id, "echo begun-$((1+1)); sleep 1000\r").await;
    page.until_it_shows("begun-2").await;
    type_in(room, id, "\u{3}").await;
    // What is typed before the prompt is thrown away with the interrupt.
    page.until("a prompt after the interrupt", |terminal| {
        let text = terminal.screen.text();
        text.rsplit_once("^C")
            .is_some_and(|(_, after)| after.contains('$'))
    })
    .await;
    type_in(room, id, "echo code-$?; exit 7\r").await;
    assert_eq!(page.end().await, TerminalEnd::Exited { code: 7 });
    assert_eq!(other.end().await, TerminalEnd::Exited { code: 7 });
    let late = room.type_in(id, TypedText("ls\r".to_owned())).await;
    assert_eq!(
        finding(late.expect_err("it ended")).code,
        "TERMINAL_NOT_OPEN"
    );

    // A new one takes its place, for the pages that show it, too; closing it ends what runs in it.
    let next = room.open(place.clone(), SIZE).await.expect("a shell");
    assert_ne!(next, id);
    page.until("the next one", |terminal| terminal.id == next)
        .await;
    page.until_it_shows("$").await;
    room.close(next).await.expect("closed");
    assert!(matches!(page.end().await, TerminalEnd::Closed { .. }));

    // Who, where and how long is written down; what was typed and shown is not.
    let question = AuditQuestion::default();
    let entries = async || {
        let page = world.panel.approvals.audit(question.clone()).await;
        page.expect("a journal").entries
    };
    let written = async {
        loop {
            let entries = entries().await;
            let whats: Vec<String> = entries.iter().map(|entry| entry.what.clone()).collect();
            if whats
                .iter()
                .filter(|what| what.starts_with("Closed a shell"))
                .count()
                == 2
            {
                return whats.join("\n");
            }
            tokio::task::yield_now().await;
        }
    };
    let whats = tokio::time::timeout(Duration::from_secs(10), written).await;
    let whats = whats.expect("both ends are written down");
    let opened = format!(
        "Open a shell in container app of pod {} ({})",
        pod.name, pod.uid
    );
    assert_eq!(whats.matches(&opened).count(), 2, "{whats}");
    assert!(whats.contains("exit code 7"), "{whats}");
    assert!(
        !whats.contains("answer") && !whats.contains("sleep"),
        "{whats}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_ends_with_its_pod_and_without_anybody_and_there_are_not_many() {
    let world = LiveWorld::deployed_with(1, &["/bin/sh"]).await;
    let limits = Limits {
        unwatched: Duration::from_millis(300),
        look: Duration::from_millis(50),
        ..Limits::default()
    };
    let panel = &world.panel;
    let room = TerminalRoom::with_limits(
        panel.core.clone(),
        panel.project.clone(),
        panel.cluster.clone(),
        limits,
    );
    let place = shell_in(&world.pod().name, "app");
    let mut page = Page::of(&room, &place).await;
    room.open(place.clone(), SIZE).await.expect("a shell");
    page.until_it_shows("$").await;
    panel.live.delete_pod(world.pod().uid).await.expect("a run");
    let TerminalEnd::Closed { why } = page.end().await else {
        panic!("{:#?}", page.shown);
    };
    assert!(why.contains("was deleted"), "{why}");
    let gone = room.open(place, SIZE).await.expect_err("it is gone");
    assert_eq!(finding(gone).code, "SHELL_NO_POD");

    // Nobody looks: it is closed by itself.
    world
        .until("the next pod", |state| {
            state.pods.values().any(|pod| pod.ready && !pod.terminating)
        })
        .await;
    let pods = panel.core.hub.read(|state| state.pods.clone());
    let pod = pods
        .into_values()
        .find(|pod| pod.ready && !pod.terminating)
        .expect("a pod");
    let place = shell_in(&pod.name, "app");
    room.open(place.clone(), SIZE).await.expect("a shell");
    let mut late = loop {
        // A page of its own each time, so that nobody looks in between.
        let mut page = Page::of(&room, &place).await;
        page.until("a session", |_| true).await;
        if page.shown.as_ref().is_some_and(|one| one.ending.is_some()) {
            break page;
        }
        drop(page);
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let TerminalEnd::Closed { why } = late.end().await else {
        panic!("{:#?}", late.shown);
    };
    assert!(why.starts_with("No page showed it"), "{why}");

    let other = shell_in(&pod.name, "other");
    let none = room.open(other, SIZE).await.expect_err("no such container");
    assert_eq!(finding(none).code, "SHELL_NO_CONTAINER");
    let unasked = room.open(TerminalPlace::Gordon, SIZE).await;
    assert_eq!(
        finding(unasked.expect_err("no question")).code,
        "TERMINAL_NEEDS_A_QUESTION"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_shell_is_told_as_such() {
    let world = LiveWorld::deployed(1).await;
    let room = &world.panel.terminals;
    let place = shell_in(&world.pod().name, "app");
    let mut page = Page::of(room, &place).await;
    room.open(place, SIZE).await.expect("a session");
    let TerminalEnd::Failed { finding } = page.end().await else {
        panic!("{:#?}", page.shown);
    };
    assert_eq!(finding.code, "SHELL_NOT_IN_IMAGE");
    world.end().await;
}
