//! Slipway's own agent for kagent: read it, apply it, remove it.

use leptos::prelude::*;

use crate::api::assistants::{apply_agent, remove_agent};
use crate::components::{FailureNote, wish};
use crate::model::{OwnAgent, OwnAgentStanding};
use crate::ui::{Button, ButtonKind};

#[component]
pub fn OwnAgentOffer(agent: OwnAgent, changed: Callback<()>) -> impl IntoView {
    let apply = wish(move |shown: String| async move {
        let applied = apply_agent(shown).await;
        if applied.is_ok() {
            changed.run(());
        }
        applied
    });
    let remove = wish(move |()| async move {
        let removed = remove_agent().await;
        if removed.is_ok() {
            changed.run(());
        }
        removed
    });
    let (word, hint) = match agent.standing {
        OwnAgentStanding::Offered => (
            "An agent that only looks",
            "None of its tools changes anything. Once it is applied and ready it is asked, unless you choose another.",
        ),
        OwnAgentStanding::Applied => (
            "Slipway's agent is in the cluster",
            "None of its tools changes anything. Removing it also ends its pod.",
        ),
        OwnAgentStanding::Changed => (
            "Slipway's agent was changed",
            "Somebody gave it other tools since. Applying it again gives it those below, which change nothing.",
        ),
        OwnAgentStanding::Taken => (
            "Slipway's agent has no place",
            "There is another agent of its name, which Slipway leaves alone.",
        ),
    };
    let manifest = agent.manifest.clone();
    let act = match agent.standing {
        OwnAgentStanding::Offered | OwnAgentStanding::Changed => Some(
            view! {
                <Button busy=apply.is_pending() on_press=move |()| apply.send(manifest.clone())>
                    "Apply the agent"
                </Button>
            }
            .into_any(),
        ),
        OwnAgentStanding::Applied => Some(
            view! {
                <Button kind=ButtonKind::Quiet busy=remove.is_pending() on_press=move |()| remove.send(())>
                    "Remove the agent"
                </Button>
            }
            .into_any(),
        ),
        OwnAgentStanding::Taken => None,
    };
    view! {
        <details class="desk-setting">
            <summary>{word}</summary>
            <p class="card-hint">{hint}</p>
            <pre class="desk-manifest" tabindex="0" role="region" aria-label=format!("Manifest of {}", agent.name)>
                {agent.manifest}
            </pre>
            <div class="desk-acts">{act}</div>
            <FailureNote failure=apply.failure() />
            <FailureNote failure=remove.failure() />
        </details>
    }
    .into_any()
}
