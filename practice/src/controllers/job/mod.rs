//! Runs Jobs: pods until enough of them have succeeded, or too many have failed.

mod plan;
mod status;

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::informer::Informer;
use super::key::ObjectKey;
use super::pod_control::{PodControl, PodOwner};
use super::queue::WorkQueue;
use super::worker::{self, Reconcile, SyncError};
use plan::{Observed, Plan};

/// The Job controller, with the one that removes finished Jobs after their time.
#[derive(Debug)]
pub struct JobController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    control: PodControl,
}

impl PodOwner for Job {
    const COMPONENT: &'static str = "job-controller";

    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref()?.selector.as_ref()
    }

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.jobs
    }
}

impl JobController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let control = PodControl::new::<Job>(&cluster, &queue);
        Self {
            cluster,
            queue,
            control,
        }
    }

    fn api(&self, key: &ObjectKey) -> Api<Job> {
        Api::namespaced(self.cluster.client.clone(), &key.namespace)
    }

    /// A finished Job goes by itself when it says after how long.
    async fn expire(&self, key: &ObjectKey, job: &Job) -> Result<(), SyncError> {
        let Some(at) = status::expires_at(job) else {
            return Ok(());
        };
        let now = Timestamp::now();
        if at > now {
            let wait = std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default();
            self.queue.add_after(key.clone(), wait);
            return Ok(());
        }
        let params = DeleteParams::foreground().preconditions(Preconditions {
            uid: job.uid(),
            resource_version: job.resource_version(),
        });
        match self.api(key).delete(&key.name, &params).await {
            Err(error) if !worker::is_not_found(&error) && !worker::is_conflict(&error) => {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    async fn carry_out(&self, key: &ObjectKey, job: &Job, plan: Plan) -> Result<(), SyncError> {
        let mut failure = self.control.delete(key, job, &plan.delete).await;
        for pod in &plan.create {
            match self.control.create(key, job, pod).await {
                Ok(()) => {}
                Err(why) => {
                    failure = failure.or(why);
                    break;
                }
            }
        }
        // Said when nothing is left to be done for it: the status is the Job's last word.
        if job.status.as_ref() != Some(&plan.status) {
            let mut updated = job.clone();
            updated.status = Some(plan.status);
            match self
                .api(key)
                .replace_status(&key.name, &PostParams::default(), &updated)
                .await
            {
                Ok(_) => {}
                Err(error) if worker::is_not_found(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        for event in &plan.events {
            self.control
                .tell(job, event.severity, event.reason, &event.message)
                .await;
        }
        if let Some(wait) = plan.look_again {
            self.queue.add_after(key.clone(), wait);
        }
        match failure {
            Some(failure) => Err(SyncError::Other(failure.message)),
            None => Ok(()),
        }
    }
}

impl Reconcile for JobController {
    type Key = ObjectKey;
    const NAME: &'static str = Job::COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(job) = self.cluster.jobs.get(key) else {
            self.control.expectations().forget(key);
            return Ok(());
        };
        if job.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let other_manager = job
            .spec
            .as_ref()
            .and_then(|spec| spec.managed_by.as_deref())
            .is_some_and(|manager| manager != "kubernetes.io/job-controller");
        if other_manager {
            return Ok(());
        }
        if status::is_finished(&job) {
            return self.expire(key, &job).await;
        }
        // Asked before the pods are listed: what is met now is in the list.
        if !self.control.expectations().are_met(key) {
            return Ok(());
        }
        let pods = self.control.claim(job.as_ref(), |_| true).await?;
        let plan = plan::plan(&Observed {
            job: &job,
            pods: &pods,
            now: Timestamp::now(),
        });
        self.carry_out(key, &job, plan).await
    }
}
