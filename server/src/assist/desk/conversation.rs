//! The turns of the conversation and everybody who follows them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    AssistantChoices, AssistantId, DeskFrame, Destination, Turn, TurnEnding, TurnEvent, TurnId,
    TurnOutcome, fold_desk,
};
use futures::Stream;
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Exchange;
use crate::engine::clock;

/// A sign of life while nothing is said.
const ALIVE: Duration = Duration::from_secs(2);
/// Older turns are let go; what was said is in the audit journal.
const MOST_TURNS: usize = 60;
/// A page that falls further behind gets everything anew.
const BEHIND: usize = 512;
/// What one turn holds of text, over all its items, in bytes; more is left out and said so.
const LONGEST: usize = 512 << 10;
/// How many exchanges are sent again with a question.
const MOST_EARLIER: usize = 8;

/// Clones share it.
#[derive(Clone, Debug)]
pub struct Conversation {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: broadcast::Sender<DeskFrame>,
}

#[derive(Debug, Default)]
struct State {
    turns: Vec<Turn>,
    next: u64,
    /// The turn that is being answered, with what stops it.
    going: Option<(TurnId, CancellationToken)>,
    /// Bytes of the turn that is being answered.
    length: usize,
    /// Turns before this one are not sent again.
    from: u64,
    /// To whom the question of each turn went.
    whom: BTreeMap<TurnId, Whom>,
}

/// Somebody to whom words go. What was said to one is not sent on to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    pub destination: Destination,
    /// Without the model: another one at the same place hears what was said there.
    pub choices: AssistantChoices,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                news: broadcast::channel(BEHIND).0,
            }),
        }
    }
}

impl Conversation {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds the frame in and tells it, under the lock: everybody hears everything in order.
    fn say(&self, state: &mut State, frame: DeskFrame) {
        fold_desk(&mut state.turns, frame.clone());
        // Nobody may be following.
        let _ = self.shared.news.send(frame);
    }

    /// A new turn; none while another one is being answered.
    pub fn begin(&self, make: impl FnOnce(TurnId) -> Turn) -> Option<TurnId> {
        let mut state = self.state();
        if state.going.is_some() {
            return None;
        }
        state.next += 1;
        let id = TurnId(state.next);
        state.going = Some((id, CancellationToken::new()));
        state.length = 0;
        let turn = make(id);
        self.say(
            &mut state,
            DeskFrame::Began {
                turn: Box::new(turn),
            },
        );
        if state.turns.len() > MOST_TURNS {
            state.turns.remove(0);
        }
        Some(id)
    }

    /// Tells what happens to a turn; one that has ended stays as it is.
    pub fn tell(&self, turn: TurnId, event: TurnEvent) {
        let mut state = self.state();
        if state.going.as_ref().is_none_or(|(going, _)| *going != turn) {
            return;
        }
        let before = state.length;
        state.length = before.saturating_add(size(&event));
        let event = match (before > LONGEST, state.length > LONGEST) {
            (true, _) if size(&event) > 0 => return,
            (false, true) => TurnEvent::Notice {
                text: "The answer is too long; the rest is left out.".to_owned(),
            },
            _ => event,
        };
        self.say(&mut state, DeskFrame::Told { turn, event });
    }

    pub fn end(&self, turn: TurnId, how: TurnOutcome) {
        let mut state = self.state();
        if state.going.as_ref().is_none_or(|(going, _)| *going != turn) {
            return;
        }
        let ending = TurnEnding {
            at: clock::now(),
            how,
        };
        let event = TurnEvent::Ended { ending };
        self.say(&mut state, DeskFrame::Told { turn, event });
        state.going = None;
    }

    /// Cancelled once a person stops this turn; at once when it is not being answered.
    pub fn stopped(&self, turn: TurnId) -> CancellationToken {
        match &self.state().going {
            Some((going, stop)) if *going == turn => stop.clone(),
            _ => {
                let over = CancellationToken::new();
                over.cancel();
                over
            }
        }
    }

    pub fn stop(&self, turn: TurnId) {
        if let Some((going, stop)) = &self.state().going
            && *going == turn
        {
            stop.cancel();
        }
    }

