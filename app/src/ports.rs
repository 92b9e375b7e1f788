//! What the face needs from the hands. The server implements these; nothing here knows how.
//! Every method answers quickly: what takes long becomes a run, and its id is the answer.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::model::{
    AdoptPreview, AdoptWish, ApprovalId, AssistantSetting, AuditPage, AuditQuestion, Builder,
    ChangeProposal, ClusterChoice, ComponentName, ContextName, ContextPack, DeployMode, DeployPlan,
    Desk, DeskFrame, DrillWish, Failure, ForwardView, GoingRuns, Handover, InClusterReport,
    LiveObject, LiveTestReport, LogFile, LogFrame, LogLine, LogPage, LogQuestion, LogWish,
    NewCluster, ObjectDiff, ObjectKey, Outgoing, PlanChoices, ProfileAct, ProfileName, PromptIdea,
    Question, Rebuild, ReleasePlan, ReleaseWish, ResourceMap, RevisionChange, RevisionComparison,
    RevisionDetail, RolloutAct, RolloutHistory, RunId, SavePreview, SecretInput, SecretKey,
    ShareLink, TerminalFrame, TerminalId, TerminalPlace, TerminalSize, Timeline, TurnId, TypedText,
    UnixMillis, ValueEdit, ValuesForm, Written,
};

/// A folder without a `slipway.toml`. The one port there is before the project, so it stands alone:
/// the other ports come with the project.
#[async_trait]
pub trait Adopter: Send + Sync {
    /// Looks at the folder again; the proposal arrives as an event.
    async fn look(&self) -> Result<(), Failure>;
    /// What would be written; nothing is.
    async fn preview(&self, wish: AdoptWish) -> Result<AdoptPreview, Failure>;
    /// Writes exactly what the preview of this hash showed, and overwrites nothing.
    async fn write(&self, wish: AdoptWish, hash: String) -> Result<Written, Failure>;
}

/// What is here, and what is missing.
#[async_trait]
pub trait Setup: Send + Sync {
    /// Runs all checks again; their news arrive as events.
    async fn recheck(&self) -> Result<(), Failure>;
    /// A muted check stays visible and does not ask for attention; remembered.
    async fn mute(&self, check: String, muted: bool) -> Result<(), Failure>;
}

/// Which cluster is in use, and whether it may be changed.
#[async_trait]
pub trait Clusters: Send + Sync {
    /// Starts to use a cluster; the practice cluster is started if it is not running.
    /// A cluster that is not on this machine can only be looked at until its name was typed.
    async fn use_cluster(&self, choice: ClusterChoice, going: GoingRuns) -> Result<(), Failure>;
    /// Allows changes on a cluster that is not on this machine: `typed_name` must be its context's
    /// name. Remembered for this name, address and certificate authority.
    async fn allow_changes(&self, context: ContextName, typed_name: String) -> Result<(), Failure>;
    /// From now on the cluster can only be looked at, until its name is typed again.
    async fn forget_allowance(&self, context: ContextName) -> Result<(), Failure>;
    /// Reads the kubeconfig again and asks what may be asked without anyone noticing.
    async fn look_again(&self) -> Result<(), Failure>;
}

/// The clusters minikube makes on this machine, whichever is in use.
#[async_trait]
pub trait Minikube: Send + Sync {
    /// Makes a new cluster and then uses it; refused when the profile exists.
    async fn create(&self, new: NewCluster) -> Result<RunId, Failure>;
    /// Does something to a profile. One that was started is then used.
    async fn act(&self, act: ProfileAct, profile: ProfileName) -> Result<RunId, Failure>;
}

/// Values go in and never come back.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Checks the shape, puts the value into the cluster's Secret, keeps only a fingerprint.
    async fn set(&self, key: SecretKey, value: SecretInput) -> Result<(), Failure>;
    /// Makes a random value for a key of kind `random` and stores it the same way.
    async fn generate(&self, key: SecretKey) -> Result<(), Failure>;
    /// The same for several at once: all of them or none.
    async fn set_all(&self, values: Vec<(SecretKey, SecretInput)>) -> Result<(), Failure>;
    async fn delete(&self, key: SecretKey) -> Result<(), Failure>;
    /// Tries a value out for real from this machine, or the one in the cluster; nothing is stored.
    async fn test(
        &self,
        key: SecretKey,
        value: Option<SecretInput>,
    ) -> Result<LiveTestReport, Failure>;
    /// Starts one pod of every component that reads the key with this value, asks it whether it is
    /// ready and removes it; nothing is stored.
    async fn try_in_cluster(&self, key: SecretKey, value: SecretInput) -> Result<RunId, Failure>;
    /// Names a key that only the workloads read in `slipway.toml`. Changes nothing in the cluster.
    async fn declare(&self, key: SecretKey) -> Result<(), Failure>;
    /// Stops the test of this key that is going, if one is.
    async fn stop_test(&self, key: SecretKey) -> Result<(), Failure>;
    /// Asks the readiness path of the pods that read secrets, inside the cluster.
    async fn ask_pods(&self) -> Result<InClusterReport, Failure>;
    /// What the cluster has is right, whoever put it there. Changes nothing in the cluster.
    async fn accept(&self, key: SecretKey) -> Result<(), Failure>;
    /// Lets Slipway write into a Secret that someone else keeps.
    async fn adopt(&self) -> Result<(), Failure>;
}

