//! Gordon answers in a terminal only and asks there before it does something; nothing can answer for the
//! person. So Slipway gives the command with the question in it and sends nothing, or starts it in a
//! terminal of its own, where the person types.

use app::model::{
    AssistantId, AssistantView, Destination, Failure, Finding, NextAction, Standing, TerminalEnd,
    TerminalId, TerminalPlace, TerminalSize,
};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Asked, Assistant, Kit, Teller};
use crate::adapters::docker_plugin::{self, Found};
use crate::adapters::gordon::{PLUGIN, command, program};
use crate::process::{self, CommandSpec, Ending, SpawnError};
use crate::setup::{OsFamily, install};
use crate::terminal::{Line, Start};

const ID: AssistantId = AssistantId::Gordon;
/// A longer command is more than terminals take from a clipboard in good order.
const LONGEST: usize = 32_000;

#[derive(Debug)]
pub struct Gordon {
    kit: Kit,
}

impl Gordon {
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }
}

fn not_installed(dangling: Option<String>) -> Finding {
    let mut finding = Finding::new(
        "GORDON_MISSING",
        "Gordon is not installed",
        "Docker has no plugin `ai` here.",
    )
    .attention();
    finding.next = install("gordon", OsFamily::detect());
    match dangling {
        Some(link) => finding.evidence("A link to nowhere", link),
        None => finding,
    }
}

/// The way to ask it.
fn in_a_terminal(command: String) -> Finding {
    let finding = Finding::new(
        "GORDON_IN_A_TERMINAL",
        "Ask Gordon in a terminal of yours",
        "It answers there, and asks you there before it does something. Slipway has sent nothing.",
    )
    .attention();
    match command.len() > LONGEST {
        true => finding.next(NextAction::advice(
            "Leave parts out: with all of them the command is too long to be pasted",
        )),
        false => finding.next(NextAction::Command {
            command,
            why: "Starts it with exactly the text that was shown; it goes to Docker's computers"
                .to_owned(),
        }),
    }
}

/// Starts it in a terminal of Slipway's with a text that a person has seen. What it asks there is
/// answered by the person, key by key.
pub async fn open(kit: &Kit, text: &str, size: TerminalSize) -> Result<TerminalId, Failure> {
    if text.len() > LONGEST {
        return Err(too_long().into());
    }
    if kit.terminals.is_busy(&TerminalPlace::Gordon) {
        return Err(busy().into());
    }
    let docker = kit.around.find("docker").ok_or_else(no_docker)?;
    let spec = kit.around.dress(program(docker, &kit.project.root, text));
    let start = Start {
        place: TerminalPlace::Gordon,
        size,
        what: "a terminal with Gordon".to_owned(),
        gone: (kit.core.shutdown.clone(), "Slipway ended"),
    };
    let asked = format!("asked {} in a terminal: {text}", ID.title());
    kit.core.journal.audit("You", &asked).await?;
    kit.terminals.begin(start, connect(spec, size)).await
}

async fn connect(spec: CommandSpec, size: TerminalSize) -> Result<Line, Failure> {
    let size = size.clamped();
    let program = process::in_terminal(&spec, (size.columns, size.rows))
        .await
        .map_err(|error| not_started(&error))?;
    let screen = program.screen();
    Ok(Line {
        output: Box::pin(program.screen()),
        input: Box::pin(program.screen()),
        resize: Box::new(move |size| {
            // One that is gone has no size.
            let _ = screen.resize((size.columns, size.rows));
        }),
        ended: Box::pin(async move {
            let code = match program.ended().await {
                Ending::Exited(code) => code,
                Ending::Signaled(signal) => 128 + signal,
                Ending::TimedOut { .. } | Ending::Cancelled { .. } => 1,
            };
            TerminalEnd::Exited { code }
        }),
    })
}

fn too_long() -> Finding {
    Finding::new(
        "GORDON_TEXT_TOO_LONG",
        "The text is too long for Gordon",
        "It gets the text as one word of a command, and that is bounded. Nothing was sent.",
    )
    .attention()
    .next(NextAction::advice("Leave parts out, and read it again"))
}

fn busy() -> Finding {
    Finding::new(
        "GORDON_BUSY",
        "A session with Gordon goes on",
        "One is kept at a time. The new question was not sent.",
    )
    .attention()
    .next(NextAction::advice(
        "Type the question into the session, or end it first",
    ))
}

fn no_docker() -> Finding {
    let mut finding = Finding::new(
        "GORDON_NO_DOCKER",
        "There is no docker program to start Gordon with",
        "Gordon is a plugin of the docker command line, which is not on Slipway's PATH.",
    );
    finding.next = install("docker", OsFamily::detect());
    finding
}

fn not_started(error: &SpawnError) -> Finding {
    Finding::new(
        "GORDON_NOT_STARTED",
        "Gordon could not be started",
        format!("{error}. Nothing was sent."),
    )
    .next(NextAction::advice(
        "Run the command in a terminal of yours, and see what it says",
    ))
}

#[async_trait]
impl Assistant for Gordon {
    fn id(&self) -> AssistantId {
        ID
    }

    async fn look(&self) -> AssistantView {
        let missing = |dangling| {
            let finding = Box::new(not_installed(dangling));
            self.kit.view(ID, Standing::Missing { finding })
        };
        let plugin = match docker_plugin::find(PLUGIN, &self.kit.around) {
            Found::Plugin(plugin) => plugin,
            Found::Nothing => return missing(None),
            Found::Dangling(link) => return missing(Some(link.display().to_string())),
        };
        let mut view = self.kit.view(ID, Standing::Unsure);
        let spec = self.kit.around.dress(docker_plugin::metadata(&plugin));
        let captured = process::capture(&spec, &CancellationToken::new()).await;
        view.version = captured
            .ok()
            .and_then(|captured| docker_plugin::parse_metadata(&captured.stdout));
        view.destination = self.destination().await;
        view.notes = vec![
            "Installed; whether Docker Desktop runs and you are signed in cannot be told without using it.".to_owned(),
            format!(
                "In a terminal: {}",
                command(&self.kit.project.root, "Why is this project not running?")
            ),
        ];
        view
    }

    async fn destination(&self) -> Destination {
        Destination::Cloud {
            to: "Docker".to_owned(),
        }
    }

    /// It is not asked: the command with the question is all there is.
    async fn answer(&self, asked: &Asked, _: &Teller) -> Result<(), Finding> {
        Err(in_a_terminal(command(&self.kit.project.root, &asked.text)))
    }
}
