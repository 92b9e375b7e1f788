//! The heartbeat: whether the API server answers, apart from every watch.
//! A frozen server says nothing for minutes on a watch; here it is noticed within seconds.

use std::sync::Arc;
use std::time::Duration;

use app::model::{Finding, Freshness, PanelEvent};
use tokio::time::{MissedTickBehavior, interval};

use super::{ClusterRoom, Connected, words};
use crate::adapters::kube::client::{self, KubeError};
use crate::engine::clock;

const EVERY: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(1);
/// After so many misses in a row the client is made anew: address, certificate or token may have changed.
const REBUILD_AFTER: u32 = 3;

/// What one beat means for the view. Pure, so that the rules can be tested without a clock.
#[derive(Debug, Default)]
struct Pulse {
    misses: u32,
    freshness: Freshness,
}

impl Pulse {
    fn answered(&mut self, now: app::model::UnixMillis) {
        self.misses = 0;
        self.freshness = Freshness::heard_at(now);
    }

    /// A single slow answer is no loss on a busy machine; a refused connection is one at once.
    fn missed(&mut self, now: app::model::UnixMillis, refused: bool) {
        self.misses += 1;
        if refused || self.misses > 1 {
            self.freshness = self.freshness.lost_at(now);
        }
    }

    fn is_lost(&self) -> bool {
        self.freshness.lost.is_some()
    }

    fn wants_rebuild(&self) -> bool {
        self.misses >= REBUILD_AFTER
    }
}

impl ClusterRoom {
    /// Beats until the cluster is gone.
    pub(super) async fn heartbeat(&self, first: Arc<Connected>) {
        let gone = first.gone.clone();
        let beat = async {
            let mut connected = first;
            let mut pulse = Pulse::default();
            pulse.answered(clock::now());
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match client::ready(&connected.client, DEADLINE).await {
                    Ok(()) => {
                        let was_lost = pulse.is_lost();
                        pulse.answered(clock::now());
                        tell(&connected, &pulse, was_lost.then_some(None));
                    }
                    Err(error) => {
                        pulse.missed(clock::now(), is_refusal(&error));
                        let problem = pulse.is_lost().then(|| {
                            words::unreachable(
                                &connected.choice,
                                &connected.server,
                                &error.to_string(),
                            )
                        });
                        tell(&connected, &pulse, Some(problem));
                        if pulse.wants_rebuild() && !self.rebuild(&mut connected).await {
                            return;
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = gone.cancelled() => {}
            () = beat => {}
        }
    }

    /// Connects anew by the kubeconfig as it is now. False when that is another cluster: then this
    /// heartbeat ends, and the new one has its own.
    async fn rebuild(&self, connected: &mut Arc<Connected>) -> bool {
        let Ok(established) = self.establish_again(connected).await else {
            return true;
        };
        let _one = self.inner.choosing.lock().await;
        if connected.gone.is_cancelled() {
            return false;
        }
        if established.connected.id != connected.id {
            tracing::info!(cluster = %connected.choice.label(), "the cluster was made anew");
            self.activate(established);
            return false;
        }
        *connected = self.take_up_again(connected, established);
        true
    }

    async fn establish_again(
        &self,
        connected: &Connected,
    ) -> Result<super::Established, app::model::Failure> {
        // A practice cluster that ended is started by a person, not by a heartbeat: its pods would
        // come back without anyone wanting them.
        if connected.choice == app::model::ClusterChoice::Practice
            && !self.inner.practice.is_running().await
        {
            return Err(words::no_cluster().into());
        }
        self.establish(&connected.choice).await
    }
}

/// The beat's news; `problem` where that changes too.
fn tell(connected: &Connected, pulse: &Pulse, problem: Option<Option<Finding>>) {
    match problem {
        None => connected
            .voice
            .publish(PanelEvent::ClusterFreshness(pulse.freshness)),
        Some(problem) => connected.voice.change_cluster(|view| {
            view.freshness = pulse.freshness;
            view.problem = problem;
        }),
    }
}

/// Nobody listens there at all, as opposed to a slow answer.
fn is_refusal(error: &KubeError) -> bool {
    !matches!(error, KubeError::Silent(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::UnixMillis;

    #[test]
    fn one_slow_answer_is_no_loss_two_are_and_a_refusal_is_at_once() {
        let mut pulse = Pulse::default();
        pulse.answered(UnixMillis(0));
        pulse.missed(UnixMillis(2_000), false);
        assert!(!pulse.is_lost());
        pulse.missed(UnixMillis(4_000), false);
        assert!(pulse.is_lost());
        assert_eq!(pulse.freshness.heard, Some(UnixMillis(0)));
        pulse.answered(UnixMillis(6_000));
        assert!(!pulse.is_lost());
        pulse.missed(UnixMillis(8_000), true);
        assert!(pulse.is_lost() && !pulse.wants_rebuild());
        pulse.missed(UnixMillis(10_000), true);
        pulse.missed(UnixMillis(12_000), true);
        assert!(pulse.wants_rebuild());
        assert_eq!(pulse.freshness.lost, Some(UnixMillis(8_000)));
    }
}