#[async_trait]
pub trait Images: Send + Sync {
    /// Builds these components (all when empty) and proves them in the cluster.
    async fn build(
        &self,
        components: Vec<ComponentName>,
        rebuild: Rebuild,
    ) -> Result<RunId, Failure>;
    /// Stops the build of one component; the others of the run go on. One that has ended already is
    /// left alone.
    async fn cancel_build(&self, component: ComponentName) -> Result<(), Failure>;
    /// Builds of this component on the cluster in use take this builder from now on.
    async fn choose_builder(
        &self,
        component: ComponentName,
        builder: Builder,
    ) -> Result<(), Failure>;
}

#[async_trait]
pub trait Deploys: Send + Sync {
    /// Makes the plan anew by a server-side dry run; it also arrives as an event.
    async fn plan(&self, choices: PlanChoices) -> Result<DeployPlan, Failure>;
    /// Stops the plan that is being made, if one is.
    async fn stop_planning(&self) -> Result<(), Failure>;
    /// What changes in one object of a plan; `everything` also shows what the server keeps and
    /// fills in. Refused for a plan that is no longer kept.
    async fn object_diff(
        &self,
        plan_hash: String,
        key: String,
        everything: bool,
    ) -> Result<ObjectDiff, Failure>;
    /// Applies the plan with this hash and follows the rollout; refused when the world has moved on.
    /// A plan that deletes objects needs `prune`, a yes of its own.
    async fn deploy(&self, plan_hash: String, prune: bool) -> Result<RunId, Failure>;
}

/// Rollouts of the components' Deployments, steered by hand.
#[async_trait]
pub trait Rollouts: Send + Sync {
    /// Pauses, resumes, restarts, takes back or scales, and follows what comes of it.
    async fn steer(&self, component: ComponentName, act: RolloutAct) -> Result<RunId, Failure>;
    /// Restarts exactly the workloads whose pods were started with other secret values than there
    /// are now, and follows them.
    async fn restart_stale(&self) -> Result<RunId, Failure>;
    /// The revisions the Deployment still has, newest first.
    async fn history(&self, component: ComponentName) -> Result<RolloutHistory, Failure>;
}

/// Breaking a component on purpose, and healing it.
#[async_trait]
pub trait Drills: Send + Sync {
    /// Breaks and heals as wished. Refused for a component that is not well, and without the typed name
    /// on any cluster but the practice cluster.
    async fn start(&self, wish: DrillWish) -> Result<RunId, Failure>;
    /// Takes out a fault that was left in, and follows the rollout.
    async fn heal(&self, component: ComponentName) -> Result<RunId, Failure>;
}

/// The recorded revisions of the raw deploys. Going back to one is a plan with
/// [`PlanChoices::back_to`](crate::model::PlanChoices).
#[async_trait]
pub trait Revisions: Send + Sync {
    /// What differs from one revision to another.
    async fn compare(&self, from: u64, to: u64) -> Result<Vec<RevisionChange>, Failure>;
}

/// One project, one owner: who deploys it, raw or Helm, and the switch between them.
#[async_trait]
pub trait Handovers: Send + Sync {
    /// Plans the switch; nothing is written. The plan also arrives as an event.
    async fn plan_handover(&self, to: DeployMode) -> Result<Handover, Failure>;
    /// Carries out exactly the plan with this hash; refused when the world has moved on.
    async fn hand_over(&self, to: DeployMode, hash: String) -> Result<RunId, Failure>;
    /// Puts the plan away.
    async fn dismiss_handover(&self) -> Result<(), Failure>;
}

