//! The heartbeat: whether the API server answers, apart from every watch.
//! A frozen server says nothing for minutes on a watch; here it is noticed within seconds, its cause
//! is looked for, and the client is made anew until the cluster is back, at another address if need be.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use app::model::{ClusterChoice, Failure, Finding, Freshness, PanelEvent, UnixMillis};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::connected::made_from;
use super::why::Symptom;
use super::{ClusterRoom, Connected, words};
use crate::adapters::kube::client::{self, Beat};
use crate::engine::clock;

const EVERY: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(1);
/// After so many misses in a row the client is made anew: address, certificate or token may have
/// changed. Not sooner: everything is listed anew then, which a busy machine does not need.
const REBUILD_AFTER: u32 = 3;
/// How often it is tried while the cluster is lost. A login program is not started that often: it may
/// talk to somebody's server each time.
const REBUILD_EVERY: Duration = Duration::from_secs(4);
const LOG_IN_EVERY: Duration = Duration::from_secs(60);
/// The cause may change while the cluster is lost: somebody is repairing it.
const ASK_WHY_EVERY: Duration = Duration::from_secs(8);
/// The wall clock ran this much further than the beat's own: the machine slept.
const SLEPT: Duration = Duration::from_secs(5);
/// A certificate of a login program is renewed this long before its end.
const RENEW_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// How it stands, beat by beat. Pure, so that the rules can be tested without a clock.
#[derive(Debug, Default)]
struct Pulse {
    /// Beats without an answer, in a row.
    misses: u32,
    /// Beats that were not let in, in a row.
    refusals: u32,
    /// The client was without an answer for so long that its connections cannot be trusted, even when
    /// it gets answers again: a watch on a dead one would stay blind for minutes.
    worn_out: bool,
    freshness: Freshness,
}

impl Pulse {
    fn felt(&mut self, beat: &Beat, now: UnixMillis) {
        match beat {
            Beat::Alive => {
                self.misses = 0;
                self.refusals = 0;
                self.freshness = Freshness::heard_at(now);
            }
            // It lives, and nothing that is shown gets any newer.
            Beat::Unauthorized => {
                self.misses = 0;
                self.refusals += 1;
                self.freshness = self.freshness.lost_at(now);
            }
            // A single slow answer is no loss on a busy machine.
            Beat::Silent(_) => self.missed(now, 2),
            // A refused connection, or a server that says it is not ready, is one at once.
            Beat::Broken(_) | Beat::NotReady(_) => self.missed(now, 1),
        }
    }

    fn missed(&mut self, now: UnixMillis, lost_from: u32) {
        self.misses += 1;
        self.worn_out |= self.misses >= REBUILD_AFTER;
        if self.misses >= lost_from {
            self.freshness = self.freshness.lost_at(now);
        }
    }

    /// The machine was asleep: nothing that is shown can be believed before the next answer.
    fn woke(&mut self, now: UnixMillis) {
        self.worn_out = true;
        self.freshness = self.freshness.lost_at(now);
    }

    fn is_lost(&self) -> bool {
        self.freshness.lost.is_some()
    }

    fn wants_rebuild(&self) -> bool {
        self.worn_out || self.refusals > 0
    }
}

/// Tells a sleep of the machine by two clocks, of which one stops then.
#[derive(Debug)]
struct SleepWatch {
    wall: SystemTime,
    running: Instant,
}

impl SleepWatch {
    fn new() -> Self {
        Self {
            wall: SystemTime::now(),
            running: Instant::now(),
        }
    }

    fn slept(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        let wall = self.wall.duration_since(before.wall).unwrap_or_default();
        is_sleep(wall, self.running - before.running)
    }
}

fn is_sleep(wall: Duration, running: Duration) -> bool {
    wall.saturating_sub(running) > SLEPT
}

type Asking = Pin<Box<dyn Future<Output = Finding> + Send>>;

