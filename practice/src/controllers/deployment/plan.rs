//! What to do about a Deployment now, decided from what was observed and nothing else.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::numbers::{self, Strategy};
use super::{proportion, sets, status};
use crate::controllers::{owner, pods};

/// One step. A step that fails ends the plan; the next look makes a new one.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create the set for the present template.
    CreateSet(Box<ReplicaSet>),
    /// Write changed annotations or settings of a set.
    UpdateSet(Box<ReplicaSet>),
    /// Write a set's new size, and tell it.
    Scale {
        set: Box<ReplicaSet>,
        from: i32,
        to: i32,
    },
    /// Delete an old set that history no longer needs.
    DeleteSet(Box<ReplicaSet>),
    /// Write the Deployment's status and revision annotation.
    UpdateStatus(Box<Deployment>),
}

/// The steps, in order.
#[derive(Debug, Default)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Look again after this long even if nothing changes.
    pub look_again: Option<Duration>,
}

/// What was observed: the Deployment, its own ReplicaSets and their pods.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    pub deployment: &'a Deployment,
    pub sets: &'a [Arc<ReplicaSet>],
    pub pods: &'a [Arc<Pod>],
    pub now: Timestamp,
}

/// Decides the next steps.
pub fn plan(observed: Observed<'_>) -> Plan {
    let spec = &observed.deployment.spec;
    let mut sets: Vec<ReplicaSet> = observed
        .sets
        .iter()
        .map(|set| ReplicaSet::clone(set))
        .collect();
    sets.sort_by(sets::by_age);
    let new = sets::find_new(&spec.template, &sets);
    let mut draft = Draft {
        observed,
        deployment: observed.deployment.clone(),
        spec: spec.clone(),
        strategy: numbers::strategy(spec),
        replicas: numbers::replicas(observed.deployment),
        sets,
        new,
        actions: Vec::new(),
    };
    draft.decide();
    draft.finish()
}

/// The objects as they will be once the actions so far are done.
struct Draft<'a> {
    observed: Observed<'a>,
    deployment: Deployment,
    spec: DeploymentSpec,
    strategy: Strategy,
    replicas: i32,
    sets: Vec<ReplicaSet>,
    new: Option<usize>,
    actions: Vec<Action>,
}

