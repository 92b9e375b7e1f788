//! The user's helm: asked for its version once, and again when a person checks again.

use std::ffi::OsString;

use app::model::{Finding, HelmTool};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{ReleasesRoom, words};
use crate::adapters::helm::{Helm, parse_version, version};
use crate::process::{self, SpawnError};

#[derive(Debug)]
pub(super) struct Tool {
    program: OsString,
    known: Mutex<Option<Helm>>,
}

impl Tool {
    pub(super) fn new(program: OsString) -> Self {
        Self {
            program,
            known: Mutex::default(),
        }
    }

    /// The helm that is here.
    pub(super) async fn get(&self) -> Result<Helm, Finding> {
        let mut known = self.known.lock().await;
        if let Some(helm) = known.as_ref() {
            return Ok(helm.clone());
        }
        let answer = process::capture(&version(&self.program), &CancellationToken::new()).await;
        let captured = match answer {
            Ok(captured) => captured,
            Err(SpawnError::NotFound { .. }) => return Err(words::helm_missing(&self.program)),
            Err(error) => return Err(words::helm_broken(&self.program, &error.to_string())),
        };
        let Some(version) = parse_version(&captured.stdout).filter(|version| version.is_usable())
        else {
            let said = format!("{}{}", captured.stdout.trim(), captured.stderr.trim());
            return Err(words::helm_broken(&self.program, &said));
        };
        let helm = Helm {
            program: self.program.clone(),
            version,
        };
        *known = Some(helm.clone());
        Ok(helm)
    }

    /// It may have been installed, or another one, since.
    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }
}

impl ReleasesRoom {
    /// The helm, or why there is none; shown as well.
    pub(super) async fn helm(&self) -> Result<Helm, Finding> {
        let answer = self.inner.tool.get().await;
        let shown = match &answer {
            Ok(helm) => HelmTool::Ready {
                version: helm.version.to_string(),
                major: helm.version.major,
                faults: helm
                    .version
                    .is_below_floor()
                    .then(|| words::faults(helm.version)),
            },
            Err(finding) => HelmTool::Unusable {
                finding: Box::new(finding.clone()),
            },
        };
        self.update(|view| view.tool = shown);
        answer
    }
}
