//! The last minutes of every container, by the pods there are.

use std::collections::{BTreeMap, HashMap};

use app::model::{ContainerUsage, Metrics, UnixMillis};

use super::{Measured, Sample};
use crate::live::pod_facts::PodFacts;

/// More pods than a page draws are not told to it.
const MOST_PODS: usize = 60;

#[derive(Debug, Default)]
pub struct History {
    shown: Metrics,
    /// The timestamp of the newest measurement of a container, by the pod's UID and its name.
    newest: HashMap<(String, String), String>,
    is_news: bool,
}

impl History {
    /// Takes in one answer; samples of pods that are not known are nobody's.
    pub fn take<'a>(
        &mut self,
        measured: Measured,
        pods: impl Iterator<Item = &'a PodFacts>,
        at: UnixMillis,
    ) {
        let now = match measured {
            Measured::Silent => return,
            Measured::Absent(why) => Metrics::Absent(why),
            Measured::Samples(samples) => self.with(samples, pods, at),
        };
        if now != self.shown {
            self.shown = now;
            self.is_news = true;
        }
    }

    /// What changed since the last call.
    pub fn drain(&mut self) -> Option<Metrics> {
        std::mem::take(&mut self.is_news).then(|| self.shown.clone())
    }

    fn with<'a>(
        &mut self,
        samples: Vec<Sample>,
        pods: impl Iterator<Item = &'a PodFacts>,
        at: UnixMillis,
    ) -> Metrics {
        let none = BTreeMap::new();
        let before = match &self.shown {
            Metrics::Measured(before) => before,
            Metrics::Unknown | Metrics::Absent(_) => &none,
        };
        let by_name: HashMap<&str, &PodFacts> = pods.map(|pod| (pod.name.as_str(), pod)).collect();
        let mut now: BTreeMap<String, Vec<ContainerUsage>> = BTreeMap::new();
        let mut newest = HashMap::new();
        for sample in samples {
            let Some(pod) = by_name.get(sample.pod.as_str()) else {
                continue;
            };
            if now.len() >= MOST_PODS && !now.contains_key(&pod.uid) {
                continue;
            }
            let of_pod = before.get(&pod.uid);
            let known = of_pod
                .into_iter()
                .flatten()
                .find(|usage| usage.container == sample.container);
            let mut usage = known.cloned().unwrap_or_default();
            let whose = (pod.uid.clone(), sample.container.clone());
            // The same measurement again is no news: metrics-server measures slower, or not any more.
            // The timestamp is the oldest of the pod's containers, so the values are compared, too.
            let is_known = sample.timestamp.is_some()
                && self.newest.get(&whose) == sample.timestamp.as_ref()
                && usage.cpu_millis.last() == Some(&sample.cpu_millis)
                && usage.memory_kib.last() == Some(&sample.memory_kib);
            if !is_known {
                usage.measured = at;
            }
            push(&mut usage.cpu_millis, sample.cpu_millis);
            push(&mut usage.memory_kib, sample.memory_kib);
            newest.extend(sample.timestamp.map(|timestamp| (whose, timestamp)));
            let facts = pod
                .containers
                .iter()
                .find(|own| own.name == sample.container);
            if let Some(facts) = facts {
                (usage.cpu, usage.memory) = (facts.cpu, facts.memory);
            }
            usage.container = sample.container;
            now.entry(pod.uid.clone()).or_default().push(usage);
        }
        self.newest = newest;
        Metrics::Measured(now)
    }
}

fn push(values: &mut Vec<u32>, value: u32) {
    values.push(value);
    let surplus = values.len().saturating_sub(ContainerUsage::KEPT);
    values.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use app::model::NoMetrics;

    use super::*;

    fn sample(pod: &str, cpu_millis: u32) -> Sample {
        Sample {
            pod: pod.into(),
            container: "app".into(),
            timestamp: None,
            cpu_millis,
            memory_kib: 10,
        }
    }

    fn pod(uid: &str, name: &str) -> PodFacts {
        PodFacts {
            uid: uid.into(),
            name: name.into(),
            ..PodFacts::default()
        }
    }

    #[test]
    fn ten_minutes_are_kept_and_a_pod_of_the_same_name_begins_anew() {
        let mut history = History::default();
        let first = [pod("1", "web-0")];
        for at in 0..50 {
            let samples = vec![sample("web-0", at), sample("nobody", 1)];
            history.take(
                Measured::Samples(samples),
                first.iter(),
                UnixMillis(at.into()),
            );
        }
        let Some(Metrics::Measured(all)) = history.drain() else {
            panic!("measured");
        };
        assert_eq!(all.len(), 1);
        let usage = &all["1"][0];
        assert_eq!(usage.cpu_millis.len(), ContainerUsage::KEPT);
        assert_eq!(usage.cpu_millis.last(), Some(&49));
        history.take(Measured::Silent, first.iter(), UnixMillis(60));
        assert_eq!(history.drain(), None, "silence changes nothing");
        let second = [pod("2", "web-0")];
        history.take(
            Measured::Samples(vec![sample("web-0", 7)]),
            second.iter(),
            UnixMillis(70),
        );
        let Some(Metrics::Measured(all)) = history.drain() else {
            panic!("measured");
        };
        assert_eq!(all["2"][0].cpu_millis, [7]);
        let gone = NoMetrics {
            why: "gone".into(),
            enable: None,
        };
        history.take(
            Measured::Absent(gone.clone()),
            second.iter(),
            UnixMillis(80),
        );
        assert_eq!(history.drain(), Some(Metrics::Absent(gone)));
    }

    #[test]
    fn a_measurement_that_is_told_again_grows_old() {
        let mut history = History::default();
        let pods = [pod("1", "web-0")];
        let mut tell = |timestamp: &str, cpu_millis, at| {
            let told = Sample {
                timestamp: Some(timestamp.into()),
                ..sample("web-0", cpu_millis)
            };
            history.take(Measured::Samples(vec![told]), pods.iter(), UnixMillis(at));
            history.drain().map(|metrics| match metrics {
                Metrics::Measured(all) => (all["1"][0].measured.0, all["1"][0].cpu_millis.len()),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(tell("12:00:00", 5, 15), Some((15, 1)));
        assert_eq!(tell("12:00:00", 5, 30), Some((15, 2)));
        assert_eq!(tell("12:00:30", 5, 45), Some((45, 3)));
        // The container beside it is the one that is late.
        assert_eq!(tell("12:00:30", 6, 60), Some((60, 4)));
    }
}
