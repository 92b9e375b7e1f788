//! Proposed changes: parsed, tried, shown to a person, and only after a single-use yes carried out by
//! Slipway itself. Whoever proposes, a rule, a person or an assistant, comes through here.

mod carry;
mod look;
mod take_back;
pub mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Approval, ApprovalId, ApprovalOutcome, ApprovalState, AuditPage, AuditQuestion, ChangeProposal,
    Classification, Failure, Finding, Heals, NextAction, ObjectDiff, Origin, PanelEvent, Remedy,
    RunId, Stage, StageState, UndoState, UnixMillis,
};
use app::ports::Approvals;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::AssistRoom;
use super::command::{Class, Command, classify, joined, split};
use super::reading::shown;
use crate::cluster::{ClusterRoom, Connected};
use crate::deploy::preview::mask::hide;
use crate::engine::{Core, clock};
use crate::project::Project;
use look::{Looked, Looker, Seen, on_card, read};
use take_back::Reversal;

/// How long a person has for a yes; looking again gives the same time anew.
pub const TIME_TO_DECIDE: Duration = Duration::from_secs(10 * 60);
/// Cards that are kept for a cluster, decided or not.
const MOST_CARDS: usize = 30;
const MOST_WAITING: usize = 12;
const LONGEST_WHY: usize = 2_000;
const TICK: Duration = Duration::from_secs(2);
/// Where ended cards with their undo are in the journal.
const SCOPE: &str = "approval";

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

/// What outlives Slipway of an ended card.
#[derive(Serialize, Deserialize)]
struct Kept {
    view: Approval,
    cluster: String,
    reversals: Vec<Reversal>,
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
        let cards = kept_cards(&core);
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

    /// Makes a card of somebody's proposal. It is shown and changes nothing.
    pub async fn propose_as(
        &self,
        origin: Origin,
        proposal: ChangeProposal,
    ) -> Result<ApprovalId, Failure> {
        let connected = self.inner.cluster.connected()?;
        let proposal = self.shortened(proposal);
        let waiting = {
            let cards = self.cards();
            let now = clock::now();
            let of_here: Vec<&Card> = cards
                .iter()
                .filter(|card| {
                    card.cluster == connected.id && card.view.state == ApprovalState::Waiting
                })
                .collect();
            let same = of_here
                .iter()
                .find(|card| card.proposal.argv == proposal.argv);
            let open = of_here
                .iter()
                .filter(|card| now < card.view.expires)
                .count();
            match same {
                Some(card) => Some(card.view.id.clone()),
                None if open >= MOST_WAITING => return Err(words::too_many().into()),
                None => None,
            }
        };
        if let Some(id) = waiting {
            self.look_again(&connected, &id).await?;
            return Ok(id);
        }
        let id = ApprovalId(format!("{:08x}", rand::random::<u32>()));
        let card = self.card(&connected, id.clone(), origin, proposal).await;
        let line = format!("proposed ({id}): {}", card.view.line);
        self.inner
            .core
            .journal
            .audit(&card.view.origin.title(), &line)
            .await?;
        {
            let mut cards = self.cards();
            cards.push(card);
            let surplus = cards.len().saturating_sub(MOST_CARDS);
            let mut gone = 0;
            cards.retain(|card| {
                let goes = gone < surplus
                    && !matches!(card.view.state, ApprovalState::Running { .. })
                    && !card.taken;
                gone += usize::from(goes);
                if goes {
                    self.inner.core.journal.delete_fact(SCOPE, &card.view.id.0);
                }
                !goes
            });
        }
        self.show();
        Ok(id)
    }

    /// Makes a card of a command line that an assistant wrote. Why there is none comes back in words
    /// for the assistant to read; nothing is run.
    pub async fn propose_line(
        &self,
        assistant: &str,
        line: &str,
        why: &str,
        heals: Option<String>,
    ) -> Result<ApprovalId, String> {
        let namespace = self.inner.project.spec().namespace.to_string();
        let read = split(line).map_err(|denied| denied.to_string());
        let read = read.and_then(|argv| self.understood(&argv, &namespace).map(|_| argv));
        let argv = match read {
            Ok(argv) => argv,
            // No card: many of them would hide those a person can say yes to.
            Err(why) => {
                let shown = shown(line, &self.inner.core.redactor);
                let what = format!("denied: {shown}: {why}");
                let audited = self.inner.core.journal.audit(assistant, &what).await;
                return Err(audited.err().map_or(why, |finding| finding.what));
            }
        };
        let origin = Origin::Assistant {
            name: assistant.to_owned(),
        };
        let proposal = ChangeProposal {
            argv,
            why: why.to_owned(),
            heals,
        };
        match self.propose_as(origin, proposal).await {
            Ok(id) => Ok(id),
            Err(Failure::Finding(finding)) => Err(finding.what),
            Err(Failure::Transport(why)) => Err(why),
        }
    }

