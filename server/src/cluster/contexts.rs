//! The kubeconfig as it is now: read when it is needed for a choice, and again when a file changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::PanelEvent;
use tokio::sync::watch;

use super::ClusterRoom;
use crate::adapters::kube::kubeconfig::{self, ContextRow, Loaded, Stamp};

/// A stat of a few files; a change is noticed within this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was read last.
#[derive(Debug)]
pub(super) struct Contexts {
    /// Instead of `KUBECONFIG` and `~/.kube/config`.
    paths: Option<Vec<PathBuf>>,
    loaded: watch::Sender<Arc<Loaded>>,
}

impl Contexts {
    pub fn new(paths: Option<Vec<PathBuf>>) -> Self {
        Self {
            paths,
            loaded: watch::Sender::default(),
        }
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.paths.clone().unwrap_or_else(kubeconfig::paths)
    }

    /// As it was read last.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.loaded.borrow().clone()
    }

    pub fn rows(&self) -> Vec<ContextRow> {
        self.loaded().rows()
    }

    pub fn row(&self, context: &str) -> Option<ContextRow> {
        self.loaded().row(context)
    }

    /// Changes with every reading.
    pub fn watch(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    async fn stamp(&self) -> Stamp {
        let paths = self.paths();
        tokio::task::spawn_blocking(move || kubeconfig::stamp(&paths))
            .await
            .unwrap_or_default()
    }
}

impl ClusterRoom {
    /// Reads the files now and shows what became of them.
    pub(super) async fn read_kubeconfig(&self) -> Arc<Loaded> {
        let contexts = &self.inner.contexts;
        let paths = contexts.paths();
        let loaded = tokio::task::spawn_blocking(move || kubeconfig::read(&paths))
            .await
            .unwrap_or_default();
        let loaded = Arc::new(loaded);
        contexts.loaded.send_replace(Arc::clone(&loaded));
        let files = loaded.files.clone();
        let voice = self.inner.core.hub.voice();
        voice.publish(PanelEvent::KubeconfigFiles(files));
        loaded
    }

    /// Notices changes of the files while nobody asks.
    pub(super) async fn follow_kubeconfig(&self) {
        let mut before = self.inner.contexts.stamp().await;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.inner.contexts.stamp().await;
            if now != before {
                before = now;
                self.read_kubeconfig().await;
                self.refresh_options_soon();
            }
        }
    }
}