    /// Stops what is being answered and starts anew with an empty screen.
    pub fn forget(&self) {
        let mut state = self.state();
        let going = state.going.as_ref().map(|(going, stop)| {
            stop.cancel();
            *going
        });
        let turns: Vec<Turn> = state
            .turns
            .iter()
            .filter(|turn| Some(turn.id) == going)
            .cloned()
            .collect();
        state.from = state.next + 1;
        self.say(&mut state, DeskFrame::All { turns });
    }

    /// What was said in a turn, as markdown.
    pub fn said(&self, turn: TurnId) -> String {
        let state = self.state();
        let turn = state.turns.iter().find(|known| known.id == turn);
        turn.map(Turn::said).unwrap_or_default()
    }

    /// Notes to whom the question of a turn goes.
    pub fn goes_to(&self, turn: TurnId, whom: Whom) {
        let mut state = self.state();
        let known: BTreeSet<TurnId> = state.turns.iter().map(|turn| turn.id).collect();
        state.whom.retain(|turn, _| known.contains(turn));
        state.whom.insert(turn, whom);
    }

    /// What was asked and answered before with this assistant and at this place, oldest first.
    pub fn exchanges(&self, assistant: AssistantId, whom: &Whom) -> Vec<Exchange> {
        let state = self.state();
        let mut earlier: VecDeque<Exchange> = VecDeque::new();
        for turn in &state.turns {
            let is_whole = turn
                .ending
                .as_ref()
                .is_some_and(|ending| ending.how == TurnOutcome::Answered);
            let answer = turn.said();
            if turn.assistant == assistant
                && state.whom.get(&turn.id) == Some(whom)
                && turn.id.0 >= state.from
                && is_whole
                && !answer.is_empty()
            {
                earlier.push_back(Exchange {
                    question: turn.question.clone(),
                    answer,
                });
            }
            if earlier.len() > MOST_EARLIER {
                earlier.pop_front();
            }
        }
        earlier.into()
    }

    /// Everything there is, then what happens, with a sign of life in between. Ends with the room.
    pub fn follow(&self) -> impl Stream<Item = DeskFrame> + Send + 'static + use<> {
        let (news, turns) = {
            let state = self.state();
            (self.shared.news.subscribe(), state.turns.clone())
        };
        // Not the room itself: a page that follows must not keep it alive.
        let shared = Arc::downgrade(&self.shared);
        let first = Some(DeskFrame::All { turns });
        futures::stream::unfold(
            (first, news, shared),
            |(first, mut news, shared)| async move {
                if let Some(first) = first {
                    return Some((first, (None, news, shared)));
                }
                let next = match timeout(ALIVE, news.recv()).await {
                    Err(_) => DeskFrame::Alive,
                    Ok(Ok(frame)) => frame,
                    Ok(Err(broadcast::error::RecvError::Closed)) => return None,
                    Ok(Err(broadcast::error::RecvError::Lagged(_))) => {
                        let shared = shared.upgrade()?;
                        let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                        news = shared.news.subscribe();
                        DeskFrame::All {
                            turns: state.turns.clone(),
                        }
                    }
                };
                Some((next, (None, news, shared)))
            },
        )
    }
}

