//! What was shown before it goes out: nothing goes to a cloud that a person has not seen once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::model::{AssistantId, Destination, Outgoing};
use sha2::{Digest as _, Sha256};

const MOST: usize = 16;

/// Remembers what was shown, and to where a person has let something go since Slipway started.
#[derive(Debug, Default)]
pub struct Shown {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    previews: VecDeque<(AssistantId, Outgoing)>,
    known: BTreeSet<String>,
}

pub fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn place(assistant: AssistantId, destination: &Destination) -> String {
    match destination {
        Destination::Machine => format!("{} here", assistant.word()),
        Destination::Cloud { to } => format!("{} {to}", assistant.word()),
        Destination::Unknown => format!("{} somewhere", assistant.word()),
    }
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_known(&self, assistant: AssistantId, destination: &Destination) -> bool {
        self.state().known.contains(&place(assistant, destination))
    }

    pub fn remember(&self, assistant: AssistantId, outgoing: &Outgoing) {
        let mut state = self.state();
        state
            .previews
            .retain(|(of, known)| *of != assistant || known.hash != outgoing.hash);
        state.previews.push_back((assistant, outgoing.clone()));
        while state.previews.len() > MOST {
            state.previews.pop_front();
        }
    }

    /// What was shown under this hash.
    pub fn take(&self, assistant: AssistantId, hash: &str) -> Option<Outgoing> {
        let mut state = self.state();
        let at = state
            .previews
            .iter()
            .position(|(of, known)| *of == assistant && known.hash == hash)?;
        state.previews.remove(at).map(|(_, outgoing)| outgoing)
    }

    /// A person has seen what goes there, and said yes to it.
    pub fn let_go(&self, assistant: AssistantId, destination: &Destination) {
        self.state().known.insert(place(assistant, destination));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(text: &str) -> Outgoing {
        Outgoing {
            text: text.to_owned(),
            hash: hash(text),
            destination: Destination::Unknown,
            consented: false,
            hidden: 0,
        }
    }

    #[test]
    fn what_was_shown_is_taken_once_and_only_for_whom_it_was_shown() {
        let shown = Shown::default();
        let seen = outgoing("why?");
        shown.remember(AssistantId::Endpoint, &seen);
        assert_eq!(shown.take(AssistantId::KubectlAi, &seen.hash), None);
        assert_eq!(shown.take(AssistantId::Endpoint, &hash("other")), None);
        assert_eq!(
            shown.take(AssistantId::Endpoint, &seen.hash).as_ref(),
            Some(&seen)
        );
        assert_eq!(shown.take(AssistantId::Endpoint, &seen.hash), None);
    }

    #[test]
    fn a_yes_is_for_one_place() {
        let shown = Shown::default();
        let to = |to: &str| Destination::Cloud { to: to.to_owned() };
        shown.let_go(AssistantId::Endpoint, &to("a.example"));
        assert!(shown.is_known(AssistantId::Endpoint, &to("a.example")));
        assert!(!shown.is_known(AssistantId::Endpoint, &to("b.example")));
        assert!(!shown.is_known(AssistantId::KubectlAi, &to("a.example")));
    }
}
