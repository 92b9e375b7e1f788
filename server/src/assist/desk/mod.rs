//! The desk: who can be asked, what goes to them, and what comes back. Assistants look; what they want
//! to change becomes a card, and only a person's yes makes Slipway carry it out.

mod child;
mod conversation;
mod docker_agent;
mod endpoint;
mod gordon;
mod kagent;
mod keep;
mod kit;
mod kubectl_ai;
pub mod looker;
mod outgoing;
mod scratch;
mod settings;
mod teller;
mod words;

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    AssistantChoices, AssistantId, AssistantSetting, AssistantView, ContextPack, Desk, DeskFrame,
    Destination, Failure, Finding, Outgoing, PackPart, PromptIdea, Question, TerminalId,
    TerminalSize, Turn, TurnId, TurnOutcome,
};
use app::ports::Assistants;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::BoxStream;

use self::conversation::{Conversation, Whom};
use self::docker_agent::DockerAgent;
use self::endpoint::Endpoint;
use self::gordon::Gordon;
use self::kagent::Kagent;
pub use self::kit::Kit;
use self::kubectl_ai::KubectlAi;
pub use self::kubectl_ai::Patience;
use self::looker::Lookers;
use self::outgoing::Shown;
use self::scratch::Scratch;
pub use self::settings::Settings;
pub use self::teller::Teller;
use crate::engine::clock;

/// From a question to the end of its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long looking at one assistant may take before it counts as not there.
const LOOK_LIMIT: Duration = Duration::from_secs(12);
const LONGEST_QUESTION: usize = 8_000;
const LONGEST_TITLE: usize = 80;
const MOST_PROMPTS: usize = 60;
/// Where saved prompts are in the journal, by title.
const PROMPTS: &str = "prompt";

/// What is asked, as it goes out.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The whole text: the question with the parts of the context pack that go with it, redacted.
    pub text: String,
    /// Earlier questions to the same assistant with their answers, oldest first.
    pub earlier: Vec<Exchange>,
}

/// One question with its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub question: String,
    pub answer: String,
}

/// Somebody who can be asked. Dropping the future of an answer stops it and whatever it started.
#[async_trait]
pub trait Assistant: std::fmt::Debug + Send + Sync {
    fn id(&self) -> AssistantId;
    /// Looks how it stands; starts nothing that asks a model.
    async fn look(&self) -> AssistantView;
    /// Where a question goes with the choices as they are.
    async fn destination(&self) -> Destination;
    /// Answers one question and tells what happens.
    async fn answer(&self, asked: &Asked, teller: &Teller) -> Result<(), Finding>;
    /// The conversation is over: lets go of what was kept for it.
    async fn forget(&self) {}
}

/// The room; clones share it.
#[derive(Clone, Debug)]
pub struct DeskRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kit: Kit,
    conversation: Conversation,
    shown: Shown,
    assistants: Vec<Arc<dyn Assistant>>,
    lookers: Lookers,
}

impl DeskRoom {
    pub fn new(kit: Kit) -> Self {
        Self::patient(kit, Patience::default())
    }

    /// With other limits for the silences of assistants that are programs.
    pub fn patient(kit: Kit, patience: Patience) -> Self {
        let scratch = Scratch::new(kit.core.state_dir.path());
        let lookers = Lookers::new(
            kit.core.clone(),
            Arc::clone(&kit.project),
            kit.cluster.clone(),
            scratch.clone(),
        );
        let assistants: Vec<Arc<dyn Assistant>> = vec![
            Arc::new(KubectlAi::new(kit.clone(), lookers.clone(), patience)),
            Arc::new(Kagent::new(kit.clone(), patience)),
            Arc::new(Gordon::new(kit.clone())),
            Arc::new(DockerAgent::new(kit.clone(), scratch, patience)),
            Arc::new(Endpoint::new(kit.clone())),
        ];
        Self {
            inner: Arc::new(Inner {
                kit,
                conversation: Conversation::default(),
                shown: Shown::default(),
                assistants,
                lookers,
            }),
        }
    }