/// One cluster's heartbeat.
struct Heart {
    room: ClusterRoom,
    connected: Arc<Connected>,
    pulse: Pulse,
    /// When the client may be made anew next.
    rebuild_at: Instant,
    /// Finding out why it is lost, and when to ask that again.
    asking: Option<Asking>,
    ask_at: Instant,
    problem: Option<Finding>,
}

impl ClusterRoom {
    /// Beats until the cluster is gone.
    pub(super) async fn heartbeat(&self, connected: Arc<Connected>) {
        let gone = connected.gone.clone();
        let mut pulse = Pulse::default();
        pulse.felt(&Beat::Alive, clock::now());
        let heart = Heart {
            room: self.clone(),
            connected,
            pulse,
            rebuild_at: Instant::now(),
            asking: None,
            ask_at: Instant::now(),
            problem: None,
        };
        tokio::select! {
            () = gone.cancelled() => {}
            () = heart.beat() => {}
        }
    }

    async fn establish_again(&self, choice: &ClusterChoice) -> Result<super::Established, Failure> {
        // A practice cluster that ended is started by a person, not by a heartbeat: its pods would
        // come back without anyone wanting them.
        if *choice == ClusterChoice::Practice && !self.inner.practice.is_running().await {
            return Err(words::no_cluster().into());
        }
        self.establish(choice).await
    }
}

impl Heart {
    async fn beat(mut self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut contexts = self.room.inner.contexts.watch();
        let mut sleep = SleepWatch::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if sleep.slept() {
                        tracing::info!("the machine slept; everything is asked anew");
                        self.pulse.woke(clock::now());
                        self.tell();
                        self.rebuild_at = Instant::now();
                    } else {
                        let beat = client::beat(&self.connected.client, DEADLINE).await;
                        self.felt(&beat);
                    }
                    if self.is_time_to_rebuild() && !self.rebuild().await {
                        return;
                    }
                }
                Ok(()) = contexts.changed() => {
                    let ClusterChoice::Context(name) = &self.connected.choice else { continue };
                    let now = made_from(&self.room.inner.contexts.loaded(), name.as_str());
                    // Repaired, moved or logged in again: nobody should have to wait for a beat.
                    if now != self.connected.made_from && !self.rebuild().await {
                        return;
                    }
                }
                finding = asked(&mut self.asking) => {
                    self.asking = None;
                    if self.pulse.is_lost() {
                        self.problem = Some(finding);
                        self.tell();
                    }
                }
            }
        }
    }

    fn felt(&mut self, beat: &Beat) {
        let was_lost = self.pulse.is_lost();
        self.pulse.felt(beat, clock::now());
        if !self.pulse.is_lost() {
            self.asking = None;
            self.problem = None;
            if was_lost {
                self.tell();
            } else {
                let voice = &self.connected.voice;
                voice.publish(PanelEvent::ClusterFreshness(self.pulse.freshness));
            }
            return;
        }
        let symptom = Symptom::of(beat);
        if !was_lost {
            // Said at once; the cause follows.
            self.problem = Some(words::lost(&self.connected, &symptom));
            self.ask_at = Instant::now();
        }
        if self.asking.is_none() && Instant::now() >= self.ask_at {
            self.ask_at = Instant::now() + ASK_WHY_EVERY;
            let (room, connected) = (self.room.clone(), Arc::clone(&self.connected));
            self.asking = Some(Box::pin(async move { room.why(&connected, symptom).await }));
        }
        self.tell();
    }

    fn tell(&self) {
        let (freshness, problem) = (self.pulse.freshness, self.problem.clone());
        self.connected.voice.change_cluster(|view| {
            view.freshness = freshness;
            view.problem = problem;
        });
    }

    fn is_time_to_rebuild(&self) -> bool {
        let ends_soon = self
            .connected
            .ends
            .is_some_and(|ends| Timestamp::now() + RENEW_BEFORE >= ends);
        (self.pulse.wants_rebuild() || ends_soon) && Instant::now() >= self.rebuild_at
    }

    /// Connects anew by the kubeconfig as it is now. False when that is another cluster: then this
    /// heartbeat ends, and the new one has its own.
    async fn rebuild(&mut self) -> bool {
        let logs_in = self
            .room
            .inner
            .contexts
            .row(&self.connected.context)
            .is_some_and(|row| row.login_program.is_some());
        let wait = if logs_in { LOG_IN_EVERY } else { REBUILD_EVERY };
        let again = self.room.establish_again(&self.connected.choice).await;
        self.rebuild_at = Instant::now() + wait;
        let established = match again {
            Ok(established) => established,
            Err(failure) => {
                // What the file or the login says is nearer to the cause than a silent server.
                if let Failure::Finding(finding) = failure
                    && self.pulse.is_lost()
                    && words::is_about_credentials(&finding)
                {
                    self.asking = None;
                    self.problem = Some(*finding);
                    self.tell();
                }
                return true;
            }
        };
        let room = self.room.clone();
        let _one = room.inner.choosing.lock().await;
        if self.connected.gone.is_cancelled() {
            return false;
        }
        if established.connected.id != self.connected.id {
            tracing::info!(cluster = %self.connected.choice.label(), "the cluster was made anew");
            room.activate(established);
            return false;
        }
        self.connected = room.take_up_again(&self.connected, established);
        self.pulse = Pulse::default();
        self.pulse.felt(&Beat::Alive, clock::now());
        self.asking = None;
        self.problem = None;
        true
    }
}

