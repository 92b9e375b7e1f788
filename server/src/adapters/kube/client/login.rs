//! Credentials from a program, as the kubeconfig's `exec` says: the client.authentication.k8s.io
//! protocol, with a deadline, without a terminal, and with what it printed as evidence.

use std::time::Duration;

use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::engine::Redactor;
use crate::process::{self, Captured, CommandSpec, Ending, SpawnError, strip_escapes};

/// A program may have to talk to somebody's login server; it may not wait for a person for ever.
const DEADLINE: Duration = Duration::from_secs(30);
/// How much of what it printed is shown.
const SHOWN_LINES: usize = 20;

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("the program `{program}` that logs in was not found")]
    Missing {
        program: String,
        /// What the kubeconfig says about getting it.
        hint: Option<String>,
    },
    #[error("the program `{program}` that logs in {how}")]
    Failed {
        program: String,
        /// Reads after the program: `ended with exit code 1`.
        how: String,
        /// The end of what it printed on standard error, redacted.
        stderr: String,
    },
    #[error("the program `{program}` that logs in wants to ask at a terminal")]
    WantsTerminal { program: String },
    #[error("the token file {path} cannot be used: {why}")]
    TokenFile { path: String, why: String },
}

/// What a program gave. It is never shown.
#[derive(Default)]
pub(super) struct Given {
    pub token: Option<Zeroizing<String>>,
    /// Certificate and key, PEM.
    pub certificate: Option<(String, Zeroizing<String>)>,
    pub ends: Option<Timestamp>,
}

/// How to log in.
#[derive(Clone)]
pub(super) struct Login {
    exec: ExecConfig,
    redactor: Redactor,
}

impl std::fmt::Debug for Login {
    /// Without arguments and environment: some hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Login").field(&self.program()).finish()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    kind: Option<String>,
    api_version: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

impl Login {
    pub fn new(exec: ExecConfig, redactor: Redactor) -> Self {
        Self { exec, redactor }
    }

    fn program(&self) -> &str {
        self.exec.command.as_deref().unwrap_or_default()
    }

    /// Runs the program once.
    pub async fn ask(&self) -> Result<Given, LoginError> {
        let version = self.exec.api_version.as_deref().unwrap_or_default();
        let known = ["v1", "v1beta1"]
            .iter()
            .any(|known| version.strip_prefix("client.authentication.k8s.io/") == Some(*known));
        if !known {
            return Err(self.nonsense(&format!(
                "is configured for the protocol `{version}`, which Kubernetes does not have any more"
            )));
        }
        if self.exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            return Err(LoginError::WantsTerminal {
                program: self.program().to_owned(),
            });
        }
        match process::capture(&self.spec(version), &CancellationToken::new()).await {
            Err(SpawnError::NotFound { .. }) => Err(LoginError::Missing {
                program: self.program().to_owned(),
                hint: self
                    .exec
                    .install_hint
                    .as_deref()
                    .map(|hint| strip_escapes(hint.trim()).to_string())
                    .filter(|hint| !hint.is_empty()),
            }),
            Err(SpawnError::Io { source, .. }) => {
                Err(self.nonsense(&format!("could not be started: {source}")))
            }
            Ok(captured) => self.read(captured, version),
        }
    }

    fn spec(&self, version: &str) -> CommandSpec {
        let mut spec = CommandSpec::new(self.program())
            .args(self.exec.args.clone().unwrap_or_default())
            .deadline(DEADLINE)
            .grace(Duration::from_secs(2));
        for pair in self.exec.env.iter().flatten() {
            if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
                spec = spec.env(name, value);
            }
        }
        let mut ask = json!({
            "apiVersion": version,
            "kind": "ExecCredential",
            "spec": {"interactive": false},
        });
        if self.exec.provide_cluster_info
            && let Some(cluster) = &self.exec.cluster
            && let Ok(cluster) = serde_json::to_value(cluster)
        {
            ask["spec"]["cluster"] = cluster;
        }
        spec.env("KUBERNETES_EXEC_INFO", ask.to_string())
    }

    fn read(&self, captured: Captured, version: &str) -> Result<Given, LoginError> {
        let stdout = Zeroizing::new(captured.stdout);
        // Read first, also when it failed: what it gave must not be in what is shown.
        // YAML is what client-go reads too, and JSON is YAML.
        let credential = serde_yaml::from_str::<ExecCredential>(&stdout);
        for secret in credential
            .iter()
            .filter_map(|credential| credential.status.as_ref())
            .flat_map(|status| [&status.token, &status.client_key_data])
            .flatten()
        {
            self.redactor.learn(secret.trim());
        }
        let failed = |how: String| LoginError::Failed {
            program: self.program().to_owned(),
            how,
            stderr: self.shown(&captured.stderr),
        };
        match captured.ending {
            Ending::Exited(0) => {}
            Ending::Exited(code) => return Err(failed(format!("ended with exit code {code}"))),
            Ending::Signaled(signal) => {
                return Err(failed(format!("was killed by signal {signal}")));
            }
            Ending::TimedOut { after } => {
                return Err(failed(format!("did not end within {} s", after.as_secs())));
            }
            Ending::Cancelled { .. } => return Err(failed("was stopped".to_owned())),
        }
        let credential = credential
            .map_err(|_| failed("printed something that is no ExecCredential".to_owned()))?;
        if credential.kind.as_deref() != Some("ExecCredential")
            || credential.api_version.as_deref() != Some(version)
        {
            let was = credential.api_version.unwrap_or_default();
            return Err(failed(format!(
                "answered in the protocol `{was}` instead of `{version}`"
            )));
        }
        let status = credential
            .status
            .ok_or_else(|| failed("gave an ExecCredential without a status".to_owned()))?;
        let ends =
            match &status.expiration_timestamp {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    failed("gave an expirationTimestamp that is no time".to_owned())
                })?),
            };
        let certificate = match (status.client_certificate_data, status.client_key_data) {
            (Some(certificate), Some(key)) => Some((certificate, Zeroizing::new(key))),
            (None, None) => None,
            _ => {
                return Err(failed(
                    "gave a client certificate without its key, or a key without a certificate"
                        .to_owned(),
                ));
            }
        };
        let token = status
            .token
            .filter(|token| !token.trim().is_empty())
            .map(Zeroizing::new);
        if token.is_none() && certificate.is_none() {
            return Err(failed("gave neither a token nor a certificate".to_owned()));
        }
        Ok(Given {
            token,
            certificate,
            ends,
        })
    }

    pub fn nonsense(&self, how: &str) -> LoginError {
        LoginError::Failed {
            program: self.program().to_owned(),
            how: how.to_owned(),
            stderr: String::new(),
        }
    }

    /// The last lines, without anything secret that is known.
    fn shown(&self, stderr: &str) -> String {
        let lines: Vec<&str> = stderr.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        let text = lines[from..].join("\n");
        let text = strip_escapes(&text);
        let text = self.redactor.redact(&text).into_owned();
        text.chars().take(4_000).collect()
    }
}