impl Draft<'_> {
    fn decide(&mut self) {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            self.sync_new_set(false);
            return self.write_status(status::calculate);
        }
        self.check_paused();
        if self.spec.paused == Some(true) || self.is_scaling() {
            self.sync_new_set(false);
            self.scale();
            if self.spec.paused == Some(true) {
                self.clean_up();
            }
            return self.write_status(status::calculate);
        }
        match self.strategy {
            Strategy::Recreate => self.recreate(),
            Strategy::Rolling { .. } => self.roll(),
        }
        self.write_status(status::rollout);
    }

    fn finish(mut self) -> Plan {
        let (old, new) = (self.observed.deployment, &self.deployment);
        let look_again = self
            .deployment
            .status
            .as_ref()
            .and_then(|status| status::next_check(new, status, self.observed.now))
            .filter(|_| self.spec.paused != Some(true));
        if old.status != new.status || old.metadata.annotations != new.metadata.annotations {
            self.actions
                .push(Action::UpdateStatus(Box::new(self.deployment)));
        }
        Plan {
            actions: self.actions,
            look_again,
        }
    }

    fn write_status(
        &mut self,
        make: fn(&Deployment, &[ReplicaSet], Option<&ReplicaSet>, Timestamp) -> DeploymentStatus,
    ) {
        let new = self.new.map(|at| &self.sets[at]);
        let status = make(&self.deployment, &self.sets, new, self.observed.now);
        self.deployment.status = Some(status);
    }

    fn set_progressing(&mut self, status: &str, reason: &str, message: String) {
        let condition = status::new_condition(
            status::PROGRESSING,
            status,
            reason,
            message,
            self.observed.now,
        );
        status::set_condition(self.deployment.status.get_or_insert_default(), condition);
    }

    /// Pausing and resuming restart the clock of the progress deadline.
    fn check_paused(&mut self) {
        if status::progress_deadline(&self.deployment).is_none() {
            return;
        }
        let reason = self
            .deployment
            .status
            .as_ref()
            .and_then(|status| status::condition(status, status::PROGRESSING))
            .and_then(|condition| condition.reason.clone());
        if reason.as_deref() == Some(status::TIMED_OUT) {
            return;
        }
        let told = reason.as_deref() == Some("DeploymentPaused");
        match (self.spec.paused == Some(true), told) {
            (true, false) => {
                self.set_progressing(
                    "Unknown",
                    "DeploymentPaused",
                    "Deployment is paused".to_owned(),
                );
            }
            (false, true) => {
                let message = "Deployment is resumed".to_owned();
                self.set_progressing("Unknown", "DeploymentResumed", message);
            }
            _ => {}
        }
    }

    /// Whether the wished size differs from the one a set was last scaled for.
    fn is_scaling(&self) -> bool {
        self.sets
            .iter()
            .filter(|set| sets::wanted(set) > 0)
            .filter_map(sets::desired_annotation)
            .any(|desired| desired != self.replicas)
    }

    fn max_replicas(&self) -> i32 {
        self.replicas + self.strategy.max_surge()
    }

    fn old(&self) -> Vec<usize> {
        (0..self.sets.len())
            .filter(|at| Some(*at) != self.new)
            .collect()
    }

    fn active(&self, among: &[usize]) -> Vec<usize> {
        among
            .iter()
            .copied()
            .filter(|at| sets::wanted(&self.sets[*at]) > 0)
            .collect()
    }

    fn total_wanted(&self) -> i32 {
        self.sets.iter().map(sets::wanted).sum()
    }

    /// Brings annotations and revision of the new set up to date; creates it where asked.
    fn sync_new_set(&mut self, create: bool) {
        let newest = self
            .old()
            .iter()
            .map(|at| sets::revision(&self.sets[*at].metadata))
            .max();
        let revision = newest.unwrap_or_default() + 1;
        let Some(at) = self.new else {
            if create {
                self.create_new_set(revision);
            }
            return;
        };
        let mut set = self.sets[at].clone();
        let mut changed = sets::hand_down(&self.deployment, &mut set, revision);
        let wait = self.spec.min_ready_seconds;
        if set.spec.min_ready_seconds.unwrap_or_default() != wait.unwrap_or_default() {
            set.spec.min_ready_seconds = wait;
            changed = true;
        }
        let name = set.name_any();
        let revision = sets::revision(&set.metadata);
        if changed {
            self.sets[at] = set.clone();
            self.actions.push(Action::UpdateSet(Box::new(set)));
        }
        sets::put(
            &mut self.deployment.metadata,
            sets::REVISION,
            revision.to_string(),
        );
        let judged = self
            .deployment
            .status
            .as_ref()
            .is_some_and(|status| status::condition(status, status::PROGRESSING).is_some());
        if status::progress_deadline(&self.deployment).is_some() && !judged {
            let message = format!("Found new replica set \"{name}\"");
            self.set_progressing("True", "FoundNewReplicaSet", message);
        }
    }

    fn create_new_set(&mut self, revision: i64) {
        let mut set = sets::new_set(&self.deployment);
        set.spec.replicas = Some(self.new_set_size(0));
        sets::hand_down(&self.deployment, &mut set, revision);
        sets::set_size_annotations(&mut set, self.replicas, self.max_replicas());
        let name = set.name_any();
        self.new = Some(self.sets.len());
        self.sets.push(set.clone());
        self.actions.push(Action::CreateSet(Box::new(set)));
        sets::put(
            &mut self.deployment.metadata,
            sets::REVISION,
            revision.to_string(),
        );
        if status::progress_deadline(&self.deployment).is_some() {
            let message = format!("Created new replica set \"{name}\"");
            self.set_progressing("True", "NewReplicaSetCreated", message);
        }
    }

    /// How large the new set may be now, given its present size.
    fn new_set_size(&self, present: i32) -> i32 {
        match self.strategy {
            Strategy::Recreate => self.replicas,
            Strategy::Rolling { .. } => {
                let room = self.max_replicas() - self.total_wanted();
                if room <= 0 {
                    present
                } else {
                    present + room.min(self.replicas - present)
                }
            }
        }
    }

    /// Changes a set's size; `true` when it did.
    fn resize(&mut self, at: usize, to: i32) -> bool {
        let from = sets::wanted(&self.sets[at]);
        let (desired, max) = (self.replicas, self.max_replicas());
        let set = &mut self.sets[at];
        let annotated = sets::set_size_annotations(set, desired, max);
        if from != to {
            set.spec.replicas = Some(to);
            let set = Box::new(set.clone());
            self.actions.push(Action::Scale { set, from, to });
            return true;
        }
        if annotated {
            let set = Box::new(set.clone());
            self.actions.push(Action::UpdateSet(set));
        }
        false
    }

    fn resize_if_needed(&mut self, at: usize, to: i32) -> bool {
        sets::wanted(&self.sets[at]) != to && self.resize(at, to)
    }

    /// The Deployment's size changed or it is paused: spread the change over the active sets.
    fn scale(&mut self) {
        let old = self.old();
        let everything: Vec<usize> = (0..self.sets.len()).collect();
        let active = self.active(&everything);
        match active.as_slice() {
            [] => {
                let newest_old = old.last().copied();
                if let Some(at) = self.new.or(newest_old) {
                    self.resize_if_needed(at, self.replicas);
                }
                return;
            }
            [only] => {
                // The size annotations must follow even where the size already fits, or the
                // change of size would be seen for ever.
                self.resize(*only, self.replicas);
                return;
            }
            _ => {}
        }
        let saturated = self.new.is_some_and(|at| {
            let set = &self.sets[at];
            sets::wanted(set) == self.replicas
                && sets::desired_annotation(set) == Some(self.replicas)
        });
        if saturated {
            for at in self.active(&old) {
                self.resize_if_needed(at, 0);
            }
            return;
        }
        if let Strategy::Rolling { .. } = self.strategy {
            let allowed = if self.replicas > 0 {
                self.max_replicas()
            } else {
                0
            };
            let observed_total = self
                .observed
                .deployment
                .status
                .as_ref()
                .and_then(|s| s.replicas);
            let sizes = proportion::distribute(
                &self.sets,
                &active,
                allowed,
                self.replicas == 0,
                self.max_replicas(),
                observed_total.unwrap_or_default(),
            );
            for (at, size) in sizes {
                self.resize(at, size);
            }
        }
    }

    fn roll(&mut self) {
        self.sync_new_set(true);
        if !self.grow_new_set() && !self.shrink_old_sets() {
            self.clean_up_if_complete();
        }
    }

    fn grow_new_set(&mut self) -> bool {
        let Some(at) = self.new else { return false };
        let present = sets::wanted(&self.sets[at]);
        let size = if present > self.replicas {
            self.replicas
        } else {
            self.new_set_size(present)
        };
        self.resize_if_needed(at, size)
    }

    fn shrink_old_sets(&mut self) -> bool {
        let Some(new) = self.new else { return false };
        let least = self.replicas - self.strategy.max_unavailable();
        let old = self.old();
        if self.active(&old).is_empty() {
            return false;
        }
        // New pods that do not serve yet must not cost old ones that do.
        let new_missing = sets::wanted(&self.sets[new]) - sets::available(&self.sets[new]);
        let mut may_go = self.total_wanted() - least - new_missing;
        if may_go <= 0 {
            return false;
        }
        let mut shrunk = false;
        // Those that do not serve go first: they only stand in the way.
        for at in self.active(&old) {
            let size = sets::wanted(&self.sets[at]);
            let unhealthy = (size - sets::available(&self.sets[at])).max(0);
            let count = unhealthy.min(may_go);
            if count > 0 {
                may_go -= count;
                shrunk |= self.resize_if_needed(at, size - count);
            }
        }
        let serving: i32 = self.sets.iter().map(sets::available).sum();
        let mut spare = serving - least;
        for at in self.active(&old) {
            if spare <= 0 {
                break;
            }
            let size = sets::wanted(&self.sets[at]);
            let count = size.min(spare);
            spare -= count;
            shrunk |= self.resize_if_needed(at, size - count);
        }
        shrunk
    }

    fn recreate(&mut self) {
        self.sync_new_set(false);
        let old = self.old();
        let mut shrunk = false;
        for at in self.active(&old) {
            shrunk |= self.resize_if_needed(at, 0);
        }
        if shrunk || self.old_pods_run(&old) {
            return;
        }
        if self.new.is_none() {
            self.sync_new_set(true);
        }
        if let Some(at) = self.new {
            self.resize_if_needed(at, self.replicas);
        }
        self.clean_up_if_complete();
    }

    fn old_pods_run(&self, old: &[usize]) -> bool {
        if old.iter().any(|at| sets::actual(&self.sets[*at]) > 0) {
            return true;
        }
        let new_uid = self.new.and_then(|at| self.sets[at].uid());
        self.observed.pods.iter().any(|pod| {
            !pods::is_finished(pod)
                && owner::controller_of(&pod.metadata).map(|owner| &owner.uid) != new_uid.as_ref()
        })
    }

    fn clean_up_if_complete(&mut self) {
        let status = self.deployment.status.clone().unwrap_or_default();
        if status::is_complete(&self.deployment, &status) {
            self.clean_up();
        }
    }

    /// Deletes empty old sets beyond the history limit, oldest revisions first.
    fn clean_up(&mut self) {
        // The API server's own default; the largest number means no limit.
        let limit = self.spec.revision_history_limit.unwrap_or(10);
        let mut old: Vec<usize> = self.old();
        old.retain(|at| self.sets[*at].metadata.deletion_timestamp.is_none());
        let Ok(limit) = usize::try_from(limit) else {
            return;
        };
        let surplus = old.len().saturating_sub(limit);
        old.sort_by_key(|at| sets::revision(&self.sets[*at].metadata));
        for at in old.into_iter().take(surplus) {
            let set = &self.sets[at];
            let observed = set
                .status
                .as_ref()
                .and_then(|status| status.observed_generation);
            let settled =
                observed.unwrap_or_default() >= set.metadata.generation.unwrap_or_default();
            if sets::wanted(set) == 0 && sets::actual(set) == 0 && settled {
                self.actions.push(Action::DeleteSet(Box::new(set.clone())));
            }
        }
    }
}
