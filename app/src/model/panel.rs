//! The one store: the whole state a page can show, and the one event type that changes it.
//! [`PanelState::apply`] is pure and shared: the server folds with it, the browser folds with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Adoption, Approval, BuildStep, BuildView, Check, ClusterOption, ClusterView, ComponentLive,
    ComponentName, DeployPlan, DeployRevision, DeployedView, DriftedObject, Ending, EventRow,
    Finding, ForwardView, Freshness, Handover, HelmView, ImageReport, ImageView, KubeconfigFile,
    LogLine, Metrics, MinikubeView, OwnProbe, OwnershipView, Planning, PodRow, ProjectView,
    RecordingView, RunId, RunView, SecretObjectView, SecretView, SharingView, StageState, StepId,
    StepState,
};

/// How many events are kept; the oldest go first.
pub const EVENTS_KEPT: usize = 300;
/// How many ended runs are kept in the state; the journal has all of them.
pub const RUNS_KEPT: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PanelState {
    pub project: Option<ProjectView>,
    /// Why the project cannot be used (a broken `slipway.toml`), if so.
    pub project_problem: Option<Finding>,
    /// What the folder could become, while it has no `slipway.toml`.
    #[serde(default)]
    pub adoption: Option<Adoption>,
    pub clusters: Vec<ClusterOption>,
    /// The kubeconfig files the contexts come from, in kubectl's order of precedence.
    pub kubeconfig_files: Vec<KubeconfigFile>,
    pub cluster: Option<ClusterView>,
    pub steps: BTreeMap<StepId, StepState>,
    pub checks: Vec<Check>,
    /// None while minikube is not installed.
    pub minikube: Option<MinikubeView>,
    pub secrets: Vec<SecretView>,
    /// The project's Secret as a whole; none until it was looked at.
    #[serde(default)]
    pub secret_object: Option<SecretObjectView>,
    pub images: Vec<ImageView>,
    /// The newest build of each component, as far as it has come.
    #[serde(default)]
    pub builds: BTreeMap<ComponentName, BuildView>,
    /// What there is to say about each component's image, and whether its sources changed.
    #[serde(default)]
    pub image_reports: BTreeMap<ComponentName, ImageReport>,
    pub plan: Option<DeployPlan>,
    /// How far the plan is that is being made; none while none is.
    pub planning: Option<Planning>,
    /// What is no longer as it was applied last; none before anybody has looked.
    pub drift: Option<Vec<DriftedObject>>,
    pub deployed: Option<DeployedView>,
    /// Who owns what is in the namespace; none until it was looked at.
    pub ownership: Option<OwnershipView>,
    /// The recorded deploys, newest first.
    pub revisions: Vec<DeployRevision>,
    /// A planned change of hands that waits for a yes.
    pub handover: Option<Handover>,
    pub helm: HelmView,
    pub runs: BTreeMap<RunId, RunView>,
    pub components: BTreeMap<ComponentName, ComponentLive>,
    /// Keyed by UID.
    pub pods: BTreeMap<String, PodRow>,
    /// What Slipway's own requests to the probes were answered, by the pod's UID.
    #[serde(default)]
    pub own_probes: BTreeMap<String, Vec<OwnProbe>>,
    /// Why pods are not ready with all that is known, by their UID; those of which no more is known
    /// than [`PodRow::why_not_ready`] says are not here.
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
    /// What the pods use, where the cluster measures it.
    #[serde(default)]
    pub metrics: Metrics,
    /// Ports of this machine that lead into the cluster in use.
    #[serde(default)]
    pub forwards: Vec<ForwardView>,
    /// Keyed by UID.
    pub events: BTreeMap<String, EventRow>,
    /// How fresh the watches behind components, pods and events are.
    pub watch: Freshness,
    /// What Slipway's own diagnosis finds wrong now, worst first.
    pub findings: Vec<Finding>,
    /// Proposed changes to the cluster in use, newest first.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// How many pages are connected on this machine: operators and viewers.
    pub viewers: u32,
    /// The link for viewers on the network; none while there is none.
    #[serde(default)]
    pub sharing: Option<SharingView>,
    /// The last walk that went well; `/replay` has all of it.
    #[serde(default)]
    pub recording: Option<RecordingView>,
}

