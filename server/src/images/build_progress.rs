//! Passes on what becomes of a build's steps: at once when something begins or ends, at most a few
//! times a second while bytes are counted.

use std::sync::Arc;
use std::time::Duration;

use app::model::{BuildStep, BuildView, ComponentName, PanelEvent, Progress};
use tokio::time::Instant;

use super::Inner;
use crate::adapters::docker::Steps;
use crate::engine::{RunHandle, StageHandle, Voice};

const EVERY: Duration = Duration::from_millis(200);

/// The page's view of one build.
#[derive(Debug)]
pub struct BuildProgress {
    inner: Arc<Inner>,
    voice: Voice,
    run: RunHandle,
    component: ComponentName,
    told: Option<Instant>,
}

impl BuildProgress {
    /// Shows that a build begins; the tree of the one before is gone with it.
    pub fn begin(
        inner: &Arc<Inner>,
        voice: &Voice,
        run: &RunHandle,
        component: &ComponentName,
        engine: &str,
        goes: &str,
    ) -> Self {
        voice.publish(PanelEvent::BuildStarted(Box::new(BuildView {
            component: component.clone(),
            run: run.id(),
            engine: engine.to_owned(),
            goes: goes.to_owned(),
            steps: Vec::new(),
            left_out: 0,
        })));
        Self {
            inner: Arc::clone(inner),
            voice: voice.clone(),
            run: run.clone(),
            component: component.clone(),
            told: None,
        }
    }

    /// Tells the news, unless it did so a moment ago.
    pub fn tell(&mut self, steps: &mut Steps, stage: &StageHandle) {
        if self.told.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        if let Some((done, total, step)) = steps.now() {
            stage.progress(Progress {
                done,
                total: Some(total),
                note: step.name.clone(),
            });
        }
        self.tell_all(steps);
    }

    /// Tells the news in any case.
    pub fn tell_all(&self, steps: &mut Steps) {
        let changed = steps.take_changed();
        if changed.is_empty() {
            return;
        }
        let redact = |text: &str| self.inner.core.redactor.redact(text).into_owned();
        self.voice.publish(PanelEvent::BuildSteps {
            component: self.component.clone(),
            run: self.run.id(),
            steps: changed
                .into_iter()
                .map(|step| BuildStep {
                    // An instruction may have a secret in it, if someone wrote it there.
                    name: redact(&step.name),
                    state: match step.state {
                        app::model::BuildStepState::Failed { took_ms, why } => {
                            app::model::BuildStepState::Failed {
                                took_ms,
                                why: redact(&why),
                            }
                        }
                        other => other,
                    },
                    ..step
                })
                .collect(),
        });
    }
}
