//! Which requests are to be made: those the kubelet makes just now, each once, for whichever probes
//! of a container share it.

use std::time::Duration;

use app::model::{ContainerState, ProbeKind};

use crate::live::pod_facts::{ContainerFacts, PodFacts, ProbeAct};

/// Beyond this many requests the newest pods' are left to the kubelet alone.
const MOST: usize = 120;

/// One request, as the probes that share it describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The pod's UID.
    pub pod: String,
    pub name: String,
    pub container: String,
    /// How many times the container was restarted: another life counts anew.
    pub life: u32,
    pub act: ProbeAct,
    pub kinds: Vec<ProbeKind>,
    pub period: Duration,
    pub timeout: Duration,
}

impl std::hash::Hash for Target {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.pod, &self.container, self.life, &self.kinds).hash(state);
    }
}

/// The requests of running containers, in the order of the pods.
pub fn targets<'a>(pods: impl Iterator<Item = &'a PodFacts>) -> Vec<Target> {
    let mut found = Vec::new();
    for pod in pods.filter(|pod| !pod.deleted) {
        for container in &pod.containers {
            add(pod, container, &mut found);
            if found.len() >= MOST {
                found.truncate(MOST);
                return found;
            }
        }
    }
    found
}

fn add(pod: &PodFacts, container: &ContainerFacts, found: &mut Vec<Target>) {
    if !matches!(container.state, ContainerState::Running { .. }) {
        return;
    }
    let first = found.len();
    let has_startup = container.probes.contains_key(&ProbeKind::Startup);
    for (kind, probe) in &container.probes {
        // The kubelet asks the startup probe until it passed once, and the others only then.
        let is_asked = match kind {
            ProbeKind::Startup => !container.started,
            ProbeKind::Liveness | ProbeKind::Readiness => container.started || !has_startup,
        };
        if !is_asked {
            continue;
        }
        let period = Duration::from_secs(u64::from(probe.period_s));
        let timeout = Duration::from_secs(u64::from(probe.timeout_s));
        let same = found[first..].iter_mut().find(|target| {
            target.act == probe.act && target.period == period && target.timeout == timeout
        });
        match same {
            Some(target) => target.kinds.push(*kind),
            None => found.push(Target {
                pod: pod.uid.clone(),
                name: pod.name.clone(),
                container: container.name.clone(),
                life: container.restarts,
                act: probe.act.clone(),
                kinds: vec![*kind],
                period,
                timeout,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    fn pod(started: bool, running: bool) -> PodFacts {
        let state = if running {
            json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}})
        } else {
            json!({"waiting": {"reason": "CrashLoopBackOff"}})
        };
        let health = json!({"httpGet": {"path": "health", "port": "http",
            "httpHeaders": [{"name": "X-Key", "value": "hush-hush"}]}, "periodSeconds": 5});
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "uid": "u"},
            "spec": {"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8000}],
                "startupProbe": health, "livenessProbe": health, "readinessProbe": health}]},
            "status": {"containerStatuses": [{"name": "app", "started": started, "ready": false,
                "restartCount": 0, "image": "i", "imageID": "", "state": state}]},
        }))
        .expect("a Pod");
        PodFacts::of(&pod)
    }

    #[test]
    fn probes_that_ask_the_same_share_one_request() {
        let found = targets([pod(true, true)].iter());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kinds, [ProbeKind::Liveness, ProbeKind::Readiness]);
        assert!(
            matches!(&found[0].act, ProbeAct::Http { port: 8000, path, .. } if path == "/health")
        );
        assert!(!format!("{found:?}").contains("hush"));
    }

    #[test]
    fn only_what_the_kubelet_asks_now_is_asked() {
        assert_eq!(
            targets([pod(false, true)].iter())[0].kinds,
            [ProbeKind::Startup]
        );
        assert!(targets([pod(true, false)].iter()).is_empty());
    }
}