/// The chart, its values and its release.
#[async_trait]
pub trait Releases: Send + Sync {
    /// Looks for helm again, reads the chart and lints it; the news arrives as an event.
    async fn check_chart(&self) -> Result<(), Failure>;
    /// Gets the chart's missing dependencies.
    async fn build_dependencies(&self) -> Result<RunId, Failure>;
    /// The values form with these edits in it, checked by helm itself.
    async fn values(&self, edits: Vec<ValueEdit>) -> Result<ValuesForm, Failure>;
    /// What saving the edits would make of a values file.
    async fn plan_save(&self, edits: Vec<ValueEdit>, file: String) -> Result<SavePreview, Failure>;
    /// Saves them as planned; refused when the file has changed since.
    async fn save(&self, edits: Vec<ValueEdit>, file: String, hash: String) -> Result<(), Failure>;
    /// What a wish would do; nothing is changed.
    async fn plan(&self, wish: ReleaseWish) -> Result<ReleasePlan, Failure>;
    /// Does exactly what was planned; refused when the world has moved on.
    async fn carry_out(&self, wish: ReleaseWish, plan_hash: String) -> Result<RunId, Failure>;
    async fn compare(&self, from: u32, to: u32) -> Result<RevisionComparison, Failure>;
    /// A revision in full, masked.
    async fn revision(&self, revision: u32) -> Result<RevisionDetail, Failure>;
}

#[async_trait]
pub trait Live: Send + Sync {
    /// Follows the logs of everything the wish means, merged, redacted, and no faster than a page can
    /// take. Ends with the cluster, or when it is dropped.
    async fn follow_logs(&self, wish: LogWish) -> Result<BoxStream<'static, LogFrame>, Failure>;
    /// The same logs as far as the cluster has them, as one text of bounded size.
    async fn log_file(&self, wish: LogWish) -> Result<LogFile, Failure>;
    /// What was recorded of the cluster in use between two moments.
    async fn timeline(&self, from: UnixMillis, to: UnixMillis) -> Result<Timeline, Failure>;
    /// An object of the project's namespace as the cluster has it, with every secret value hidden;
    /// `everything` also shows what the server keeps for itself.
    async fn object(&self, key: ObjectKey, everything: bool) -> Result<LiveObject, Failure>;
    /// What the project is made of in the cluster, and how its objects hang together.
    async fn map(&self) -> Result<ResourceMap, Failure>;
    /// Deletes the pod of this UID and no other, and waits for the one that takes its place.
    async fn delete_pod(&self, uid: String) -> Result<RunId, Failure>;
}

/// Ports of this machine that lead into the cluster in use, and end with it.
#[async_trait]
pub trait Forwards: Send + Sync {
    /// Opens one to a port of a Service; one that is open already is the answer. Every connection goes
    /// to a pod that is ready then.
    async fn open(&self, service: String, port: u16) -> Result<ForwardView, Failure>;
    /// Closes it and every connection through it; one that is not open is left alone.
    async fn close(&self, service: String, port: u16) -> Result<(), Failure>;
}

/// Terminals: what runs in them is started and typed by a person.
#[async_trait]
pub trait Terminals: Send + Sync {
    /// Begins a session in this place; one that goes on there already is the answer.
    async fn open(&self, place: TerminalPlace, size: TerminalSize) -> Result<TerminalId, Failure>;
    /// Hands the program exactly this; refused for a session that has ended.
    async fn type_in(&self, id: TerminalId, text: TypedText) -> Result<(), Failure>;
    async fn resize(&self, id: TerminalId, size: TerminalSize) -> Result<(), Failure>;
    /// Ends the program; one that has ended is left alone.
    async fn close(&self, id: TerminalId) -> Result<(), Failure>;
    /// The session of this place as it is, redacted, what happens to it, and the ones after it.
    async fn follow(
        &self,
        place: TerminalPlace,
    ) -> Result<BoxStream<'static, TerminalFrame>, Failure>;
}

/// Proposed changes, and the one hand that carries them out.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// Makes a card of a proposal; one that is denied becomes a card, too, with the reason.
    async fn propose(&self, proposal: ChangeProposal) -> Result<ApprovalId, Failure>;
    /// Carries out exactly what the card with this hash shows: once, before it expires, and only
    /// while the objects are as they were shown.
    async fn approve(&self, id: ApprovalId, hash: String) -> Result<RunId, Failure>;
    async fn decline(&self, id: ApprovalId) -> Result<(), Failure>;
    /// Tries it again by a dry run; the card has a new hash and a new time to decide.
    async fn renew(&self, id: ApprovalId) -> Result<(), Failure>;
    /// Puts back what was changed, as long as nobody has changed it since.
    async fn undo(&self, id: ApprovalId) -> Result<RunId, Failure>;
    /// The whole difference of one of the card's objects.
    async fn diff(&self, id: ApprovalId, object: u32) -> Result<ObjectDiff, Failure>;
    /// Who asked for what, newest first.
    async fn audit(&self, question: AuditQuestion) -> Result<AuditPage, Failure>;
}