    fn shortened(&self, mut proposal: ChangeProposal) -> ChangeProposal {
        let why = self.inner.core.redactor.redact(&proposal.why).into_owned();
        proposal.why = match why.char_indices().nth(LONGEST_WHY) {
            Some((at, _)) => format!("{}…", &why[..at]),
            None => why,
        };
        proposal
    }

    async fn card(
        &self,
        connected: &Connected,
        id: ApprovalId,
        origin: Origin,
        proposal: ChangeProposal,
    ) -> Card {
        let inner = &self.inner;
        let namespace = inner.project.spec().namespace.to_string();
        let heals = proposal.heals.as_deref().and_then(|key| {
            inner.core.hub.read(|state| {
                let finding = state.findings.iter().find(|finding| finding.key() == key)?;
                Some(Heals {
                    key: key.to_owned(),
                    code: finding.code.clone(),
                    what: finding.what.clone(),
                })
            })
        });
        let now = clock::now();
        let mut view = Approval {
            id,
            hash: String::new(),
            origin,
            why: proposal.why.clone(),
            argv: proposal.argv.clone(),
            line: String::new(),
            classification: Classification::Denied { why: String::new() },
            objects: Vec::new(),
            radius: Vec::new(),
            undo: None,
            no_undo: None,
            heals,
            made: now,
            expires: UnixMillis(now.0 + i64::try_from(TIME_TO_DECIDE.as_millis()).unwrap_or(0)),
            state: ApprovalState::Waiting,
        };
        let (mut command, mut seen) = (None, Vec::new());
        match self.understood(&proposal.argv, &namespace) {
            Err(why) => view.classification = Classification::Denied { why },
            Ok(understood) => {
                view.argv = understood.argv(&connected.context);
                view.classification = Classification::Change {
                    verb: understood.verb.word().to_owned(),
                    targets: understood.targets.iter().map(ToString::to_string).collect(),
                    namespace: understood.namespace.clone(),
                    flags: understood.flags.clone(),
                };
                let looker = Looker {
                    connected,
                    kubectl: &inner.kubectl,
                    redactor: &inner.core.redactor,
                    namespace: &namespace,
                };
                match looker.look(&understood).await {
                    Err(finding) => {
                        view.state = ApprovalState::Refused {
                            finding: Box::new(finding),
                        }
                    }
                    Ok(looked) => seen = put_on(&mut view, looked),
                }
                command = Some(understood);
            }
        }
        let redact = |text: &str| inner.core.redactor.redact(text).into_owned();
        for word in &mut view.argv {
            *word = redact(word);
        }
        if let Classification::Change { flags, .. } = &mut view.classification {
            for flag in flags {
                *flag = redact(flag);
            }
        }
        if let Classification::Denied { why } = &mut view.classification {
            *why = redact(why);
        }
        view.line = joined(&view.argv);
        view.hash = hash(&view);
        Card {
            view,
            cluster: connected.id.clone(),
            proposal,
            command,
            seen,
            reversals: Vec::new(),
            taken: false,
        }
    }

    /// The command, or why it is never run.
    fn understood(&self, argv: &[String], namespace: &str) -> Result<Command, String> {
        let line = argv.join(" ");
        if self.inner.core.redactor.redact(&line) != line.as_str() {
            return Err("it holds the value of a secret".to_owned());
        }
        let command = match classify(argv, namespace) {
            Err(denied) => return Err(denied.to_string()),
            Ok(Class::Look) => {
                return Err("it only looks, so there is nothing to approve".to_owned());
            }
            Ok(Class::Change(command)) => command,
        };
        let looks_secret = command.flags.iter().any(|flag| {
            let (name, value) = flag.split_once('=').unwrap_or(("", flag));
            hide(name, value, false) != value
        });
        if looks_secret {
            return Err(
                "it holds what looks like a secret; values are entered on the Secrets page"
                    .to_owned(),
            );
        }
        Ok(command)
    }

