//! Gordon in a terminal of ours: started with exactly what was seen, and answered by nobody but a person.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::model::{
    AssistantId, PackPart, Question, Standing, TerminalEnd, TerminalId, TerminalPlace,
    TerminalSize, TypedText,
};
use app::ports::{Assistants, Terminals};

use super::deploy_world::finding;
use super::desk_world::{DeskWorld, short_patience};
use super::standin_minikube::Machine;
use super::terminals::Page;

const SIZE: TerminalSize = TerminalSize {
    columns: 80,
    rows: 12,
};

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

struct Gordon {
    desk: DeskWorld,
    log: PathBuf,
}

impl Gordon {
    /// With the stand-in as a plugin, and a docker that passes `ai` on to it, as the real one does.
    async fn installed() -> Self {
        let machine = Machine::bare();
        let plugins = machine.at("config/cli-plugins");
        fs::create_dir_all(&plugins).expect("made");
        let plugin = plugins.join("docker-ai");
        program(&plugin, include_str!("../standins/docker-ai"));
        let docker = machine.at("docker");
        let passes_on = format!(
            "#!/bin/sh\n[ \"$1\" = ai ] && exec {} \"$@\"\nexit 1\n",
            plugin.display()
        );
        program(&docker, &passes_on);
        machine.add("docker", &docker);
        let log = machine.at("gordon.log");
        let (config, log_at) = (
            machine.at("config").display().to_string(),
            log.display().to_string(),
        );
        let env = [
            ("DOCKER_CONFIG", config.as_str()),
            ("GORDON_LOG", log_at.as_str()),
        ];
        let desk = DeskWorld::open(machine, &env, short_patience()).await;
        Self { desk, log }
    }

    fn question(text: &str) -> Question {
        Question {
            assistant: AssistantId::Gordon,
            text: text.to_owned(),
            left_out: PackPart::ALL.into_iter().collect(),
        }
    }

    async fn open(&self, text: &str) -> TerminalId {
        let question = Self::question(text);
        let seen = self
            .desk
            .desk
            .preview(question.clone())
            .await
            .expect("seen");
        let opened = self
            .desk
            .desk
            .open_terminal(question, seen.hash, SIZE)
            .await;
        opened.expect("it is started")
    }

    async fn type_in(&self, id: TerminalId, text: &str) {
        let typed = self
            .desk
            .kit
            .terminals
            .type_in(id, TypedText(text.to_owned()));
        typed.await.expect("it takes keys");
    }

    async fn page(&self) -> Page {
        Page::of(&self.desk.kit.terminals, &TerminalPlace::Gordon).await
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gordon_is_started_with_what_was_seen_and_waits_for_the_persons_own_key() {
    let gordon = Gordon::installed().await;
    let view = gordon.desk.view(AssistantId::Gordon).await;
    assert_eq!(view.standing, Standing::Unsure);
    // Unseen, nothing is started; and nobody else has a terminal.
    let question = Gordon::question("why isn't it ready?");
    let unseen = gordon
        .desk
        .desk
        .open_terminal(question.clone(), "no such hash".to_owned(), SIZE);
    assert_eq!(
        finding(unseen.await.expect_err("unseen")).code,
        "ASSISTANT_UNSEEN"
    );
    let other = Question {
        assistant: AssistantId::Endpoint,
        ..question
    };
    let other = gordon
        .desk
        .desk
        .open_terminal(other, String::new(), SIZE)
        .await;
    assert_eq!(
        finding(other.expect_err("no terminal")).code,
        "ASSISTANT_HAS_NO_TERMINAL"
    );
    assert_eq!(gordon.log(), "");

    let mut page = gordon.page().await;
    let id = gordon.open("why isn't it ready?").await;
    page.until_it_shows("Approve? [Y/n/a]").await;
    let folder = gordon.desk.kit.project.root.display().to_string();
    let begun = gordon.log();
    assert!(begun.starts_with(&format!("ai|-C|{folder}|")), "{begun}");
    assert!(begun.contains("why isn't it ready?"), "{begun}");
    // A second question does not end the first one's session.
    let question = Gordon::question("and now?");
    let seen = gordon
        .desk
        .desk
        .preview(question.clone())
        .await
        .expect("seen");
    let second = gordon
        .desk
        .desk
        .open_terminal(question, seen.hash, SIZE)
        .await;
    assert_eq!(finding(second.expect_err("busy")).code, "GORDON_BUSY");
    // Nobody answers for the person, however long that takes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(gordon.log(), begun);
    gordon.type_in(id, "n\r").await;
    page.until_it_shows("It was not run.").await;
    assert_eq!(page.end().await, TerminalEnd::Exited { code: 4 });
    assert!(gordon.log().ends_with("key=n\n"), "{}", gordon.log());

    // A question that looks like a flag is still a question; closing ends the program.
    let id = gordon.open("--yolo").await;
    page.until("the next one", |terminal| terminal.id == id)
        .await;
    page.until_it_shows("Approve? [Y/n/a]").await;
    let last = gordon.log().lines().last().unwrap_or_default().to_owned();
    assert!(
        last.starts_with(&format!("ai|-C|{folder}| --yolo")),
        "{last}"
    );
    gordon.desk.kit.terminals.close(id).await.expect("closed");
    assert!(matches!(page.end().await, TerminalEnd::Closed { .. }));
    assert_eq!(gordon.log().matches("key=").count(), 1);
    gordon.desk.end().await;
}
