//! What a pod in trouble has to say: its last log lines, and the finding made of them.

use app::model::{Finding, LogQuery, PodRow};
use kube::Client;

use super::hopeless::{self, Trouble};
use crate::engine::redact::Redactor;
use crate::live::last_lines;

const LOG_LINES: u32 = 12;

pub(super) struct PodEvidence<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub redactor: &'a Redactor,
}

impl PodEvidence<'_> {
    /// The finding for a workload that cannot get there because of this pod.
    pub async fn hopeless(&self, workload: &str, pod: &PodRow, trouble: &Trouble) -> Finding {
        let log = self
            .log_of(pod, &trouble.container, trouble.look_back)
            .await;
        hopeless::finding(workload, self.namespace, pod, trouble, &log)
    }

    /// The last lines; with `look_back` those of the run before, if it left any.
    pub async fn log_of(&self, pod: &PodRow, container: &str, look_back: bool) -> Vec<String> {
        let query = |previous| LogQuery {
            pod: pod.name.clone(),
            container: container.to_owned(),
            previous,
            tail: LOG_LINES,
        };
        let mut lines = Vec::new();
        if look_back {
            lines = last_lines(self.client, self.namespace, &query(true), self.redactor).await;
        }
        if lines.is_empty() {
            lines = last_lines(self.client, self.namespace, &query(false), self.redactor).await;
        }
        lines
    }
}
