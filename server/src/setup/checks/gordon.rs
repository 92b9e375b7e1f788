//! Gordon, the plugin of Docker Desktop.

use app::model::{CheckState, Finding};

use super::Context;
use crate::adapters::docker_plugin::{self, Found};
use crate::adapters::gordon::PLUGIN;
use crate::setup::fixes;
use crate::setup::tool::{Reading, Tool, about, look_at};

pub(super) async fn check(context: &Context) -> CheckState {
    let (os, around) = (context.os, &context.around);
    let found = docker_plugin::find(PLUGIN, around);
    let adds = "can be asked about docker matters";
    match found {
        Found::Plugin(path) => {
            let tool = Tool {
                name: "gordon",
                adds,
                ask: docker_plugin::metadata(&path),
            };
            // Nothing can tell whether it is signed in, so nothing more is claimed.
            look_at(
                &tool,
                os,
                around,
                |captured| match docker_plugin::parse_metadata(&captured.stdout) {
                    Some(version) => Reading::Ok(format!(
                        "{} installed; whether it is signed in is not known",
                        version.trim_start_matches('v')
                    )),
                    None => Reading::Nonsense,
                },
            )
            .await
        }
        Found::Nothing | Found::Dangling(_) => {
            let mut finding = Finding::new(
                "TOOL_MISSING",
                "gordon is not installed",
                format!("Docker's plugin `ai` is not here. It {adds}."),
            )
            .attention()
            .about(about("gordon"));
            finding.next = fixes::install("gordon", os);
            if let Found::Dangling(path) = found {
                finding = finding.evidence("A link to nowhere", path.display().to_string());
            }
            CheckState::Missing {
                finding: Box::new(finding),
            }
        }
    }
}
