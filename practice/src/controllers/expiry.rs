//! What goes by age or number alone: events after an hour, and finished pods beyond a limit.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::pods;
use super::worker::{SyncError, is_conflict, is_not_found};

/// How long an event is kept after it last happened.
const EVENT_TTL: SignedDuration = SignedDuration::from_hours(1);
/// How many finished pods are kept.
const FINISHED_PODS: usize = 1000;
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Sweeps until `shutdown`.
pub async fn run(cluster: Arc<Cluster>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for outcome in [sweep_events(&cluster).await, sweep_pods(&cluster).await] {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a sweep failed, the next one will try again");
            }
        }
    }
}

async fn sweep_events(cluster: &Cluster) -> Result<(), SyncError> {
    let all: Api<Event> = Api::all(cluster.client.clone());
    let now = Timestamp::now();
    for event in all.list(&ListParams::default()).await?.items {
        if !has_expired(&event, now) {
            continue;
        }
        let api: Api<Event> = Api::namespaced(
            cluster.client.clone(),
            &event.namespace().unwrap_or_default(),
        );
        // Only in the state that was judged: it may just have happened again.
        let params = DeleteParams::default().preconditions(Preconditions {
            uid: event.uid(),
            resource_version: event.resource_version(),
        });
        gone_is_fine(api.delete(&event.name_any(), &params).await.map(drop))?;
    }
    Ok(())
}

fn gone_is_fine(outcome: Result<(), kube::Error>) -> Result<(), SyncError> {
    match outcome {
        Err(error) if !is_not_found(&error) && !is_conflict(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether the event last happened longer ago than events are kept.
fn has_expired(event: &Event, now: Timestamp) -> bool {
    let times = [
        event
            .series
            .as_ref()
            .and_then(|series| series.last_observed_time.as_ref())
            .map(|t| t.0),
        event.last_timestamp.as_ref().map(|time| time.0),
        event.event_time.as_ref().map(|time| time.0),
        event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
    ];
    times
        .into_iter()
        .flatten()
        .max()
        .is_some_and(|last| now.duration_since(last) > EVENT_TTL)
}

async fn sweep_pods(cluster: &Cluster) -> Result<(), SyncError> {
    for pod in surplus(&cluster.pods.all(), FINISHED_PODS) {
        let api: Api<Pod> =
            Api::namespaced(cluster.client.clone(), &pod.namespace().unwrap_or_default());
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::background()
        }
        .preconditions(Preconditions {
            uid: pod.uid(),
            resource_version: None,
        });
        gone_is_fine(api.delete(&pod.name_any(), &params).await.map(drop))?;
    }
    Ok(())
}

/// The oldest finished pods beyond `keep`, and those that were deleted before they had a node:
/// nobody else would end them.
fn surplus(all: &[Arc<Pod>], keep: usize) -> Vec<Arc<Pod>> {
    let mut finished: Vec<&Arc<Pod>> = all
        .iter()
        .filter(|pod| pods::is_finished(pod) && pod.metadata.deletion_timestamp.is_none())
        .collect();
    finished.sort_by_key(|pod| {
        Reverse(
            pod.metadata
                .creation_timestamp
                .as_ref()
                .map(|created| created.0),
        )
    });
    let unplaced = all
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_some() && pods::node(pod).is_none());
    finished
        .into_iter()
        .skip(keep)
        .chain(unplaced)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodStatus;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn an_event_lives_an_hour_from_its_last_time() {
        let mut event = Event::default();
        event.metadata.creation_timestamp = Some(Time(at(0)));
        assert!(!has_expired(&event, at(3600)));
        assert!(has_expired(&event, at(3601)));
        event.last_timestamp = Some(Time(at(3000)));
        assert!(!has_expired(&event, at(6600)));
        assert!(has_expired(&event, at(6601)));
    }

    #[test]
    fn the_oldest_finished_pods_go_first_and_others_stay() {
        let pod = |name: &str, phase: &str, created: i64| {
            let mut pod = Pod::default();
            pod.metadata.name = Some(name.to_owned());
            pod.metadata.creation_timestamp = Some(Time(at(created)));
            pod.status = Some(PodStatus {
                phase: Some(phase.to_owned()),
                ..PodStatus::default()
            });
            Arc::new(pod)
        };
        let all = [
            pod("old", "Failed", 1),
            pod("running", "Running", 0),
            pod("new", "Succeeded", 3),
            pod("middle", "Failed", 2),
        ];
        let names: Vec<String> = surplus(&all, 1).iter().map(|pod| pod.name_any()).collect();
        assert_eq!(names, ["middle", "old"]);
    }
}
