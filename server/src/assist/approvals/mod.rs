//! Proposed changes: parsed, tried, shown to a person, and only after a single-use yes carried out by
//! Slipway itself. Whoever proposes, a rule, a person or an assistant, comes through here.

mod carry;
mod kept;
mod look;
mod proposing;
mod take_back;
pub mod words;

use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Approval, ApprovalId, ApprovalOutcome, ApprovalState, AuditPage, AuditQuestion, ChangeProposal,
    Classification, Failure, Finding, ObjectDiff, PanelEvent, RunId, Stage, StageState, UndoState,
    UnixMillis,
};
use app::ports::Approvals;
use async_trait::async_trait;

use self::kept::kept_cards;
use self::look::{Seen, read};
use self::take_back::Reversal;
use super::AssistRoom;
use super::command::Command;
use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, clock};
use crate::project::Project;

/// How long a person has for a yes; looking again gives the same time anew.
pub const TIME_TO_DECIDE: Duration = Duration::from_secs(10 * 60);
const TICK: Duration = Duration::from_secs(2);

/// Makes cards and carries them out; clones share the room.
#[derive(Clone, Debug)]
pub struct ApprovalsRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    assist: Arc<AssistRoom>,
    kubectl: OsString,
    /// Of all clusters, oldest first.
    cards: Mutex<Vec<Card>>,
}

#[derive(Clone, Debug)]
struct Card {
    view: Approval,
    /// The cluster it is for, by its identity.
    cluster: String,
    proposal: ChangeProposal,
    command: Option<Command>,
    seen: Vec<Seen>,
    reversals: Vec<Reversal>,
    /// A yes is being looked at, so that a second one finds it taken.
    taken: bool,
}

impl Card {
    /// It can still be decided about, or looked at again.
    fn is_open(&self) -> bool {
        matches!(
            self.view.state,
            ApprovalState::Waiting | ApprovalState::Refused { .. }
        )
    }

    /// Something goes on with it that must find it again.
    fn is_at_work(&self) -> bool {
        let runs = matches!(
            self.view.state,
            ApprovalState::Running { .. }
                | ApprovalState::Ended {
                    undo: UndoState::Running { .. },
                    ..
                }
        );
        self.taken || runs
    }

    /// Nobody has anything to decide about it any more.
    fn is_settled(&self, now: UnixMillis) -> bool {
        let waits = self.view.state == ApprovalState::Waiting && now < self.view.expires;
        !waits && !self.is_at_work()
    }
}