/// Which parts of the state an event touches, so that the browser redraws only those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice {
    Project,
    Clusters,
    Cluster,
    Steps,
    Checks,
    Minikube,
    Secrets,
    Images,
    Builds,
    ImageReports,
    Deploy,
    Ownership,
    Helm,
    Runs,
    Components,
    Pods,
    OwnProbes,
    Reasons,
    Metrics,
    Forwards,
    Events,
    Watch,
    Findings,
    Approvals,
    Viewers,
    Sharing,
    Recording,
}

impl Slice {
    pub const ALL: [Slice; 27] = [
        Self::Project,
        Self::Clusters,
        Self::Cluster,
        Self::Steps,
        Self::Checks,
        Self::Minikube,
        Self::Secrets,
        Self::Images,
        Self::Builds,
        Self::ImageReports,
        Self::Deploy,
        Self::Ownership,
        Self::Helm,
        Self::Runs,
        Self::Components,
        Self::Pods,
        Self::OwnProbes,
        Self::Reasons,
        Self::Metrics,
        Self::Forwards,
        Self::Events,
        Self::Watch,
        Self::Findings,
        Self::Approvals,
        Self::Viewers,
        Self::Sharing,
        Self::Recording,
    ];
}

/// Everything that can happen to the state. Deletion is an event of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PanelEvent {
    Project(Box<ProjectView>),
    ProjectProblem(Box<Finding>),
    Adoption(Box<Adoption>),
    Clusters(Vec<ClusterOption>),
    KubeconfigFiles(Vec<KubeconfigFile>),
    /// Another cluster (or none): everything that was read from the old one is gone with this event.
    ClusterChosen(Option<Box<ClusterView>>),
    /// News about the cluster in use.
    Cluster(Box<ClusterView>),
    ClusterFreshness(Freshness),
    Step {
        step: StepId,
        state: StepState,
    },
    Check(Box<Check>),
    Minikube(Option<Box<MinikubeView>>),
    Secrets(Vec<SecretView>),
    SecretObject(Option<Box<SecretObjectView>>),
    Image(Box<ImageView>),
    /// A build begins; what was shown of the one before is gone.
    BuildStarted(Box<BuildView>),
    /// What became of some steps of a build.
    BuildSteps {
        component: ComponentName,
        run: RunId,
        steps: Vec<BuildStep>,
    },
    ImageReport(Box<ImageReport>),
    Plan(Option<Box<DeployPlan>>),
    Planning(Option<Planning>),
    Drift(Vec<DriftedObject>),
    Deployed(Option<DeployedView>),
    Ownership(Option<Box<OwnershipView>>),
    Revisions(Vec<DeployRevision>),
    Handover(Option<Box<Handover>>),
    Helm(Box<HelmView>),
    RunStarted(Box<RunView>),
    RunStage {
        run: RunId,
        stage: String,
        state: StageState,
    },
    RunLog {
        run: RunId,
        lines: Vec<LogLine>,
    },
    RunEnded {
        run: RunId,
        ending: Ending,
    },
    Component(Box<ComponentLive>),
    ComponentGone(ComponentName),
    Pod(Box<PodRow>),
    PodGone {
        uid: String,
    },
    /// The watch was listed anew: these are all pods there are.
    PodsReplaced(Vec<PodRow>),
    /// The newest answers to Slipway's own requests.
    OwnProbes(Vec<OwnProbe>),
    /// All of [`PanelState::reasons`].
    Reasons(BTreeMap<String, String>),
    Metrics(Box<Metrics>),
    Forwards(Vec<ForwardView>),
    Event(Box<EventRow>),
    EventGone {
        uid: String,
    },
    Watch(Freshness),
    Findings(Vec<Finding>),
    Approvals(Vec<Approval>),
    Viewers(u32),
    Sharing(Option<SharingView>),
    Recording(RecordingView),
}

