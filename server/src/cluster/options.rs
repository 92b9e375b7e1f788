//! The rows of the cluster picker: practice first, then every context of the kubeconfig.

use std::time::Duration;

use app::model::{Access, ClusterChoice, ClusterKind, ClusterOption, PanelEvent, Reach};
use futures::future::join_all;
use kube::config::Kubeconfig;

use super::ClusterRoom;
use crate::adapters::kube::client::{client, version};
use crate::adapters::kube::kubeconfig::{self, ContextRow};

const REFRESH_EVERY: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(2);

impl ClusterRoom {
    pub(super) async fn keep_options_fresh(&self) {
        loop {
            tokio::time::sleep(REFRESH_EVERY).await;
            self.refresh_options().await;
        }
    }

    /// Looks at all clusters again without waiting for what they say.
    pub fn refresh_options_soon(&self) {
        let room = self.clone();
        self.inner
            .core
            .tasks
            .spawn(async move { room.refresh_options().await });
    }

    /// Reads the kubeconfig again and asks what may be asked without anyone noticing.
    pub async fn refresh_options(&self) {
        let config = self.kubeconfig();
        let rows = kubeconfig::contexts(&config);
        let (practice, contexts) = tokio::join!(
            self.practice_option(),
            join_all(rows.into_iter().map(|row| {
                let access = self.access(&row);
                context_option(&config, row, access)
            }))
        );
        let mut options = vec![practice];
        options.extend(contexts);
        let voice = self.inner.core.hub.voice();
        voice.publish(PanelEvent::Clusters(options));
    }

    async fn practice_option(&self) -> ClusterOption {
        let mut server = String::new();
        let mut reach = Reach::Startable;
        if self.inner.practice.is_running().await {
            let current = self
                .current()
                .filter(|current| current.choice == ClusterChoice::Practice);
            let asked = match &current {
                Some(current) => {
                    server.clone_from(&current.server);
                    version(&current.client, PROBE_LIMIT)
                        .await
                        .map_err(|error| error.to_string())
                }
                None => self.practice_version().await,
            };
            reach = match asked {
                Ok(version) => Reach::Reachable { version },
                Err(why) => Reach::Unreachable { why },
            };
        }
        ClusterOption {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            server,
            reach,
            current: false,
            access: Access::Free,
            who: None,
            login_program: None,
        }
    }

    async fn practice_version(&self) -> Result<String, String> {
        let path = self
            .inner
            .practice
            .kubeconfig()
            .await
            .map_err(|failure| failure.to_string())?;
        let config = kubeconfig::read(std::slice::from_ref(&path)).0;
        let context = config.current_context.clone().unwrap_or_default();
        let client = client(config, &context).await?;
        version(&client, PROBE_LIMIT)
            .await
            .map_err(|error| error.to_string())
    }
}

async fn context_option(config: &Kubeconfig, row: ContextRow, access: Access) -> ClusterOption {
    let reach = if may_ask(&row) {
        match client(config.clone(), row.name.as_str()).await {
            Ok(client) => match version(&client, PROBE_LIMIT).await {
                Ok(version) => Reach::Reachable { version },
                Err(error) => Reach::Unreachable {
                    why: error.to_string(),
                },
            },
            Err(why) => Reach::Unreachable { why },
        }
    } else {
        Reach::Unknown
    };
    ClusterOption {
        choice: ClusterChoice::Context(row.name),
        kind: row.kind,
        server: row.server,
        reach,
        current: row.current,
        access,
        who: None,
        login_program: None,
    }
}

/// Remote clusters are nobody's business until chosen, and a login program may open a window.
fn may_ask(row: &ContextRow) -> bool {
    !row.runs_program && row.kind != ClusterKind::Remote
}
