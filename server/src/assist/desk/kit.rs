//! What every assistant of the desk works with.

use std::path::PathBuf;
use std::sync::Arc;

use app::model::{AssistantId, AssistantView, Finding, KeyState, Standing};

use super::settings::Settings;
use crate::assist::AssistRoom;
use crate::assist::approvals::ApprovalsRoom;
use crate::assist::tools::Tools;
use crate::cluster::ClusterRoom;
use crate::engine::Core;
use crate::process::Surroundings;
use crate::project::Project;
use crate::terminal::TerminalRoom;

/// Cheap to clone; all clones share the same rooms.
#[derive(Clone, Debug)]
pub struct Kit {
    pub core: Core,
    pub project: Arc<Project>,
    pub cluster: ClusterRoom,
    pub assist: Arc<AssistRoom>,
    pub approvals: ApprovalsRoom,
    /// What an assistant may read, as tools.
    pub tools: Tools,
    pub settings: Settings,
    /// Where one that answers in a terminal only is started.
    pub terminals: TerminalRoom,
    /// Where programs and their variables are looked for.
    pub around: Surroundings,
    /// Slipway's own program, for assistants that start `slipway mcp`.
    pub slipway: PathBuf,
}

impl Kit {
    /// A view of an assistant that needs neither key nor choice, to be filled in.
    pub fn view(&self, id: AssistantId, standing: Standing) -> AssistantView {
        AssistantView {
            choices: self.settings.choices(id),
            ..AssistantView::plain(id, standing)
        }
    }

    /// Whether a key is there: entered, or one of these variables of the environment.
    pub fn key_state(&self, id: AssistantId, variables: &[&str]) -> KeyState {
        if self.settings.has_key(id) {
            return KeyState::Entered;
        }
        let is_set = |name: &&str| self.around.var(name).is_some();
        match variables.iter().any(is_set) {
            true => KeyState::Environment,
            false => KeyState::Unset,
        }
    }
}

/// One that cannot be asked for this reason.
pub fn missing(id: AssistantId, finding: Finding) -> AssistantView {
    AssistantView::plain(
        id,
        Standing::Missing {
            finding: Box::new(finding),
        },
    )
}
