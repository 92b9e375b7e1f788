//! Making cards: a proposal is parsed, tried without changing anything, and put in words. None of it
//! runs here.

use app::model::{
    Approval, ApprovalId, ApprovalState, ChangeProposal, Classification, Failure, Heals,
    NextAction, Origin, Remedy, UnixMillis,
};
use sha2::{Digest as _, Sha256};

use super::look::{Looked, Looker, Seen, on_card};
use super::{ApprovalsRoom, Card, TIME_TO_DECIDE, words};
use crate::assist::command::{Class, Command, classify, joined, split};
use crate::assist::reading::shown;
use crate::cluster::Connected;
use crate::deploy::preview::mask::hide;
use crate::engine::clock;

/// Cards that are kept, decided or not.
const MOST_CARDS: usize = 30;
const MOST_WAITING: usize = 12;
const LONGEST_WHY: usize = 2_000;

impl ApprovalsRoom {
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
            for gone in make_room(&mut cards, clock::now()) {
                self.let_go(&gone);
            }
            cards.push(card);
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
                        let finding = Box::new(inner.core.redactor.finding(finding));
                        view.state = ApprovalState::Refused { finding };
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
    pub(super) async fn look_again(
        &self,
        connected: &Connected,
        id: &ApprovalId,
    ) -> Result<(), Failure> {
        let old = self.find(connected, id)?;
        if !old.is_open() {
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
            // It may have been declined meanwhile, which its hash does not tell.
            if card.view.hash != old.view.hash || card.taken || !card.is_open() {
                return Err(words::spent().into());
            }
            *card = new;
        }
        self.show();
        Ok(())
    }

    /// Where a proposal comes from that the page sends: from a finding that offers exactly this, or
    /// from the person.
    pub(super) fn origin(&self, proposal: &ChangeProposal) -> Origin {
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

/// Takes out what is too many for one more card: what is settled goes first, and the oldest of it.
fn make_room(cards: &mut Vec<Card>, now: UnixMillis) -> Vec<ApprovalId> {
    let mut gone = Vec::new();
    while cards.len() >= MOST_CARDS {
        let settled = cards.iter().position(|card| card.is_settled(now));
        let Some(at) = settled.or_else(|| cards.iter().position(|card| !card.is_at_work())) else {
            break;
        };
        gone.push(cards.remove(at).view.id);
    }
    gone
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