impl ApprovalsRoom {
    /// `kubectl` is the program that carries changes out.
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        assist: Arc<AssistRoom>,
        kubectl: OsString,
    ) -> Self {
        let cards = kept_cards(&core, &project);
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                assist,
                kubectl,
                cards: Mutex::new(cards),
            }),
        }
    }

    /// Shows the cards of the cluster in use, whichever it is.
    pub fn spawn(&self) {
        let room = self.clone();
        let stop = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.follow_cluster() => {}
            }
        });
    }

    async fn follow_cluster(&self) {
        let mut clusters = self.inner.cluster.watch();
        loop {
            clusters.borrow_and_update();
            self.settle_lost();
            self.show();
            tokio::select! {
                changed = clusters.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    fn find(&self, connected: &Connected, id: &ApprovalId) -> Result<Card, Failure> {
        let cards = self.cards();
        let mut cards = cards.iter();
        cards
            .find(|card| card.view.id == *id && card.cluster == connected.id)
            .cloned()
            .ok_or_else(|| words::unknown(id).into())
    }

    /// Takes a card for a yes: from here on no other yes is heard.
    fn take(&self, connected: &Connected, id: &ApprovalId, hash: &str) -> Result<Card, Failure> {
        let mut cards = self.cards();
        let card = cards
            .iter_mut()
            .find(|card| card.view.id == *id && card.cluster == connected.id)
            .ok_or_else(|| words::unknown(id))?;
        let is_denied = matches!(card.view.classification, Classification::Denied { .. });
        if card.taken || card.view.state != ApprovalState::Waiting || is_denied {
            return Err(words::spent().into());
        }
        if card.view.hash != hash {
            return Err(words::outdated().into());
        }
        if !card.view.can_be_approved(clock::now()) {
            return Err(words::expired().into());
        }
        card.taken = true;
        Ok(card.clone())
    }

    fn give_back(&self, id: &ApprovalId) {
        self.change(id, |card| card.taken = false);
    }

    fn change(&self, id: &ApprovalId, change: impl FnOnce(&mut Card)) {
        if let Some(card) = self.cards().iter_mut().find(|card| card.view.id == *id) {
            change(card);
        }
        self.show();
    }

    /// A run that was broken off tells nobody.
    fn settle_lost(&self) {
        let ended = |run: RunId| {
            self.inner.core.hub.read(|state| {
                let ending = state.runs.get(&run).map(|run| run.ending.clone());
                ending.unwrap_or_default().map(|ending| ending.at)
            })
        };
        for card in self.cards().iter_mut() {
            match &mut card.view.state {
                ApprovalState::Running { run } => {
                    if let Some(at) = ended(*run) {
                        card.taken = false;
                        card.view.state = ApprovalState::Ended {
                            run: *run,
                            at,
                            outcome: ApprovalOutcome::Cancelled,
                            undo: UndoState::None,
                        };
                    }
                }
                ApprovalState::Ended {
                    undo: undo @ UndoState::Running { .. },
                    ..
                } => {
                    if let UndoState::Running { run } = undo
                        && ended(*run).is_some()
                    {
                        *undo = UndoState::Ready;
                    }
                }
                _ => {}
            }
        }
    }

    /// Tells the cards of the cluster in use, newest first.
    fn show(&self) {
        let connected = self.inner.cluster.current();
        let here = connected.as_ref().map(|connected| connected.id.as_str());
        // Held until they are told, so that an older list is never told last.
        let cards = self.cards();
        let views: Vec<Approval> = cards
            .iter()
            .rev()
            .filter(|card| Some(card.cluster.as_str()) == here)
            .map(|card| card.view.clone())
            .collect();
        let voice = match connected {
            Some(connected) => connected.voice.clone(),
            None => self.inner.core.hub.voice(),
        };
        voice.publish(PanelEvent::Approvals(views));
    }

    fn cards(&self) -> MutexGuard<'_, Vec<Card>> {
        self.inner
            .cards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the objects are as the card shows them.
    async fn is_unchanged(&self, connected: &Connected, card: &Card) -> Result<bool, Finding> {
        let namespace = self.inner.project.spec().namespace.to_string();
        for seen in &card.seen {
            let now = read(connected, &seen.target, &namespace).await?;
            if now.is_null() || !seen.is_still(&now) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Approvals for ApprovalsRoom {
    async fn propose(&self, proposal: ChangeProposal) -> Result<ApprovalId, Failure> {
        let origin = self.origin(&proposal);
        self.propose_as(origin, proposal).await
    }

    async fn approve(&self, id: ApprovalId, hash: String) -> Result<RunId, Failure> {
        let connected = self.inner.cluster.changeable()?;
        let card = self.take(&connected, &id, &hash)?;
        match self.is_unchanged(&connected, &card).await {
            Ok(true) => {}
            Ok(false) => {
                self.give_back(&id);
                self.look_again(&connected, &id).await?;
                return Err(words::outdated().into());
            }
            Err(finding) => {
                self.give_back(&id);
                return Err(finding.into());
            }
        }
        let versions: Vec<String> = card
            .view
            .objects
            .iter()
            .map(|object| {
                format!(
                    "{} {} at {}",
                    object.kind, object.name, object.resource_version
                )
            })
            .collect();
        let words = format!(
            "approved ({id}, {hash}; {}): {}",
            versions.join(", "),
            card.view.line
        );
        let journal = &self.inner.core.journal;
        let started = match journal.audit("operator", &words).await {
            Ok(()) => self.start(&connected, &card),
            Err(finding) => Err(finding.into()),
        };
        if started.is_err() {
            self.give_back(&id);
        }
        started
    }

    async fn decline(&self, id: ApprovalId) -> Result<(), Failure> {
        let connected = self.inner.cluster.connected()?;
        let card = self.find(&connected, &id)?;
        if !card.is_open() || card.taken {
            return Err(words::spent().into());
        }
        let words = format!("declined ({id}): {}", card.view.line);
        self.inner.core.journal.audit("operator", &words).await?;
        self.change(&id, |card| {
            if !card.taken && card.is_open() {
                card.view.state = ApprovalState::Declined { at: clock::now() };
            }
        });
        Ok(())
    }

    async fn renew(&self, id: ApprovalId) -> Result<(), Failure> {
        let connected = self.inner.cluster.connected()?;
        self.look_again(&connected, &id).await
    }

    async fn undo(&self, id: ApprovalId) -> Result<RunId, Failure> {
        let connected = self.inner.cluster.changeable()?;
        let card = self.find(&connected, &id)?;
        if !card.view.can_be_undone() || card.reversals.is_empty() {
            return Err(words::nothing_to_undo().into());
        }
        let words = format!("undo ({id}) of: {}", card.view.line);
        self.inner.core.journal.audit("operator", &words).await?;
        self.start_undo(&connected, &card)
    }

    async fn diff(&self, id: ApprovalId, object: u32) -> Result<ObjectDiff, Failure> {
        let connected = self.inner.cluster.connected()?;
        let card = self.find(&connected, &id)?;
        let at = usize::try_from(object).unwrap_or(usize::MAX);
        match card.seen.get(at) {
            Some(seen) => Ok(seen.diff.clone()),
            None => Err(words::unknown(&id).into()),
        }
    }

    async fn audit(&self, question: AuditQuestion) -> Result<AuditPage, Failure> {
        let mut page = self.inner.core.journal.search_audit(question).await?;
        // A value may have become known after something was written down.
        for entry in &mut page.entries {
            entry.what = self.inner.core.redactor.redact(&entry.what).into_owned();
        }
        Ok(page)
    }
}

fn stage(id: &str, title: impl Into<String>) -> Stage {
    Stage {
        id: id.to_owned(),
        title: title.into(),
        component: None,
        state: StageState::Pending,
    }
}