impl PanelEvent {
    /// The slices this event touches. [`PanelEvent::ClusterChosen`] touches all of them.
    pub fn slices(&self) -> &'static [Slice] {
        match self {
            Self::Project(_) | Self::ProjectProblem(_) | Self::Adoption(_) => &[Slice::Project],
            Self::Clusters(_) | Self::KubeconfigFiles(_) => &[Slice::Clusters],
            Self::ClusterChosen(_) => &Slice::ALL,
            Self::Cluster(_) | Self::ClusterFreshness(_) => &[Slice::Cluster],
            Self::Step { .. } => &[Slice::Steps],
            Self::Check(_) => &[Slice::Checks],
            Self::Minikube(_) => &[Slice::Minikube],
            Self::Secrets(_) | Self::SecretObject(_) => &[Slice::Secrets],
            Self::Image(_) => &[Slice::Images],
            Self::BuildStarted(_) | Self::BuildSteps { .. } => &[Slice::Builds],
            Self::ImageReport(_) => &[Slice::ImageReports],
            Self::Plan(_) | Self::Planning(_) | Self::Drift(_) | Self::Deployed(_) => {
                &[Slice::Deploy]
            }
            Self::Ownership(_) | Self::Handover(_) => &[Slice::Ownership],
            Self::Revisions(_) => &[Slice::Deploy],
            Self::Helm(_) => &[Slice::Helm],
            Self::RunStarted(_)
            | Self::RunStage { .. }
            | Self::RunLog { .. }
            | Self::RunEnded { .. } => &[Slice::Runs],
            Self::Component(_) | Self::ComponentGone(_) => &[Slice::Components],
            Self::Pod(_) | Self::PodGone { .. } | Self::PodsReplaced(_) => &[Slice::Pods],
            Self::OwnProbes(_) => &[Slice::OwnProbes],
            Self::Reasons(_) => &[Slice::Reasons],
            Self::Metrics(_) => &[Slice::Metrics],
            Self::Forwards(_) => &[Slice::Forwards],
            Self::Event(_) | Self::EventGone { .. } => &[Slice::Events],
            Self::Watch(_) => &[Slice::Watch],
            Self::Findings(_) => &[Slice::Findings],
            Self::Approvals(_) => &[Slice::Approvals],
            Self::Viewers(_) => &[Slice::Viewers],
            Self::Sharing(_) => &[Slice::Sharing],
            Self::Recording(_) => &[Slice::Recording],
        }
    }

    /// Whether it tells something that was read from, or concluded about, the cluster in use: with
    /// another cluster chosen it is not true any more.
    pub fn is_of_cluster(&self) -> bool {
        match self {
            Self::Cluster(_)
            | Self::ClusterFreshness(_)
            | Self::Step { .. }
            | Self::Secrets(_)
            | Self::SecretObject(_)
            | Self::Image(_)
            | Self::BuildStarted(_)
            | Self::BuildSteps { .. }
            | Self::ImageReport(_)
            | Self::Plan(_)
            | Self::Planning(_)
            | Self::Drift(_)
            | Self::Deployed(_)
            | Self::Component(_)
            | Self::ComponentGone(_)
            | Self::Pod(_)
            | Self::PodGone { .. }
            | Self::PodsReplaced(_)
            | Self::OwnProbes(_)
            | Self::Reasons(_)
            | Self::Metrics(_)
            | Self::Forwards(_)
            | Self::Event(_)
            | Self::EventGone { .. }
            | Self::Ownership(_)
            | Self::Revisions(_)
            | Self::Handover(_)
            | Self::Watch(_)
            | Self::Findings(_)
            | Self::Approvals(_) => true,
            Self::Check(check) => check.id == "cluster",
            // The choice itself: the store makes it, nobody tells it.
            Self::ClusterChosen(_)
            // Chart and tool are not; what it tells of the release, its room forgets by itself.
            | Self::Helm(_)
            | Self::Project(_)
            | Self::ProjectProblem(_)
            | Self::Adoption(_)
            | Self::Clusters(_)
            | Self::KubeconfigFiles(_)
            | Self::Minikube(_)
            | Self::RunStarted(_)
            | Self::RunStage { .. }
            | Self::RunLog { .. }
            | Self::RunEnded { .. }
            | Self::Viewers(_)
            | Self::Sharing(_)
            | Self::Recording(_) => false,
        }
    }
}

