//! A shell in a container, through the API server's `exec`.

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    ContainerState, Failure, LogSource, PodRow, TerminalEnd, TerminalId, TerminalPlace,
    TerminalSize,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams, AttachedProcess, TerminalSize as KubeSize};
use kube::client::UpgradeConnectionError;
use tokio::time::timeout;

use super::{Line, Start, TerminalRoom, words};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT};
use crate::cluster::Connected;
use crate::engine::{Hub, Redactor};

/// The only program an image with a shell is sure to have.
const SH: &str = "/bin/sh";
/// The best shell there is. Colors are said to be known: the emulator knows them.
const BEST: &str = "export TERM=xterm-256color; \
     for shell in bash ash sh; do command -v $shell >/dev/null 2>&1 && exec $shell; done; \
     exec /bin/sh";
/// What waits between the API server and us, in bytes.
const BUFFER: usize = 64 * 1024;
/// After the connection broke, the watch says within this time that the pod is gone, if it is.
const WATCH_LAG: Duration = Duration::from_secs(5);

impl TerminalRoom {
    pub(super) async fn open_shell(
        &self,
        source: LogSource,
        size: TerminalSize,
    ) -> Result<TerminalId, Failure> {
        let connected = self.inner.cluster.changeable()?;
        let hub = self.inner.core.hub.clone();
        let pod = running(&hub, &source)?;
        let namespace = self.inner.project.spec().namespace.to_string();
        let what = format!(
            "a shell in container {} of pod {} ({})",
            source.container, pod.name, pod.uid
        );
        let start = Start {
            place: TerminalPlace::Shell {
                source: source.clone(),
            },
            size,
            what,
            gone: (
                connected.gone.clone(),
                "Another cluster was chosen, or this one was connected anew",
            ),
        };
        let shell = Shell {
            connected,
            namespace,
            source,
            uid: pod.uid,
            hub,
            redactor: self.inner.core.redactor.clone(),
        };
        self.begin(start, shell.connect()).await
    }
}

/// The pod, whose container runs.
fn running(hub: &Hub, source: &LogSource) -> Result<PodRow, Failure> {
    let pod = hub.read(|state| {
        let mut pods = state.pods.values();
        pods.find(|pod| pod.name == source.pod && !pod.terminating)
            .cloned()
    });
    let pod = pod.ok_or_else(|| words::no_such_pod(source))?;
    let container = pod
        .containers
        .iter()
        .find(|container| container.name == source.container);
    match container.map(|container| &container.state) {
        Some(ContainerState::Running { .. }) => Ok(pod),
        Some(_) => Err(words::container_does_not_run(source).into()),
        None => Err(words::no_such_container(source, &pod).into()),
    }
}

struct Shell {
    connected: Arc<Connected>,
    namespace: String,
    source: LogSource,
    uid: String,
    hub: Hub,
    redactor: Redactor,
}

impl Shell {
    async fn connect(self) -> Result<Line, Failure> {
        let api: Api<Pod> = Api::namespaced(self.connected.client.clone(), &self.namespace);
        let wanted = AttachParams::interactive_tty()
            .container(&self.source.container)
            .max_stdin_buf_size(BUFFER)
            .max_stdout_buf_size(BUFFER);
        let asked = api.exec(&self.source.pod, [SH, "-c", BEST], &wanted);
        let mut attached = match timeout(REQUEST_LIMIT, asked).await {
            Ok(Ok(attached)) => attached,
            Ok(Err(error)) => return Err(self.refused(error).into()),
            Err(_) => {
                let silent = KubeError::Silent(REQUEST_LIMIT);
                return Err(words::not_opened(&self.source, &silent.to_string()).into());
            }
        };
        let parts = (
            attached.stdin(),
            attached.stdout(),
            attached.terminal_size(),
        );
        let (Some(input), Some(output), Some(mut sizes)) = parts else {
            let why = "the connection has no terminal";
            return Err(words::not_opened(&self.source, why).into());
        };
        Ok(Line {
            output: Box::pin(output),
            input: Box::pin(input),
            resize: Box::new(move |size| {
                let size = KubeSize {
                    width: size.columns,
                    height: size.rows,
                };
                // With many waiting, this one is late anyway.
                let _ = sizes.try_send(size);
            }),
            ended: Box::pin(self.ended(attached)),
        })
    }