/// The desk: who can be asked, what goes to them, and what comes back.
#[async_trait]
pub trait Assistants: Send + Sync {
    /// Everything an assistant could be told now, with every secret value, and what looks like one,
    /// hidden. Nothing is sent anywhere.
    async fn pack(&self) -> Result<ContextPack, Failure>;
    /// Looks how everybody stands.
    async fn desk(&self) -> Result<Desk, Failure>;
    /// Keeps choices, and a key in memory.
    async fn configure(&self, setting: AssistantSetting) -> Result<(), Failure>;
    /// What would be sent, word by word. Nothing is.
    async fn preview(&self, question: Question) -> Result<Outgoing, Failure>;
    /// Sends it. The first question to a cloud has to name what was seen, by its hash.
    async fn ask(&self, question: Question, seen: Option<String>) -> Result<TurnId, Failure>;
    /// Starts one that answers in a terminal only, with a text that was seen, by its hash.
    async fn open_terminal(
        &self,
        question: Question,
        seen: String,
        size: TerminalSize,
    ) -> Result<TerminalId, Failure>;
    /// Stops a turn that is being answered; one that has ended is left alone.
    async fn stop(&self, turn: TurnId) -> Result<(), Failure>;
    /// Ends the conversation: what was said before is not sent again and not shown any more.
    async fn forget(&self) -> Result<(), Failure>;
    /// All turns, and what happens to them.
    async fn follow(&self) -> Result<BoxStream<'static, DeskFrame>, Failure>;
    /// Saves a prompt for this project; one with the same title is replaced.
    async fn save_prompt(&self, idea: PromptIdea) -> Result<(), Failure>;
    async fn remove_prompt(&self, title: String) -> Result<(), Failure>;
    /// Applies Slipway's own agent for kagent. `shown` is the manifest a person has read.
    async fn apply_agent(&self, shown: String) -> Result<(), Failure>;
    /// Removes it again.
    async fn remove_agent(&self) -> Result<(), Failure>;
}

#[async_trait]
pub trait RunBook: Send + Sync {
    /// Asks a run to stop; its ending arrives as an event.
    async fn cancel(&self, run: RunId) -> Result<(), Failure>;
    /// Log lines of a run from the journal, starting with line number `from` (0-based), at most 1,000.
    async fn log(&self, run: RunId, from: u64) -> Result<Vec<LogLine>, Failure>;
    /// Log lines that fit the question, at most 500 a page.
    async fn search_log(&self, run: RunId, question: LogQuestion) -> Result<LogPage, Failure>;
}

/// The link through which people on the network watch.
#[async_trait]
pub trait Sharing: Send + Sync {
    /// Opens a new link; a former one ends. Refused where there is no private network to open it in.
    async fn open(&self) -> Result<ShareLink, Failure>;
    /// The link that is open, if one is.
    async fn link(&self) -> Result<Option<ShareLink>, Failure>;
    /// Ends the link and cuts off everyone who watches through it.
    async fn revoke(&self) -> Result<(), Failure>;
}

/// All ports, handed over once per request context. The viewer's router never gets these.
#[derive(Clone)]
pub struct Ports {
    pub setup: Arc<dyn Setup>,
    pub clusters: Arc<dyn Clusters>,
    pub minikube: Arc<dyn Minikube>,
    pub secrets: Arc<dyn Secrets>,
    pub images: Arc<dyn Images>,
    pub deploys: Arc<dyn Deploys>,
    pub handovers: Arc<dyn Handovers>,
    pub releases: Arc<dyn Releases>,
    pub revisions: Arc<dyn Revisions>,
    pub rollouts: Arc<dyn Rollouts>,
    pub drills: Arc<dyn Drills>,
    pub live: Arc<dyn Live>,
    pub forwards: Arc<dyn Forwards>,
    pub terminals: Arc<dyn Terminals>,
    pub approvals: Arc<dyn Approvals>,
    pub assistants: Arc<dyn Assistants>,
    pub runs: Arc<dyn RunBook>,
    pub sharing: Arc<dyn Sharing>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}
