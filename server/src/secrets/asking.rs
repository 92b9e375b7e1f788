//! Asks the app itself, inside the cluster: its readiness path, through the API server's pod proxy.
//! It speaks about the values its pods were started with.

use app::model::{Failure, InClusterReport, PodAnswer, PodRow};

use super::SecretsRoom;
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;

/// Of an answer's words, this much is shown.
const MOST_SHOWN: usize = 300;
/// However many replicas there are, these many say enough.
const MOST_PODS: usize = 6;

impl SecretsRoom {
    pub(super) async fn ask_ready_paths(&self) -> Result<InClusterReport, Failure> {
        let connected = self.cluster.connected()?;
        let spec = self.project.spec();
        let pods: Vec<PodRow> = self
            .core
            .hub
            .read(|state| state.pods.values().cloned().collect());
        let mut report = InClusterReport {
            answers: Vec::new(),
            cannot: Vec::new(),
        };
        // Those that read a secret of the project.
        let readers = spec.components.iter().filter(|component| {
            spec.secrets
                .iter()
                .any(|secret| secret.components.contains(&component.name))
        });
        for component in readers {
            let name = &component.name;
            let Some(path) = component.probes.readiness.clone() else {
                report.cannot.push(format!(
                    "{name} has no readiness path in slipway.toml, so there is nothing to ask."
                ));
                continue;
            };
            let running: Vec<&PodRow> = pods
                .iter()
                .filter(|pod| pod.component.as_ref() == Some(name) && !pod.terminating)
                .filter(|pod| pod.phase == "Running")
                .take(MOST_PODS)
                .collect();
            if running.is_empty() {
                report.cannot.push(format!(
                    "{name} has no running pod, so nothing inside the cluster can be asked. Deploy it first."
                ));
            }
            for pod in running {
                let (ready, said) = self.ask(&connected, &pod.name, component.port, &path).await;
                report.answers.push(PodAnswer {
                    component: name.clone(),
                    pod: pod.name.clone(),
                    path: path.clone(),
                    ready,
                    said,
                    stale: pod.stale_secrets,
                });
            }
        }
        Ok(report)
    }

    async fn ask(&self, connected: &Connected, pod: &str, port: u16, path: &str) -> (bool, String) {
        let namespace = self.project.spec().namespace.clone();
        let path = path.trim_start_matches('/');
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}");
        let request = match http::Request::get(uri).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return (false, error.to_string()),
        };
        match within(REQUEST_LIMIT, connected.client.request_text(request)).await {
            Ok(text) => (true, self.shown(&text)),
            Err(error) if error.is_forbidden() => (
                false,
                "The cluster does not let you ask pods through the API server (pods/proxy)"
                    .to_owned(),
            ),
            Err(error) => (false, self.shown(&error.to_string())),
        }
    }

    fn shown(&self, text: &str) -> String {
        let text = self.core.redactor.redact(text.trim());
        let mut shown: String = text.chars().take(MOST_SHOWN).collect();
        if text.chars().count() > MOST_SHOWN {
            shown.push('…');
        }
        shown
    }
}
