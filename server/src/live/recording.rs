//! Keeps the last walk that went well as the demo screen showed it, for a stage on which the cluster
//! dies. One file for each project in the state folder; nothing is in it that viewers did not see.

use std::path::{Path, PathBuf};
use std::time::Duration;

use app::model::{
    Outcome, PanelEvent, PanelState, RecordedEvent, Recording, RunKind, StepId, StepState,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::engine::hub::Delivery;
use crate::engine::{Core, clock, private_file};

/// A walk that takes longer is not kept.
const LONGEST: Duration = Duration::from_secs(30 * 60);
const MOST_EVENTS: usize = 20_000;
/// In bytes of JSON.
const LARGEST: usize = 8 << 20;
/// The healthy app stays on the screen for this long before the end.
const SETTLE: Duration = Duration::from_secs(3);

/// Records until the future is dropped.
pub(super) async fn record(core: &Core, project: &str) {
    let file = core.state_dir.path().join(format!("walk-{project}.json"));
    if let Some((recording, json)) = read(&file).await {
        keep(core, &recording, json);
    }
    loop {
        core.hub.until(is_walking).await;
        if let Some(recording) = walk(core, SETTLE).await {
            match write(file.clone(), &recording).await {
                Ok(json) => keep(core, &recording, json),
                Err(error) => tracing::warn!(%error, "the walk could not be kept"),
            }
        }
        // What still goes on belongs to the walk that was kept or given up.
        core.hub.until(|state| !is_walking(state)).await;
    }
}

fn keep(core: &Core, recording: &Recording, json: Vec<u8>) {
    core.hub.keep_recording(json.into());
    let event = PanelEvent::Recording(recording.view());
    core.hub.voice().publish(event);
}

/// From the first run until the app is healthy; none when that did not go well, or too long.
async fn walk(core: &Core, settle: Duration) -> Option<Recording> {
    let mut listener = core.hub.subscribe();
    let Delivery::Snapshot { state, .. } = listener.next().await else {
        return None;
    };
    let started = clock::now();
    let mut events = Vec::new();
    let too_long = sleep(LONGEST);
    tokio::pin!(too_long);
    let mut well_since: Option<Instant> = None;
    loop {
        let settled = async {
            match well_since {
                Some(since) => sleep_until(since + settle).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut too_long => return None,
            () = settled => break,
            delivery = listener.next() => {
                // A second snapshot: there is a gap, and a walk with a gap is none.
                let Delivery::Event(published) = delivery else { return None };
                let event = &published.event;
                if spoils(event) || events.len() >= MOST_EVENTS {
                    return None;
                }
                if event.is_on_stage() {
                    events.push(RecordedEvent { at: clock::now(), event: event.clone() });
                }
                well_since = match core.hub.read(is_well) {
                    true => well_since.or_else(|| Some(Instant::now())),
                    false => None,
                };
            }
        }
    }
    Some(Recording {
        started,
        ended: clock::now(),
        state: state.on_stage(),
        events,
    })
}

/// Something goes on that leads to a running app.
fn is_walking(state: &PanelState) -> bool {
    state.runs.values().any(|run| {
        run.is_going()
            && matches!(
                run.kind,
                RunKind::StartCluster | RunKind::Build | RunKind::Deploy
            )
    })
}

/// Every step is done, and nothing goes on.
fn is_well(state: &PanelState) -> bool {
    let is_done = |step: StepId| matches!(state.steps.get(&step), Some(StepState::Done { .. }));
    StepId::ALL.into_iter().all(is_done) && !state.runs.values().any(|run| run.is_going())
}

/// What nobody wants to see again: another cluster in the middle, or a run that did not succeed.
fn spoils(event: &PanelEvent) -> bool {
    match event {
        PanelEvent::ClusterChosen(_) => true,
        PanelEvent::RunEnded { ending, .. } => !matches!(ending.outcome, Outcome::Succeeded { .. }),
        _ => false,
    }
}

/// What an earlier Slipway kept. A file that cannot be read any more is as good as none.
async fn read(file: &Path) -> Option<(Recording, Vec<u8>)> {
    let json = tokio::fs::read(file).await.ok()?;
    match serde_json::from_slice(&json) {
        Ok(recording) => Some((recording, json)),
        Err(error) => {
            tracing::info!(%error, file = %file.display(), "an older recording is left alone");
            None
        }
    }
}

async fn write(file: PathBuf, recording: &Recording) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_vec(recording)?;
    if json.len() > LARGEST {
        return Err(std::io::Error::other("it is too large"));
    }
    tokio::task::spawn_blocking(move || {
        private_file::write(&file, &json)?;
        Ok(json)
    })
    .await?
}

#[cfg(test)]
mod tests {
    use app::model::{Ending, Freshness, RunId, RunView, UnixMillis};

    use super::*;
    use crate::engine::{Journal, StateDir};

    struct Stage {
        core: Core,
        _folder: tempfile::TempDir,
    }

    fn stage() -> Stage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state_dir = StateDir::open(folder.path()).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        Stage {
            core: Core::start(state_dir.into(), journal),
            _folder: folder,
        }
    }

    fn run(id: u64, kind: RunKind) -> PanelEvent {
        PanelEvent::RunStarted(Box::new(RunView {
            id: RunId(id),
            kind,
            started: UnixMillis(1),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: None,
        }))
    }

    fn ended(id: u64, outcome: Outcome) -> PanelEvent {
        PanelEvent::RunEnded {
            run: RunId(id),
            ending: Ending {
                at: UnixMillis(2),
                outcome,
            },
        }
    }

    fn all_done() -> Vec<PanelEvent> {
        let done = |step| PanelEvent::Step {
            step,
            state: StepState::Done {
                proof: "so".into(),
                since: UnixMillis(2),
            },
        };
        StepId::ALL.into_iter().map(done).collect()
    }

    const AT_ONCE: Duration = Duration::ZERO;

    #[tokio::test]
    async fn a_walk_that_went_well_is_kept_as_it_was_on_stage_and_found_again() {
        let stage = stage();
        let core = &stage.core;
        let voice = core.hub.voice();
        voice.publish(run(2, RunKind::Deploy));
        let succeeded = || Outcome::Succeeded {
            summary: "2 pods".into(),
        };
        let tell = async {
            voice.publish(PanelEvent::Watch(Freshness::heard_at(UnixMillis(5))));
            voice.publish(PanelEvent::Viewers(9));
            voice.publish_all(all_done());
            voice.publish(ended(2, succeeded()));
        };
        let (recording, ()) = tokio::join!(walk(core, AT_ONCE), tell);
        let recording = recording.expect("a walk that went well");
        assert!(recording.state.runs.contains_key(&RunId(2)));
        let events: Vec<_> = recording.events.iter().map(|told| &told.event).collect();
        assert_eq!(events.len(), StepId::ALL.len() + 2, "{events:?}");
        assert!(matches!(events[0], PanelEvent::Watch(_)));
        assert_eq!(events.last(), Some(&&ended(2, succeeded())));

        let file = core.state_dir.path().join("walk-todo.json");
        let json = write(file.clone(), &recording).await.expect("is written");
        keep(core, &recording, json);
        assert_eq!(
            core.hub.read(|state| state.recording),
            Some(recording.view())
        );
        let json = core.hub.recording().expect("the walk");
        let found = read(&file).await.expect("is found again");
        assert_eq!((found.0, found.1), (recording, json.to_vec()));
        std::fs::write(&file, "{").expect("writes");
        assert!(read(&file).await.is_none());
    }

    #[tokio::test]
    async fn a_walk_that_failed_or_changed_its_cluster_is_given_up() {
        for spoiled in [
            ended(1, Outcome::Cancelled),
            PanelEvent::ClusterChosen(None),
        ] {
            let stage = stage();
            let voice = stage.core.hub.voice();
            voice.publish(run(1, RunKind::Deploy));
            let tell = async {
                voice.publish(spoiled);
                voice.publish_all(all_done());
            };
            let (recording, ()) = tokio::join!(walk(&stage.core, AT_ONCE), tell);
            assert_eq!(recording, None);
        }
    }
}
