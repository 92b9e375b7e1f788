//! The classic builder's text: `Step 2/6 : COPY . .`, then what it does, one step after the other.

use app::model::{BuildStepState, Moved, UnixMillis};

use super::super::sizes::parse_bytes;
use super::Steps;

/// The number of the step that sends the context; the Dockerfile's own follow.
const CONTEXT: u32 = 1;

/// Knows which step the lines belong to.
#[derive(Debug, Default)]
pub(super) struct Classic {
    at: Option<u32>,
    stage: Option<String>,
    stages: u32,
}

impl Classic {
    pub(super) fn hear(
        &mut self,
        line: &str,
        steps: &mut Steps,
        now: UnixMillis,
        say: &mut dyn FnMut(&str),
    ) {
        if line.trim().is_empty() {
            return;
        }
        say(line);
        if let Some(size) = line.strip_prefix("Sending build context to Docker daemon") {
            steps.named(CONTEXT, "[internal] send build context");
            steps.set(CONTEXT, BuildStepState::Running { since: now });
            self.at = Some(CONTEXT);
            if let Some(done) = parse_bytes(size.trim()) {
                steps.moved(CONTEXT, Moved { done, total: None });
            }
        } else if let Some((place, instruction)) = step(line) {
            self.ended(steps, now);
            let number = CONTEXT + place.0;
            steps.named(number, &format!("[{}/{}] {instruction}", place.0, place.1));
            steps.set(number, BuildStepState::Running { since: now });
            self.follow_stage(instruction);
            if let Some(stage) = &self.stage {
                steps.set_stage(number, stage);
            }
            self.at = Some(number);
        } else if let Some(number) = self.at {
            if line.trim() == "---> Using cache" {
                steps.set(number, BuildStepState::Cached);
            } else if line.starts_with("Successfully built ") {
                self.ended(steps, now);
                self.at = None;
            } else if is_failure(line) {
                let took_ms = steps.ran_ms(number, now);
                steps.set(
                    number,
                    BuildStepState::Failed {
                        took_ms,
                        why: line.to_owned(),
                    },
                );
                self.at = None;
            } else if !line.starts_with(" --->") && !line.starts_with("Removing intermediate ") {
                steps.printed(number, line);
            }
        }
    }

    /// One begins when the one before has ended.
    fn ended(&self, steps: &mut Steps, now: UnixMillis) {
        if let Some(number) = self.at {
            let took_ms = steps.ran_ms(number, now);
            if matches!(steps.state(number), Some(BuildStepState::Running { .. })) {
                steps.set(number, BuildStepState::Done { took_ms });
            }
        }
    }

    /// `FROM alpine AS build` begins the stage `build`; one without a name is called as BuildKit does.
    fn follow_stage(&mut self, instruction: &str) {
        let words: Vec<&str> = instruction.split_whitespace().collect();
        if !words
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case("from"))
        {
            return;
        }
        self.stage = Some(match words.as_slice() {
            [.., keyword, name] if keyword.eq_ignore_ascii_case("as") => (*name).to_owned(),
            _ => format!("stage-{}", self.stages),
        });
        self.stages += 1;
    }
}

/// `Step 2/6 : COPY . .`
fn step(line: &str) -> Option<((u32, u32), &str)> {
    let (place, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (at, of) = place.split_once('/')?;
    // So large a number is no step of a Dockerfile.
    let at: u32 = at.parse().ok().filter(|at| *at < 100_000)?;
    Some(((at, of.parse().ok()?), instruction))
}

fn is_failure(line: &str) -> bool {
    line.contains("returned a non-zero code: ")
        || line.starts_with("COPY failed: ")
        || line.starts_with("ADD failed: ")
}
