//! Slipway's second opinion: it makes the probes' requests itself, as often as the kubelet does, and
//! publishes what came back. The kubelet's verdict stays the truth; this shows where it stands.

mod counting;
mod grpc;
mod request;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use app::model::{OwnAnswer, PanelEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::counting::Counts;
pub use self::request::Asked;
pub use self::targets::{Target, targets};
use crate::cluster::Connected;
use crate::engine::{Redactor, clock};

const STEP: Duration = Duration::from_millis(250);
/// More at once would be a load of their own.
const MOST_AT_ONCE: usize = 16;
/// With more to ask than this each second, every period is stretched.
const MOST_PER_SECOND: f64 = 20.0;

/// Asks until the future is dropped.
pub(super) async fn ask(
    connected: &Connected,
    namespace: &str,
    mut targets: watch::Receiver<Arc<Vec<Target>>>,
    redactor: &Redactor,
) {
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due: HashMap<Target, Instant> = HashMap::new();
    let mut counts = Counts::default();
    let mut asking = JoinSet::new();
    let mut answered: Vec<(Target, OwnAnswer)> = Vec::new();
    loop {
        tokio::select! {
            Some(Ok(one)) = asking.join_next(), if !asking.is_empty() => {
                answered.push(one);
                continue;
            }
            _ = steps.tick() => {}
        }
        let wanted = targets.borrow_and_update().clone();
        publish(
            connected,
            &mut counts,
            std::mem::take(&mut answered),
            redactor,
        );
        due.retain(|target, _| wanted.contains(target));
        counts.keep(&wanted);
        let stretch = stretch(&wanted);
        let now = Instant::now();
        for target in wanted.iter() {
            if asking.len() >= MOST_AT_ONCE {
                break;
            }
            let next = due.entry(target.clone()).or_insert(now);
            if *next > now {
                continue;
            }
            *next = now + target.period.mul_f64(stretch);
            let (client, namespace, target) = (
                connected.client.clone(),
                namespace.to_owned(),
                target.clone(),
            );
            asking.spawn(async move {
                let answer = request::make(&client, &namespace, &target).await;
                (target, answer)
            });
        }
    }
}

fn publish(
    connected: &Connected,
    counts: &mut Counts,
    answered: Vec<(Target, OwnAnswer)>,
    redactor: &Redactor,
) {
    if answered.is_empty() {
        return;
    }
    let now = clock::now();
    let news = answered
        .into_iter()
        .flat_map(|(target, mut answer)| {
            if let OwnAnswer::Failed { why, .. } | OwnAnswer::NotAsked { why } = &mut answer {
                *why = redactor.redact(why).into_owned();
            }
            counts.count(&target, answer, now)
        })
        .collect();
    connected.voice.publish(PanelEvent::OwnProbes(news));
}

/// How much longer the periods have to be so that all of them together are not too many.
fn stretch(targets: &[Target]) -> f64 {
    let per_second: f64 = targets
        .iter()
        .map(|target| 1.0 / target.period.as_secs_f64().max(1.0))
        .sum();
    (per_second / MOST_PER_SECOND).max(1.0)
}