    /// Removes what a Slipway that was killed left behind in a cluster, as soon as it is in use.
    pub fn spawn(&self) {
        let lookers = self.inner.lookers.clone();
        let core = &self.inner.kit.core;
        let stop = core.shutdown.clone();
        core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = lookers.sweep_always() => {}
            }
        });
    }

    /// Ends everything that was kept for conversations, as long as the cluster can still be reached.
    pub async fn end(&self) {
        self.inner.conversation.forget();
        join_all(self.inner.assistants.iter().map(|one| one.forget())).await;
    }

    fn assistant(&self, id: AssistantId) -> Result<Arc<dyn Assistant>, Finding> {
        let found = self.inner.assistants.iter().find(|one| one.id() == id);
        found.cloned().ok_or_else(|| words::cannot_be_asked(id))
    }

    async fn gathered(&self) -> Result<ContextPack, Failure> {
        self.inner.kit.assist.pack().await
    }

    async fn outgoing(&self, question: &Question) -> Result<Outgoing, Failure> {
        let text = question.text.trim();
        if text.is_empty() {
            return Err(words::nothing_asked().into());
        }
        if text.chars().count() > LONGEST_QUESTION {
            return Err(words::too_long(LONGEST_QUESTION).into());
        }
        let destination = self.assistant(question.assistant)?.destination().await;
        let pack = self.gathered().await?;
        let redactor = &self.inner.kit.core.redactor;
        // A person may paste anything into a question.
        let question_text = super::reading::shown(text, redactor);
        let hidden = pack
            .sections
            .iter()
            .filter(|section| !question.left_out.contains(&section.part))
            .map(|section| section.hidden)
            .sum();
        let text = pack.text(&question_text, &question.left_out);
        let outgoing = Outgoing {
            hash: outgoing::hash(&text),
            text,
            consented: self.inner.shown.is_known(question.assistant, &destination),
            destination,
            hidden,
        };
        Ok(outgoing)
    }

    async fn answer(self, turn: TurnId, assistant: Arc<dyn Assistant>, asked: Asked) {
        let kit = &self.inner.kit;
        let conversation = &self.inner.conversation;
        let teller = Teller::new(kit.clone(), conversation.clone(), turn, assistant.id());
        let stop = conversation.stopped(turn);
        let of_cluster = kit.cluster.current();
        let left = async {
            match &of_cluster {
                Some(connected) => connected.gone.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let answering = tokio::time::timeout(ANSWER_LIMIT, assistant.answer(&asked, &teller));
        let how = tokio::select! {
            biased;
            () = stop.cancelled() => TurnOutcome::Stopped,
            () = kit.core.shutdown.cancelled() => TurnOutcome::Stopped,
            () = left => {
                teller.notice("Stopped: it was about the cluster that was in use before.");
                TurnOutcome::Stopped
            }
            answered = answering => match answered {
                Ok(Ok(())) => TurnOutcome::Answered,
                Ok(Err(finding)) => failed(kit.core.redactor.finding(finding)),
                Err(_) => failed(words::too_slow(assistant.id(), ANSWER_LIMIT)),
            },
        };
        teller.flush();
        let word = match &how {
            TurnOutcome::Answered => "answered".to_owned(),
            TurnOutcome::Stopped => "was stopped".to_owned(),
            TurnOutcome::Failed { finding } => format!("failed ({})", finding.code),
        };
        conversation.end(turn, how);
        let said = conversation.said(turn);
        let what = match said.trim().is_empty() {
            true => format!("{} {word}", turn.0),
            false => format!("{} {word}: {said}", turn.0),
        };
        // The answer is on the screen already; a journal that cannot be written says so itself.
        let _ = kit.core.journal.audit(assistant.id().title(), &what).await;
    }
}

/// What was said before, for somebody who has not heard it.
fn with_earlier(asked: &Asked) -> String {
    if asked.earlier.is_empty() {
        return asked.text.clone();
    }
    let mut text = String::from("This was asked and answered before:\n");
    for earlier in &asked.earlier {
        text += &format!(
            "\nQuestion: {}\nAnswer: {}\n",
            earlier.question, earlier.answer
        );
    }
    text + "\nThe question now: " + &asked.text
}

fn failed(finding: Finding) -> TurnOutcome {
    TurnOutcome::Failed {
        finding: Box::new(finding),
    }
}

/// How one stands that did not answer the question in time.
fn silent(id: AssistantId) -> AssistantView {
    kit::missing(id, words::does_not_answer(id))
}

#[async_trait]
impl Assistants for DeskRoom {
    async fn pack(&self) -> Result<ContextPack, Failure> {
        self.gathered().await
    }

    async fn desk(&self) -> Result<Desk, Failure> {
        let looks = self.inner.assistants.iter().map(|one| async move {
            tokio::time::timeout(LOOK_LIMIT, one.look())
                .await
                .unwrap_or_else(|_| silent(one.id()))
        });
        let assistants = join_all(looks).await;
        let saved = self.inner.kit.core.journal.facts_of(&self.prompts());
        Ok(Desk {
            assistants,
            saved: saved
                .into_iter()
                .map(|(title, prompt)| PromptIdea { title, prompt })
                .collect(),
        })
    }

    async fn apply_agent(&self, shown: String) -> Result<(), Failure> {
        kagent::apply_agent(&self.inner.kit, &shown).await
    }

    async fn remove_agent(&self) -> Result<(), Failure> {
        kagent::remove_agent(&self.inner.kit).await
    }

    async fn configure(&self, setting: AssistantSetting) -> Result<(), Failure> {
        let id = setting.assistant;
        self.assistant(id)?;
        self.inner.kit.settings.set(setting)?;
        // What was kept for the conversation was made with the old ones.
        self.assistant(id)?.forget().await;
        Ok(())
    }

    async fn preview(&self, question: Question) -> Result<Outgoing, Failure> {
        let outgoing = self.outgoing(&question).await?;
        self.inner.shown.remember(question.assistant, &outgoing);
        Ok(outgoing)
    }

    async fn ask(&self, question: Question, seen: Option<String>) -> Result<TurnId, Failure> {
        let assistant = self.assistant(question.assistant)?;
        let was_seen = seen
            .as_deref()
            .and_then(|hash| self.inner.shown.take(question.assistant, hash));
        let destination = assistant.destination().await;
        let seen_there = was_seen
            .as_ref()
            .is_some_and(|seen| seen.destination == destination);
        if destination.needs_consent()
            && !seen_there
            && !self.inner.shown.is_known(assistant.id(), &destination)
        {
            return Err(words::not_seen(question.assistant).into());
        }
        let redactor = &self.inner.kit.core.redactor;
        let outgoing = match was_seen {
            // A value has become known since that is in it.
            Some(outgoing) if redactor.redact(&outgoing.text) != outgoing.text.as_str() => {
                return Err(words::not_seen(question.assistant).into());
            }
            // Exactly what was read, not what it would be by now.
            Some(outgoing) => outgoing,
            None => self.outgoing(&question).await?,
        };
        self.inner.shown.let_go(assistant.id(), &destination);
        let whom = Whom {
            choices: AssistantChoices {
                model: None,
                ..self.inner.kit.settings.choices(question.assistant)
            },
            destination,
        };
        let mut earlier = self.inner.conversation.exchanges(question.assistant, &whom);
        for exchange in &mut earlier {
            for text in [&mut exchange.question, &mut exchange.answer] {
                *text = redactor.redact(text).into_owned();
            }
        }
        let turn = self
            .inner
            .conversation
            .begin(|id| Turn {
                id,
                assistant: question.assistant,
                question: super::reading::shown(
                    question.text.trim(),
                    &self.inner.kit.core.redactor,
                ),
                parts: PackPart::ALL
                    .into_iter()
                    .filter(|part| !question.left_out.contains(part))
                    .collect(),
                model: None,
                asked: clock::now(),
                items: Vec::new(),
                usage: None,
                ending: None,
            })
            .ok_or_else(words::busy)?;
        self.inner.conversation.goes_to(turn, whom);
        let title = question.assistant.title();
        let what = format!("{} asked {title}: {}", turn.0, outgoing.text);
        if let Err(finding) = self.inner.kit.core.journal.audit("You", &what).await {
            let how = failed(finding.clone());
            self.inner.conversation.end(turn, how);
            return Err(finding.into());
        }
        let asked = Asked {
            text: outgoing.text,
            earlier,
        };
        let room = self.clone();
        self.inner
            .kit
            .core
            .tasks
            .spawn(async move { room.answer(turn, assistant, asked).await });
        Ok(turn)
    }

    async fn open_terminal(
        &self,
        question: Question,
        seen: String,
        size: TerminalSize,
    ) -> Result<TerminalId, Failure> {
        let id = question.assistant;
        if id != AssistantId::Gordon {
            return Err(words::no_terminal(id).into());
        }
        let shown = &self.inner.shown;
        let outgoing = shown.take(id, &seen).ok_or_else(|| words::not_seen(id))?;
        let opened = gordon::open(&self.inner.kit, &outgoing.text, size).await;
        match &opened {
            Ok(_) => shown.let_go(id, &outgoing.destination),
            // It was seen, and did not go out.
            Err(_) => shown.remember(id, &outgoing),
        }
        opened
    }

    async fn stop(&self, turn: TurnId) -> Result<(), Failure> {
        self.inner.conversation.stop(turn);
        Ok(())
    }

    async fn forget(&self) -> Result<(), Failure> {
        self.end().await;
        Ok(())
    }

    async fn follow(&self) -> Result<BoxStream<'static, DeskFrame>, Failure> {
        Ok(self.inner.conversation.follow().boxed())
    }

    async fn save_prompt(&self, idea: PromptIdea) -> Result<(), Failure> {
        let title = idea.title.trim();
        let is_bad = title.is_empty()
            || title.chars().count() > LONGEST_TITLE
            || title.contains(char::is_control)
            || idea.prompt.trim().is_empty()
            || idea.prompt.chars().count() > LONGEST_QUESTION;
        if is_bad {
            return Err(words::bad_prompt(LONGEST_TITLE, LONGEST_QUESTION).into());
        }
        let journal = &self.inner.kit.core.journal;
        let scope = self.prompts();
        if journal.facts_of(&scope).len() >= MOST_PROMPTS
            && journal.get_fact(&scope, title).is_none()
        {
            return Err(words::too_many_prompts(MOST_PROMPTS).into());
        }
        let prompt = super::reading::shown(&idea.prompt, &self.inner.kit.core.redactor);
        journal.put_fact_durably(&scope, title, &prompt).await?;
        Ok(())
    }

    async fn remove_prompt(&self, title: String) -> Result<(), Failure> {
        let journal = &self.inner.kit.core.journal;
        journal.delete_fact(&self.prompts(), title.trim());
        Ok(())
    }
}

impl DeskRoom {
    /// The scope of this project's prompts.
    fn prompts(&self) -> String {
        format!("{PROMPTS} {}", self.inner.kit.project.root.display())
    }
}
