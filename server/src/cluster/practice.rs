//! The practice cluster of this state folder: the running one, or one inside this process.

use std::path::{Path, PathBuf};

use app::model::Failure;
use practice::images::{ImageStore, StoreError};
use practice::{PracticeCluster, PracticeConfig, RunningPractice, StartError};
use tokio::sync::Mutex;

use super::words;

/// Starts it when it is first wanted, and ends what was started.
#[derive(Debug)]
pub(super) struct PracticeKeeper {
    state_dir: PathBuf,
    own: Mutex<Option<PracticeCluster>>,
}

impl PracticeKeeper {
    pub fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            own: Mutex::default(),
        }
    }

    /// The kubeconfig of a running practice cluster; starts one if there is none.
    pub async fn kubeconfig(&self) -> Result<PathBuf, Failure> {
        let mut own = self.own.lock().await;
        if let Some(cluster) = own.as_ref() {
            return Ok(cluster.kubeconfig().to_owned());
        }
        if let Some(running) = RunningPractice::find(&self.state_dir).await {
            return Ok(running.kubeconfig);
        }
        match PracticeCluster::start(PracticeConfig::new(&self.state_dir)).await {
            Ok(cluster) => {
                let kubeconfig = cluster.kubeconfig().to_owned();
                *own = Some(cluster);
                Ok(kubeconfig)
            }
            // It came up between the look and the start, or it is just coming up.
            Err(StartError::AlreadyRunning { kubeconfig, .. }) => Ok(kubeconfig),
            Err(error) => Err(words::practice_failed(&error.to_string()).into()),
        }
    }

    /// Whether one runs now, here or in another process.
    pub async fn is_running(&self) -> bool {
        self.own.lock().await.is_some() || RunningPractice::find(&self.state_dir).await.is_some()
    }

    pub fn images(&self) -> Result<ImageStore, StoreError> {
        ImageStore::open(self.state_dir.join("practice").join("images"))
    }

    pub async fn shutdown(&self) {
        let own = self.own.lock().await.take();
        if let Some(cluster) = own {
            cluster.shutdown().await;
        }
    }
}
