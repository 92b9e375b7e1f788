//! How many answers in a row were alike, for each probe.

use std::collections::HashMap;

use app::model::{OwnAnswer, OwnProbe, UnixMillis};

use super::Target;

#[derive(Debug, Default)]
pub struct Counts(HashMap<Target, (bool, u32)>);

impl Counts {
    /// Takes in one answer: the news of every probe that shares the request.
    pub fn count(&mut self, target: &Target, answer: OwnAnswer, at: UnixMillis) -> Vec<OwnProbe> {
        let in_a_row = answer.passed().map_or(0, |passed| {
            let (last, run) = self.0.entry(target.clone()).or_insert((passed, 0));
            *run = if *last == passed {
                run.saturating_add(1)
            } else {
                1
            };
            *last = passed;
            *run
        });
        target
            .kinds
            .iter()
            .map(|kind| OwnProbe {
                pod: target.pod.clone(),
                container: target.container.clone(),
                kind: *kind,
                at,
                answer: answer.clone(),
                in_a_row,
            })
            .collect()
    }

    /// Forgets what is not asked any more.
    pub fn keep(&mut self, wanted: &[Target]) {
        self.0.retain(|target, _| wanted.contains(target));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use app::model::ProbeKind;

    use super::*;
    use crate::live::pod_facts::ProbeAct;

    #[test]
    fn a_run_ends_with_the_other_answer_and_not_with_none() {
        let target = Target {
            pod: "u".into(),
            name: "p".into(),
            container: "app".into(),
            life: 0,
            act: ProbeAct::Tcp { port: 1 },
            kinds: vec![ProbeKind::Liveness, ProbeKind::Readiness],
            period: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        };
        let passed = || OwnAnswer::Passed {
            status: None,
            took_ms: 1,
        };
        let failed = || OwnAnswer::Failed {
            status: None,
            took_ms: 1,
            why: String::new(),
        };
        let unasked = || OwnAnswer::NotAsked { why: String::new() };
        let mut counts = Counts::default();
        let runs: Vec<u32> = [failed(), failed(), unasked(), failed(), passed(), passed()]
            .into_iter()
            .map(|answer| {
                let news = counts.count(&target, answer, UnixMillis(0));
                assert_eq!(news.len(), 2);
                news[0].in_a_row
            })
            .collect();
        assert_eq!(runs, [1, 2, 0, 3, 1, 2]);
    }
}