/// What an event adds to the text of its turn, in bytes.
fn size(event: &TurnEvent) -> usize {
    match event {
        TurnEvent::Text { text } | TurnEvent::Notice { text } => text.len(),
        TurnEvent::ToolCalled {
            id,
            name,
            arguments,
        } => id.len() + name.len() + arguments.len(),
        TurnEvent::ToolAnswered { answer, .. } => answer.text.len(),
        TurnEvent::Refused { what, why } => what.len() + why.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use app::model::{TurnItem, UnixMillis, Usage};
    use futures::StreamExt as _;

    use super::*;

    fn turn(id: TurnId) -> Turn {
        Turn {
            id,
            assistant: AssistantId::Endpoint,
            question: format!("question {}", id.0),
            parts: vec![],
            model: None,
            asked: UnixMillis(0),
            items: vec![],
            usage: None,
            ending: None,
        }
    }

    fn text(text: &str) -> TurnEvent {
        TurnEvent::Text {
            text: text.to_owned(),
        }
    }

    fn whole(conversation: &Conversation, said: &str) -> TurnId {
        let id = conversation.begin(turn).expect("free");
        conversation.tell(id, text(said));
        conversation.end(id, TurnOutcome::Answered);
        conversation.goes_to(id, at("a.example"));
        id
    }

    fn at(place: &str) -> Whom {
        Whom {
            destination: Destination::Cloud { to: place.into() },
            choices: AssistantChoices::default(),
        }
    }

    #[tokio::test]
    async fn a_page_that_comes_late_and_one_that_was_there_see_the_same() {
        let conversation = Conversation::default();
        let mut early = std::pin::pin!(conversation.follow());
        whole(&conversation, "because");
        let mut seen = vec![];
        for _ in 0..4 {
            fold_desk(&mut seen, early.next().await.expect("a frame"));
        }
        let mut late = vec![];
        let mut follow = std::pin::pin!(conversation.follow());
        fold_desk(&mut late, follow.next().await.expect("a frame"));
        assert_eq!(seen, late);
        assert_eq!(seen[0].said(), "because");
    }

    #[tokio::test]
    async fn a_page_that_fell_behind_gets_everything_anew() {
        let conversation = Conversation::default();
        let mut slow = std::pin::pin!(conversation.follow());
        let id = conversation.begin(turn).expect("free");
        for _ in 0..BEHIND + 10 {
            conversation.tell(id, text("x"));
        }
        let mut seen = vec![];
        while seen.first().map_or(0, |turn: &Turn| turn.said().len()) < BEHIND + 10 {
            fold_desk(&mut seen, slow.next().await.expect("a frame"));
        }
    }

    #[test]
    fn one_answer_at_a_time_and_nothing_is_said_after_its_end() {
        let conversation = Conversation::default();
        let id = conversation.begin(turn).expect("free");
        assert_eq!(conversation.begin(turn), None);
        conversation.end(id, TurnOutcome::Stopped);
        conversation.tell(id, text("late"));
        assert_eq!(conversation.said(id), "");
        assert!(conversation.begin(turn).is_some());
    }

    #[test]
    fn only_whole_answers_since_the_last_beginning_are_sent_again_and_only_to_whom_they_were_given()
    {
        let conversation = Conversation::default();
        whole(&conversation, "old");
        conversation.forget();
        whole(&conversation, "new");
        let broken = conversation.begin(turn).expect("free");
        conversation.tell(broken, text("half"));
        conversation.end(broken, TurnOutcome::Stopped);
        let said = |assistant, whom: &Whom| -> Vec<String> {
            let exchanges = conversation.exchanges(assistant, whom).into_iter();
            exchanges.map(|exchange| exchange.answer).collect()
        };
        let here = at("a.example");
        assert_eq!(said(AssistantId::Endpoint, &here), ["new"]);
        assert!(said(AssistantId::KubectlAi, &here).is_empty());
        assert!(said(AssistantId::Endpoint, &at("b.example")).is_empty());
    }

    #[test]
    fn an_answer_without_end_is_cut_and_says_so() {
        let conversation = Conversation::default();
        let id = conversation.begin(turn).expect("free");
        let much = "x".repeat(LONGEST / 4);
        for _ in 0..10 {
            conversation.tell(id, text(&much));
        }
        conversation.tell(
            id,
            TurnEvent::Used {
                usage: Usage {
                    input: 1,
                    output: 2,
                },
            },
        );
        let state = conversation.state();
        let turn = state.turns.last().expect("the turn");
        assert!(turn.said().len() <= LONGEST);
        assert!(matches!(turn.items.last(), Some(TurnItem::Notice { .. })));
        assert_eq!(turn.items.len(), 2);
        assert!(turn.usage.is_some());
    }

    #[test]
    fn a_stop_reaches_only_the_turn_it_is_for() {
        let conversation = Conversation::default();
        let id = conversation.begin(turn).expect("free");
        let stop = conversation.stopped(id);
        conversation.stop(TurnId(99));
        assert!(!stop.is_cancelled());
        conversation.stop(id);
        assert!(stop.is_cancelled());
        assert!(conversation.stopped(TurnId(99)).is_cancelled());
    }
}