impl PanelState {
    /// Folds one event in. Total: an event about something unknown is ignored.
    pub fn apply(&mut self, event: &PanelEvent) {
        match event {
            PanelEvent::Project(project) => {
                self.project = Some((**project).clone());
                self.project_problem = None;
                self.adoption = None;
            }
            PanelEvent::ProjectProblem(finding) => self.project_problem = Some((**finding).clone()),
            PanelEvent::Adoption(adoption) => self.adoption = Some((**adoption).clone()),
            PanelEvent::Clusters(clusters) => self.clusters.clone_from(clusters),
            PanelEvent::KubeconfigFiles(files) => self.kubeconfig_files.clone_from(files),
            PanelEvent::ClusterChosen(cluster) => self.choose_cluster(cluster.as_deref()),
            PanelEvent::Cluster(cluster) => self.cluster = Some((**cluster).clone()),
            PanelEvent::ClusterFreshness(freshness) => {
                if let Some(cluster) = &mut self.cluster {
                    cluster.freshness = *freshness;
                }
            }
            PanelEvent::Step { step, state } => {
                self.steps.insert(*step, state.clone());
            }
            PanelEvent::Check(check) => {
                replace_or_push(&mut self.checks, check, |a, b| a.id == b.id)
            }
            PanelEvent::Minikube(minikube) => self.minikube = minikube.as_deref().cloned(),
            PanelEvent::Secrets(secrets) => self.secrets.clone_from(secrets),
            PanelEvent::SecretObject(object) => self.secret_object = object.as_deref().cloned(),
            PanelEvent::BuildStarted(build) => {
                self.builds
                    .insert(build.component.clone(), (**build).clone());
            }
            PanelEvent::BuildSteps {
                component,
                run,
                steps,
            } => {
                if let Some(build) = self.builds.get_mut(component)
                    && build.run == *run
                {
                    build.merge(steps);
                }
            }
            PanelEvent::Image(image) => {
                replace_or_push(&mut self.images, image, |a, b| a.component == b.component)
            }
            PanelEvent::ImageReport(report) => {
                self.image_reports
                    .insert(report.component.clone(), (**report).clone());
            }
            PanelEvent::Plan(plan) => self.plan = plan.as_deref().cloned(),
            PanelEvent::Planning(planning) => self.planning = *planning,
            PanelEvent::Drift(drift) => self.drift = Some(drift.clone()),
            PanelEvent::Deployed(deployed) => self.deployed.clone_from(deployed),
            PanelEvent::Revisions(revisions) => self.revisions.clone_from(revisions),
            PanelEvent::Ownership(ownership) => self.ownership = ownership.as_deref().cloned(),
            PanelEvent::Handover(handover) => self.handover = handover.as_deref().cloned(),
            PanelEvent::Helm(helm) => self.helm.clone_from(helm),
            PanelEvent::RunStarted(run) => self.start_run(run),
            PanelEvent::RunStage { run, stage, state } => {
                if let Some(stage) = self.runs.get_mut(run).and_then(|run| run.stage_mut(stage)) {
                    stage.state = state.clone();
                }
            }
            PanelEvent::RunLog { run, lines } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.lines += lines.len() as u64;
                    run.tail.extend(lines.iter().cloned());
                    let surplus = run.tail.len().saturating_sub(RunView::TAIL);
                    run.tail.drain(..surplus);
                }
            }
            PanelEvent::RunEnded { run, ending } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.ending = Some(ending.clone());
                }
            }
            PanelEvent::Component(component) => {
                self.components
                    .insert(component.component.clone(), (**component).clone());
            }
            PanelEvent::ComponentGone(name) => {
                self.components.remove(name);
            }
            PanelEvent::Pod(pod) => {
                self.pods.insert(pod.uid.clone(), (**pod).clone());
            }
            PanelEvent::PodGone { uid } => {
                self.pods.remove(uid);
                self.own_probes.remove(uid);
            }
            PanelEvent::PodsReplaced(pods) => {
                self.pods = pods
                    .iter()
                    .map(|pod| (pod.uid.clone(), pod.clone()))
                    .collect();
                self.own_probes.retain(|pod, _| self.pods.contains_key(pod));
            }
            PanelEvent::OwnProbes(answers) => self.add_own_probes(answers),
            PanelEvent::Reasons(reasons) => self.reasons.clone_from(reasons),
            PanelEvent::Metrics(metrics) => self.metrics.clone_from(metrics),
            PanelEvent::Forwards(forwards) => self.forwards.clone_from(forwards),
            PanelEvent::Event(event) => self.add_event(event),
            PanelEvent::EventGone { uid } => {
                self.events.remove(uid);
            }
            PanelEvent::Watch(freshness) => self.watch = *freshness,
            PanelEvent::Findings(findings) => self.findings.clone_from(findings),
            PanelEvent::Approvals(approvals) => self.approvals.clone_from(approvals),
            PanelEvent::Viewers(viewers) => self.viewers = *viewers,
            PanelEvent::Sharing(sharing) => self.sharing.clone_from(sharing),
            PanelEvent::Recording(recording) => self.recording = Some(*recording),
        }
    }

    /// How many pages watch: on this machine and through the link for viewers.
    pub fn watching(&self) -> u32 {
        self.viewers + self.sharing.as_ref().map_or(0, |sharing| sharing.watching)
    }

    /// Whether the project is in the cluster, raw or as a Helm release.
    pub fn is_deployed(&self) -> bool {
        self.deployed.is_some() || self.helm.deployed().is_some()
    }

    /// The newest run of a kind that is still going, or the newest of that kind at all.
    pub fn latest_run(&self, kind: super::RunKind) -> Option<&RunView> {
        let of_kind = || self.runs.values().rev().filter(|run| run.kind == kind);
        of_kind()
            .find(|run| run.is_going())
            .or_else(|| of_kind().next())
    }

    /// Why a pod is not ready, in one sentence; none when it is.
    pub fn why_not_ready<'a>(&'a self, pod: &'a PodRow) -> Option<&'a str> {
        let plain = pod.why_not_ready.as_deref()?;
        Some(self.reasons.get(&pod.uid).map_or(plain, String::as_str))
    }

    /// Why a component is not ready: what its first pod of the newest template says, or of any.
    pub fn why_component_waits(&self, component: &ComponentName) -> Option<&str> {
        let waiting = || {
            self.pods.values().filter(|pod| {
                pod.component.as_ref() == Some(component)
                    && !pod.terminating
                    && pod.phase != "Failed"
                    && pod.why_not_ready.is_some()
            })
        };
        let pod = waiting().find(|pod| pod.current).or(waiting().next())?;
        self.why_not_ready(pod)
    }

    fn choose_cluster(&mut self, cluster: Option<&ClusterView>) {
        // What happened on a cluster that was in use says nothing about the next one; the journal
        // keeps it. At the start there was none, and what was interrupted has to be seen.
        let was_used = self
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.version.is_some());
        if was_used {
            self.runs.retain(|_, run| run.is_going());
        }
        self.cluster = cluster.cloned();
        self.checks.retain(|check| check.id != "cluster");
        self.steps.clear();
        self.secrets.clear();
        self.secret_object = None;
        self.images.clear();
        self.builds.clear();
        self.image_reports.clear();
        self.plan = None;
        self.planning = None;
        self.drift = None;
        self.deployed = None;
        self.ownership = None;
        self.revisions.clear();
        self.handover = None;
        self.helm.release = None;
        self.helm.drift = None;
        self.components.clear();
        self.pods.clear();
        self.own_probes.clear();
        self.reasons.clear();
        self.metrics = Metrics::Unknown;
        self.forwards.clear();
        self.events.clear();
        self.watch = Freshness::default();
        self.findings.clear();
        self.approvals.clear();
    }

    fn start_run(&mut self, run: &RunView) {
        self.runs.insert(run.id, run.clone());
        let ended: Vec<RunId> = self
            .runs
            .values()
            .filter(|run| !run.is_going())
            .map(|run| run.id)
            .collect();
        for id in ended.iter().take(self.runs.len().saturating_sub(RUNS_KEPT)) {
            self.runs.remove(id);
        }
    }

    /// An answer about a pod that went meanwhile is nobody's.
    fn add_own_probes(&mut self, answers: &[OwnProbe]) {
        for answer in answers {
            if self.pods.contains_key(&answer.pod) {
                let of_pod = self.own_probes.entry(answer.pod.clone()).or_default();
                replace_or_push(of_pod, answer, |a, b| b.is_of(&a.container, a.kind));
            }
        }
    }

    fn add_event(&mut self, event: &EventRow) {
        self.events.insert(event.uid.clone(), event.clone());
        if self.events.len() > EVENTS_KEPT {
            let oldest = self
                .events
                .values()
                .min_by_key(|event| event.at)
                .map(|event| event.uid.clone());
            if let Some(uid) = oldest {
                self.events.remove(&uid);
            }
        }
    }
}

