//! Getting a chart's dependencies, as a run: they come over the network.

use app::model::{Failure, RunId, RunKind, Stage, StageState};

use super::{ReleasesRoom, words};
use crate::adapters::helm::failure::classify;
use crate::engine::RunError;
use crate::process::{self, Ending, Pipe};

const STAGE: &str = "dependencies";

impl ReleasesRoom {
    pub(super) async fn start_dependencies(&self) -> Result<RunId, Failure> {
        let helm = self.helm().await?;
        let source = self.source().await?;
        self.inner
            .core
            .journal
            .audit("operator", "get the chart's dependencies")
            .await?;
        let stages = vec![Stage {
            id: STAGE.to_owned(),
            title: "Get the chart's dependencies".to_owned(),
            component: None,
            state: StageState::Pending,
        }];
        let room = self.clone();
        let start = move |run: crate::engine::RunHandle| async move {
            let stage = run.stage(STAGE);
            stage.start();
            let spec = helm.dependency_build(&source.folder);
            let mut stderr = String::new();
            let ending = process::run(&spec, run.cancelled(), |pipe, line| {
                stage.log(line);
                if pipe == Pipe::Stderr {
                    stderr.push_str(line);
                    stderr.push('\n');
                }
            })
            .await;
            room.look_at_chart().await;
            match ending {
                Ok(Ending::Exited(0)) => {
                    stage.succeed("They are in the chart's charts folder");
                    Ok("The chart has its dependencies".to_owned())
                }
                Ok(Ending::Cancelled { .. }) => Err(RunError::Cancelled),
                Ok(_) => Err(words::dependencies_failed(&classify("", &stderr)).into()),
                Err(error) => Err(words::helm_broken(&helm.program, &error.to_string()).into()),
            }
        };
        self.inner
            .core
            .runs
            .start(RunKind::Dependencies, stages, start)
    }
}
