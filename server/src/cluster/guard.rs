//! The guard: nothing is changed on a cluster that is not on this machine before its name was typed.
//! Everyone who changes something asks [`ClusterRoom::changeable`]; looking is free. Should someone
//! forget to ask, the client itself refuses.
//! Docker, minikube and Helm are programs of their own: who starts one that changes asks, too.

use std::sync::Arc;

use app::model::{Access, ClusterChoice, ClusterKind, ContextName, Failure, UnixMillis};

use super::{ClusterRoom, Connected, words};
use crate::adapters::kube::kubeconfig::ContextRow;
use crate::engine::clock;

/// Facts: clusters that may be changed, by context, address and authority; the value is since when.
const ALLOWED: &str = "cluster-allowed";

impl ClusterRoom {
    /// The connection in use, for changing something there: the one place where that is decided.
    pub fn changeable(&self) -> Result<Arc<Connected>, Failure> {
        let connected = self.connected()?;
        match &connected.choice {
            ClusterChoice::Context(name) if connected.read_only.get() => {
                Err(words::remote_unconfirmed(name, &connected.server).into())
            }
            _ => Ok(connected),
        }
    }

    /// Opens the gate of a cluster for good: the typed name must be the context's.
    pub async fn allow(&self, context: &ContextName, typed_name: &str) -> Result<(), Failure> {
        let loaded = self.read_kubeconfig().await;
        let Some(row) = loaded.row(context.as_str()) else {
            return Err(words::unknown_context(context, &loaded.rows()).into());
        };
        if typed_name != context.as_str() {
            return Err(words::name_not_typed(context).into());
        }
        let journal = &self.inner.core.journal;
        journal
            .audit(
                "operator",
                &format!("allow changes on {context} at {}", row.server),
            )
            .await?;
        let since = clock::now();
        journal
            .put_fact_durably(ALLOWED, &identity(&row), &since.0.to_string())
            .await?;
        self.show_access(context, Access::Allowed { since });
        self.refresh_options_soon();
        Ok(())
    }

    /// Shuts it again. A run that is going keeps the connection it began with until it ends.
    pub async fn forget(&self, context: &ContextName) -> Result<(), Failure> {
        let loaded = self.read_kubeconfig().await;
        let Some(row) = loaded.row(context.as_str()) else {
            return Err(words::unknown_context(context, &loaded.rows()).into());
        };
        let journal = &self.inner.core.journal;
        journal
            .audit("operator", &format!("forget the allowance for {context}"))
            .await?;
        journal.delete_fact(ALLOWED, &identity(&row));
        self.show_access(context, self.access(&row));
        self.refresh_options_soon();
        Ok(())
    }

    /// Whether this context may be changed.
    pub(super) fn access(&self, row: &ContextRow) -> Access {
        if row.kind != ClusterKind::Remote {
            return Access::Free;
        }
        let since = self
            .inner
            .core
            .journal
            .get_fact(ALLOWED, &identity(row))
            .and_then(|since| since.parse().ok());
        match since {
            Some(since) => Access::Allowed {
                since: UnixMillis(since),
            },
            None => Access::LookOnly,
        }
    }

    fn show_access(&self, context: &ContextName, access: Access) {
        let Some(current) = self.current() else {
            return;
        };
        if current.choice == ClusterChoice::Context(context.clone()) {
            current.read_only.set(access == Access::LookOnly);
            current.voice.change_cluster(|view| view.access = access);
        }
    }
}

/// A context of the same name that points elsewhere one day is another cluster.
fn identity(row: &ContextRow) -> String {
    format!("{}\n{}\n{}", row.name, row.server, row.authority)
}
