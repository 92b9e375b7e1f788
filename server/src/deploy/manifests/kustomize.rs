//! Kustomize folders, built by the user's own `kubectl kustomize`.

use std::path::Path;

use app::model::Finding;
use tokio_util::sync::CancellationToken;

use super::words;
use crate::adapters::kubectl;
use crate::process::{self, Ending, SpawnError};

/// The names a kustomization file may have.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether a folder is kustomize's.
pub fn is_kustomize(folder: &Path) -> bool {
    FILES.iter().any(|name| folder.join(name).is_file())
}

/// Whether a file is a kustomization.
pub fn is_kustomization(file: &Path) -> bool {
    file.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| FILES.contains(&name))
}

/// The objects a kustomize folder makes, as one YAML text. `shown` is how the folder is named to
/// people.
pub async fn build(folder: &Path, shown: &str) -> Result<String, Box<Finding>> {
    let failed = |why: &str, said: &str| Box::new(words::kustomize_failed(shown, why, said));
    let spec = kubectl::kustomize(folder);
    match process::capture(&spec, &CancellationToken::new()).await {
        Err(SpawnError::NotFound { .. }) => Err(Box::new(words::no_kubectl(shown))),
        Err(SpawnError::Io { source, .. }) => {
            Err(failed("could not be started", &source.to_string()))
        }
        Ok(captured) if captured.truncated => Err(failed("printed more than 1 MB", "")),
        Ok(captured) => match captured.ending {
            Ending::Exited(0) => Ok(captured.stdout),
            Ending::Exited(code) => Err(failed(&format!("ended with {code}"), &captured.stderr)),
            Ending::TimedOut { .. } => Err(failed("did not end in time", &captured.stderr)),
            Ending::Signaled(_) | Ending::Cancelled { .. } => {
                Err(failed("was broken off", &captured.stderr))
            }
        },
    }
}
