//! Gordon answers in a terminal only and asks there before it does something; nothing can answer for the
//! person. So Slipway gives the command with the question in it, and sends nothing.

use app::model::{AssistantId, AssistantView, Destination, Finding, NextAction, Standing};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Asked, Assistant, Kit, Teller};
use crate::adapters::docker_plugin::{self, Found};
use crate::adapters::gordon::{PLUGIN, command};
use crate::process;
use crate::setup::{OsFamily, install};

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
