//! The release's records, followed in the cluster: history without asking helm.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use app::model::{ReleaseView, RevisionRow};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::sync::mpsc;

use super::ReleasesRoom;
use crate::adapters::helm::record::{self, Record, decode, label};
use crate::adapters::kube::follow::{News, Scope, follow};
use crate::cluster::Connected;

/// Whether a helm is at work is looked at this often while a release is pending.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An error text of helm can quote a whole object.
const LONGEST_DESCRIPTION: usize = 600;

enum Told {
    Begin,
    Is(Box<Secret>),
    Gone(Box<Secret>),
    /// What was told since `Begin` is all there is.
    All,
    Lost(String),
    Heard,
}

impl ReleasesRoom {
    pub(super) async fn keep_watching_records(&self) {
        let mut clusters = self.inner.cluster.watch();
        loop {
            let connected = clusters.borrow_and_update().clone();
            self.set_records(BTreeMap::clear);
            self.update(|view| {
                view.release = None;
                view.drift = None;
            });
            let watching = async {
                match connected {
                    Some(connected) => self.watch_records(&connected).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = clusters.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = watching => {}
            }
        }
    }

    async fn watch_records(&self, connected: &Connected) {
        let Ok(release) = self.release() else {
            return std::future::pending().await;
        };
        let namespace = self.inner.project.spec().namespace.to_string();
        let api: Api<Secret> = Api::namespaced(connected.client.clone(), &namespace);
        let scope = Scope {
            labels: Some(record::selector(release.as_str())),
            fields: None,
        };
        let stop = connected.gone.child_token();
        let _guard = stop.clone().drop_guard();
        let (sender, mut news) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            follow(api, scope, stop, |news| {
                let _ = sender.send(match news {
                    News::ListBegin => Told::Begin,
                    News::Listed(secret) | News::Applied(secret) => Told::Is(Box::new(secret)),
                    News::Deleted(secret) => Told::Gone(Box::new(secret)),
                    News::ListEnd => Told::All,
                    News::Lost(error) => Told::Lost(error.to_string()),
                    News::Heard => Told::Heard,
                });
            })
            .await;
        });
        let mut listed: Option<BTreeMap<u32, Arc<Record>>> = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            let told = tokio::select! {
                told = news.recv() => match told {
                    Some(told) => told,
                    None => return,
                },
                _ = ticks.tick() => {
                    self.look_for_holder().await;
                    continue;
                }
            };
            match told {
                Told::Begin => listed = Some(BTreeMap::new()),
                Told::All => {
                    if let Some(all) = listed.take() {
                        self.set_records(|records| *records = all);
                        self.show_release(None).await;
                    }
                }
                Told::Is(secret) => {
                    let Some(record) = read(&secret) else {
                        continue;
                    };
                    let revision = record.version;
                    match &mut listed {
                        Some(all) => {
                            all.insert(revision, Arc::new(record));
                        }
                        None => {
                            self.set_records(|records| {
                                records.insert(revision, Arc::new(record));
                            });
                            self.show_release(None).await;
                        }
                    }
                }
                Told::Gone(secret) => {
                    if let Some(label) = label(&secret) {
                        self.set_records(|records| {
                            records.remove(&label.revision);
                        });
                        self.show_release(None).await;
                    }
                }
                Told::Lost(why) => {
                    listed = None;
                    self.show_release(Some(why)).await;
                }
                Told::Heard => {}
            }
        }
    }

    fn set_records(&self, change: impl FnOnce(&mut BTreeMap<u32, Arc<Record>>)) {
        change(
            &mut self
                .inner
                .records
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// All records, by revision.
    pub(super) fn records(&self) -> BTreeMap<u32, Arc<Record>> {
        self.inner
            .records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) async fn show_release(&self, lost: Option<String>) {
        let records = self.records();
        let revisions: Vec<RevisionRow> = records
            .values()
            .rev()
            .map(|record| self.row(record))
            .collect();
        let spec = self.inner.project.spec();
        let mut release = ReleaseView {
            name: spec.name.clone(),
            namespace: spec.namespace.to_string(),
            revisions,
            stuck: None,
            lost,
        };
        release.stuck = self.stuck(&release, &records).await;
        self.update(|view| view.release = Some(release));
    }

    /// A pending release may be let go of at any moment without any change in the cluster.
    async fn look_for_holder(&self) {
        let records = self.records();
        let is_pending = records
            .last_key_value()
            .is_some_and(|(_, record)| record.status().is_pending());
        if is_pending {
            let lost = self
                .inner
                .core
                .hub
                .read(|state| state.helm.release.as_ref().and_then(|one| one.lost.clone()));
            self.show_release(lost).await;
        }
    }

    /// A record as a row, redacted.
    pub(super) fn row(&self, record: &Record) -> RevisionRow {
        let metadata = &record.chart.metadata;
        let mut description = self
            .inner
            .core
            .redactor
            .redact(&record.info.description)
            .into_owned();
        if let Some((at, _)) = description.char_indices().nth(LONGEST_DESCRIPTION) {
            description.truncate(at);
            description.push('…');
        }
        RevisionRow {
            revision: record.version,
            status: record.status(),
            updated: record.updated(),
            chart: metadata.name.clone(),
            chart_version: metadata.version.clone(),
            app_version: metadata.app_version.clone(),
            description,
        }
    }
}

/// A record that cannot be read is still a revision: its labels say which and how it stands.
fn read(secret: &Secret) -> Option<Record> {
    match decode(secret) {
        Ok(record) => Some(record),
        Err(error) => {
            let label = label(secret)?;
            let name = secret.metadata.name.as_deref().unwrap_or_default();
            tracing::warn!(%error, secret = name, "a release record cannot be read");
            let unread = serde_json::json!({
                "name": "",
                "version": label.revision,
                "info": {"status": label.status.word(), "description": format!("The record cannot be read: {error}")},
            });
            serde_json::from_value(unread).ok()
        }
    }
}
