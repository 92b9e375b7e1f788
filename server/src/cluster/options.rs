//! The rows of the cluster picker: practice first, then every context of the kubeconfig.

use std::time::Duration;

use app::model::{Access, ClusterChoice, ClusterKind, ClusterOption, PanelEvent, Reach};
use futures::StreamExt;
use kube::Client;

use super::ClusterRoom;
use crate::adapters::kube::client::{ReadOnly, connect, version, who_am_i};
use crate::adapters::kube::kubeconfig::{self, ContextRow, Loaded};

const REFRESH_EVERY: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// A kubeconfig may have a hundred contexts; they are not all asked in the same moment.
const ASKED_AT_ONCE: usize = 8;

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
        let stop = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.refresh_options() => {}
            }
        });
    }

    /// Reads the kubeconfig again and asks what may be asked without anyone noticing. What is not
    /// known yet is shown as it was.
    pub async fn refresh_options(&self) {
        let _one = self.inner.asking.lock().await;
        let loaded = self.read_kubeconfig().await;
        let rows = loaded.rows();
        self.show_new_rows(&rows);
        let ask = |row: ContextRow| {
            let loaded = &loaded;
            async move {
                let option = self.unasked(&row);
                self.asked(loaded, row, option).await
            }
        };
        let contexts = futures::stream::iter(rows.into_iter().map(ask))
            .buffered(ASKED_AT_ONCE)
            .collect::<Vec<_>>();
        let (practice, contexts) = tokio::join!(self.practice_option(), contexts);
        let mut options = vec![practice];
        options.extend(contexts);
        let voice = self.inner.core.hub.voice();
        voice.publish(PanelEvent::Clusters(options));
    }

    /// Contexts that appeared or went are shown at once; what the others answered stays meanwhile.
    fn show_new_rows(&self, rows: &[ContextRow]) {
        let voice = self.inner.core.hub.voice();
        let before = self.inner.core.hub.read(|state| state.clusters.clone());
        let mut options: Vec<ClusterOption> = before
            .iter()
            .filter(|option| option.choice == ClusterChoice::Practice)
            .cloned()
            .collect();
        options.extend(rows.iter().map(|row| {
            let option = self.unasked(row);
            match before.iter().find(|known| known.choice == option.choice) {
                Some(known) if known.server == option.server => ClusterOption {
                    reach: known.reach.clone(),
                    who: known.who.clone(),
                    ..option
                },
                _ => option,
            }
        }));
        if options.len() > 1 {
            voice.publish(PanelEvent::Clusters(options));
        }
    }

    fn unasked(&self, row: &ContextRow) -> ClusterOption {
        ClusterOption {
            choice: ClusterChoice::Context(row.name.clone()),
            kind: row.kind.clone(),
            server: row.server.clone(),
            reach: Reach::Unknown,
            current: row.current,
            access: self.access(row),
            who: None,
            login_program: row.login_program.clone(),
        }
    }

    async fn asked(
        &self,
        loaded: &Loaded,
        row: ContextRow,
        mut option: ClusterOption,
    ) -> ClusterOption {
        let in_use = self
            .current()
            .filter(|current| current.choice == option.choice);
        let client = match in_use {
            Some(current) => Ok(current.client.clone()),
            None if !may_ask(&row) => return option,
            None => {
                let redactor = &self.inner.core.redactor;
                connect(
                    &loaded.config,
                    row.name.as_str(),
                    ReadOnly::new(true),
                    redactor,
                )
                .await
                .map(|connection| connection.client)
                .map_err(|error| error.to_string())
            }
        };
        (option.reach, option.who) = match client {
            Ok(client) => reach(&client).await,
            Err(why) => (Reach::Unreachable { why }, None),
        };
        option
    }

    async fn practice_option(&self) -> ClusterOption {
        let mut option = ClusterOption {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            server: String::new(),
            reach: Reach::Startable,
            current: false,
            access: Access::Free,
            who: None,
            login_program: None,
        };
        if self.inner.practice.is_running().await {
            let client = match self.current() {
                Some(current) if current.choice == ClusterChoice::Practice => {
                    option.server.clone_from(&current.server);
                    Ok(current.client.clone())
                }
                _ => self.practice_client().await,
            };
            (option.reach, option.who) = match client {
                Ok(client) => reach(&client).await,
                Err(why) => (Reach::Unreachable { why }, None),
            };
        }
        option
    }

    async fn practice_client(&self) -> Result<Client, String> {
        let path = self
            .inner
            .practice
            .kubeconfig()
            .await
            .map_err(|failure| failure.to_string())?;
        let loaded = tokio::task::spawn_blocking(move || kubeconfig::read(&[path]))
            .await
            .unwrap_or_default();
        let context = loaded.config.current_context.clone().unwrap_or_default();
        let redactor = &self.inner.core.redactor;
        connect(&loaded.config, &context, ReadOnly::new(true), redactor)
            .await
            .map(|connection| connection.client)
            .map_err(|error| error.to_string())
    }
}

async fn reach(client: &Client) -> (Reach, Option<String>) {
    match version(client, PROBE_LIMIT).await {
        Ok(version) => {
            let who = who_am_i(client, PROBE_LIMIT).await.map(|who| who.name);
            (Reach::Reachable { version }, who)
        }
        Err(error) => (
            Reach::Unreachable {
                why: error.to_string(),
            },
            None,
        ),
    }
}

/// Others' clusters are nobody's business until chosen, and a login program may open a window.
fn may_ask(row: &ContextRow) -> bool {
    row.login_program.is_none() && row.kind != ClusterKind::Remote
}
