//! The scenes of the demo screen: which there are, and which is shown when.

use crate::model::{
    ComponentName, PanelState, RecordingView, Rollout, RunKind, Severity, UnixMillis,
};
use crate::pages::live::component_names;

use super::light;

/// One view that fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scene {
    Walk,
    Health,
    Rollout,
    Events,
}

/// How long each is shown while nothing happens.
const EACH_MS: i64 = 12_000;

/// What the screen shows: how things are, or how they were once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    Now,
    Replay(RecordingView),
}

impl Showing {
    /// The page that stays with a scene; without one, the page that rotates and follows the action.
    pub fn path(self, held: Option<Scene>) -> String {
        let replay = matches!(self, Self::Replay(_)).then(|| "replay".to_owned());
        let scene = held.map(|scene| format!("scene={}", scene.title().to_lowercase()));
        let query: Vec<String> = replay.into_iter().chain(scene).collect();
        match query.is_empty() {
            true => "/demo".to_owned(),
            false => format!("/demo?{}", query.join("&")),
        }
    }
}

impl Scene {
    pub const ALL: [Scene; 4] = [Self::Health, Self::Rollout, Self::Events, Self::Walk];

    pub fn title(self) -> &'static str {
        match self {
            Self::Walk => "Walk",
            Self::Health => "Health",
            Self::Rollout => "Rollout",
            Self::Events => "Events",
        }
    }

    /// From the address; none for a scene that does not exist.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scene| scene.title().eq_ignore_ascii_case(word))
    }

    /// The scene so many places further on, around the end.
    pub fn beside(self, places: isize) -> Self {
        let count = Self::ALL.len() as isize;
        let at = Self::ALL
            .iter()
            .position(|scene| *scene == self)
            .unwrap_or(0);
        Self::ALL[(at as isize + places).rem_euclid(count) as usize]
    }

    /// Whose turn it is. By the panel's clock, so that all screens in a room show the same.
    pub fn rotating(now: UnixMillis) -> Self {
        let turn = now.0.div_euclid(EACH_MS);
        Self::ALL[turn.rem_euclid(Self::ALL.len() as i64) as usize]
    }

    /// The scene in which something is going on right now; none while all is quiet.
    pub fn of_action(state: &PanelState) -> Option<Self> {
        let names = component_names(state);
        let goes = |kinds: &[RunKind]| {
            let mut going = state.runs.values().filter(|run| run.is_going());
            going.any(|run| kinds.contains(&run.kind))
        };
        if names.iter().any(|name| is_changing(state, name))
            || goes(&[
                RunKind::Deploy,
                RunKind::Undo,
                RunKind::Restart,
                RunKind::Scale,
            ])
        {
            return Some(Self::Rollout);
        }
        let is_short = |name: &ComponentName| {
            state
                .components
                .get(name)
                .is_some_and(|row| row.rollout != Rollout::Absent && row.ready < row.replicas)
        };
        let is_broken = state
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Failed);
        if is_broken
            || names
                .iter()
                .any(|name| is_short(name) || light::is_failing(state, name))
        {
            return Some(Self::Health);
        }
        goes(&[RunKind::Build, RunKind::StartCluster, RunKind::Handover]).then_some(Self::Walk)
    }
}

/// Whether pods of an older template are there beside the newest.
fn is_changing(state: &PanelState, name: &ComponentName) -> bool {
    let Some(row) = state.components.get(name) else {
        return false;
    };
    row.rollout != Rollout::Complete
        && row.rollout != Rollout::Absent
        && state.rollout_share(name).old > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, RunId, RunView};

    fn state_with_run(kind: RunKind, ended: bool) -> PanelState {
        let mut state = PanelState::default();
        let run = RunView {
            id: RunId(1),
            kind,
            started: UnixMillis(0),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: ended.then_some(crate::model::Ending {
                at: UnixMillis(1),
                outcome: Outcome::Cancelled,
            }),
        };
        state.runs.insert(RunId(1), run);
        state
    }

    #[test]
    fn every_scene_has_its_turn_and_stays_for_it() {
        let shown: Vec<Scene> = (0..4)
            .map(|turn| Scene::rotating(UnixMillis(turn * EACH_MS)))
            .collect();
        assert_eq!(shown, Scene::ALL);
        assert_eq!(
            Scene::rotating(UnixMillis(EACH_MS - 1)),
            Scene::rotating(UnixMillis(0))
        );
        assert_eq!(Scene::rotating(UnixMillis(-1)), Scene::Walk);
    }

    #[test]
    fn an_address_leads_to_its_scene_and_a_wrong_one_to_none() {
        let replay = Showing::Replay(RecordingView {
            started: UnixMillis(1),
            ended: UnixMillis(2),
        });
        for scene in Scene::ALL {
            let path = Showing::Now.path(Some(scene));
            let word = path
                .strip_prefix("/demo?scene=")
                .expect("a scene's address");
            assert_eq!(Scene::from_word(word), Some(scene));
            let replayed = replay.path(Some(scene));
            assert_eq!(replayed, format!("/demo?replay&scene={word}"));
        }
        assert_eq!(Showing::Now.path(None), "/demo");
        assert_eq!(replay.path(None), "/demo?replay");
        assert_eq!(Scene::from_word("cinema"), None);
    }

    #[test]
    fn the_arrows_go_around_in_both_directions() {
        assert_eq!(Scene::Health.beside(-1), Scene::Walk);
        assert_eq!(Scene::Walk.beside(1), Scene::Health);
    }

    #[test]
    fn a_going_deploy_takes_the_screen_and_an_ended_one_does_not() {
        let going = state_with_run(RunKind::Deploy, false);
        assert_eq!(Scene::of_action(&going), Some(Scene::Rollout));
        let ended = state_with_run(RunKind::Deploy, true);
        assert_eq!(Scene::of_action(&ended), None);
        let building = state_with_run(RunKind::Build, false);
        assert_eq!(Scene::of_action(&building), Some(Scene::Walk));
    }
}