    /// Makes a card's preview anew, with a new hash and a new time to decide.
    async fn look_again(&self, connected: &Connected, id: &ApprovalId) -> Result<(), Failure> {
        let old = self.find(connected, id)?;
        if !matches!(
            old.view.state,
            ApprovalState::Waiting | ApprovalState::Refused { .. }
        ) {
            return Err(words::spent().into());
        }
        let (origin, heals) = (old.view.origin.clone(), old.view.heals.clone());
        let mut new = self
            .card(connected, id.clone(), origin, old.proposal.clone())
            .await;
        new.view.heals = new.view.heals.or(heals);
        new.view.hash = hash(&new.view);
        {
            let mut cards = self.cards();
            let Some(card) = cards.iter_mut().find(|card| card.view.id == *id) else {
                return Err(words::unknown(id).into());
            };
            if card.view.hash != old.view.hash || card.taken {
                return Err(words::spent().into());
            }
            *card = new;
        }
        self.show();
        Ok(())
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

    /// Writes an ended card down, with its undo unless there could be a secret in it.
    fn keep(&self, id: &ApprovalId) {
        let Some(card) = self
            .cards()
            .iter()
            .find(|card| card.view.id == *id)
            .cloned()
        else {
            return;
        };
        let redactor = &self.inner.core.redactor;
        let is_clean = card.reversals.iter().all(|back| back.is_clean(redactor));
        let kept = Kept {
            view: card.view,
            cluster: card.cluster,
            reversals: if is_clean { card.reversals } else { Vec::new() },
        };
        if let Ok(text) = serde_json::to_string(&kept) {
            self.inner.core.journal.put_fact(SCOPE, &id.0, &text);
        }
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

    /// Where a proposal comes from that the page sends: from a finding that offers exactly this, or
    /// from the person.
    fn origin(&self, proposal: &ChangeProposal) -> Origin {
        let offered = self.inner.core.hub.read(|state| {
            let key = proposal.heals.as_deref()?;
            let finding = state.findings.iter().find(|finding| finding.key() == key)?;
            let offers = finding.next.iter().any(|next| {
                matches!(next, NextAction::Do { action: Remedy::Propose { argv, .. }, .. } if *argv == proposal.argv)
            });
            offers.then(|| finding.code.clone())
        });
        match offered {
            Some(code) => Origin::Diagnosis { code },
            None => Origin::Operator,
        }
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
        let open = matches!(
            card.view.state,
            ApprovalState::Waiting | ApprovalState::Refused { .. }
        );
        if !open || card.taken {
            return Err(words::spent().into());
        }
        let words = format!("declined ({id}): {}", card.view.line);
        self.inner.core.journal.audit("operator", &words).await?;
        self.change(&id, |card| {
            if !card.taken {
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

/// What a dry run found, as the card has it.
fn put_on(view: &mut Approval, looked: Looked) -> Vec<Seen> {
    if !looked.gains.is_empty() {
        view.classification = Classification::Denied {
            why: format!("it would {}", looked.gains.join(", and ")),
        };
    }
    view.objects = looked.seen.iter().map(on_card).collect();
    view.radius = looked.radius;
    match looked.undo {
        Ok(words) => view.undo = Some(words),
        Err(why) => view.no_undo = Some(why),
    }
    looked.seen
}

/// Stands for all that a person reads on the card, and for the moment.
fn hash(view: &Approval) -> String {
    let mut view = view.clone();
    view.hash = String::new();
    view.state = ApprovalState::Waiting;
    let text = serde_json::to_vec(&view).unwrap_or_default();
    hex::encode(&Sha256::digest(text)[..12])
}

/// The ended cards of earlier starts, oldest first.
fn kept_cards(core: &Core) -> Vec<Card> {
    let facts: BTreeMap<String, String> = core.journal.facts_of(SCOPE);
    let mut cards: Vec<Card> = facts
        .values()
        .filter_map(|text| serde_json::from_str::<Kept>(text).ok())
        .map(|kept| {
            let mut view = kept.view;
            if let ApprovalState::Ended { undo, .. } = &mut view.state
                && !matches!(undo, UndoState::Done { .. })
            {
                *undo = match kept.reversals.is_empty() {
                    true => UndoState::None,
                    false => UndoState::Ready,
                };
            }
            Card {
                proposal: ChangeProposal {
                    argv: view.argv.clone(),
                    why: view.why.clone(),
                    heals: None,
                },
                view,
                cluster: kept.cluster,
                command: None,
                seen: Vec::new(),
                reversals: kept.reversals,
                taken: true,
            }
        })
        .collect();
    cards.sort_by_key(|card| card.view.made);
    cards
}

fn stage(id: &str, title: impl Into<String>) -> Stage {
    Stage {
        id: id.to_owned(),
        title: title.into(),
        component: None,
        state: StageState::Pending,
    }
}
