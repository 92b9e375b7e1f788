//! The steps of one build and what became of them, whichever format told it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use app::model::{BuildStep, BuildStepState, Moved, UnixMillis};

/// How many of a step's last lines are kept as evidence.
const TAIL: usize = 25;
/// More steps than any Dockerfile has; what a broken builder adds beyond is ignored.
const MOST: usize = 5_000;

/// All steps in the order in which they were named.
#[derive(Debug, Default)]
pub struct Steps {
    steps: Vec<BuildStep>,
    place_of: BTreeMap<u32, usize>,
    tails: BTreeMap<u32, VecDeque<String>>,
    changed: BTreeSet<usize>,
}

/// The step that made the build fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStep {
    pub step: BuildStep,
    pub why: String,
    /// The last lines it printed.
    pub output: Vec<String>,
}

impl Steps {
    /// The step of this number, made when it is new.
    pub(super) fn named(&mut self, number: u32, label: &str) {
        if self.place_of.contains_key(&number) || self.steps.len() >= MOST {
            return;
        }
        let (stage, place, name) = read_label(label);
        let at = self.steps.len();
        self.place_of.insert(number, at);
        self.changed.insert(at);
        self.steps.push(BuildStep {
            number,
            stage,
            place,
            name,
            state: BuildStepState::Waiting,
            moved: None,
        });
    }

    pub(super) fn knows(&self, number: u32) -> bool {
        self.place_of.contains_key(&number)
    }

    pub(super) fn state(&self, number: u32) -> Option<&BuildStepState> {
        Some(&self.steps[*self.place_of.get(&number)?].state)
    }

    pub(super) fn set(&mut self, number: u32, state: BuildStepState) {
        self.change(number, |step| step.state = state);
    }

    pub(super) fn set_stage(&mut self, number: u32, stage: &str) {
        self.change(number, |step| step.stage = Some(stage.to_owned()));
    }

    pub(super) fn moved(&mut self, number: u32, moved: Moved) {
        self.change(number, |step| step.moved = Some(moved));
    }

    pub(super) fn printed(&mut self, number: u32, line: &str) {
        let tail = self.tails.entry(number).or_default();
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    }

    fn change(&mut self, number: u32, how: impl FnOnce(&mut BuildStep)) {
        if let Some(&at) = self.place_of.get(&number) {
            let before = self.steps[at].clone();
            how(&mut self.steps[at]);
            if self.steps[at] != before {
                self.changed.insert(at);
            }
        }
    }

    /// How long it has run, for formats that do not say.
    pub(super) fn ran_ms(&self, number: u32, now: UnixMillis) -> u64 {
        match self.state(number) {
            Some(BuildStepState::Running { since }) => {
                u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// The build has ended. What still runs or waits is given the ending that follows: with
    /// `why_failed`, the first running step is the one that failed.
    pub fn settle(&mut self, succeeded: bool, why_failed: Option<&str>, now: UnixMillis) {
        let mut blame = why_failed.filter(|_| {
            !self
                .steps
                .iter()
                .any(|step| matches!(step.state, BuildStepState::Failed { .. }))
        });
        for at in 0..self.steps.len() {
            let number = self.steps[at].number;
            let running = matches!(self.steps[at].state, BuildStepState::Running { .. });
            let waiting = self.steps[at].state == BuildStepState::Waiting;
            let took_ms = self.ran_ms(number, now);
            match (succeeded, running, waiting) {
                (true, true, _) => self.set(number, BuildStepState::Done { took_ms }),
                (false, true, _) => {
                    let state = match blame.take() {
                        Some(why) => BuildStepState::Failed {
                            took_ms,
                            why: why.to_owned(),
                        },
                        None => BuildStepState::Stopped,
                    };
                    self.set(number, state);
                }
                (_, _, true) => self.set(number, BuildStepState::Stopped),
                _ => {}
            }
        }
    }

    /// The steps that changed since the last call.
    pub fn take_changed(&mut self) -> Vec<BuildStep> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|at| self.steps[at].clone())
            .collect()
    }

    /// All steps, in order.
    pub fn all(&self) -> &[BuildStep] {
        &self.steps
    }

    /// The step that broke the build; steps that were stopped because of it do not count.
    pub fn failed(&self) -> Option<FailedStep> {
        self.steps.iter().find_map(|step| match &step.state {
            BuildStepState::Failed { why, .. } => Some(FailedStep {
                step: step.clone(),
                why: why.clone(),
                output: self
                    .tails
                    .get(&step.number)
                    .map(|tail| tail.iter().cloned().collect())
                    .unwrap_or_default(),
            }),
            _ => None,
        })
    }

    /// The step that runs now and how many of the named ones have ended, for one line of progress.
    pub fn now(&self) -> Option<(u64, u64, &BuildStep)> {
        let ended = self
            .steps
            .iter()
            .filter(|step| {
                !matches!(
                    step.state,
                    BuildStepState::Waiting | BuildStepState::Running { .. }
                )
            })
            .count();
        let running = self
            .steps
            .iter()
            .rev()
            .find(|step| matches!(step.state, BuildStepState::Running { .. }))?;
        Some((ended as u64, self.steps.len() as u64, running))
    }
}

/// `[build 2/4] RUN make`, `[2/4] RUN make`, `[internal] load …` or anything else.
fn read_label(label: &str) -> (Option<String>, Option<(u32, u32)>, String) {
    let whole = || (None, None, label.trim().to_owned());
    let Some((inside, name)) = label
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    else {
        return whole();
    };
    let name = name.trim().to_owned();
    // With several platforms the first word is one: `linux/amd64 build 2/4`.
    let mut words: Vec<&str> = inside.split_whitespace().collect();
    let place = words.last().and_then(|word| {
        let (at, of) = word.split_once('/')?;
        Some((at.parse().ok()?, of.parse().ok()?))
    });
    if place.is_some() {
        words.pop();
    }
    let stage = words.last().map(|word| (*word).to_owned());
    if name.is_empty() {
        return whole();
    }
    (stage, place, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_stage_place_and_instruction() {
        let cases = [
            (
                "[build 2/4] RUN make",
                (Some("build"), Some((2, 4)), "RUN make"),
            ),
            ("[1/3] FROM alpine", (None, Some((1, 3)), "FROM alpine")),
            (
                "[linux/arm64 build 1/2] COPY a b",
                (Some("build"), Some((1, 2)), "COPY a b"),
            ),
            (
                "[internal] load build context",
                (Some("internal"), None, "load build context"),
            ),
            ("exporting to image", (None, None, "exporting to image")),
            ("[", (None, None, "[")),
            ("[]", (None, None, "[]")),
        ];
        for (label, (stage, place, name)) in cases {
            let (found_stage, found_place, found_name) = read_label(label);
            assert_eq!(
                (found_stage.as_deref(), found_place, found_name.as_str()),
                (stage, place, name),
                "{label}"
            );
        }
    }
}
