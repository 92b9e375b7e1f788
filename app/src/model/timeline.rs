//! What the probes said over time, and what else happened on the same axis.

use serde::{Deserialize, Serialize};

use super::{ComponentName, ProbeKind, UnixMillis};

/// What a strip of the timeline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// The component as a whole: its rollout and its pods.
    Component,
    Startup,
    Liveness,
    Readiness,
}

impl Lane {
    pub const ALL: [Lane; 4] = [
        Self::Component,
        Self::Startup,
        Self::Liveness,
        Self::Readiness,
    ];

    pub fn of(kind: ProbeKind) -> Self {
        match kind {
            ProbeKind::Startup => Self::Startup,
            ProbeKind::Liveness => Self::Liveness,
            ProbeKind::Readiness => Self::Readiness,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Component => "Pods ready",
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// Worst last, so that the worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneState {
    Pass,
    /// Not asked yet, or the cluster was silent: nobody knows.
    Unknown,
    Fail,
}

/// For how long a lane was in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneSpan {
    pub component: ComponentName,
    pub lane: Lane,
    pub state: LaneState,
    pub from: UnixMillis,
    pub to: UnixMillis,
}

/// A moment at which something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineMark {
    pub at: UnixMillis,
    pub kind: MarkKind,
    /// None: it is about the whole project.
    pub component: Option<ComponentName>,
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// One of Slipway's runs on the cluster began.
    Run,
    /// A proposed change that a person said yes to began.
    Approval,
    /// A new revision of a Deployment.
    Rollout,
    /// A container was restarted.
    Restart,
    /// A secret's value changed.
    Secret,
}

impl MarkKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Approval => "Approval",
            Self::Rollout => "Rollout",
            Self::Restart => "Restart",
            Self::Secret => "Secret",
        }
    }
}

/// A window of the timeline. Where a lane has no span, nothing was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pub from: UnixMillis,
    pub to: UnixMillis,
    /// By component and lane, in the order of time.
    pub spans: Vec<LaneSpan>,
    /// In the order of time.
    pub marks: Vec<TimelineMark>,
}

impl Timeline {
    /// The strips there are, in the order they are drawn.
    pub fn lanes(&self) -> Vec<(ComponentName, Lane)> {
        let mut lanes: Vec<_> = self
            .spans
            .iter()
            .map(|span| (span.component.clone(), span.lane))
            .collect();
        lanes.sort();
        lanes.dedup();
        lanes
    }

    /// What a strip showed at a moment; none when nothing was recorded.
    pub fn at(&self, component: &ComponentName, lane: Lane, at: UnixMillis) -> Option<LaneState> {
        self.spans
            .iter()
            .find(|span| {
                span.lane == lane && span.component == *component && span.from <= at && at < span.to
            })
            .map(|span| span.state)
    }

    /// What happened at a moment, give or take so many milliseconds.
    pub fn marks_near(&self, at: UnixMillis, within_ms: i64) -> Vec<&TimelineMark> {
        self.marks
            .iter()
            .filter(|mark| (mark.at.0 - at.0).abs() <= within_ms)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_from_the_span_it_is_in() {
        let component: ComponentName = "app".parse().expect("a name");
        let span = |state, from, to| LaneSpan {
            component: component.clone(),
            lane: Lane::Readiness,
            state,
            from: UnixMillis(from),
            to: UnixMillis(to),
        };
        let timeline = Timeline {
            spans: vec![span(LaneState::Pass, 0, 10), span(LaneState::Fail, 10, 20)],
            marks: vec![TimelineMark {
                at: UnixMillis(9),
                kind: MarkKind::Restart,
                component: None,
                words: String::new(),
            }],
            ..Timeline::default()
        };
        let at = |at| timeline.at(&component, Lane::Readiness, UnixMillis(at));
        assert_eq!(at(9), Some(LaneState::Pass));
        assert_eq!(at(10), Some(LaneState::Fail));
        assert_eq!(at(20), None);
        assert_eq!(timeline.marks_near(UnixMillis(10), 1).len(), 1);
        assert!(timeline.marks_near(UnixMillis(11), 1).is_empty());
        assert_eq!(timeline.lanes(), [(component, Lane::Readiness)]);
    }
}
