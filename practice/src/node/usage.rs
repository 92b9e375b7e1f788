//! What containers use, measured every few seconds from the processes of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::core::NodeCore;
use crate::api::pod_backend::{ContainerUsage, Usage};

const EVERY: Duration = Duration::from_secs(5);

/// Processor time and memory of one container at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    cpu: Duration,
    memory_bytes: u64,
}

/// The last reading of every container, and what came of it and the one before.
#[derive(Debug, Default)]
pub struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    read: Option<(Instant, HashMap<i32, Reading>)>,
    measured: Option<Measured>,
}

#[derive(Clone, Debug)]
struct Measured {
    at: Timestamp,
    window: Duration,
    /// By the container's first process: billionths of a processor, and bytes.
    used: HashMap<i32, (u64, u64)>,
}

impl Meter {
    fn take(&self, readings: HashMap<i32, Reading>, now: Instant, at: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, earlier)) = state.read.take() {
            let window = now - before;
            state.measured = Some(Measured {
                at,
                window,
                used: used(&earlier, &readings, window),
            });
        }
        state.read = Some((now, readings));
    }

    fn measured(&self) -> Option<Measured> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.measured.clone()
    }
}

/// Of the containers that were there both times.
fn used(
    before: &HashMap<i32, Reading>,
    now: &HashMap<i32, Reading>,
    window: Duration,
) -> HashMap<i32, (u64, u64)> {
    let seconds = window.as_secs_f64().max(0.001);
    now.iter()
        .filter_map(|(leader, reading)| {
            // A container that was replaced by another under the same number has used less.
            let spent = reading.cpu.checked_sub(before.get(leader)?.cpu)?;
            let nanocores = spent.as_secs_f64() / seconds * 1e9;
            Some((*leader, (nanocores as u64, reading.memory_bytes)))
        })
        .collect()
}

/// Measures until the future is dropped.
pub async fn measure(core: Arc<NodeCore>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let leaders = core.leaders().into_iter().map(|(_, _, pid)| pid).collect();
        let Ok(readings) = tokio::task::spawn_blocking(move || read(leaders)).await else {
            continue;
        };
        core.meter.take(readings, Instant::now(), Timestamp::now());
    }
}

#[cfg(target_os = "linux")]
fn read(leaders: Vec<i32>) -> HashMap<i32, Reading> {
    use super::linux::procfs;
    if leaders.is_empty() {
        return HashMap::new();
    }
    let (page, tick) = (procfs::page_size(), procfs::tick());
    procfs::families(&leaders)
        .into_iter()
        .map(|(leader, members)| {
            let ticks: u64 = members.iter().map(|stat| stat.cpu_ticks).sum();
            let reading = Reading {
                cpu: tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)),
                memory_bytes: members.iter().map(|stat| stat.resident_pages * page).sum(),
            };
            (leader, reading)
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn read(_leaders: Vec<i32>) -> HashMap<i32, Reading> {
    HashMap::new()
}

impl NodeCore {
    /// The running containers: the pod's UID, the container's name and its first process.
    fn leaders(&self) -> Vec<(String, String, i32)> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        let mut leaders = Vec::new();
        for (uid, handle) in pods.iter() {
            let runs = &handle.shared.runs;
            let runs = runs.read().unwrap_or_else(PoisonError::into_inner);
            for (name, run) in runs.iter().filter(|(_, run)| run.context.is_some()) {
                leaders.push((uid.clone(), name.clone(), run.pid));
            }
        }
        leaders
    }

    /// What the containers used in the last window; none before there was one.
    pub fn usage(&self) -> Option<Usage> {
        let measured = self.meter.measured()?;
        let mut pods: HashMap<String, Vec<ContainerUsage>> = HashMap::new();
        for (uid, container, pid) in self.leaders() {
            let Some((cpu_nanocores, memory_bytes)) = measured.used.get(&pid).copied() else {
                continue;
            };
            pods.entry(uid).or_default().push(ContainerUsage {
                container,
                cpu_nanocores,
                memory_bytes,
            });
        }
        for containers in pods.values_mut() {
            containers.sort_by(|a, b| a.container.cmp(&b.container));
        }
        Some(Usage {
            at: measured.at,
            window: measured.window,
            pods,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(millis: u64) -> Reading {
        Reading {
            cpu: Duration::from_millis(millis),
            memory_bytes: 4096,
        }
    }

    #[test]
    fn a_container_has_used_what_was_spent_between_two_readings() {
        let before = HashMap::from([(1, reading(100)), (2, reading(900)), (3, reading(1))]);
        let now = HashMap::from([(1, reading(350)), (2, reading(10)), (4, reading(1))]);
        let used = used(&before, &now, Duration::from_millis(500));
        // Half a processor; the second is another container now, the fourth has no past.
        assert_eq!(used, HashMap::from([(1, (500_000_000, 4096))]));
    }

    #[test]
    fn nothing_is_measured_before_the_second_reading() {
        let meter = Meter::default();
        let (start, at) = (Instant::now(), Timestamp::UNIX_EPOCH);
        meter.take(HashMap::from([(1, reading(0))]), start, at);
        assert!(meter.measured().is_none());
        let later = start + Duration::from_secs(5);
        meter.take(HashMap::from([(1, reading(5))]), later, at);
        let measured = meter.measured().expect("is measured");
        assert_eq!(measured.window, Duration::from_secs(5));
        assert_eq!(measured.used[&1].0, 1_000_000);
    }
}
