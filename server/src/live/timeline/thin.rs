//! A lane that changed too often to be drawn becomes slices of time, each with the worst in it.

use std::collections::BTreeMap;

use app::model::{ComponentName, Lane, LaneSpan, UnixMillis};

/// More spans of one lane than this are more than a screen has pixels for.
const MOST: usize = 1_000;

/// The spans, in order, at most so many of each lane.
pub fn thin(spans: Vec<LaneSpan>, from: UnixMillis, to: UnixMillis) -> Vec<LaneSpan> {
    let mut lanes: BTreeMap<(ComponentName, Lane), Vec<LaneSpan>> = BTreeMap::new();
    for span in spans {
        let key = (span.component.clone(), span.lane);
        lanes.entry(key).or_default().push(span);
    }
    lanes
        .into_values()
        .flat_map(|lane| match lane.len() {
            0..=MOST => lane,
            _ => slices(lane, from, to),
        })
        .collect()
}

fn slices(lane: Vec<LaneSpan>, from: UnixMillis, to: UnixMillis) -> Vec<LaneSpan> {
    let width = (to.since(from) as i64 / MOST as i64).max(1);
    let mut kept: Vec<LaneSpan> = Vec::with_capacity(MOST);
    for mut span in lane {
        let slice = |at: UnixMillis| (at.0 - from.0).div_euclid(width);
        match kept.last_mut() {
            // It begins in the slice the last one ends in: one of them has to speak for both.
            Some(last)
                if slice(last.to) == slice(span.from) && slice(span.from) == slice(span.to) =>
            {
                last.state = last.state.max(span.state);
                last.to = last.to.max(span.to);
            }
            last => {
                if let Some(last) = last {
                    span.from = span.from.max(last.to);
                }
                kept.push(span);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use app::model::LaneState;

    use super::*;

    #[test]
    fn a_lane_that_flaps_all_day_stays_small_and_hides_no_failure() {
        let spans: Vec<LaneSpan> = (0..86_400)
            .map(|second| LaneSpan {
                component: "app".parse().expect("a name"),
                lane: Lane::Readiness,
                state: if second % 500 == 250 {
                    LaneState::Fail
                } else {
                    LaneState::Pass
                },
                from: UnixMillis(second * 1_000),
                to: UnixMillis(second * 1_000 + 1_000),
            })
            .collect();
        let thin = thin(spans, UnixMillis(0), UnixMillis(86_400_000));
        assert!(thin.len() <= 2 * MOST, "{}", thin.len());
        let fails = thin.iter().filter(|span| span.state == LaneState::Fail);
        assert!(fails.count() >= 100);
        assert!(thin.windows(2).all(|pair| pair[0].to <= pair[1].from));
    }
}