    fn refused(&self, error: kube::Error) -> app::model::Finding {
        match &error {
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
                match status.as_u16() {
                    401 | 403 => words::forbidden(&self.source),
                    404 => words::no_such_pod(&self.source),
                    code => {
                        words::not_opened(&self.source, &format!("the API server answered {code}"))
                    }
                }
            }
            _ => words::not_opened(&self.source, &KubeError::from(error).to_string()),
        }
    }

    /// Keeps the connection until then.
    async fn ended(self, mut attached: AttachedProcess) -> TerminalEnd {
        let status = match attached.take_status() {
            Some(status) => status.await,
            None => None,
        };
        let how = match status {
            Some(status) => self.end_of(&status),
            None => TerminalEnd::Failed {
                finding: Box::new(words::connection_lost(&self.source)),
            },
        };
        let may_be_gone = match &how {
            // Killed, or told to end.
            TerminalEnd::Exited { code } => matches!(code, 137 | 143),
            TerminalEnd::Failed { finding } => finding.code == words::LOST,
            TerminalEnd::Closed { .. } => false,
        };
        match may_be_gone && self.is_gone().await {
            true => TerminalEnd::Closed {
                why: format!("Pod {} was deleted, and the shell with it", self.source.pod),
            },
            false => how,
        }
    }

    fn end_of(&self, status: &Status) -> TerminalEnd {
        let message = status.message.as_deref().unwrap_or_default();
        let causes = status
            .details
            .as_ref()
            .and_then(|details| details.causes.as_deref())
            .unwrap_or_default();
        let code = causes
            .iter()
            .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
            .and_then(|cause| cause.message.as_deref()?.parse().ok());
        match (status.status.as_deref(), code) {
            (Some("Success"), _) => TerminalEnd::Exited { code: 0 },
            (_, Some(code)) => TerminalEnd::Exited { code },
            _ => TerminalEnd::Failed {
                finding: Box::new(match is_missing_shell(message) {
                    true => words::no_shell(
                        &self.source,
                        &self.namespace,
                        &self.connected.context,
                        self.connected.practice.is_some(),
                    ),
                    false => words::not_opened(&self.source, &self.redactor.redact(message)),
                }),
            },
        }
    }

    /// Whether the pod ended, as far as the watch knows or gets to know soon.
    async fn is_gone(&self) -> bool {
        let mut changes = self.hub.changed();
        let gone = async {
            loop {
                let is_gone = self.hub.read(|state| {
                    let pod = state.pods.get(&self.uid);
                    pod.is_none_or(|pod| pod.terminating)
                });
                if is_gone || changes.changed().await.is_err() {
                    return is_gone;
                }
            }
        };
        timeout(WATCH_LAG, gone).await.unwrap_or(false)
    }
}

/// As container runtimes say it: `exec: "/bin/sh": stat /bin/sh: no such file or directory`, or
/// `executable file not found in $PATH`.
fn is_missing_shell(message: &str) -> bool {
    message.contains("/bin/sh")
        && (message.contains("no such file") || message.contains("not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_container_runtimes_for_an_image_without_a_shell_are_known() {
        for message in [
            "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"9e\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"/bin/sh\": stat /bin/sh: no such file or directory: unknown",
            "Internal error occurred: error executing command in container: exec failed: unable to start container process: exec: \"/bin/sh\": executable file not found in $PATH",
        ] {
            assert!(is_missing_shell(message), "{message}");
        }
        assert!(!is_missing_shell("container not found (\"app\")"));
    }
}
