//! A build from the inside: which steps its Dockerfile has, and how far each is.

use serde::{Deserialize, Serialize};

use super::{ComponentName, RunId, UnixMillis};

/// How many steps of one build are kept; more are not shown, but still built.
pub const BUILD_STEPS_KEPT: usize = 500;

/// The newest build of a component, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildView {
    pub component: ComponentName,
    pub run: RunId,
    /// What builds: `BuildKit, buildx 0.13.1`, `classic builder`, `pack`.
    pub engine: String,
    /// Where the image goes, as a phrase: `into the Docker daemon of minikube profile demo`.
    pub goes: String,
    /// In the order in which the builder named them.
    pub steps: Vec<BuildStep>,
    /// Steps that were left out because there are too many.
    pub left_out: u32,
}

impl BuildView {
    /// Takes in what became of some steps: known ones are replaced, new ones are added.
    pub fn merge(&mut self, changed: &[BuildStep]) {
        for step in changed {
            let known = self.steps.iter().position(|old| old.number == step.number);
            match known {
                Some(at) => self.steps[at] = step.clone(),
                None if self.steps.len() < BUILD_STEPS_KEPT => self.steps.push(step.clone()),
                None => self.left_out += 1,
            }
        }
    }

    /// How many steps have ended, of how many.
    pub fn ended(&self) -> (usize, usize) {
        let open = |step: &&BuildStep| {
            matches!(
                step.state,
                BuildStepState::Waiting | BuildStepState::Running { .. }
            )
        };
        let open = self.steps.iter().filter(open).count();
        (self.steps.len() - open, self.steps.len())
    }

    /// What was moved in all, in bytes: contexts, pulled and pushed layers.
    pub fn moved_bytes(&self) -> u64 {
        self.steps
            .iter()
            .filter_map(|step| step.moved.as_ref())
            .map(|moved| moved.done)
            .sum()
    }
}

/// One instruction of a Dockerfile, or one thing the builder does around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStep {
    /// Unique within the build; the log's lines begin with it: `#7`.
    pub number: u32,
    /// The Dockerfile's stage: `build`; `internal` is the builder's own; none for what is around.
    pub stage: Option<String>,
    /// Which of the stage's steps: 2 of 4.
    pub place: Option<(u32, u32)>,
    /// `RUN make`
    pub name: String,
    pub state: BuildStepState,
    /// What it moves over the wire, when it does.
    pub moved: Option<Moved>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildStepState {
    Waiting,
    Running {
        since: UnixMillis,
    },
    /// Nothing had to be done.
    Cached,
    Done {
        took_ms: u64,
    },
    Failed {
        took_ms: u64,
        why: String,
    },
    /// Stopped, or never begun, because the build ended before.
    Stopped,
}

/// Bytes on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub done: u64,
    /// None when nobody knows how many there will be.
    pub total: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u32, state: BuildStepState) -> BuildStep {
        BuildStep {
            number,
            stage: None,
            place: None,
            name: "RUN make".into(),
            state,
            moved: Some(Moved {
                done: 10,
                total: None,
            }),
        }
    }

    #[test]
    fn news_of_a_step_replaces_what_was_known_of_it() {
        let mut view = BuildView {
            component: "backend".parse().expect("a name"),
            run: RunId(1),
            engine: String::new(),
            goes: String::new(),
            steps: vec![],
            left_out: 0,
        };
        view.merge(&[
            step(1, BuildStepState::Waiting),
            step(2, BuildStepState::Waiting),
        ]);
        view.merge(&[step(1, BuildStepState::Cached)]);
        assert_eq!(view.steps.len(), 2);
        assert_eq!(view.steps[0].state, BuildStepState::Cached);
        assert_eq!(view.moved_bytes(), 20);
        let many: Vec<_> = (10..700)
            .map(|n| step(n, BuildStepState::Waiting))
            .collect();
        view.merge(&many);
        assert_eq!(view.steps.len(), BUILD_STEPS_KEPT);
        assert_eq!(view.left_out, 690 - (BUILD_STEPS_KEPT as u32 - 2));
    }
}
