//! The timeline: what the probes said and what happened, written down, because the cluster forgets
//! its events within the hour and never says that a probe passed.

mod lanes;
mod marks;
mod recorder;
mod thin;

use std::time::Duration;

use app::model::{Timeline, UnixMillis};
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::lanes::lanes;
use self::marks::Seen;
use self::recorder::Recorder;
use crate::cluster::Connected;
use crate::engine::{Core, clock};

/// Changes within this time are one.
const SETTLE: Duration = Duration::from_millis(200);
/// How often a span that goes on is written down.
const EXTEND: Duration = Duration::from_secs(5);

/// Records until the future is dropped.
pub(super) async fn record(core: &Core, connected: &Connected) {
    let mut changed = core.hub.changed();
    let mut extend = interval(EXTEND);
    extend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut recorder = Recorder::default();
    let mut seen = core.hub.read(Seen::first);
    loop {
        let is_due = tokio::select! {
            _ = extend.tick() => true,
            change = changed.changed() => {
                if change.is_err() {
                    return;
                }
                sleep(SETTLE).await;
                false
            }
        };
        let now = clock::now();
        let (lanes, marks) = core
            .hub
            .read(|state| (lanes(state, now), seen.look(state, now)));
        let spans = recorder.look(lanes, now, is_due);
        if !spans.is_empty() || !marks.is_empty() {
            let marks = marks
                .into_iter()
                .map(|mut mark| {
                    mark.words = core.redactor.redact(&mark.words).into_owned();
                    mark
                })
                .collect();
            core.journal.record_timeline(&connected.id, spans, marks);
        }
    }
}

/// A window of what was recorded of a cluster, small enough for a page.
pub(super) async fn read(
    core: &Core,
    connected: &Connected,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Timeline, app::model::Finding> {
    let mut timeline = core.journal.timeline(&connected.id, from, to).await?;
    timeline.spans = thin::thin(timeline.spans, from, to);
    Ok(timeline)
}
