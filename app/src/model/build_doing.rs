//! What the newest build run does for one component, read off the run's stages.

use super::{ComponentName, Finding, PanelState, RunId, RunKind, Stage, StageState, UnixMillis};

/// What is going on with a component's build.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildDoing {
    /// Nothing that is not told by the image itself.
    Nothing,
    Going {
        run: RunId,
        since: UnixMillis,
        /// What it does now: `Build backend`.
        now: String,
    },
    Failed {
        finding: Box<Finding>,
    },
    Cancelled {
        at: UnixMillis,
    },
    /// The image of these very sources was in the cluster, so nothing was built.
    Unchanged {
        at: UnixMillis,
    },
}

impl PanelState {
    /// What the newest run that builds this component does or did for it.
    pub fn build_of(&self, component: &ComponentName) -> BuildDoing {
        let of_component = |stage: &&Stage| stage.component.as_ref() == Some(component);
        let newest = self.runs.values().rev().find(|run| {
            run.kind == RunKind::Build && run.stages.iter().any(|stage| of_component(&stage))
        });
        let Some(run) = newest else {
            return BuildDoing::Nothing;
        };
        let stages: Vec<&Stage> = run.stages.iter().filter(of_component).collect();
        for stage in &stages {
            match &stage.state {
                StageState::Failed { finding, .. } => {
                    return BuildDoing::Failed {
                        finding: finding.clone(),
                    };
                }
                StageState::Cancelled => {
                    return BuildDoing::Cancelled {
                        at: run.ending.as_ref().map_or(run.started, |ending| ending.at),
                    };
                }
                _ => {}
            }
        }
        let open = stages.iter().find(|stage| {
            matches!(
                stage.state,
                StageState::Running { .. } | StageState::Pending
            )
        });
        match open {
            Some(stage) if run.is_going() => BuildDoing::Going {
                run: run.id,
                since: run.started,
                now: stage.title.clone(),
            },
            _ if found_unchanged(&stages) => BuildDoing::Unchanged {
                at: run.ending.as_ref().map_or(run.started, |ending| ending.at),
            },
            _ => BuildDoing::Nothing,
        }
    }
}

/// Neither built nor handed over, and yet found in the cluster.
fn found_unchanged(stages: &[&Stage]) -> bool {
    let Some((prove, before)) = stages.split_last() else {
        return false;
    };
    matches!(prove.state, StageState::Succeeded { .. })
        && !before.is_empty()
        && before
            .iter()
            .all(|stage| matches!(stage.state, StageState::Skipped { .. }))
}

#[cfg(test)]
mod tests {
    use super::super::{RunView, UnixMillis};
    use super::*;

    fn state(stages: [(&str, StageState); 2], going: bool) -> PanelState {
        let mut state = PanelState::default();
        let stages = stages
            .into_iter()
            .map(|(component, state)| Stage {
                id: format!("{component}/build"),
                title: format!("Build {component}"),
                component: component.parse().ok(),
                state,
            })
            .collect();
        state.runs.insert(
            RunId(1),
            RunView {
                id: RunId(1),
                kind: RunKind::Build,
                started: UnixMillis(5),
                stages,
                tail: vec![],
                lines: 0,
                ending: (!going).then_some(super::super::Ending {
                    at: UnixMillis(9),
                    outcome: super::super::Outcome::Cancelled,
                }),
            },
        );
        state
    }

    #[test]
    fn each_component_is_told_for_itself() {
        let running = StageState::Running {
            since: UnixMillis(6),
            progress: None,
        };
        let state = state([("a", running), ("b", StageState::Cancelled)], true);
        let of = |name: &str| state.build_of(&name.parse().expect("a name"));
        assert!(matches!(of("a"), BuildDoing::Going { run: RunId(1), .. }));
        assert!(matches!(of("b"), BuildDoing::Cancelled { .. }));
        assert_eq!(of("c"), BuildDoing::Nothing);
    }

    #[test]
    fn what_was_found_without_a_build_was_unchanged() {
        let skipped = || StageState::Skipped { why: String::new() };
        let proved = || StageState::Succeeded {
            took_ms: 1,
            note: String::new(),
        };
        let of = |before: StageState| {
            let mut state = state([("a", before), ("a", proved())], false);
            // Each component has three stages.
            let run = state.runs.get_mut(&RunId(1)).expect("there");
            run.stages[1].component = "a".parse().ok();
            state.build_of(&"a".parse().expect("a name"))
        };
        assert_eq!(of(skipped()), BuildDoing::Unchanged { at: UnixMillis(9) });
        assert_eq!(of(proved()), BuildDoing::Nothing);
    }

    #[test]
    fn a_run_that_ended_builds_nothing_any_more() {
        let state = state(
            [("a", StageState::Pending), ("b", StageState::Pending)],
            false,
        );
        assert_eq!(
            state.build_of(&"a".parse().expect("a name")),
            BuildDoing::Nothing
        );
    }
}