async fn asked(asking: &mut Option<Asking>) -> Finding {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Beat = Beat::Silent(DEADLINE);

    fn not_ready() -> Beat {
        Beat::NotReady(String::new())
    }

    #[test]
    fn one_slow_answer_is_no_loss_two_are_and_a_refusal_is_at_once() {
        let mut pulse = Pulse::default();
        pulse.felt(&Beat::Alive, UnixMillis(0));
        pulse.felt(&SLOW, UnixMillis(2_000));
        assert!(!pulse.is_lost());
        pulse.felt(&SLOW, UnixMillis(4_000));
        assert!(pulse.is_lost());
        assert_eq!(pulse.freshness.heard, Some(UnixMillis(0)));
        pulse.felt(&Beat::Alive, UnixMillis(6_000));
        assert!(!pulse.is_lost());
        pulse.felt(&not_ready(), UnixMillis(8_000));
        assert!(pulse.is_lost() && !pulse.wants_rebuild());
        pulse.felt(&not_ready(), UnixMillis(10_000));
        pulse.felt(&SLOW, UnixMillis(12_000));
        assert!(pulse.wants_rebuild());
        assert_eq!(pulse.freshness.lost, Some(UnixMillis(8_000)));
        // An answer does not mend the connections of the watches.
        pulse.felt(&Beat::Alive, UnixMillis(14_000));
        assert!(!pulse.is_lost() && pulse.wants_rebuild());
    }

    #[test]
    fn who_is_not_let_in_sees_nothing_new_and_logs_in_again() {
        let mut pulse = Pulse::default();
        pulse.felt(&Beat::Alive, UnixMillis(0));
        pulse.felt(&Beat::Unauthorized, UnixMillis(2_000));
        assert!(pulse.is_lost() && pulse.wants_rebuild());
        pulse.felt(&Beat::Alive, UnixMillis(4_000));
        assert!(!pulse.is_lost() && !pulse.wants_rebuild());
    }

    #[test]
    fn a_sleep_is_a_wall_clock_that_ran_ahead() {
        let (second, hour) = (Duration::from_secs(2), Duration::from_secs(3_600));
        assert!(is_sleep(hour, second));
        assert!(!is_sleep(second, second));
        // A machine that is busy, or a clock that was set back.
        assert!(!is_sleep(hour, hour) && !is_sleep(second, hour));
        let mut pulse = Pulse::default();
        pulse.felt(&Beat::Alive, UnixMillis(0));
        pulse.woke(UnixMillis(3_600_000));
        assert!(pulse.is_lost() && pulse.wants_rebuild());
    }
}
