//! What Slipway sees when it makes a probe's request itself, beside what the kubelet says.

use serde::{Deserialize, Serialize};

use super::{ProbeKind, ProbeLive, ProbeVerdict, UnixMillis};

/// The newest answer to one probe's request, made by Slipway through the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnProbe {
    /// The pod's UID.
    pub pod: String,
    pub container: String,
    pub kind: ProbeKind,
    pub at: UnixMillis,
    pub answer: OwnAnswer,
    /// How many answers in a row passed, or failed, as this one; zero when it could not be asked.
    pub in_a_row: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnAnswer {
    Passed {
        /// The HTTP status, where there is one.
        status: Option<u16>,
        took_ms: u32,
    },
    Failed {
        status: Option<u16>,
        took_ms: u32,
        why: String,
    },
    /// It says nothing about the container: only the kubelet can ask, or the way there is broken.
    NotAsked { why: String },
}

impl OwnAnswer {
    /// Whether it passed; none when nothing was asked.
    pub fn passed(&self) -> Option<bool> {
        match self {
            Self::Passed { .. } => Some(true),
            Self::Failed { .. } => Some(false),
            Self::NotAsked { .. } => None,
        }
    }
}

impl OwnProbe {
    /// Whose it is within its pod.
    pub fn is_of(&self, container: &str, kind: ProbeKind) -> bool {
        self.container == container && self.kind == kind
    }

    /// How far the failures in a row are from the probe's threshold: `2 of 3`.
    pub fn failures(&self, probe: &ProbeLive) -> Option<String> {
        (self.answer.passed() == Some(false))
            .then(|| format!("{} of {}", self.in_a_row, probe.failure_threshold))
    }

    /// What to say when the kubelet and Slipway see different things for longer than the threshold
    /// explains; none while they agree.
    pub fn disagrees_with(&self, probe: &ProbeLive) -> Option<&'static str> {
        /// More than one lucky answer.
        const PASSES: u32 = 2;
        match (&probe.verdict, self.answer.passed()?) {
            (ProbeVerdict::Passing, false) if self.in_a_row > probe.failure_threshold => {
                Some("The kubelet still calls it passing, and Slipway's own requests fail")
            }
            (ProbeVerdict::Failing { .. }, true) if self.in_a_row >= PASSES => Some(
                "The kubelet calls it failing, and Slipway's own requests pass: it recovers just now, \
                 or only the node cannot reach it",
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(verdict: ProbeVerdict) -> ProbeLive {
        ProbeLive {
            target: "GET /health :8000".into(),
            period_s: 5,
            failure_threshold: 3,
            verdict,
        }
    }

    fn own(passed: bool, in_a_row: u32) -> OwnProbe {
        let answer = if passed {
            OwnAnswer::Passed {
                status: Some(200),
                took_ms: 3,
            }
        } else {
            OwnAnswer::Failed {
                status: Some(503),
                took_ms: 3,
                why: String::new(),
            }
        };
        OwnProbe {
            pod: "u".into(),
            container: "app".into(),
            kind: ProbeKind::Readiness,
            at: UnixMillis(0),
            answer,
            in_a_row,
        }
    }

    #[test]
    fn failures_below_the_threshold_are_no_disagreement() {
        let passing = probe(ProbeVerdict::Passing);
        assert_eq!(own(false, 3).disagrees_with(&passing), None);
        assert!(own(false, 4).disagrees_with(&passing).is_some());
        assert_eq!(own(false, 2).failures(&passing).as_deref(), Some("2 of 3"));
        assert_eq!(own(true, 9).disagrees_with(&passing), None);
    }

    #[test]
    fn passes_while_the_kubelet_says_failing_are_told() {
        let failing = probe(ProbeVerdict::Failing {
            message: "503".into(),
        });
        assert_eq!(own(true, 1).disagrees_with(&failing), None);
        assert!(own(true, 2).disagrees_with(&failing).is_some());
        let waiting = probe(ProbeVerdict::Waiting { why: "x".into() });
        assert_eq!(own(true, 9).disagrees_with(&waiting), None);
    }
}
