//! Follows the Secret in the cluster. Its values are fingerprinted, taught to the redactor, dropped.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use tokio_util::sync::CancellationToken;

use super::live_secret::LiveSecret;
use super::{NOT_ASKED, Observed, SecretsRoom};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::follow::{News, Scope, follow};
use crate::cluster::Connected;
use crate::engine::Voice;

impl SecretsRoom {
    /// One watch at a time, on the cluster in use.
    pub(super) async fn watch_clusters(self: &Arc<Self>) {
        let mut clusters = self.cluster.watch();
        loop {
            let connected = clusters.borrow_and_update().clone();
            let stop = CancellationToken::new();
            let guard = stop.clone().drop_guard();
            let work = async {
                match connected {
                    Some(connected) => self.watch_secret(&connected, stop).await,
                    None => {
                        self.see(&self.core.hub.voice(), Err(NOT_ASKED.to_owned()));
                        std::future::pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                changed = clusters.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = work => {}
            }
            drop(guard);
        }
    }

    async fn watch_secret(&self, connected: &Connected, stop: CancellationToken) {
        let voice = &connected.voice;
        // What the workloads of another cluster read says nothing about this one.
        self.workloads.send_replace(Default::default());
        self.see(voice, Err(NOT_ASKED.to_owned()));
        let name = self.project.spec().secret_name.clone();
        let mut listed = None;
        follow(
            self.api(connected),
            Scope::named(&name),
            stop,
            |news| match news {
                News::ListBegin => listed = None,
                News::Listed(secret) => listed = Some(self.learn(&secret)),
                News::ListEnd => self.see(voice, Ok(listed.take())),
                News::Applied(secret) => {
                    let live = self.learn(&secret);
                    self.see(voice, Ok(Some(live)));
                }
                News::Deleted(_) => self.see(voice, Ok(None)),
                // Its silence is the cluster's: the heartbeat tells.
                News::Heard => {}
                News::Lost(error) => self.lost(voice, &error),
            },
        )
        .await;
    }

    fn lost(&self, voice: &Voice, error: &KubeError) {
        if error.is_forbidden() {
            let why = format!("The cluster does not let you look at Secrets: {error}");
            self.see(voice, Err(why));
        }
    }

    fn learn(&self, secret: &Secret) -> LiveSecret {
        for value in secret.data.iter().flatten().map(|(_, value)| &value.0) {
            match std::str::from_utf8(value) {
                Ok(text) => self.core.redactor.learn(text),
                // As which it would be seen, if it was.
                Err(_) => self.core.redactor.learn(&STANDARD.encode(value)),
            }
        }
        LiveSecret::of(secret, &self.key)
    }

    fn see(&self, voice: &Voice, observed: Observed) {
        self.observed.send_if_modified(|known| {
            let changed = *known != observed;
            *known = observed;
            changed
        });
        self.publish(voice);
    }
}
