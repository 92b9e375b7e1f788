//! Removes what Slipway deployed, in reverse order, and waits until it is gone.

use std::time::Duration;

use app::model::{
    Change, Failure, Finding, NextAction, PanelEvent, PlannedObject, RunId, RunKind, Stage,
    StageState,
};
use tokio::time::Instant;

use super::identity::belongs_to;
use super::inventory::{Owned, owned};
use super::manifests::rank;
use super::preview::key;
use super::{DeployRoom, words};
use crate::adapters::kube::apply::{api, delete, get};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle};

/// Pods may take their whole grace period to end.
const LONGEST: Duration = Duration::from_secs(120);

/// How much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownScope {
    /// What the deploys applied; data (volumes claimed) and the entered secrets stay.
    Applied,
    /// That, the entered secrets, claimed volumes, and the namespace if a deploy made it.
    Everything,
}

impl DeployRoom {
    /// What would be removed, in order.
    pub async fn plan_down(&self, scope: DownScope) -> Result<Vec<PlannedObject>, Failure> {
        let connected = self.cluster.connected()?;
        let doomed = self.doomed(&connected, scope).await?;
        let namespace = self.project.spec().namespace.to_string();
        Ok(doomed
            .iter()
            .map(|owned| {
                let namespace = match owned.served.namespaced {
                    true => namespace.as_str(),
                    false => "",
                };
                PlannedObject {
                    key: key(&owned.object, namespace),
                    api_version: owned.served.resource.api_version.clone(),
                    kind: owned.kind().to_owned(),
                    name: owned.name().to_owned(),
                    namespace: namespace.to_owned(),
                    source: String::new(),
                    change: Change::Delete,
                    fields: 0,
                    added: 0,
                    removed: 0,
                    conflicts: Vec::new(),
                    chosen: false,
                    problem: None,
                }
            })
            .collect())
    }

    /// Removes it.
    pub async fn run_down(&self, scope: DownScope) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        let doomed = self.doomed(&connected, scope).await?;
        self.core
            .journal
            .audit(
                "operator",
                &format!(
                    "remove {} objects from {}",
                    doomed.len(),
                    connected.choice.label()
                ),
            )
            .await?;
        let stages = doomed
            .iter()
            .map(|owned| Stage {
                id: stage_id(owned),
                title: format!("Remove {} {}", owned.kind(), owned.name()),
                component: None,
                state: StageState::Pending,
            })
            .collect();
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Down, stages, move |run| async move {
                let result = room.remove_all(&connected, &doomed, &run).await;
                if result.is_ok()
                    && let Err(error) = room.book(&connected).forget_all().await
                {
                    tracing::debug!(%error, "the records of the deploys were not removed");
                }
                room.look_quietly(&connected).await;
                connected.voice.publish(PanelEvent::Plan(None));
                result?;
                Ok(match doomed.len() {
                    0 => "There was nothing to remove".to_owned(),
                    1 => "1 object removed".to_owned(),
                    count => format!("{count} objects removed"),
                })
            })
    }

    async fn doomed(&self, connected: &Connected, scope: DownScope) -> Result<Vec<Owned>, Failure> {
        self.find_doomed(connected, scope)
            .await
            .map_err(|error| words::cluster_says_no("Removing", &error).into())
    }

    async fn find_doomed(
        &self,
        connected: &Connected,
        scope: DownScope,
    ) -> Result<Vec<Owned>, KubeError> {
        let spec = self.project.spec();
        let client = &connected.client;
        let mut discovery = Discovery::default();
        let mut doomed = owned(
            client,
            &mut discovery,
            spec.namespace.as_str(),
            &spec.name,
            [],
        )
        .await?;
        let everything = scope == DownScope::Everything;
        doomed.retain(|owned| {
            everything
                || !(owned.kind() == "PersistentVolumeClaim"
                    || (owned.kind() == "Secret" && owned.name() == spec.secret_name))
        });
        if everything {
            let secret = doomed
                .iter()
                .any(|owned| owned.kind() == "Secret" && owned.name() == spec.secret_name);
            if !secret
                && let Some(served) = discovery.find(client, "v1", "Secret").await?
                && let Some(object) = get(
                    &api(client, &served, spec.namespace.as_str()),
                    &spec.secret_name,
                )
                .await?
            {
                doomed.push(Owned { served, object });
            }
            if let Some(served) = discovery.find(client, "v1", "Namespace").await?
                && let Some(object) =
                    get(&api(client, &served, ""), spec.namespace.as_str()).await?
                && belongs_to(&object, &spec.name)
            {
                doomed.push(Owned { served, object });
            }
        }
        doomed
            .sort_by_key(|owned| std::cmp::Reverse((rank(owned.kind()), owned.name().to_owned())));
        Ok(doomed)
    }

    async fn remove_all(
        &self,
        connected: &Connected,
        doomed: &[Owned],
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let namespace = self.project.spec().namespace.to_string();
        for owned in doomed {
            let stage = run.stage(&stage_id(owned));
            stage.start();
            let removed = tokio::select! {
                () = run.cancelled().cancelled() => return Err(RunError::Cancelled),
                removed = remove_one(connected, owned, &namespace) => removed,
            };
            if removed.is_ok() {
                self.forget_applied(connected, owned);
            }
            match removed {
                Ok(true) => stage.succeed("Removed"),
                Ok(false) => stage.skip("It was gone already"),
                Err(finding) => {
                    stage.fail((*finding).clone());
                    return Err(RunError::Failed(finding));
                }
            }
        }
        Ok(())
    }
}

fn stage_id(owned: &Owned) -> String {
    format!("{}/{}", owned.kind().to_lowercase(), owned.name())
}

async fn remove_one(
    connected: &Connected,
    owned: &Owned,
    namespace: &str,
) -> Result<bool, Box<Finding>> {
    let api = api(&connected.client, &owned.served, namespace);
    let refused = |error: &KubeError| {
        Box::new(words::refused(
            owned.kind(),
            owned.name(),
            "deleting",
            error,
        ))
    };
    let uid = owned.uid();
    if !delete(&api, owned.name(), uid.clone())
        .await
        .map_err(|error| refused(&error))?
    {
        return Ok(false);
    }
    let give_up = Instant::now() + LONGEST;
    loop {
        match get(&api, owned.name()).await {
            Ok(None) => return Ok(true),
            // A new object of the same name is not the one that was removed.
            Ok(Some(object)) if object["metadata"]["uid"].as_str() != uid.as_deref() => {
                return Ok(true);
            }
            Ok(Some(_)) => {}
            Err(error) if error.is_unreachable() => {}
            Err(error) => return Err(refused(&error)),
        }
        if Instant::now() > give_up {
            return Err(Box::new(still_there(owned)));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn still_there(owned: &Owned) -> Finding {
    words::about(
        Finding::new(
            "OBJECT_STAYS",
            format!("{} {} is still there", owned.kind(), owned.name()),
            "It was deleted two minutes ago and is not gone: a finalizer or a pod that does not end holds it.",
        ),
        owned.kind(),
        owned.name(),
    )
    .next(NextAction::Command {
        command: format!("kubectl describe {} {}", owned.kind().to_lowercase(), owned.name()),
        why: "Shows what it waits for".to_owned(),
    })
}
