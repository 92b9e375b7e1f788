//! Turns looks at the lanes into spans. Pure.

use std::collections::BTreeMap;

use app::model::{ComponentName, Lane, LaneSpan, UnixMillis};

use super::lanes::Lanes;

/// Longer without a look than this (the machine slept), and nobody knows what was between.
const LONGEST_GAP_MS: u64 = 15_000;

#[derive(Debug, Default)]
pub struct Recorder {
    open: BTreeMap<(ComponentName, Lane), LaneSpan>,
    last: Option<UnixMillis>,
}

impl Recorder {
    /// Takes a look in; gives the spans to write down, each under its beginning. With `extend`
    /// those that go on are among them.
    pub fn look(&mut self, lanes: Lanes, now: UnixMillis, extend: bool) -> Vec<LaneSpan> {
        let is_gap = self
            .last
            .is_some_and(|last| now.since(last) > LONGEST_GAP_MS || now < last);
        self.last = Some(now);
        if is_gap {
            self.open.clear();
        }
        let mut written = Vec::new();
        self.open.retain(|key, span| {
            let stays = lanes.get(key) == Some(&span.state);
            if stays && !extend {
                return true;
            }
            span.to = now;
            written.push(span.clone());
            stays
        });
        for ((component, lane), state) in lanes {
            self.open
                .entry((component.clone(), lane))
                .or_insert_with(|| {
                    let span = LaneSpan {
                        component,
                        lane,
                        state,
                        from: now,
                        // It is seen, so it is there, however short.
                        to: UnixMillis(now.0 + 1),
                    };
                    written.push(span.clone());
                    span
                });
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use app::model::LaneState;

    use super::*;

    fn lanes(state: LaneState) -> Lanes {
        let component: ComponentName = "app".parse().expect("a name");
        Lanes::from([((component, Lane::Readiness), state)])
    }

    /// As the journal keeps them: by beginning.
    fn play(looks: &[(i64, LaneState, bool)]) -> Vec<(i64, i64, LaneState)> {
        let mut recorder = Recorder::default();
        let mut kept = BTreeMap::new();
        for (at, state, extend) in looks {
            for span in recorder.look(lanes(*state), UnixMillis(*at), *extend) {
                kept.insert(span.from.0, (span.from.0, span.to.0, span.state));
            }
        }
        kept.into_values().collect()
    }

    #[test]
    fn a_change_ends_a_span_where_the_next_begins() {
        use LaneState::{Fail, Pass};
        let spans = play(&[
            (0, Pass, false),
            (4_000, Pass, false),
            (5_000, Fail, false),
            (9_000, Fail, true),
        ]);
        assert_eq!(spans, [(0, 5_000, Pass), (5_000, 9_000, Fail)]);
    }

    #[test]
    fn a_sleep_leaves_a_hole_and_a_clock_set_back_begins_anew() {
        use LaneState::Pass;
        let spans = play(&[(0, Pass, false), (5_000, Pass, true), (100_000, Pass, true)]);
        assert_eq!(spans, [(0, 5_000, Pass), (100_000, 100_001, Pass)]);
        let spans = play(&[(50_000, Pass, true), (10_000, Pass, true)]);
        assert_eq!(spans.len(), 2);
    }
}
