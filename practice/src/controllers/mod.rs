//! The controllers behind the practice cluster's workload kinds. They program purely against a
//! Kubernetes client, and word events and conditions as the real ones do.

mod cluster;
mod custom;
mod daemon_set;
mod deployment;
mod endpoints;
mod expectations;
mod expiry;
mod garbage;
mod informer;
mod job;
mod key;
mod namespaces;
mod owner;
mod pod_control;
mod pods;
mod queue;
mod quotas;
mod recorder;
mod replica_set;
mod revisions;
mod scheduler;
mod selector;
mod stateful_set;
mod template_hash;
mod volumes;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio_util::sync::CancellationToken;

use cluster::Cluster;
use daemon_set::DaemonSetController;
use deployment::DeploymentController;
use endpoints::EndpointsController;
use garbage::GarbageCollector;
use job::JobController;
use namespaces::NamespaceController;
use quotas::QuotaController;
use replica_set::ReplicaSetController;
use scheduler::Scheduler;
use stateful_set::StatefulSetController;
use volumes::VolumeController;
use worker::{run_workers, supervise};

pub use volumes::PROVISIONER;

/// Objects of one kind worked on at the same time.
const WORKERS: usize = 4;

/// Runs every controller until `shutdown` is cancelled. One that fails is started again, later
/// each time.
pub async fn run(client: Client, shutdown: CancellationToken) {
    let Some(cluster) = discover(&client, &shutdown).await else {
        return;
    };
    let cluster = Arc::new(cluster);
    let deployments = Arc::new(DeploymentController::new(Arc::clone(&cluster)));
    let replica_sets = Arc::new(ReplicaSetController::new(Arc::clone(&cluster)));
    let jobs = Arc::new(JobController::new(Arc::clone(&cluster)));
    let stateful_sets = Arc::new(StatefulSetController::new(Arc::clone(&cluster)));
    let daemon_sets = Arc::new(DaemonSetController::new(Arc::clone(&cluster)));
    let quotas = Arc::new(QuotaController::new(Arc::clone(&cluster)));
    let volumes = Arc::new(VolumeController::new(Arc::clone(&cluster)));
    let scheduler = Arc::new(Scheduler::new(Arc::clone(&cluster)));
    let endpoints = Arc::new(EndpointsController::new(Arc::clone(&cluster)));
    let namespaces = Arc::new(NamespaceController::new(Arc::clone(&cluster)));
    let garbage = Arc::new(GarbageCollector::new(Arc::clone(&cluster)));

    let definitions = custom::definitions_changed(&cluster);

    let work = async {
        // Deciding on half a view would create what exists and delete what is owned.
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = cluster.wait_synced() => {}
        }
        tracing::debug!("the controllers have seen everything and begin");
        tokio::join!(
            run_workers(deployments, WORKERS, shutdown.clone()),
            run_workers(replica_sets, WORKERS, shutdown.clone()),
            run_workers(jobs, WORKERS, shutdown.clone()),
            run_workers(stateful_sets, WORKERS, shutdown.clone()),
            run_workers(daemon_sets, WORKERS, shutdown.clone()),
            run_workers(quotas, 1, shutdown.clone()),
            run_workers(volumes, 2, shutdown.clone()),
            run_workers(scheduler, 1, shutdown.clone()),
            run_workers(endpoints, WORKERS, shutdown.clone()),
            run_workers(namespaces, 2, shutdown.clone()),
            run_workers(Arc::clone(&garbage), WORKERS, shutdown.clone()),
            supervise("custom kinds", shutdown.clone(), || {
                custom::run(
                    Arc::clone(&cluster),
                    Arc::clone(&garbage),
                    Arc::clone(&definitions),
                    shutdown.clone(),
                )
            }),
            supervise("expiry", shutdown.clone(), || {
                expiry::run(Arc::clone(&cluster), shutdown.clone())
            }),
        );
    };
    tokio::join!(cluster.watch(&shutdown), work);
}

/// Asks which kinds there are until the server answers; `None` when shut down before.
async fn discover(client: &Client, shutdown: &CancellationToken) -> Option<Cluster> {
    let mut delay = Duration::from_millis(50);
    loop {
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return None,
            outcome = Cluster::discover(client.clone()) => outcome,
        };
        match outcome {
            Ok(cluster) => return Some(cluster),
            Err(error) => tracing::warn!(%error, "discovery failed, will try again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = tokio::time::sleep(delay) => {}
        }
        delay = (delay * 2).min(Duration::from_secs(10));
    }
}