fn replace_or_push<T: Clone>(items: &mut Vec<T>, item: &T, same: impl Fn(&T, &T) -> bool) {
    match items.iter_mut().find(|existing| same(existing, item)) {
        Some(existing) => *existing = item.clone(),
        None => items.push(item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, RunKind, UnixMillis};
    use super::*;

    fn run(id: u64, ended: bool) -> RunView {
        RunView {
            id: RunId(id),
            kind: RunKind::Build,
            started: UnixMillis(0),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: ended.then_some(Ending {
                at: UnixMillis(1),
                outcome: Outcome::Cancelled,
            }),
        }
    }

    fn event(uid: usize) -> EventRow {
        EventRow {
            uid: uid.to_string(),
            kind: "Pod".into(),
            name: "backend".into(),
            object_uid: "u".into(),
            warning: false,
            reason: "Started".into(),
            message: String::new(),
            count: 1,
            at: UnixMillis(uid as i64),
        }
    }

    #[test]
    fn old_runs_go_but_a_going_run_never_does() {
        let mut state = PanelState::default();
        state.apply(&PanelEvent::RunStarted(Box::new(run(0, false))));
        for id in 1..100 {
            state.apply(&PanelEvent::RunStarted(Box::new(run(id, true))));
        }
        assert!(state.runs.len() <= RUNS_KEPT);
        assert!(state.runs.contains_key(&RunId(0)));
        assert!(state.runs.contains_key(&RunId(99)));
        assert_eq!(
            state.latest_run(RunKind::Build).map(|run| run.id),
            Some(RunId(0))
        );
    }

    #[test]
    fn the_oldest_event_goes_first() {
        let mut state = PanelState::default();
        for uid in 0..EVENTS_KEPT + 5 {
            state.apply(&PanelEvent::Event(Box::new(event(uid))));
        }
        assert_eq!(state.events.len(), EVENTS_KEPT);
        assert!(!state.events.contains_key("0"));
    }

    #[test]
    fn choosing_a_cluster_leaves_nothing_of_the_old_one() {
        let mut state = PanelState::default();
        state.apply(&PanelEvent::Event(Box::new(event(1))));
        state.apply(&PanelEvent::Watch(Freshness::heard_at(UnixMillis(1))));
        state.apply(&PanelEvent::ClusterChosen(None));
        assert_eq!(state, PanelState::default());
    }

    #[test]
    fn the_log_tail_is_bounded_and_the_count_is_not() {
        let mut state = PanelState::default();
        state.apply(&PanelEvent::RunStarted(Box::new(run(1, false))));
        let lines = vec![
            LogLine {
                at: UnixMillis(0),
                stage: "s".into(),
                text: "x".into()
            };
            150
        ];
        for _ in 0..3 {
            state.apply(&PanelEvent::RunLog {
                run: RunId(1),
                lines: lines.clone(),
            });
        }
        assert_eq!(state.runs[&RunId(1)].tail.len(), RunView::TAIL);
        assert_eq!(state.runs[&RunId(1)].lines, 450);
    }
}
